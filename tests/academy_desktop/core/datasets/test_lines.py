from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from academy_desktop.core.datasets import lines
from academy_desktop.core.datasets.lines import read_lines

CONTENT = st.lists(st.sampled_from([b"a", b"bc" * 9, b"\n", b"\r\n", b" ", b"d" * 40]), max_size=60).map(
    b"".join
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 16)
    monkeypatch.setattr(lines, "LINE_BYTES", 64)


@given(CONTENT)
def test_lines_have_their_numbers_and_pieces_their_places(content: bytes) -> None:
    wanted = [
        (number, line)
        for number, line in enumerate(io.BytesIO(content), 1)
        if line.strip() and len(line) <= lines.LINE_BYTES
    ]
    long = [number for number, line in enumerate(io.BytesIO(content), 1) if len(line) > lines.LINE_BYTES]
    pieces = list(read_lines(io.BytesIO(content), 5))
    whole = [piece for piece in pieces if piece.place is not None]
    assert [row for piece in whole for row in piece.numbered()] == wanted
    assert [piece.first_row for piece in pieces if piece.place is None] == long
    for piece in whole:
        assert piece.place is not None
        assert content[piece.place - 5 :].startswith(piece.content)


def test_of_a_long_line_the_beginning_is_shown() -> None:
    pieces = list(read_lines(io.BytesIO(b"a\n" + b"b" * 100 + b"\nc"), 0))
    shown = [(number, line) for piece in pieces for number, line in piece.numbered()]
    assert [shown[0], shown[2]] == [(1, b"a\n"), (3, b"c")]
    number, beginning = shown[1]
    assert (number, beginning.strip(b"b")) == (2, b" \xe2\x80\xa6")
    assert len(beginning) > 40
    assert [piece.place for piece in pieces] == [0, None, 103]
