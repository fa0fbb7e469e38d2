from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
import pytest

from academy_desktop.core.datasets import browse
from academy_desktop.core.datasets.browse import Rows, read_index, scan_offsets
from tests.trainers.defective import write_rows
from trainers.errors import AcademyError, ErrorCode


def talk(number: int) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"Question {number} – naïve?"},
        {"role": "assistant", "content": f"Answer {number}." * (number % 7)},
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "set-1"
    made.mkdir()
    write_rows(made / "train.jsonl", map(talk, range(100)))
    write_rows(made / "eval.jsonl", map(talk, range(100, 120)))
    return made


@pytest.fixture
def rows(folder: Path, tmp_path: Path) -> Rows:
    return Rows(folder, tmp_path / "cache")


def asked(rows: Rows, number: int) -> str:
    return str(rows.row(number).messages[0]["content"])


def test_each_row_is_found_by_its_number(rows: Rows) -> None:
    assert len(rows) == 120
    assert [asked(rows, number) for number in (119, 0, 57, 99, 100)] == [
        f"Question {number} – naïve?" for number in (119, 0, 57, 99, 100)
    ]
    assert [rows.row(99).held_out, rows.row(100).held_out] == [False, True]
    with pytest.raises(IndexError):
        rows.row(120)
    with pytest.raises(IndexError):
        rows.row(-1)


def test_a_page_ends_with_the_rows(rows: Rows) -> None:
    assert [one.number for one in rows.page(117, 10)] == [117, 118, 119]


def test_a_row_is_found_by_its_id(rows: Rows) -> None:
    assert rows.number_of(30) == 29
    assert rows.number_of(1) == 0
    assert rows.number_of(9999) is None


def test_a_text_is_found_whatever_its_case(rows: Rows) -> None:
    found = [number for some in rows.search("ANSWER 11") for number in some]
    assert found == [11, 110, 111, 113, 114, 115, 116, 117, 118]  # 112 answers nothing
    assert list(rows.search("x", lambda: True)) == [array("I")]


def test_the_index_beside_the_rows_is_used(folder: Path, tmp_path: Path) -> None:
    file = folder / "train.jsonl"
    offsets = np.concatenate(list(scan_offsets(file)))
    (folder / "train.idx").write_bytes(offsets.astype("<u8").tobytes())
    assert read_index(file, tmp_path / "cache").tolist() == offsets.tolist()
    assert not (tmp_path / "cache").exists()


def test_an_index_of_another_file_is_not_believed(folder: Path, tmp_path: Path) -> None:
    file = folder / "train.jsonl"
    (folder / "train.idx").write_bytes(np.array([0, 7], "<u8").tobytes())
    assert len(read_index(file, tmp_path / "cache")) == 100
    (folder / "train.idx").write_bytes(b"odd")
    assert len(read_index(file, tmp_path / "cache")) == 100


def test_offsets_are_those_of_the_lines_whatever_the_chunk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "train.jsonl"
    places, place = [], 0
    for line in file.read_bytes().splitlines(keepends=True):
        places.append(place)
        place += len(line)
    for size in (1, 7, 4096):
        monkeypatch.setattr(browse, "_CHUNK_BYTES", size)
        assert np.concatenate(list(scan_offsets(file))).tolist() == places


def test_an_index_that_nobody_waits_for_is_given_up(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        read_index(folder / "train.jsonl", tmp_path / "cache", lambda: True)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_empty_side_has_no_rows(folder: Path, tmp_path: Path) -> None:
    (folder / "eval.jsonl").write_bytes(b"")
    assert len(Rows(folder, tmp_path / "cache")) == 100


def test_missing_and_broken_rows_are_a_damaged_dataset(folder: Path, tmp_path: Path) -> None:
    (folder / "train.jsonl").write_text("{torn\n")
    with pytest.raises(AcademyError) as caught:
        Rows(folder, tmp_path / "cache").row(0)
    assert caught.value.code is ErrorCode.DATASET_DAMAGED
    (folder / "train.jsonl").unlink()
    with pytest.raises(AcademyError) as caught:
        Rows(folder, tmp_path / "cache")
    assert caught.value.code is ErrorCode.DATASET_DAMAGED
