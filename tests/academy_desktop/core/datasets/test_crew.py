from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from academy_desktop.core.datasets import importing, lines
from academy_desktop.core.datasets.checking import CheckOptions
from academy_desktop.core.datasets.crew import Crew, Task, stamp_of
from academy_desktop.core.datasets.forms import Detection, Form
from academy_desktop.core.datasets.importing import Cancelled, Importer, ImportOptions
from academy_desktop.core.datasets.lines import Lines, read_lines
from academy_desktop.core.datasets.quality import Profile


def turns(number: int) -> list[dict[str, object]]:
    """Conversations of all sorts: plain, near each other, of tools, with a question asked before."""
    asked = f"What is {number // 3 * 3} plus one, and why is it that and not some other number than that?"
    answer = f"It is {number + 1}. " + "Numbers follow each other in a row, as everybody knows. " * (
        number % 4
    )
    made: list[dict[str, object]] = [{"role": "user", "content": asked}]
    if number % 11 == 0:
        call = {"type": "function", "function": {"name": "add", "arguments": {"b": 1, "a": number}}}
        made.append({"role": "assistant", "content": "", "tool_calls": [call]})
        made.append({"role": "tool", "content": str(number + 1), "name": "add"})
    if number % 13 == 0:
        made.insert(0, {"content": "Sei höflich. 漢字", "role": "developer"})
    return [*made, {"role": "assistant", "content": answer}]


def mixed_lines(count: int) -> bytes:
    """Rows of which some are damaged, empty, there twice or none."""
    made = [b"\xef\xbb\xbf"]
    for number in range(count):
        row = json.dumps({"id": number, "messages": turns(number)}, ensure_ascii=number % 2 == 0).encode()
        made.append(row + (b"\r\n" if number % 5 == 0 else b"\n"))
        match number % 17:
            case 3:
                made.append(b"\n  \n")
            case 5:
                made.append(b'{"messages": [{"role": "user", "content": "torn \xff"}\n')
            case 7:
                made.append(row + b"\n")
            case 9:
                made.append(b'{"messages": [{"role": "user", "content": "?"}], "x": NaN}\n')
            case 11:
                made.append(b'{"messages": "' + b"long " * 3000 + b'"}\n')
    return b"".join(made).rstrip(b"\n")


def imported(
    folder: Path, path: Path, workers: int, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> dict[str, bytes]:
    """All that an import writes, by name."""
    monkeypatch.setattr(importing, "WORTH_BYTES", 0)
    monkeypatch.setattr(importing, "cores", lambda: workers)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 14)
    monkeypatch.setattr(lines, "LINE_BYTES", 1 << 13)
    folder.mkdir()
    tally = Importer(folder, ImportOptions(**options)).run([path])
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    return {**files, "tally": repr(tally).encode()}


@pytest.mark.parametrize("options", [{}, {"near_dups": "drop"}, {"near_dups": "keep", "dedup": False}])
def test_workers_write_what_one_process_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(mixed_lines(600))
    alone = imported(tmp_path / "alone", path, 1, monkeypatch, **options)
    together = imported(tmp_path / "together", path, 2, monkeypatch, **options)
    assert together == alone
    assert {"train.jsonl", "eval.jsonl", "dropped.jsonl", "train.idx", "tally"} <= alone.keys()
    reasons = {json.loads(line)["reason"] for line in alone["dropped.jsonl"].splitlines()}
    assert {"unparsable", "bad_roles"} <= reasons


def test_where_no_worker_can_be_started_the_rows_are_checked_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(mixed_lines(300))
    alone = imported(tmp_path / "alone", path, 1, monkeypatch)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert imported(tmp_path / "together", path, 2, monkeypatch) == alone


def crew_of(path: Path, folder: Path) -> Crew:
    detection = Detection(Form.MESSAGES, {"messages": "messages"}, 1.0)
    with path.open("rb") as file:
        stamp = stamp_of(file.fileno())
    return Crew(
        Task(path, stamp, CheckOptions(detection, Profile.BALANCED, "a", near=True)), folder, "part", 2
    )


def pieces_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Lines]:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 14)
    with path.open("rb") as stream:
        stream.read(3)
        return list(read_lines(stream, 3))


def kill(crew: Crew) -> None:
    for child in psutil.Process().children():
        child.kill()
        child.wait()


def change(crew: Crew) -> None:
    path = Path(crew.parts[0].parent / "rows.jsonl")
    os.utime(path, (1, 1))


@pytest.mark.parametrize("harm", [kill, change])
def test_what_workers_cannot_do_is_done_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Crew], None]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(mixed_lines(400))
    pieces = pieces_of(path, monkeypatch)
    assert len(pieces) > 5
    with crew_of(path, tmp_path) as crew:
        usual = list(crew.check(pieces))
    with crew_of(path, tmp_path) as crew:
        harm(crew)
        found = list(crew.check(pieces))
    assert {one.part for one in usual} == set(crew.parts)
    assert {one.part for one in found} == {None}
    for one, other in zip(usual, found, strict=True):
        assert one.lines is other.lines
        assert (one.checked.rows, one.checked.keys) == (other.checked.rows, other.checked.keys)
        assert (one.checked.sizes, one.checked.sketches) == (other.checked.sizes, other.checked.sketches)
    assert psutil.Process().children() == []


def test_workers_end_when_an_import_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(mixed_lines(600))
    monkeypatch.setattr(importing, "WORTH_BYTES", 0)
    monkeypatch.setattr(importing, "cores", lambda: 2)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 14)
    had_workers = []

    def is_cancelled() -> bool:
        had_workers.append(bool(psutil.Process().children()))
        return had_workers[-1]

    with pytest.raises(Cancelled):
        Importer(tmp_path, ImportOptions(), None, is_cancelled).run([path])
    assert had_workers[-1]
    assert psutil.Process().children() == []
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("kept")] == []
