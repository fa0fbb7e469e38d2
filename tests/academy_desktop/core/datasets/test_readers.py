from __future__ import annotations

import gzip
import io
import json
from contextlib import suppress
from pathlib import Path

import docx
import pyarrow as pa
import pyarrow.parquet as pq
import pypdf
import pypdf.generic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from academy_desktop.core.datasets.readers import Record, SourceFile
from trainers.errors import AcademyError, ErrorCode

ROW = {"question": "Where is é?", "answer": "In naïve 🗼"}


def read(path: Path, content: bytes | str) -> list[Record]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(SourceFile(path).records())


def values(records: list[Record]) -> list[object]:
    return [record.value for record in records]


def refused(path: Path, content: bytes | str) -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        read(path, content)
    assert caught.value.facts["path"] == str(path)
    return caught.value


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps([ROW, ROW])),
        ("a.json", json.dumps([ROW, ROW], ensure_ascii=False, indent=2)),
        ("a.json", json.dumps({"version": 1, "data": [ROW, ROW]})),
        ("a.json", f"{json.dumps(ROW)}\n{json.dumps(ROW)}\n"),
        ("a.jsonl", f"{json.dumps(ROW)}\r\n\r\n{json.dumps(ROW)}"),
        ("a.jsonl", json.dumps([ROW, ROW])),
        ("a.NDJSON", f"{json.dumps(ROW)}\n{json.dumps(ROW)}\n"),
        ("rows", f"{json.dumps(ROW)}\n{json.dumps(ROW)}\n"),
        ("a.csv", "question,answer\nWhere is é?,In naïve 🗼\n\nWhere is é?,In naïve 🗼\n"),
        ("a.csv", 'question;answer\r\n"Where is é?";"In naïve 🗼"\r\nWhere is é?;In naïve 🗼\r\n'),
        ("a.tsv", "question\tanswer\nWhere is é?\tIn naïve 🗼\nWhere is é?\tIn naïve 🗼"),
        ("rows.txt", "question\tanswer\nWhere is é?\tIn naïve 🗼\nWhere is é?\tIn naïve 🗼"),
    ],
)
def test_every_kind_gives_the_same_rows(tmp_path: Path, name: str, content: str, mark: bytes) -> None:
    assert values(read(tmp_path / name, mark + content.encode())) == [ROW, ROW]


def test_a_single_object_is_one_row(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "a"}]}
    assert values(read(tmp_path / "a.json", json.dumps(row, indent=1))) == [row]


def test_damaged_lines_are_numbered_and_the_rest_is_read(tmp_path: Path) -> None:
    deep = "[" * 100_000
    digits = "1" * 10_000
    lines = ['{"a": 1}', '{"a": ', "", deep, '{"a": 2}', '{"a": "\\ud800"}', f'{{"a": {digits}}}']
    records = read(tmp_path / "a.jsonl", "\n".join(lines).encode() + b'\n{"a": "\xff"}\n{"a": 3}')
    assert [record.row for record in records if record.damaged][:3] == [2, 4, 6]
    sound = [(record.row, record.value) for record in records if not record.damaged]
    assert [(row, value) for row, value in sound if row != 7] == [(1, {"a": 1}), (5, {"a": 2}), (9, {"a": 3})]
    assert records[1].value == '{"a": '


def test_lines_named_json_may_be_damaged_too(tmp_path: Path) -> None:
    records = read(tmp_path / "a.json", '{"a": 1}\n{"a": \n{"a": 2}\n')
    assert [record.damaged for record in records] == [False, True, False]


def test_a_first_line_that_is_damaged_costs_one_row(tmp_path: Path) -> None:
    records = read(tmp_path / "a.jsonl", 'oops\n{"a": 1}\n')
    assert [record.damaged for record in records] == [True, False]


def test_ragged_rows_of_a_table(tmp_path: Path) -> None:
    records = read(tmp_path / "a.csv", "question,answer\na\na,b,c\na,b\n")
    assert values(records) == [{"question": "a"}, "a,b,c", {"question": "a", "answer": "b"}]
    assert [record.damaged for record in records] == [False, True, False]


def test_a_cell_may_span_lines(tmp_path: Path) -> None:
    content = 'question,answer\n"one\ntwo, ""three""",b\n'
    assert values(read(tmp_path / "a.csv", content)) == [{"question": 'one\ntwo, "three"', "answer": "b"}]


