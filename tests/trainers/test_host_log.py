from __future__ import annotations

import resource
from pathlib import Path

from academy_desktop.core.logs import LogTail
from trainers.host_log import SegmentedLog


def text(folder: Path) -> str:
    return LogTail(folder).read_new()


def test_a_later_attempt_goes_on_in_a_new_segment_and_counts_on(tmp_path: Path) -> None:
    for attempt in range(10):
        log = SegmentedLog(tmp_path, segment_bytes=100, segments=4)
        log.write(f"attempt {attempt}\n".encode())
        log.close()
    kept = text(tmp_path).splitlines()
    assert kept == ["attempt 0", "", "[70 bytes of output were dropped here]", "attempt 8", "attempt 9"]


def test_a_tail_reads_everything_once_in_order(tmp_path: Path) -> None:
    log, tail, seen = SegmentedLog(tmp_path, segment_bytes=50, segments=100), LogTail(tmp_path), ""
    for number in range(100):
        log.write(f"line {number} é\n".encode())
        if number % 7 == 0:
            seen += tail.read_new()
    seen += tail.read_new()
    assert seen.splitlines() == [f"line {number} é" for number in range(100)]


def test_a_tail_survives_the_loss_of_the_middle(tmp_path: Path) -> None:
    log, tail = SegmentedLog(tmp_path, segment_bytes=50, segments=4), LogTail(tmp_path)
    log.write(b"first\n")
    assert tail.read_new() == "first\n"
    for number in range(100):
        log.write(f"line {number}\n".encode())
    assert tail.read_new().endswith("line 98\nline 99\n")


def test_a_full_disk_loses_output_and_says_so(tmp_path: Path) -> None:
    log = SegmentedLog(tmp_path, segment_bytes=10_000, segments=4)
    log.write(b"before\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (7, hard))
    try:
        log.write(b"lost\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.write(b"after\n")
    log.close()
    assert text(tmp_path) == "before\n\n[5 bytes of output were lost: disk full]\nafter\n"


def test_a_folder_that_cannot_be_made_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"in the way")
    log = SegmentedLog(tmp_path / "log", segment_bytes=10, segments=4)
    log.write(b"x" * 100)
    log.close()


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    log = SegmentedLog(tmp_path, segment_bytes=100, segments=4)
    log.write(b"kept\n")
    log.close()
    log.write(b"too late\n")
    assert text(tmp_path) == "kept\n"
