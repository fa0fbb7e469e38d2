"""Files that mean harm: each is read in a child with a limit of memory, and refused or imported in part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.academy_desktop.core.datasets.hostile import CASES, GOOD, MIB, Case, import_in_child

MOST_BYTES = 512 * MIB
#: The large ones are smaller here; `tests.bench data.hostile` takes them whole, and their time.
SCALE = 0.2


def imported(path: Path, *, growing: bool = False) -> Mapping[str, object]:
    """What an import says; it takes no more than 512 MiB."""
    outcome = import_in_child(path.parent, path, growing=growing)
    assert outcome.peak_bytes < MOST_BYTES
    return outcome.said


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_means_harm_is_refused_or_imported_in_part(tmp_path: Path, case: Case) -> None:
    said = imported(case.make(tmp_path, SCALE), growing=case.growing)
    assert case.holds(said), said
    assert said.get("detail") != "", "a refusal says why"


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_a_long_list_is_read_value_by_value(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with path.open("wb") as out:
        out.write(b"[\n")
        for number in range(80_000):
            answer = "x" * 150 + str(number)
            row = json.dumps({"question": f"What is {number}, é?", "answer": answer}, ensure_ascii=False)
            out.write(row.encode() + (b"\n]" if number == 79_999 else b",\n"))
    assert path.stat().st_size > 12 * MIB
    assert imported(path) == {"kept": 80_000, "dropped": {}}


def test_a_long_list_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"[" + b",".join([GOOD.strip()] * 200_000))
    said = imported(path)
    assert said["code"] == "file_unreadable"
    assert "cut short" in str(said["detail"])


def test_many_tiny_values_that_are_no_rows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"[" + b"[]," * 4_000_000 + b"[]]")
    assert imported(path)["code"] == "form_unknown"