@pytest.mark.parametrize(
    ("name", "content", "expected", "found"),
    [
        ("a.jsonl", b"\x89PNG\r\n\x1a\n\x00\x00", "JSON Lines", "PNG image"),
        ("a.json", b"%PDF-1.7\n", "JSON", "PDF"),
        ("a.jsonl", gzip.compress(b'{"a": 1}\n'), "JSON Lines", "gzip archive"),
        ("a.csv", b"PK\x03\x04\x14\x00", "CSV", "ZIP archive"),
        ("a.json", b"question,answer\n1,2\n", "JSON", "CSV"),
        ("a.jsonl", b"Hello there\n", "JSON Lines", "text"),
        ("a.csv", b'{"a": 1}\n{"a": 2}\n', "CSV", "JSON"),
        ("a.tsv", b'[\n{"a": 1}]', "TSV", "JSON"),
        ("a.json", b"<!DOCTYPE html><html>", "JSON", "HTML page"),
        ("a.jsonl", b"version https://git-lfs.github.com/spec/v1\noid", "JSON Lines", "Git LFS pointer"),
        ("a.jsonl", b'{"a": 1}\x00\x00', "JSON Lines", "binary data"),
        ("a", b"Hello there\n", "JSON, JSON Lines, CSV, TSV", "text"),
        ("a.parquet", b"Hello there\n", "Parquet", "text"),
        ("a.docx", b"%PDF-1.7\n", "Word document", "PDF"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(
    tmp_path: Path, name: str, content: bytes, expected: str, found: str
) -> None:
    error = refused(tmp_path / name, content)
    assert error.code is ErrorCode.FILE_NOT_ITS_FORMAT
    assert (error.facts["expected"], error.facts["found"]) == (expected, found)


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n  \r\n"])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a"])
def test_an_empty_file(tmp_path: Path, name: str, content: bytes) -> None:
    assert refused(tmp_path / name, content).code is ErrorCode.FILE_EMPTY


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'[{"a": 1}, {"a": 2'),
        ("a.json", b"[" * 100_000),
        ("a.csv", b'question,answer\n"a,b\nc,d\n'),
        ("a.csv", b"question,question\na,b\n"),
        ("a.csv", b"question,answer\n" + b"a" * 200_000 + b",b\n"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(tmp_path: Path, name: str, content: bytes) -> None:
    error = refused(tmp_path / name, content)
    assert error.code is ErrorCode.FILE_UNREADABLE
    assert error.facts["detail"]


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(AcademyError) as caught:
        list(SourceFile(tmp_path / "a.json").records())
    assert caught.value.code is ErrorCode.FILE_NOT_FOUND
    with pytest.raises(AcademyError) as caught:
        list(SourceFile(tmp_path).records())
    assert caught.value.code is ErrorCode.FILE_UNREADABLE


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n' * 3)
    records = SourceFile(path).records()
    next(records)
    with path.open("a") as stream:
        stream.write('{"a": 2}\n')
    with pytest.raises(AcademyError) as caught:
        list(records)
    assert caught.value.code is ErrorCode.FILE_UNREADABLE


def test_size_hash_and_progress_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n' * 300_000)
    counts: list[int] = []
    source = SourceFile(path, counts.append)
    assert sum(1 for _ in source.records()) == 300_000
    assert sum(counts) == source.size_bytes == path.stat().st_size
    assert len([count for count in counts if count]) >= 3
    assert len(source.sha256) == 64


ROWS = [ROW, {"question": "And è?", "answer": "Here."}]


def parquet_bytes(rows: list[dict[str, str]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def arrow_bytes(rows: list[dict[str, str]], *, is_stream: bool) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pylist(rows)
    with (pa.ipc.new_stream if is_stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def docx_bytes(*paragraphs: str) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    sink = io.BytesIO()
    document.save(sink)
    return sink.getvalue()


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", parquet_bytes(ROWS)),
        ("a.arrow", arrow_bytes(ROWS, is_stream=False)),
        ("a.feather", arrow_bytes(ROWS, is_stream=False)),
        ("a.arrow", arrow_bytes(ROWS, is_stream=True)),
        ("a.json", json.dumps(ROWS).encode()),
        ("a.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS).encode()),
        ("a.csv", "question,answer\nWhere is é?,In naïve 🗼\nAnd è?,Here.\n".encode()),
        ("a.txt", "Q: Where is é?\nA: In naïve 🗼\n\nQ: And è?\nA: Here.\n".encode()),
        ("a.txt", "Where is é?\n\nIn naïve 🗼\n\nAnd è?\n\nHere.\n".encode()),
        (
            "a.md",
            "### Question\nWhere is é?\n### Answer\nIn naïve 🗼\n\n**Q:** And è?\n**A:** Here.".encode(),
        ),
        (
            "a.docx",
            docx_bytes("Question: Where is é?", "Answer: In naïve 🗼", "Question: And è?", "Answer: Here."),
        ),
    ],
)
def test_every_other_kind_gives_the_same_rows_gzipped_too(
    tmp_path: Path, name: str, content: bytes, is_packed: bool
) -> None:
    path = tmp_path / (f"{name}.gz" if is_packed else name)
    assert values(read(path, gzip.compress(content) if is_packed else content)) == ROWS


def test_text_without_questions_is_passages_with_their_headings(tmp_path: Path) -> None:
    records = read(tmp_path / "a.md", "# Lamps\n\nA lamp, an arm.\n\n## Cats\n\nA cat.\nStill.\n\nEnd: it.")
    assert values(records) == [
        {"text": "# Lamps\n\nA lamp, an arm."}, {"text": "## Cats\n\nA cat.\nStill."}, {"text": "End: it."},
    ]  # fmt: skip


def test_a_pdf_is_read_and_one_that_is_encrypted_is_refused(tmp_path: Path) -> None:
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(300, 300)
    font = pypdf.generic.DictionaryObject(
        {
            pypdf.generic.NameObject("/Type"): pypdf.generic.NameObject("/Font"),
            pypdf.generic.NameObject("/Subtype"): pypdf.generic.NameObject("/Type1"),
            pypdf.generic.NameObject("/BaseFont"): pypdf.generic.NameObject("/Helvetica"),
        }
    )
    fonts = pypdf.generic.DictionaryObject({pypdf.generic.NameObject("/F1"): font})
    page[pypdf.generic.NameObject("/Resources")] = pypdf.generic.DictionaryObject(
        {pypdf.generic.NameObject("/Font"): fonts}
    )
    drawn = pypdf.generic.DecodedStreamObject()
    drawn.set_data(b"BT /F1 12 Tf 20 200 Td (A lamp on an arm.) Tj ET")
    page[pypdf.generic.NameObject("/Contents")] = writer._add_object(drawn)
    sink = io.BytesIO()
    writer.write(sink)
    assert values(read(tmp_path / "a.pdf", sink.getvalue())) == [{"text": "A lamp on an arm."}]
    writer.encrypt("secret", algorithm="RC4-128")
    sink = io.BytesIO()
    writer.write(sink)
    error = refused(tmp_path / "b.pdf", sink.getvalue())
    assert error.code is ErrorCode.FILE_UNREADABLE
    assert "encrypted" in str(error.facts["detail"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", parquet_bytes(ROWS)[:-20]),
        ("a.arrow", arrow_bytes(ROWS, is_stream=False)[:-20]),
        ("a.docx", docx_bytes("a")[:-200]),
        ("a.pdf", b"%PDF-1.7\nnothing"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 1000)[:-20]),
        ("a.jsonl.gz", b'{"a": 1}\n'),
    ],
)
def test_a_file_that_is_cut_short_or_none_of_its_kind_is_refused(
    tmp_path: Path, name: str, content: bytes
) -> None:
    error = refused(tmp_path / name, content)
    assert error.code is ErrorCode.FILE_UNREADABLE
    assert error.facts["detail"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["a.json", "a.jsonl", "a.csv", "a.tsv", "a"]),
    content=st.one_of(
        st.binary(max_size=300),
        st.text(alphabet='{}[]",:;\n\t\\ux0aé\r', max_size=200).map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_whatever_is_in_a_file_it_is_read_or_refused(tmp_path: Path, name: str, content: bytes) -> None:
    with suppress(AcademyError):
        assert all(record.row >= 1 for record in read(tmp_path / name, content))
