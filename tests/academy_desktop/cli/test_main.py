from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.academy_desktop.cli.conftest import Academy


def test_without_a_command_the_help_is_shown(academy: Academy) -> None:
    said = academy("--help")
    assert said.code == 0
    for command in ("doctor", "models", "data", "recipe", "train", "jobs", "export", "certify", "demo"):
        assert command in said.out


def test_wrong_usage_is_exit_code_two_and_leaves_stdout_empty(academy: Academy) -> None:
    said = academy("jobs", "stopp", "--json")
    assert (said.code, said.out) == (2, "")
    assert "stopp" in said.err


def test_json_may_stand_behind_the_command(academy: Academy) -> None:
    assert academy("jobs", "list", "--json").json == {"jobs": []}
    assert academy("--json", "jobs", "list").json == {"jobs": []}


def test_an_expected_failure_says_what_to_do(academy: Academy) -> None:
    said = academy("jobs", "show", "20200101")
    assert (said.code, said.out) == (1, "")
    assert "academy jobs list" in said.err
    assert "Traceback" not in said.err


def test_an_expected_failure_is_an_error_object_under_json(academy: Academy) -> None:
    said = academy("jobs", "show", "20200101", "--json")
    assert said.code == 1
    error = said.json["error"]
    assert error["code"] == "job_unknown"
    assert "20200101" in error["message"]
    assert error["next_step"]
    assert error["facts"]["job"] == "20200101"


def test_a_data_directory_of_a_newer_version_is_refused_and_not_touched(
    academy: Academy, tmp_path: Path
) -> None:
    marker = tmp_path / "data" / "academy.json"
    marker.parent.mkdir()
    marker.write_text('{"v": 99}')
    assert academy("jobs", "list", "--json").json["error"]["code"] == "data_dir_newer"
    assert [path.name for path in marker.parent.iterdir()] == ["academy.json"]


def test_a_data_directory_that_is_a_file_is_a_sentence(academy: Academy, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    assert academy("jobs", "list", "--json").json["error"]["code"] == "data_dir_not_writable"


def test_a_bug_is_logged_with_its_traceback_and_shown_as_one(
    academy: Academy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("academy_desktop.core.jobs.Jobs.list", broken)
    said = academy("jobs", "list", "--json")
    assert said.code == 1
    assert said.json["error"]["code"] == "bug"
    assert "Traceback" not in said.err
    log = next((tmp_path / "state").rglob("academy.log"))
    assert "ZeroDivisionError: by nought" in log.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_is_exit_code_130(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from academy_desktop.core.jobs import Jobs\n"
        "def wait(self):\n"
        "    print('waiting', file=sys.stderr, flush=True)\n"
        "    time.sleep(60)\n"
        "Jobs.list = wait\n"
        "from academy_desktop.cli import main\n"
        "sys.exit(main(['jobs', 'list']))\n"
    )
    environment = {**os.environ, "ACADEMY_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, env=environment, text=True
    ) as child:
        assert child.stderr is not None
        assert child.stderr.readline() == "waiting\n"
        child.send_signal(signal.SIGINT)
        assert "Traceback" not in child.stderr.read()
    assert child.returncode == 130


def test_a_reader_that_leaves_is_no_bug(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "academy_desktop", "--json", "recipe", "schema"]
    environment = {**os.environ, "ACADEMY_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode in (0, 1)


def test_the_environment_names_the_data_directory(tmp_path: Path) -> None:
    environment = {**os.environ, "ACADEMY_DATA_DIR": str(tmp_path / "named"), "ACADEMY_OFFLINE": "1"}
    command = [sys.executable, "-m", "academy_desktop", "models", "fetch-demo", "--json"]
    said = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert json.loads(said.stdout)["error"]["code"] == "offline"
    assert (tmp_path / "named" / "academy.json").is_file()
