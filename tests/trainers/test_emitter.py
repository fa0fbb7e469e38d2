from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.emitter import Emitter
from trainers.errors import AcademyError, ErrorCode
from trainers.events import Evaluated, Payload, Phase, Warned, parse_line


def write(path: Path, attempt: int, *payloads: Payload) -> None:
    emitter = Emitter(path, attempt, clock=lambda: 1000.0)
    for payload in payloads:
        emitter.emit(payload)
    emitter.close()


def seqs(path: Path) -> list[int]:
    return [parse_line(line).seq for line in path.read_bytes().splitlines()]


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """Let the system refuse files beyond a size, as a full disk would: the last write is partial."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_numbers_go_on_through_attempts(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, 1, Phase(name="loading"), Phase(name="training"))
    write(path, 2, Phase(name="loading"))
    events = [parse_line(line) for line in path.read_bytes().splitlines()]
    assert [(event.seq, event.attempt, event.t) for event in events] == [
        (1, 1, 1e3),
        (2, 1, 1e3),
        (3, 2, 1e3),
    ]


@given(kept=st.floats(0, 1))
def test_a_file_cut_anywhere_is_mended(kept: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cut") / "events.jsonl"
    write(path, 1, *(Phase(name="training", detail="x" * n) for n in range(8)))
    content = path.read_bytes()
    torn = content[: round(len(content) * kept)]
    path.write_bytes(torn)
    write(path, 2, Phase(name="loading"))
    whole_before = torn.count(b"\n")
    assert seqs(path) == list(range(1, whole_before + 2))
    assert path.read_bytes().startswith(content[: torn.rfind(b"\n") + 1])


def test_lines_longer_than_a_block_are_found_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    long = Phase(name="training", detail="x" * 200_000)
    write(path, 1, long, long)
    with path.open("ab") as stream:
        stream.write(b'{"v":1,"seq":3' + b"y" * 150_000)
    write(path, 2, Phase(name="loading"))
    assert seqs(path) == [1, 2, 3]


def test_a_damaged_whole_line_is_kept_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, 1, Phase(name="loading"), Phase(name="training"))
    with path.open("ab") as stream:
        stream.write(b"\0\0\0\0 not an event\n")
    write(path, 2, Phase(name="loading"))
    lines = path.read_bytes().splitlines()
    assert lines[2] == b"\0\0\0\0 not an event"
    assert parse_line(lines[3]).seq == 3


def test_a_second_writer_is_kept_out(tmp_path: Path) -> None:
    path = tmp_path / "run" / "events.jsonl"
    path.parent.mkdir()
    first = Emitter(path, 1)
    with pytest.raises(AcademyError) as caught:
        Emitter(path, 2, wait_s=0)
    assert caught.value.code is ErrorCode.JOB_RUNNING
    first.close()
    Emitter(path, 2, wait_s=0).close()


def test_what_no_reader_would_take_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    emitter = Emitter(path, 1)
    with pytest.raises(ValueError, match="loss"):
        emitter.emit(Evaluated(step=1, loss=float("nan"), supervised_tokens=1, seconds=0.0))
    emitter.emit(Phase(name="loading"))
    emitter.close()
    assert seqs(path) == [1]


def test_nothing_of_a_line_stays_when_the_disk_is_full(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    emitter = Emitter(path, 1)
    emitter.emit(Phase(name="loading"))
    before = path.read_bytes()
    with file_size_limit(len(before) + 20), pytest.raises(OSError, match=r"space|large"):
        emitter.emit(Warned(code="disk_full"))
    assert path.read_bytes() == before
    emitter.emit(Phase(name="training"))
    emitter.close()
    assert seqs(path) == [1, 2]


def test_a_later_version_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    line = b'{"v":2,"seq":1,"attempt":1,"t":0,"type":"phase","payload":{"name":"loading"}}\n'
    path.write_bytes(line)
    with pytest.raises(AcademyError) as caught:
        Emitter(path, 2)
    assert caught.value.code is ErrorCode.PROTOCOL_NEWER
    assert path.read_bytes() == line
