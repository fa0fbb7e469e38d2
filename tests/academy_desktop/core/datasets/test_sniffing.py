from __future__ import annotations

import codecs
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from academy_desktop.core.datasets.sniffing import HEAD_BYTES, Kind, Sniffed, sniff
from trainers.errors import AcademyError, ErrorCode


def told(name: str, head: bytes) -> Sniffed:
    return sniff(Path("/somewhere") / name, head)


def refused(name: str, head: bytes) -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        told(name, head)
    assert caught.value.facts["path"] == f"/somewhere/{name}"
    return caught.value


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8, b"\n  \n"])
@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.json", b'[{"a": 1}]', Kind.DOCUMENT),
        ("a.json", b'{\n "a": 1\n}', Kind.DOCUMENT),
        ("a.json", b'{"a": 1}', Kind.DOCUMENT),
        ("a.json", b'{"data": [\n{"a": 1}]}', Kind.DOCUMENT),
        ("a.json", b'{"a": 1}\n{"a": 2}', Kind.LINES),
        ("a.JSONL", b'{"a": 1}\n{"a": 2}', Kind.LINES),
        ("a.jsonl", b'{"a": 1}', Kind.LINES),
        ("a.jsonl", b'[{"a": 1}]', Kind.DOCUMENT),
        ("a.ndjson", b'{\n "a": 1\n}', Kind.DOCUMENT),
        ("a", b'{"a": 1}\n{"a": 2}', Kind.LINES),
        ("a.txt", b'[\n{"a": 1}]', Kind.DOCUMENT),
        ("a.csv", b"a,b\n1,2\n", Kind.TABLE),
        ("a.tsv", b"a\tb\n1\t2\n", Kind.TABLE),
        ("a.dat", b"a;b\n1;2\n", Kind.TABLE),
    ],
)
def test_name_and_content_tell_the_kind(mark: bytes, name: str, head: bytes, kind: Kind) -> None:
    assert told(name, mark + head).kind is kind


@pytest.mark.parametrize(
    ("name", "head", "delimiter"),
    [
        ("a.csv", b"question,answer\n", ","),
        ("a.csv", b"question;answer\n1,5;2,5;3,5\n", ";"),
        ("a.csv", b"question\tanswer\n", "\t"),
        ("a.csv", b"question|answer|note\n", "|"),
        ("a.csv", b"question\n", ","),
        ("a.tsv", b"question\n", "\t"),
        ("a.tsv", b"a\tb,c\td\n", "\t"),
        ("a.csv", b"a,b;c\n", ","),
        ("a.tsv", b"a,b\tc\n", "\t"),
        ("a.csv", b'[note],"a, b"\n', ","),
    ],
)
def test_the_header_tells_what_parts_the_columns(name: str, head: bytes, delimiter: str) -> None:
    assert told(name, head).delimiter == delimiter


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.tsv", "a"])
@pytest.mark.parametrize("head", [b"", b" \n\t\n", codecs.BOM_UTF8, codecs.BOM_UTF8 + b"\r\n"])
def test_a_file_of_white_space_is_empty(name: str, head: bytes) -> None:
    assert refused(name, head).code is ErrorCode.FILE_EMPTY


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG image"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"ARROW1\x00\x00", "Arrow"),
        (b"GGUF\x03\x00\x00\x00", "GGUF model"),
        (b"SQLite format 3\x00", "SQLite database"),
        (codecs.BOM_UTF32_BE + "[1]".encode("utf-32-be"), "binary data"),
        ("{}".encode("utf-16-le"), "binary data"),
        (codecs.BOM_UTF8 + b"\n <HTML><body>", "HTML page"),
        (b'<?xml version="1.0"?>', "XML"),
    ],
)
@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.json", "JSON"), ("a.jsonl", "JSON Lines"), ("a.csv", "CSV"), ("a", "JSON, JSON Lines, CSV, TSV")],
)
def test_what_is_none_of_ours_is_named(name: str, expected: str, head: bytes, found: str) -> None:
    error = refused(name, head)
    assert error.code is ErrorCode.FILE_NOT_ITS_FORMAT
    assert (error.facts["expected"], error.facts["found"]) == (expected, found)


def test_a_character_cut_by_the_head_s_end_is_no_damage() -> None:
    row = '{"a": "é"}\n'.encode()
    head = (row * (HEAD_BYTES // len(row) + 1))[:HEAD_BYTES]
    shift = next(n for n in range(len(row)) if (b" " * n + head)[HEAD_BYTES - 1] == "é".encode()[0])
    assert told("a.csv", b"q,a\n" + b"x" * (HEAD_BYTES - 5) + "é".encode()[:1]).kind is Kind.TABLE
    assert told("a.jsonl", (b" " * shift + head)[:HEAD_BYTES]).kind is Kind.LINES
    with pytest.raises(UnicodeDecodeError):
        told("a.csv", b"q,a\n" + b"x" * 10 + "é".encode()[:1])


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a", "a.txt"])
def test_text_in_another_encoding_is_no_wrong_format(name: str) -> None:
    with pytest.raises(UnicodeDecodeError):
        told(name, "frage,antwort\ngrün,blau\n".encode("latin-1"))


def test_a_torn_line_among_sound_json_is_a_damaged_row_and_many_are_another_encoding() -> None:
    sound, torn = b'{"a": "b"}\n', '{"a": "grün"}\n'.encode("latin-1")
    assert told("a.jsonl", sound * 5 + torn + sound).kind is Kind.LINES
    assert told("a.jsonl", '{"a": "grün"}\n'.encode() + torn * 5).kind is Kind.LINES
    with pytest.raises(UnicodeDecodeError):
        told("a.jsonl", sound * 5 + torn * 5)


@given(
    name=st.sampled_from(["a.json", "a.jsonl", "a.csv", "a.tsv", "a", "a.b.JSON"]),
    head=st.binary(max_size=60),
)
def test_whatever_a_file_begins_with_it_is_told_or_refused(name: str, head: bytes) -> None:
    with suppress(AcademyError, UnicodeDecodeError):
        assert told(name, head).delimiter in {",", "\t", ";", "|"}
