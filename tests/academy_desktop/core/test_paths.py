from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from academy_desktop.core.paths import APP_NAME, DataDir
from trainers.errors import AcademyError, ErrorCode

FOLDERS = {"runs", "queue", "runtimes", "trash", "tmp", "datasets", "models"}


def test_opening_makes_what_is_missing_and_only_that(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "deep" / "data").open()
    assert {path.name for path in data.root.iterdir()} == FOLDERS | {"academy.json"}
    assert json.loads((data.root / "academy.json").read_bytes()) == {"v": 1}
    assert list(data.tmp.iterdir()) == []
    (data.run("a").path / "inside").mkdir(parents=True)
    marker = (data.root / "academy.json").stat().st_mtime_ns
    data.open()
    assert (data.run("a").path / "inside").is_dir()
    assert (data.root / "academy.json").stat().st_mtime_ns == marker


def test_everything_has_its_place(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    for name in FOLDERS:
        assert getattr(data, name) == tmp_path / name
    assert (data.index, data.settings) == (tmp_path / "index.sqlite3", tmp_path / "settings.json")
    assert data.run("j").path == tmp_path / "runs" / "j"


@pytest.mark.parametrize("found", [2, 17, 0, "2", None, [1]])
def test_another_format_is_refused_and_left_as_it_is(tmp_path: Path, found: object) -> None:
    marker = tmp_path / "academy.json"
    marker.write_text(json.dumps({"v": found}))
    with pytest.raises(AcademyError) as caught:
        DataDir(tmp_path).open()
    assert caught.value.code is ErrorCode.DATA_DIR_NEWER
    assert caught.value.facts == {"path": str(tmp_path), "found": found, "known": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["academy.json"]
    assert json.loads(marker.read_bytes()) == {"v": found}


@pytest.mark.parametrize("content", [b"", b"{torn", b"[]", b"{}", b"\xff"])
def test_a_damaged_marker_is_mended(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "academy.json").write_bytes(content)
    DataDir(tmp_path).open()
    assert json.loads((tmp_path / "academy.json").read_bytes()) == {"v": 1}


def test_a_newer_minor_version_may_have_said_more(tmp_path: Path) -> None:
    (tmp_path / "academy.json").write_text('{"v": 1, "since": "2026"}')
    DataDir(tmp_path).open()
    assert json.loads((tmp_path / "academy.json").read_bytes())["since"] == "2026"


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(AcademyError) as caught:
            DataDir(root).open()
        assert caught.value.code is ErrorCode.DATA_DIR_NOT_WRITABLE
        assert caught.value.facts["path"] == str(root)
        assert caught.value.facts["detail"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written_to_is_named() -> None:
    with pytest.raises(AcademyError) as caught:
        DataDir(Path("/proc/self/data")).open()
    assert caught.value.code is ErrorCode.DATA_DIR_NOT_WRITABLE


def test_two_processes_work_aside_in_different_places(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from academy_desktop.core.paths import DataDir; "
    script += "print(DataDir(Path(sys.argv[1])).aside('x'))"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    own, other = DataDir(tmp_path).aside("x"), Path(done.stdout.strip())
    assert own != other
    assert own.parent == other.parent == tmp_path / "tmp"


def test_the_users_own_is_named_after_the_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert DataDir.default().root.name == APP_NAME
