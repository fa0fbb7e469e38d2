"""Datasets as files for others: JSON Lines in forms that they take.

Owns the forms. `alpaca` is the one that Venom's upload reads: it wants an instruction and an output of ten
characters or more each. Refuses to know how a file gets there.
"""

from __future__ import annotations

import os
import uuid
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from academy_desktop.core.datasets.library import Library, Row
from trainers.errors import AcademyError, ErrorCode
from trainers.space import is_full

#: Shortest instruction and output that Venom's upload takes, in characters.
VENOM_CHARACTERS = 10


class OutForm(StrEnum):
    """The form of the rows in a file."""

    ALPACA = "alpaca"
    MESSAGES = "messages"


def write_out(library: Library, key: str, form: OutForm, path: Path) -> tuple[int, int]:
    """Write all rows of a dataset; return how many, and how many do not fit the form.

    Raises:
        AcademyError: as `Library.rows`; `disk_full` or `file_unreadable` where the file cannot be written.
    """
    written = left_out = 0
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with aside.open("wb") as out:
            for split in ("train", "eval"):
                for row in library.rows(key, "eval" if split == "eval" else "train"):
                    shaped = _alpaca(row) if form is OutForm.ALPACA else _messages(row)
                    if shaped is None:
                        left_out += 1
                        continue
                    out.write(to_json(shaped) + b"\n")
                    written += 1
            out.flush()
            os.fsync(out.fileno())
        aside.replace(path)
    except OSError as error:
        code = ErrorCode.DISK_FULL if is_full(error) else ErrorCode.FILE_UNREADABLE
        raise AcademyError(code, path=str(path), detail=error.strerror) from error
    finally:
        aside.unlink(missing_ok=True)
    return written, left_out


def _alpaca(row: Row) -> dict[str, Any] | None:
    """One question and one answer; a system turn is said before the question."""
    turns = row.messages
    before = [turn["content"] for turn in turns if turn["role"] == "system" and turn["content"].strip()]
    said = [turn for turn in turns if turn["role"] != "system"]
    if [turn["role"] for turn in said] != ["user", "assistant"] or said[1].get("tool_calls"):
        return None
    question, answer = "\n\n".join([*before, said[0]["content"]]), said[1]["content"]
    if min(len(question.strip()), len(answer.strip())) < VENOM_CHARACTERS:
        return None
    return {"instruction": question, "input": "", "output": answer}


def _messages(row: Row) -> dict[str, Any] | None:
    return {"messages": row.messages} if row.messages else None
