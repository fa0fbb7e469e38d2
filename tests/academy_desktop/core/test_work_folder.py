from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from academy_desktop.core.work_folder import work_folder

HOLDER = """
import sys
from pathlib import Path
from academy_desktop.core.work_folder import work_folder
with work_folder(Path(sys.argv[1]), ".work-") as folder:
    (folder / "rows").write_text("many")
    print(flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_gone_afterwards(tmp_path: Path) -> None:
    with work_folder(tmp_path, ".work-") as folder:
        (folder / "rows").write_text("many")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_may_be_moved_away(tmp_path: Path) -> None:
    with work_folder(tmp_path, ".work-") as folder:
        folder.rename(tmp_path / "made")
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), work_folder(tmp_path, ".work-"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_owner_goes_with_the_next_and_that_of_a_living_one_stays(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        with work_folder(tmp_path, ".work-"):
            pass
        assert list(tmp_path.glob("*/rows"))
        owner.kill()
        owner.wait()
        with work_folder(tmp_path, ".work-"):
            assert not list(tmp_path.glob("*/rows"))
    assert list(tmp_path.iterdir()) == []
