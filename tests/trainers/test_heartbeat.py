from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.driving import until
from tests.trainers.golden.protocol import GOLDEN
from trainers import heartbeat as module
from trainers.heartbeat import SIZE_BYTES, Beat, Heartbeat, read_heartbeat


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "heartbeat"


def test_it_is_64_bytes_that_say_alive_at_once(path: Path) -> None:
    heartbeat = Heartbeat(path, clock=lambda: 12.5)
    assert path.stat().st_size == SIZE_BYTES == 64
    assert read_heartbeat(path) == Beat(beat=1, progress=0, t=12.5, phase="")
    heartbeat.close()


def test_progress_counts_units_of_work(path: Path) -> None:
    heartbeat = Heartbeat(path)
    for _ in range(3):
        heartbeat.advance()
    beat = read_heartbeat(path)
    assert beat is not None
    assert (beat.beat, beat.progress) == (1, 3)
    heartbeat.close()


def test_the_phase_replaces_the_one_before(path: Path) -> None:
    heartbeat = Heartbeat(path)
    for name in ("evaluating", "saving", "x" * 50):
        heartbeat.phase(name)
        beat = read_heartbeat(path)
        assert beat is not None
        assert beat.phase == name[:32]
    heartbeat.close()


def test_it_beats_by_itself_until_it_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.002)
    times = iter(range(10**6))
    heartbeat = Heartbeat(path, clock=lambda: float(next(times)))
    heartbeat.phase("training")
    heartbeat.start()

    def fourth() -> Beat | None:
        beat = read_heartbeat(path)
        return beat if beat is not None and beat.beat > 3 else None

    first = until(fourth, "some beats")
    heartbeat.close()
    last = read_heartbeat(path)
    assert last is not None
    assert last.beat >= first.beat
    assert last.t == last.beat - 1
    assert last.phase == "training"
    assert read_heartbeat(path) == last


def test_a_new_attempt_begins_anew(path: Path) -> None:
    path.write_bytes((GOLDEN / "heartbeat").read_bytes())
    heartbeat = Heartbeat(path, clock=lambda: 1.0)
    assert read_heartbeat(path) == Beat(beat=1, progress=0, t=1.0, phase="")
    heartbeat.close()


def test_what_is_no_heartbeat_is_none(path: Path) -> None:
    golden = (GOLDEN / "heartbeat").read_bytes()
    assert read_heartbeat(path) is None
    for content in (b"", golden[:63], b"XXXX" + golden[4:], golden[:4] + struct.pack("<I", 2) + golden[8:]):
        path.write_bytes(content)
        assert read_heartbeat(path) is None
    path.write_bytes(golden + b"more, of a newer minor version")
    assert read_heartbeat(path) == Beat(41, 1234, 1795502905.5, "training")


@settings(deadline=None)
@given(content=st.binary(min_size=64, max_size=64))
def test_reading_never_fails(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any-heartbeat"
    path.write_bytes(b"ACHB\x01\0\0\0" + content[8:])
    assert read_heartbeat(path) is not None
