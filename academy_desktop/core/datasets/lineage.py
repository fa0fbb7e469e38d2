"""New datasets made of those that are there: rows left out, changed, or mixed.

Owns what goes into the new files. Refuses to know how they enter the library and what the rows are for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic_core import from_json, to_json

from academy_desktop.core.datasets.importing import RowWriter, content_hash
from academy_desktop.core.datasets.quality import Profile, flaw
from academy_desktop.core.datasets.rows import Content
from trainers.errors import AcademyError, ErrorCode

SPLITS = ("train", "eval")

#: Number of a row, from 0 over the rows to learn and then those held out → new fields; None leaves it out.
Edits = Mapping[int, Mapping[str, Any] | None]


@dataclass
class Written:
    """What was written: rows on either side, what happened to the others, and the hash."""

    train_rows: int = 0
    eval_rows: int = 0
    excluded_rows: int = 0
    edited_rows: int = 0
    sha256: str = ""

    @property
    def rows(self) -> int:
        """Rows on both sides."""
        return self.train_rows + self.eval_rows


def write_edited(source: Path, target: Path, edits: Edits) -> Written:
    """Write the rows of a dataset's folder with edits; ids stay.

    Raises:
        AcademyError: `mapping_invalid` for a row that is not there or would not be one any more;
            `nothing_left`; `dataset_damaged`.
    """
    written = Written()
    number = 0
    for split in SPLITS:
        with RowWriter(target / f"{split}.jsonl") as out:
            for line in _lines(source, split):
                kept = _edited(line, number, edits, written)
                number += 1
                if kept is not None:
                    out.write(kept)
                    _count(written, split)
    beyond = max(edits, default=-1)
    if beyond >= number or min(edits, default=0) < 0:
        raise AcademyError(ErrorCode.MAPPING_INVALID, key=str(beyond + 1), detail=f"a row of 1 to {number}")
    return _finished(written, target, number)


def write_mixed(sources: Sequence[tuple[Path, float]], target: Path, seed: int) -> Written:
    """Write rows of several datasets' folders: `weight` times the rows of each, its held-out rows once.

    A weight of 0.5 draws half of the rows by seed, one of 2.5 takes all twice and draws half again. Rows stay
    on their side; ids are given anew. The order of learning is shuffled by the recipe, not here.

    Raises:
        AcademyError: `nothing_left`, `dataset_damaged`.
    """
    written = Written()
    number = rows_in = 0
    for split in SPLITS:
        with RowWriter(target / f"{split}.jsonl") as out:
            for place, (folder, weight) in enumerate(sources):
                draw = random.Random(f"{seed}:{place}:{split}")
                for line in _lines(folder, split):
                    rows_in += 1
                    for _ in range(_times(weight, draw) if split == "train" else 1):
                        number += 1
                        out.write(_stored({**from_json(line), "id": number}))
                        _count(written, split)
    return _finished(written, target, rows_in)


def _edited(line: bytes, number: int, edits: Edits, written: Written) -> bytes | None:
    if number not in edits:
        return line
    change = edits[number]
    if change is None:
        written.excluded_rows += 1
        return None
    row = {**from_json(line), **change}
    content = cast("Content", {key: row[key] for key in Content.__annotations__ if key in row})
    reason = flaw(content, Profile.LENIENT)
    if reason is not None:
        raise AcademyError(
            ErrorCode.MAPPING_INVALID, key=str(number + 1), detail=f"a row to learn ({reason})"
        )
    written.edited_rows += 1
    return _stored(row)


def _times(weight: float, draw: random.Random) -> int:
    whole = int(weight)
    return whole + (draw.random() < weight - whole)


def _lines(folder: Path, split: str) -> Iterator[bytes]:
    path = folder / f"{split}.jsonl"
    try:
        with path.open("rb") as lines:
            yield from lines
    except OSError as error:
        raise AcademyError(ErrorCode.DATASET_DAMAGED, dataset=folder.name, path=str(path)) from error


def _stored(row: Mapping[str, Any]) -> bytes:
    return to_json(row) + b"\n"


def _count(written: Written, split: str) -> None:
    if split == "train":
        written.train_rows += 1
    else:
        written.eval_rows += 1


def _finished(written: Written, target: Path, rows_in: int) -> Written:
    if not written.train_rows:
        raise AcademyError(ErrorCode.NOTHING_LEFT, rows_in=rows_in)
    (target / "dropped.jsonl").touch()
    written.sha256 = content_hash(target / "train.jsonl", target / "eval.jsonl")
    return written
