from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers import checkpoint
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import FileEntry, Manifest, write_record

FILES = {"adapter_model.safetensors": b"w" * 300, "state.json": b'{"step": 1}', "deep/rng.json": b"[1]"}


def writer(files: dict[str, bytes] = FILES) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return write


def save(checkpoints: Path, step: int, files: dict[str, bytes] = FILES) -> Path:
    checkpoint.save(checkpoints, step, writer(files), lambda: None)
    return checkpoints / f"step-{step}"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_saved_checkpoint_says_what_it_is(tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    saved = checkpoint.save(checkpoints, 20, writer(), lambda: None)
    size = sum(len(content) for content in FILES.values())
    assert (saved.step, saved.path, saved.size_bytes) == (20, "checkpoints/step-20", size)
    assert names(checkpoints) == ["step-20"]
    manifest = checkpoint.verify(checkpoints / "step-20")
    assert manifest == Manifest(
        step=20,
        files=tuple(
            FileEntry(name=name, size_bytes=len(FILES[name]), sha256=hashlib.sha256(FILES[name]).hexdigest())
            for name in sorted(FILES)
        ),
    )


def test_the_manifest_is_the_last_file(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def look() -> None:
        (aside,) = tmp_path.iterdir()
        seen.append(names(aside))
        assert aside.name.startswith(".step-3.")

    checkpoint.save(tmp_path, 3, writer(), look)
    assert seen == [["adapter_model.safetensors", "deep", "state.json"]]
    assert "manifest.json" in names(tmp_path / "step-3")


@pytest.mark.parametrize("moment", ["write", "before_manifest"])
def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path, moment: str) -> None:
    old = save(tmp_path, 3)

    def fail(*_: object) -> None:
        raise OSError("broken")

    write = fail if moment == "write" else writer({"state.json": b"new"})
    with pytest.raises(OSError, match="broken"):
        checkpoint.save(tmp_path, 3, write, fail)
    assert names(tmp_path) == ["step-3"]
    assert checkpoint.verify(old).step == 3
    assert (old / "state.json").read_bytes() == FILES["state.json"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    save(tmp_path, 3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="large"):
            save(tmp_path, 4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == ["step-3"]
    assert checkpoint.newest_good(tmp_path).step == 3


def test_a_checkpoint_of_the_same_step_is_replaced(tmp_path: Path) -> None:
    save(tmp_path, 3)
    (tmp_path / "step-3" / "state.json").write_bytes(b"damaged")
    new = save(tmp_path, 3, {"state.json": b"new"})
    assert checkpoint.verify(new).step == 3
    assert names(new) == ["manifest.json", "state.json"]
    assert names(tmp_path) == ["step-3"]


def test_the_old_one_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = save(tmp_path, 3)
    rename = Path.rename

    def fail_for_the_new_one(path: Path, target: Path) -> Path:
        if path.name == f".step-3.{os.getpid()}.tmp":
            raise OSError("broken")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new_one)
    with pytest.raises(OSError, match="broken"):
        save(tmp_path, 3, {"state.json": b"new"})
    assert names(tmp_path) == ["step-3"]
    assert checkpoint.verify(old).step == 3
    assert (old / "state.json").read_bytes() == FILES["state.json"]


def test_leftovers_of_a_save_that_was_killed_do_not_disturb_the_next(tmp_path: Path) -> None:
    for suffix in ("tmp", "old.tmp"):
        left = tmp_path / f".step-3.{os.getpid()}.{suffix}" / "half"
        left.mkdir(parents=True)
    save(tmp_path, 3)
    save(tmp_path, 3)
    assert [name for name in names(tmp_path / "step-3") if name == "half"] == []
    checkpoint.prune(tmp_path, keep=5)
    assert names(tmp_path) == ["step-3"]


# what a checkpoint is worth


@settings(deadline=None)
@given(number=st.integers(0, 2), place=st.integers(0, 10**4), bit=st.integers(0, 7))
def test_any_changed_bit_is_found(
    number: int, place: int, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = save(tmp_path_factory.mktemp("bit"), 7)
    name = sorted(FILES)[number]
    content = bytearray((folder / name).read_bytes())
    content[place % len(content)] ^= 1 << bit
    (folder / name).write_bytes(content)
    with pytest.raises(AcademyError) as caught:
        checkpoint.verify(folder)
    assert caught.value.code is ErrorCode.CHECKPOINT_DAMAGED
    assert caught.value.facts == {"path": str(folder), "file": name}


def remove_file(folder: Path) -> None:
    (folder / "state.json").unlink()


def shorten_file(folder: Path) -> None:
    os.truncate(folder / "state.json", 3)


def lengthen_file(folder: Path) -> None:
    (folder / "state.json").write_bytes(FILES["state.json"] + b" ")


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def tear_manifest(folder: Path) -> None:
    os.truncate(folder / "manifest.json", 40)


def rename_to_another_step(folder: Path) -> None:
    folder.rename(folder.with_name("step-30"))


def make_file_a_folder(folder: Path) -> None:
    (folder / "state.json").unlink()
    (folder / "state.json").mkdir()


DAMAGES = [
    remove_file, shorten_file, lengthen_file, remove_manifest, tear_manifest, rename_to_another_step,
    make_file_a_folder,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_checkpoint_is_passed_over_for_an_older_one(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    good = save(tmp_path, 10)
    damage(save(tmp_path, 20))
    search = checkpoint.newest_good(tmp_path)
    assert (search.found, search.step) == (good, 10)
    (skipped,) = search.skipped
    assert skipped.code == ErrorCode.CHECKPOINT_DAMAGED
    assert skipped.path in {"checkpoints/step-20", "checkpoints/step-30"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that cannot be read back")
def test_a_file_that_the_disk_does_not_give_back_is_damage_too(tmp_path: Path) -> None:
    save(tmp_path, 10)
    newest = save(tmp_path, 20)
    # reading it at its beginning is an input/output error, as of a broken disk
    (newest / "weights").symlink_to("/proc/self/mem")
    manifest = checkpoint.verify(newest)
    entry = FileEntry(name="weights", size_bytes=0, sha256=hashlib.sha256().hexdigest())
    write_record(newest / "manifest.json", manifest.model_copy(update={"files": (*manifest.files, entry)}))
    search = checkpoint.newest_good(tmp_path)
    assert search.step == 10
    assert [one.facts["file"] for one in search.skipped] == ["weights"]


def test_all_damaged_is_none_found(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        remove_file(save(tmp_path, step))
    search = checkpoint.newest_good(tmp_path)
    assert (search.found, search.step) == (None, 0)
    assert [one.path for one in search.skipped] == [
        "checkpoints/step-100",
        "checkpoints/step-10",
        "checkpoints/step-9",
    ]


def test_only_whole_checkpoints_count(tmp_path: Path) -> None:
    assert checkpoint.newest_good(tmp_path / "checkpoints") == checkpoint.Search(None, 0, ())
    good = save(tmp_path, 9)
    save(tmp_path, 80).rename(tmp_path / ".step-80.1.tmp")
    (tmp_path / "step-new").mkdir()
    (tmp_path / "notes.txt").touch()
    assert checkpoint.newest_good(tmp_path) == checkpoint.Search(good, 9, ())


def test_a_manifest_with_fields_of_a_newer_minor_version_is_good(tmp_path: Path) -> None:
    folder = save(tmp_path, 9)
    raw = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**raw, "engine": "peft"}))
    assert checkpoint.newest_good(tmp_path).found == folder


# how many are kept


@settings(deadline=None)
@given(steps=st.sets(st.integers(1, 200), max_size=6), keep=st.integers(1, 5))
def test_the_newest_are_kept(steps: set[int], keep: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    checkpoints = tmp_path_factory.mktemp("keep")
    for step in steps:
        (checkpoints / f"step-{step}").mkdir()
    (checkpoints / ".step-9.1.tmp").mkdir()
    checkpoint.prune(checkpoints, keep)
    kept = sorted(steps)[-keep:]
    assert sorted(names(checkpoints)) == sorted(f"step-{step}" for step in kept)


def test_there_may_be_nothing_to_remove(tmp_path: Path) -> None:
    checkpoint.prune(tmp_path / "checkpoints", keep=2)
    assert names(tmp_path) == []
