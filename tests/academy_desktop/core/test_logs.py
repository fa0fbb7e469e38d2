from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from academy_desktop.core.logs import LogTail
from trainers.host_log import SegmentedLog


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_there_may_be_no_output_yet(folder: Path) -> None:
    tail = LogTail(folder)
    assert tail.read_new() == ""
    folder.mkdir()
    assert tail.read_new() == ""


def test_output_is_read_once_across_segments_and_attempts(folder: Path) -> None:
    tail = LogTail(folder)
    log = SegmentedLog(folder, 20, 16)
    seen = ""
    for n in range(12):
        log.write(f"line {n}\n".encode())
        if n % 3 == 0:
            seen += tail.read_new()
    log.close()
    again = SegmentedLog(folder, 20, 16)
    again.write(b"second attempt\n")
    again.close()
    seen += tail.read_new()
    assert seen == "".join(f"line {n}\n" for n in range(12)) + "second attempt\n"
    assert tail.read_new() == ""
    assert LogTail(folder).read_new() == seen
    assert len(list(folder.iterdir())) > 4


@settings(deadline=None)
@given(
    text=st.text(st.sampled_from("aé🗼\n"), max_size=60),
    cuts=st.lists(st.integers(0, 240), max_size=5),
    segment=st.integers(1, 30),
)
def test_characters_that_are_torn_come_out_whole(
    text: str, cuts: list[int], segment: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log, tail, content = SegmentedLog(folder, segment, 300), LogTail(folder), text.encode()
    seen = ""
    places = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    for begin, end in pairwise(places):
        log.write(content[begin:end])
        seen += tail.read_new()
    log.close()
    assert seen + tail.read_new() == text


def test_bytes_that_are_no_text_are_shown_as_such(folder: Path) -> None:
    log = SegmentedLog(folder, 1000, 16)
    log.write(b"a\xff\xfeb\n")
    log.close()
    assert LogTail(folder).read_new() == "a��b\n"


def test_a_reader_that_lags_goes_on_with_what_is_kept(folder: Path) -> None:
    log, tail = SegmentedLog(folder, 50, 5), LogTail(folder)
    log.write(b"first\n")
    assert tail.read_new() == "first\n"
    for n in range(200):
        log.write(f"line {n}\n".encode())
    log.close()
    rest = tail.read_new()
    assert rest.endswith("line 198\nline 199\n")
    assert "bytes of output were dropped here" in rest
    assert len(rest) < 400
    assert tail.read_new() == ""


def test_a_reader_in_the_middle_that_is_dropped_goes_on_behind_it(folder: Path) -> None:
    log, tail = SegmentedLog(folder, 50, 5), LogTail(folder)
    for n in range(20):
        log.write(f"line {n}\n".encode())
    assert tail.read_new().endswith("line 19\n")
    for n in range(20, 400):
        log.write(f"line {n}\n".encode())
    log.close()
    rest = tail.read_new()
    assert rest.endswith("line 399\n")
    told = [int(line.split()[1]) for line in rest.splitlines() if line.startswith("line ")]
    assert told == list(range(told[0], 400))
    assert told[0] >= 20


def test_other_files_are_no_segments(folder: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("no")
    (folder / ".00002.txt.tmp").write_text("no")
    (folder / "00001.txt").write_text("yes\n")
    assert LogTail(folder).read_new() == "yes\n"
