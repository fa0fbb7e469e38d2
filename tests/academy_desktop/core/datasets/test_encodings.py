from __future__ import annotations

import codecs
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from academy_desktop.core.datasets.encodings import Encoding, Recoded, encoding_of, undecodable_line
from academy_desktop.core.datasets.readers import SourceFile
from trainers.errors import AcademyError, ErrorCode

LINES = '{"question": "Wie groß?", "answer": "Schön — 30 €"}\n' * 3
TABLE = "question,answer\ngrün,blau\nweiß,„schwarz“\n"


def rows(path: Path, content: bytes, encoding: Encoding = Encoding.AUTO) -> list[object]:
    path.write_bytes(content)
    return [record.value for record in SourceFile(path, encoding=encoding).records()]


def refused(path: Path, content: bytes, encoding: Encoding = Encoding.AUTO) -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        rows(path, content, encoding)
    assert caught.value.code is ErrorCode.FILE_ENCODING
    return caught.value


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize(
    ("name", "text"),
    [("a.jsonl", LINES), ("a.json", f"[{LINES.strip().replace(chr(10), ',')}]"), ("a.csv", TABLE)],
)
def test_a_mark_at_the_beginning_says_how_a_file_is_encoded(
    tmp_path: Path, name: str, text: str, encoding: str
) -> None:
    assert rows(tmp_path / name, text.encode(encoding)) == rows(tmp_path / name, text.encode())


def test_text_and_gzipped_files_too(tmp_path: Path) -> None:
    text = "Q: Wie groß?\nA: Schön.\n"
    assert rows(tmp_path / "a.txt", text.encode("utf-16")) == [{"question": "Wie groß?", "answer": "Schön."}]
    packed = gzip.compress(codecs.BOM_UTF16_BE + LINES.encode("utf-16-be"))
    assert len(rows(tmp_path / "a.jsonl.gz", packed)) == 3


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_an_encoding_that_is_said_is_taken(tmp_path: Path, name: str) -> None:
    text = TABLE.replace(",", "\t") if name == "a.tsv" else TABLE
    read = rows(tmp_path / name, text.encode("windows-1252"), Encoding.WINDOWS_1252)
    assert read == rows(tmp_path / name, text.encode())


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.csv", TABLE.encode("windows-1252"), 2),
        ("a.csv", b"question,answer\n" + b"a,b\n" * 40_000 + "ü,b\n".encode("latin-1"), 40_002),
        ("a.json", '[\n{"question": "grün"}\n]'.encode("latin-1"), 2),
        ("a.json", b"[" + b'{"a": 1},\n' * 900_000 + '{"a": "ü"}]'.encode("latin-1"), 900_001),
        ("a.jsonl", b'{"a": 1}\n' + '{"a": "ü"}\n'.encode("latin-1") * 5, 2),
        ("a.txt", b"One.\n\nTwo.\n" + "Größe".encode("latin-1"), 4),
        ("a.csv.gz", gzip.compress(TABLE.encode("latin-1", "replace")), 2),
    ],
)
def test_another_encoding_is_refused_with_the_line(
    tmp_path: Path, name: str, content: bytes, line: int
) -> None:
    error = refused(tmp_path / name, content)
    assert error.facts == {"path": str(tmp_path / name), "encoding": "UTF-8", "line": line}


def test_an_encoding_that_it_is_not_is_refused_too(tmp_path: Path) -> None:
    error = refused(tmp_path / "a.csv", b"q,a\nx,\x81\n", Encoding.WINDOWS_1252)
    assert (error.facts["encoding"], error.facts["line"]) == ("WINDOWS-1252", 2)
    error = refused(tmp_path / "a.jsonl", codecs.BOM_UTF16_LE + b"{\x00\n\x00\x00\xd8}\x00")
    assert (error.facts["encoding"], error.facts["line"]) == ("UTF-16", 2)


@given(text=st.text(max_size=300), encoding=st.sampled_from(["utf-16", "utf-32", "gb18030"]))
def test_recoding_loses_nothing(text: str, encoding: str) -> None:
    stream = io.BufferedReader(Recoded(io.BytesIO(text.encode(encoding)), encoding), 16)
    assert stream.read() == text.encode()
    assert undecodable_line(io.BytesIO(text.encode(encoding)), encoding) is None


def test_without_a_mark_it_is_utf_8() -> None:
    assert encoding_of(b'{"a"') == "utf-8"
    assert encoding_of(b"") == "utf-8"
    assert encoding_of(codecs.BOM_UTF16_LE + b"a\0", Encoding.KOI8_R) == "koi8-r"
