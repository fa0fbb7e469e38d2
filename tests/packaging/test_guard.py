from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from academy_setup.guard import guarded

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
HOLDER = """
import sys
from pathlib import Path
from academy_setup.guard import guarded
with guarded(Path(sys.argv[1]), lambda: None):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=PACKAGING,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_set_up_waits_for_the_first_and_then_goes_on(tmp_path: Path) -> None:
    with hold(tmp_path / "lock") as holder:
        waited: list[str] = []

        def on_wait() -> None:
            waited.append("yes")
            assert holder.stdin is not None
            holder.stdin.close()

        with guarded(tmp_path / "lock", on_wait):
            assert waited == ["yes"]


def test_the_lock_of_a_killed_set_up_is_free(tmp_path: Path) -> None:
    with hold(tmp_path / "lock") as holder:
        holder.kill()
        holder.wait()
        waited: list[str] = []
        with guarded(tmp_path / "lock", lambda: waited.append("yes")):
            assert waited == []


@pytest.mark.skipif(sys.platform == "win32", reason="a child cannot share a lock there")
def test_a_child_that_outlives_its_set_up_keeps_the_lock(tmp_path: Path) -> None:
    with guarded(tmp_path / "lock", lambda: None) as descriptor:
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"],
            stdin=subprocess.PIPE,
            pass_fds=(descriptor,),
        )
    with child:
        waited: list[str] = []

        def on_wait() -> None:
            waited.append("yes")
            assert child.stdin is not None
            child.stdin.close()

        with guarded(tmp_path / "lock", on_wait):
            assert waited == ["yes"]
