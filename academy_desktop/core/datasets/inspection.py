"""Looking into datasets: their rows by number, their audit for a model, their mend.

Owns what the window and the command line ask for alike. Refuses to know how any of it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from academy_desktop.core.datasets.audit import Auditor, Report
from academy_desktop.core.datasets.browse import Rows
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.lineage import SPLITS, Edits
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.datasets.mends import can_mend, mend, mend_pair, mend_text
from academy_desktop.core.tasks import Progress, no_progress
from trainers.rendering import Renderer


class Inspection:
    """Over the datasets of one data directory; every call may block."""

    def __init__(self, library: Library, auditor: Auditor) -> None:
        self._library = library
        self._auditor = auditor

    def rows(self, key: str, cancelled: Callable[[], bool] = lambda: False) -> Rows:
        """Open the rows of a dataset; the first time the index of a large one takes a moment.

        Raises:
            AcademyError: as `Library.get`, and `dataset_damaged`.
            InterruptedError: nobody wants them any more.
        """
        return Rows(self._library.folder(key), self._auditor.cache, cancelled)

    def audit(self, key: str, model: Path, max_length: int, progress: Progress = no_progress) -> Report:
        """Render and check every row for the model in a folder; raises as `Auditor.audit`."""
        return self._auditor.audit(self._library.folder(key), model, max_length, progress)

    def mend(self, key: str, model: Path, report: Report) -> tuple[DatasetManifest | None, int]:
        """Mend what an audit found, as a new version; also how many rows that changed, perhaps none.

        Raises:
            AcademyError: as `Library.edit`.
        """
        edits = edits_for(self._library, key, report, Renderer.load(model).special_texts)
        return (self._library.edit(key, edits) if edits else None), len(edits)


def edits_for(library: Library, key: str, report: Report, special_texts: tuple[str, ...]) -> Edits:
    """Mend what an audit found, as far as there is a mend; rows that stay the same are no edits."""
    codes: dict[int, list[str]] = {}
    for problem in report.problems():
        if can_mend(problem.code):
            codes.setdefault(problem.number, []).append(problem.code)
    edits: dict[int, dict[str, object] | None] = {}
    for number, line in enumerate(_lines(library.folder(key))):
        if number in codes:
            row = from_json(line)
            better = mended_fields(row, codes[number], special_texts)
            if better is None or any(row[name] != value for name, value in better.items()):
                edits[number] = better
    return edits


def mended_fields(
    row: Mapping[str, Any], codes: Sequence[str], special_texts: Sequence[str]
) -> dict[str, object] | None:
    """The fields of a row without the defects that there is a mend for; None where nothing of it is left."""
    if "text" in row:
        text = mend_text(row["text"], codes, special_texts)
        return None if text is None else {"text": text}
    if "chosen" in row:
        pair = mend_pair(row["messages"], row["chosen"], row["rejected"], codes, special_texts)
        return None if pair is None else dict(zip(("messages", "chosen", "rejected"), pair, strict=True))
    turns = mend(row["messages"], codes, special_texts)
    return None if turns is None else {"messages": turns}


def _lines(folder: Path) -> Iterator[bytes]:
    for split in SPLITS:
        with (folder / f"{split}.jsonl").open("rb") as lines:
            yield from lines
