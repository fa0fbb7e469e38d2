from __future__ import annotations

import shutil
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import trainers
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks
from tests.chaos.driving import is_running, until
from trainers.errors import AcademyError, ErrorCode

PYTHON = Path(sys.executable)

#: The real wire, with one task of a test's own: `python -m trainers.tasks try`.
MODULE = """
import os, sys, time
from pathlib import Path
from trainers import wire
from trainers.errors import AcademyError, ErrorCode

def _try(request, progress):
{body}

wire.TASKS["try"] = _try
if __name__ == "__main__":
    sys.exit(wire.main(sys.argv[1:]))
"""


class Package:
    """A `trainers` package of which a runtime is made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._path = root / "source" / "trainers"
        self._path.mkdir(parents=True)
        (root / "runtimes").mkdir()
        real = Path(next(iter(trainers.__path__)))
        for name in ("__init__.py", "errors.py"):
            shutil.copy(real / name, self._path)
        shutil.copy(real / "tasks.py", self._path / "wire.py")

    def task(self, body: str) -> Tasks:
        """Tasks of which `try` does this."""
        return self.module(MODULE.format(body=textwrap.indent(textwrap.dedent(body), "    ")))

    def module(self, text: str) -> Tasks:
        """Tasks that are all this module."""
        (self._path / "tasks.py").write_text(text, "utf-8")
        return self.tasks()

    def tasks(self, python: Path = PYTHON) -> Tasks:
        return Tasks(python, Runtimes(self.root / "runtimes", self._path))


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path)


def failure(tasks: Tasks, name: str = "try") -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        tasks.run(name, {})
    return caught.value


def test_a_task_gets_its_request_and_gives_its_result(package: Package) -> None:
    tasks = package.task("""
        print("libraries print what they like")
        progress(1, 2, "é")
        progress(2, 2, "")
        return {"twice": request["text"] * 2, "cwd": os.getcwd()}
    """)
    told: list[tuple[int, int, str]] = []
    result = tasks.run("try", {"text": "é\n"}, lambda *one: told.append(one))
    assert result["twice"] == "é\né\n"
    assert Path(result["cwd"]).name == next((package.root / "runtimes").iterdir()).name
    assert told == [(1, 2, "é"), (2, 2, "")]


def test_a_task_runs_our_code_without_secrets(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "s3cret")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    result = package.task("return dict(os.environ)").run("try", {})
    assert "s3cret" not in str(result)
    assert result["HF_HUB_OFFLINE"] == "1"
    assert result["PYTHONPATH"].startswith(str(package.root / "runtimes"))


def test_an_expected_failure_comes_with_its_facts(package: Package) -> None:
    error = failure(package.task('raise AcademyError(ErrorCode.MODEL_DAMAGED, path="/x", size=3)'))
    assert error.code is ErrorCode.MODEL_DAMAGED
    assert error.facts == {"path": "/x", "size": 3}


@pytest.mark.parametrize(
    ("body", "exit_code", "detail"),
    [
        ('raise RuntimeError("a bug")', 1, "RuntimeError: a bug"),
        ("os._exit(7)", 7, "exit code 7"),
        ('sys.stderr.write("first\\nlast words\\n"); os._exit(3)', 3, "last words"),
        ("os.abort()", -6, "Fatal Python error: Aborted"),
        ("os.kill(os.getpid(), 9)", -9, "exit code -9"),
    ],
)
def test_a_child_that_dies_is_told_by_its_last_words(
    package: Package, body: str, exit_code: int, detail: str
) -> None:
    error = failure(package.task(body))
    assert error.code is ErrorCode.TASK_FAILED
    assert error.facts == {"task": "try", "exit_code": exit_code, "detail": detail}


def test_a_child_that_dies_in_the_middle_of_a_line_is_told(package: Package) -> None:
    tasks = package.module("import os, sys; os.write(1, b'{\"type\": \"res'); sys.exit('no room')")
    assert failure(tasks).facts == {"task": "try", "exit_code": 1, "detail": "no room"}


def test_a_child_that_never_reads_its_request_is_told(package: Package) -> None:
    tasks = package.module("import os, sys; os.close(0); sys.exit('cannot')")
    with pytest.raises(AcademyError) as caught:
        tasks.run("try", {"long": "x" * 1_000_000})
    assert caught.value.facts["detail"] == "cannot"


def test_an_interpreter_that_is_gone_is_told(package: Package) -> None:
    package.task("return {}")
    error = failure(package.tasks(Path("/nowhere/python")))
    assert error.code is ErrorCode.TASK_FAILED
    assert "/nowhere/python" in str(error.facts["detail"])


def test_a_child_that_talks_a_lot_is_not_stuck(package: Package) -> None:
    tasks = package.task("""
        for n in range(20_000):
            print("x" * 50)
        for n in range(2_000):
            progress(n, 2_000, "y" * 50)
        return {"n": n}
    """)
    told: list[int] = []
    assert tasks.run("try", {}, lambda done, _total, _detail: told.append(done)) == {"n": 1999}
    assert told == list(range(2000))


class CancelledError(Exception):
    """What a caller raises who wants no more."""


def test_a_callers_exception_ends_the_child(package: Package) -> None:
    tasks = package.task("""
        progress(os.getpid(), 0, "")
        time.sleep(600)
    """)
    pids: list[int] = []

    def cancel(pid: int, _total: int, _detail: str) -> None:
        pids.append(pid)
        raise CancelledError

    with pytest.raises(CancelledError):
        tasks.run("try", {}, cancel)
    assert not is_running(pids[0])


def test_tasks_can_run_beside_each_other(package: Package) -> None:
    tasks = package.task("""
        Path(request["mine"]).touch()
        while not Path(request["theirs"]).exists():
            time.sleep(0.01)
        return {"met": True}
    """)
    one, other = str(package.root / "one"), str(package.root / "other")
    results: list[bool] = []

    def run(mine: str, theirs: str) -> None:
        results.append(tasks.run("try", {"mine": mine, "theirs": theirs})["met"])

    threads = [threading.Thread(target=run, args=pair) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True, True]


def test_the_real_tasks_answer_from_the_real_package(tmp_path: Path) -> None:
    error = failure(Tasks(PYTHON, Runtimes(tmp_path)), "dance")
    assert error.code is ErrorCode.TASK_FAILED
    assert error.facts["detail"] == "KeyError: 'dance'"
    assert until(lambda: list(tmp_path.iterdir()))
