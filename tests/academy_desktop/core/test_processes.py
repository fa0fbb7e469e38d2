from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from academy_desktop.core.processes import start_host, trainer_environment
from academy_desktop.core.runtimes import Runtimes
from tests.chaos.driving import host_record, is_running, trainer_pid, until
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import Command, Launch, RunDir, write_record
from trainers.locks import FileLock, is_held

PYTHON = Path(sys.executable)
RUNTIME = Path("/data/runtimes/b7e1")

# the environment


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "OPENAI_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "PGPASSWORD",
        "PGPASSFILE",
        "SSHPASS",
        "MYSQL_PWD",
        "GITHUB_PAT",
        "REDISCLI_AUTH",
        "SSH_AUTH_SOCK",
        "SESSION_COOKIE",
        "wandb_api_key",
    ],
)
def test_a_secret_is_dropped_by_its_name(name: str) -> None:
    assert "s3cret" not in str(trainer_environment({name: "s3cret"}, RUNTIME))


@pytest.mark.parametrize(
    "value",
    [
        "http://anna:s3cret@proxy:3128",
        "https://s3cret@pypi.example/simple",
        "--index-url https://anna:s3cret@pypi.example/simple --pre",
        "postgresql+psycopg://anna:s3cret@db/x",
        "http://ok/ https://anna:s3cret@b/",
    ],
)
def test_a_secret_in_an_address_is_dropped(value: str) -> None:
    assert "s3cret" not in str(trainer_environment({"SOME_URL": value}, RUNTIME))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATH", "/usr/local/bin:/usr/bin"),
        ("HOME", "/home/anna"),
        ("LANG", "de_DE.UTF-8"),
        ("LD_LIBRARY_PATH", "/opt/cuda/lib64"),
        ("CUDA_VISIBLE_DEVICES", "0"),
        ("CUDA_PATH", "/opt/cuda"),
        ("OMP_NUM_THREADS", "4"),
        ("http_proxy", "http://proxy:3128/a@b"),
        ("HF_HOME", "/models"),
        ("XDG_DATA_HOME", "/home/anna/.local/share"),
        ("TMPDIR", "/var/tmp"),
    ],
)
def test_what_a_trainer_needs_is_kept(name: str, value: str) -> None:
    assert trainer_environment({name: value}, RUNTIME)[name] == value


@pytest.mark.parametrize(
    "name", ["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONSAFEPATH"]
)
def test_nothing_changes_which_code_a_trainer_runs(name: str) -> None:
    environment = trainer_environment({name: "/elsewhere"}, RUNTIME)
    assert environment["PYTHONPATH"] == str(RUNTIME)
    assert "/elsewhere" not in environment.values()


@settings(deadline=None)
@given(base=st.dictionaries(st.sampled_from(["HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM", "A"]), st.text()))
def test_a_trainer_is_offline_whatever_the_user_has_set(base: dict[str, str]) -> None:
    environment = trainer_environment(base, RUNTIME)
    assert environment["HF_HUB_OFFLINE"] == environment["TRANSFORMERS_OFFLINE"] == "1"
    assert environment["TOKENIZERS_PARALLELISM"] == "false"
    assert environment["PYTHONUNBUFFERED"] == environment["PYTHONUTF8"] == "1"


# the host


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Runtimes(tmp_path_factory.mktemp("runtimes")).current()


def prepare(root: Path, script: str) -> RunDir:
    run = RunDir(root / "runs" / "20261124-064744-3f9a1c")
    run.commands.mkdir(parents=True)
    launch = Launch(
        job=run.job,
        attempt=1,
        argv=(str(PYTHON), "-P", "-S", "-c", script),
        cwd=str(run.path),
        environment={},
        queue_dir=None,
        queue_entry=None,
        stop_grace_s=0.2,
    )
    write_record(run.attempt(1).launch, launch)
    return run


def environment(runtime: Path) -> dict[str, str]:
    return trainer_environment(os.environ, runtime)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX sessions")
def test_a_started_host_is_nobodys_child_and_holds_the_lock(tmp_path: Path, runtime: Path) -> None:
    run = prepare(tmp_path, "import time; time.sleep(600)")
    start_host(PYTHON, run.path, 1, environment(runtime))
    assert is_held(run.host_lock)
    trainer = trainer_pid(run)
    record = host_record(run)
    assert record is not None
    status = Path(f"/proc/{record.pid}/stat").read_text().rpartition(")")[2].split()
    parent, group, session = int(status[1]), int(status[2]), int(status[3])
    assert parent != os.getpid()
    assert session not in {os.getsid(0), record.pid}  # not ours, and not led by it: no terminal for ever
    assert group != os.getpgid(0)
    with pytest.raises(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)
    kill = Command(id="k", attempt=1, command="kill", created_at=0.0)
    write_record(run.commands / "k.json", kill)
    until(lambda: not is_held(run.host_lock), "the host's end")
    until(lambda: not is_running(record.pid))
    assert not is_running(trainer)


def refusal(python: Path, run: RunDir, environment: dict[str, str]) -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        start_host(python, run.path, 1, environment)
    assert caught.value.code is ErrorCode.HOST_FAILED
    assert caught.value.facts["job"] == run.job
    return caught.value


def test_an_interpreter_that_is_gone_is_told(tmp_path: Path, runtime: Path) -> None:
    error = refusal(Path("/nowhere/python"), prepare(tmp_path, ""), environment(runtime))
    assert "/nowhere/python" in str(error.facts["detail"])


def test_the_last_words_of_a_host_that_gives_up_are_told(tmp_path: Path) -> None:
    error = refusal(PYTHON, prepare(tmp_path, ""), environment(tmp_path))
    assert "No module named" in str(error.facts["detail"])


def test_a_host_that_gives_up_without_a_word_is_told_by_its_exit_code(tmp_path: Path) -> None:
    error = refusal(Path("/bin/false"), prepare(tmp_path, ""), {})
    assert error.facts["detail"] == "exit code 1"


def test_a_job_that_has_a_host_gets_no_second_one(tmp_path: Path, runtime: Path) -> None:
    run = prepare(tmp_path, "open('ran', 'w')")
    lock = FileLock(run.host_lock)
    assert lock.acquire()
    assert refusal(PYTHON, run, environment(runtime)).facts["detail"] == "exit code 3"
    assert not (run.path / "ran").exists()
    lock.release()
