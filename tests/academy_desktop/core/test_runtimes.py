from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import trainers
from academy_desktop.core.runtimes import Runtimes


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "source" / "trainers"
    (package / "engines").mkdir(parents=True)
    for name in ("__init__.py", "host.py", "engines/peft.py", "PROTOCOL.md"):
        (package / name).write_text(f"# {name}\n")
    return package


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runtimes"
    folder.mkdir()
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_copy_holds_the_package_under_the_hash_of_its_content(folder: Path, package: Path) -> None:
    runtimes = Runtimes(folder, package)
    current = runtimes.current()
    assert current == folder / runtimes.hash
    assert re.fullmatch(r"[0-9a-f]{16}", runtimes.hash)
    assert content(current) == {f"trainers/{name}": text for name, text in content(package).items()}
    assert [path.name for path in folder.iterdir()] == [runtimes.hash]


def test_what_python_and_editors_leave_behind_does_not_count(folder: Path, package: Path) -> None:
    before = Runtimes(folder, package).hash
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "host.cpython-311.pyc").touch()
    (package / ".host.py.swp").touch()
    runtimes = Runtimes(folder, package)
    assert runtimes.hash == before
    assert "__pycache__" not in str(content(runtimes.current()))


def add_file(package: Path) -> None:
    (package / "new.py").touch()


def change_file(package: Path) -> None:
    (package / "host.py").write_text("# other\n")


def rename_file(package: Path) -> None:
    (package / "host.py").rename(package / "hosts.py")


def move_end_of_file(package: Path) -> None:
    (package / "PROTOCOL.md").write_text("")
    (package / "__init__.py").write_text("# PROTOCOL.md\n# __init__.py\n")


@pytest.mark.parametrize("change", [add_file, change_file, rename_file, move_end_of_file])
def test_every_change_is_another_runtime_and_the_old_one_stays(
    folder: Path, package: Path, change: object
) -> None:
    old = Runtimes(folder, package).current()
    before = content(old)
    assert callable(change)
    change(package)
    new = Runtimes(folder, package).current()
    assert new != old
    assert content(old) == before


def test_a_copy_is_made_once(folder: Path, package: Path) -> None:
    current = Runtimes(folder, package).current()
    times = {path: path.stat().st_mtime_ns for path in current.rglob("*")}
    assert Runtimes(folder, package).current() == current
    assert {path: path.stat().st_mtime_ns for path in current.rglob("*")} == times


def test_a_running_app_keeps_the_runtime_that_it_began_with(folder: Path, package: Path) -> None:
    runtimes = Runtimes(folder, package)
    before = runtimes.current()
    change_file(package)
    assert runtimes.current() == before


def test_however_many_copy_at_once_there_is_one_whole_copy(folder: Path, package: Path) -> None:
    barrier = threading.Barrier(6)
    found: list[Path] = []

    def copy() -> None:
        runtimes = Runtimes(folder, package)
        barrier.wait()
        found.append(runtimes.current())

    threads = [threading.Thread(target=copy) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert content(found[0] / "trainers") == content(package)
    assert len(list(folder.iterdir())) == 1


def test_a_copy_that_fails_leaves_nothing(folder: Path, package: Path) -> None:
    (package / "broken.py").write_text("x" * 10)
    runtimes = Runtimes(folder, package)
    assert runtimes.hash
    (package / "engines" / "peft.py").unlink()
    (package / "engines" / "peft.py").symlink_to("/proc/self/mem")  # as from a disk that is broken
    with pytest.raises(OSError, match="error"):
        runtimes.current()
    assert list(folder.iterdir()) == []


def test_the_copy_of_our_own_package_can_be_run(folder: Path) -> None:
    current = Runtimes(folder).current()
    script = "import trainers.session, trainers.fake; print(trainers.session.__file__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={"PYTHONPATH": str(current), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == current / "trainers" / "session.py"
    source = content(Path(next(iter(trainers.__path__))))
    names = {name for name in source if "__pycache__" not in name}
    assert set(content(current / "trainers")) == names
