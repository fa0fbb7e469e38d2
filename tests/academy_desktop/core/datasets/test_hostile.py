"""Files that mean harm: each is read in a child with a limit of memory, and refused or imported in part."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import json, re, resource, sys
from pathlib import Path
from academy_desktop.core.datasets.library import Library
from trainers.errors import AcademyError
try:
    made = Library(Path(sys.argv[2])).import_files([Path(sys.argv[1])], "hostile", eval_fraction=0.0)
    said = {"kept": made.rows_kept, "dropped": dict(made.dropped)}
except AcademyError as error:
    said = {"code": str(error.code), "detail": str(error.facts.get("detail"))}
status = Path("/proc/self/status")  # ru_maxrss knows of the process that started this one as well
if status.exists():
    peak = int(re.search(r"VmHWM:\\s*(\\d+)", status.read_text())[1])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({**said, "mib": peak / 1024}))
"""
GOOD = b'{"question": "What is it?", "answer": "It is this."}\n'
MIB = 1 << 20


def imported(path: Path) -> dict[str, object]:
    """What an import says; it takes no more than 512 MiB."""
    answer = subprocess.run(
        [sys.executable, "-c", PROBE, str(path), str(path.parent / "datasets")],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    )
    said: dict[str, object] = json.loads(answer.stdout)
    assert float(str(said.pop("mib"))) < 512
    return said


def test_one_line_of_500_mb_costs_one_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as out:
        out.write(GOOD + b'{"question": "')
        for _ in range(500):
            out.write(b"x" * MIB)
        out.write(b'", "answer": "a"}\n' + GOOD.replace(b"this", b"that"))
    assert imported(path) == {"kept": 2, "dropped": {"unparsable": 1}}


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb") as out:
        out.write(GOOD)
        for _ in range(400):
            out.write(b" " * MIB)
    said = imported(path)
    assert (said["code"], said["detail"]) == (
        "file_unreadable",
        "it unpacks to far more than its own size",
    )


def test_rows_nested_deep_and_long_numbers_cost_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    deep = b'{"question": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    long = b'{"question": ' + b"1" * 10_000 + b', "answer": "b"}\n'
    nul = b'{"question": "a\x00b", "answer": "b"}\n'
    path.write_bytes(GOOD + deep + long + nul)
    said = imported(path)
    assert said["kept"] == 1
    dropped = said["dropped"]
    assert isinstance(dropped, dict)
    assert sum(dropped.values()) == 3


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
