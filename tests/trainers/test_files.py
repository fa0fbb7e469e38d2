from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest

from trainers.files import lines_of, open_regular, read_regular


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert read_regular(tmp_path / "a") == b"content"
    (tmp_path / "link").symlink_to("a")
    assert read_regular(tmp_path / "link", 7) == b"content"


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    with pytest.raises(OSError, match="too large"):
        read_regular(tmp_path / "a", 6)


def test_what_would_be_waited_for_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device"):
        with pytest.raises(OSError, match="not a regular file"):
            open_regular(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "a\0b")


def test_a_line_that_is_too_long_comes_in_pieces() -> None:
    assert list(lines_of(BytesIO(b"abcdef\nx\ny"), 4)) == [b"abcd", b"ef\n", b"x\n", b"y"]
