from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trainers.files import sync_folder
from trainers.layout import Label, RunDir, write_atomically, write_record


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "label.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["label.json"]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "label.json"
    write_atomically(path, b"old")
    with file_size_limit(10), pytest.raises(OSError, match="large"):
        write_atomically(path, b"x" * 100)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["label.json"]


def test_a_rename_that_fails_leaves_nothing_aside(tmp_path: Path) -> None:
    (tmp_path / "label.json" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match=r"directory|exists"):
        write_atomically(tmp_path / "label.json", b"x")
    assert names(tmp_path) == ["label.json"]


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "label.json"
    write_atomically(path, b"old")
    with path.open("rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


def test_a_record_is_one_readable_json_file(tmp_path: Path) -> None:
    path = tmp_path / "label.json"
    label = Label(name="é\n“x”", tags=("a", "b"))
    write_record(path, label)
    assert path.read_bytes().startswith(b'{\n "v": 1,\n "name": ')
    assert path.read_bytes().endswith(b"}\n")
    assert Label.model_validate_json(path.read_bytes()) == label


def test_syncing_a_folder_keeps_no_file_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    sync_folder(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_newest_attempt_is_the_highest_number_that_was_launched(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "20261124-064744-3f9a1c")
    assert run.job == "20261124-064744-3f9a1c"
    assert run.last_attempt() is None
    run.attempts.mkdir(parents=True)
    assert run.last_attempt() is None
    for number in (1, 2, 9, 10):
        run.attempt(number).path.mkdir()
    (run.attempts / "notes").mkdir()
    (run.attempts / "11.tmp").mkdir()
    assert run.last_attempt() is None
    for number in (1, 9, 2):
        run.attempt(number).launch.touch()
    newest = run.last_attempt()
    assert newest is not None
    assert (newest.number, newest.launch) == (9, run.attempts / "9" / "launch.json")
    run.attempt(10).launch.touch()
    newest = run.last_attempt()
    assert newest is not None
    assert newest.number == 10
