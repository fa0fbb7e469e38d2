from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtWidgets import QApplication

from academy_desktop.viewmodels.log_lines import LINE_CHARACTERS, MOST_CHARACTERS, LineCutter, LogLines


@given(st.text(alphabet="ab\n", max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_however_a_text_is_torn_its_lines_are_whole(text: str, tears: list[int]) -> None:
    edges = [0, *sorted(min(tear, len(text)) for tear in tears), len(text)]
    cutter = LineCutter()
    lines = [line for first, last in itertools.pairwise(edges) for line in cutter.cut(text[first:last])]
    assert lines == text.split("\n")[:-1]


def test_a_progress_bar_leaves_its_last_state() -> None:
    assert LineCutter().cut("10%\r50%\r100%\ndone\r\n") == ["100%", "done"]


def test_a_line_without_end_is_cut_short() -> None:
    cutter = LineCutter()
    assert cutter.cut("x" * (3 * LINE_CHARACTERS)) == []
    (line,) = cutter.cut("\n")
    assert len(line) == LINE_CHARACTERS


def test_of_a_long_log_only_the_end_is_cut_into_lines() -> None:
    lines = LineCutter().cut("line\n" * MOST_CHARACTERS)
    assert len(lines) <= MOST_CHARACTERS // len("line\n") + 1


def test_only_the_newest_lines_are_kept(qapp: QApplication) -> None:
    lines = LogLines(most=3)
    lines.add(["1", "2"])
    lines.add(["3", "4"])
    assert lines.lines == ("2", "3", "4")


def test_a_batch_is_told_once_and_no_more_of_it_than_is_kept(qapp: QApplication) -> None:
    lines = LogLines(most=3)
    told: list[list[str]] = []
    lines.added.connect(told.append)
    lines.add([str(number) for number in range(10)])
    lines.add([])
    assert told == [["7", "8", "9"]]


def test_another_run_begins_with_an_empty_log(qapp: QApplication) -> None:
    lines = LogLines()
    cleared: list[None] = []
    lines.cleared.connect(lambda: cleared.append(None))
    lines.add(["old"])
    lines.clear()
    assert lines.lines == ()
    assert cleared == [None]
