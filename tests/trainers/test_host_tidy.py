from __future__ import annotations

import json
from pathlib import Path

from trainers.host_tidy import TEMPORARY, make_temporary, tidy_before, tidy_behind


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "inner").write_text("x")
    return path


def names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def test_what_a_dead_trainer_began_is_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = [folder(tmp_path / "checkpoints" / "step-3"), folder(tmp_path / "checkpoints" / ".step-6.78.tmp")]
    (tmp_path / ".label.json.78.tmp").write_text("the app's")
    before = names(tmp_path)
    for name in (
        ".scratch-77",
        ".adapter.77.tmp",
        "checkpoints/.step-9.77.tmp",
        "checkpoints/.step-3.77.old.tmp",
    ):
        folder(tmp_path / name)
    (tmp_path / ".reserve").write_bytes(b"x")
    (tmp_path / ".evaluation.json.77.tmp").write_text("half")
    make_temporary(tmp_path)
    tidy_behind(tmp_path, 77)
    assert names(tmp_path) == before
    assert all(path.is_dir() for path in kept)


def test_an_export_whose_move_has_begun_is_left_to_the_next_attempt(tmp_path: Path) -> None:
    half = folder(tmp_path / ".export-gguf-f16.gguf.77.tmp")
    (half / "replaced").mkdir()
    tidy_behind(tmp_path, 77)
    assert half.is_dir()


def test_what_an_earlier_attempt_left_whose_host_was_killed_is_removed(tmp_path: Path) -> None:
    first, second = tmp_path / "attempts" / "1", tmp_path / "attempts" / "2"
    for attempt in (first, second):
        attempt.mkdir(parents=True)
        (attempt / ".reserve").write_bytes(b"x")
    (first / "host.json").write_text(json.dumps({"v": 1, "pid": 70, "trainer_pid": 77}))
    (first / ".exit.json.70.tmp").write_text("half")
    folder(tmp_path / ".scratch-77")
    tidy_before(tmp_path, 2)
    assert names(tmp_path) == [
        "attempts",
        "attempts/1",
        "attempts/1/host.json",
        "attempts/2",
        "attempts/2/.reserve",
    ]


def test_a_folder_for_temporary_files_is_empty_and_the_trainers_own(tmp_path: Path) -> None:
    folder(tmp_path / TEMPORARY)
    told = make_temporary(tmp_path)
    assert set(told.values()) == {str(tmp_path / TEMPORARY)}
    assert list((tmp_path / TEMPORARY).iterdir()) == []


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    elsewhere = folder(tmp_path / "elsewhere")
    run = tmp_path / "run"
    run.mkdir()
    (run / TEMPORARY).symlink_to(elsewhere)
    (run / "checkpoints").symlink_to(elsewhere)
    folder(elsewhere / ".step-9.77.tmp")
    tidy_behind(run, 77)
    assert not (run / TEMPORARY).exists()
    assert (elsewhere / ".step-9.77.tmp" / "inner").exists()
