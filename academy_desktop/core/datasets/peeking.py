"""A look at files before they are imported: form, columns, and the first rows as they will be stored.

Owns the look, which reads no more than it has to. Refuses to store anything, and to know what is read beyond
the sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from academy_desktop.core.datasets.encodings import Encoding
from academy_desktop.core.datasets.forms import Detection, Form, convert, detect
from academy_desktop.core.datasets.importing import SAMPLE_ROWS, Cancelled
from academy_desktop.core.datasets.quality import Profile, flaw
from academy_desktop.core.datasets.readers import Record, SourceFile
from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Content
from academy_desktop.core.datasets.sources import Source, find_sources
from academy_desktop.core.datasets.trees import whole
from trainers.errors import AcademyError, ErrorCode

#: Rows that are shown; all of the sample are counted.
SHOWN_ROWS = 5


@dataclass(frozen=True)
class Reading:
    """How files are to be read: what `Library.import_files` takes, as far as single rows depend on it."""

    form: Form | None = None
    mapping: Mapping[str, str] | None = None
    profile: Profile = Profile.BALANCED
    encoding: Encoding = Encoding.AUTO


@dataclass(frozen=True)
class SampleRow:
    """One row: what will be stored of it, or why it will be dropped. `row` counts from 1 in its file."""

    row: int
    content: Content | None = None
    reason: Reason | None = None


@dataclass(frozen=True)
class Peek:
    """What the first rows of the first file say. Without a `detection` the rows fit no known form."""

    file: str
    files: int
    size_bytes: int
    columns: tuple[str, ...]
    detection: Detection | None
    looked_at: int
    dropped: Mapping[Reason, int]
    rows: tuple[SampleRow, ...]


def peek(files: Sequence[Path], reading: Reading, cancelled: Callable[[], bool] = lambda: False) -> Peek:
    """Look at the first rows of files and folders; duplicates are not looked for.

    Raises:
        AcademyError: as `Library.import_files`, but for a form that is unknown and rows that are all dropped.
        Cancelled: `cancelled` answered True.
    """
    sources = list(find_sources(files))
    first = sources[0]
    records = _first_rows(first, reading.encoding, cancelled)
    columns = tuple(
        dict.fromkeys(str(name) for one in records if isinstance(one.value, dict) for name in one.value)
    )
    try:
        detection = detect(records, str(first.path), reading.form, reading.mapping)
    except AcademyError as error:
        if error.code is not ErrorCode.FORM_UNKNOWN:
            raise
        detection = None
    rows = () if detection is None else tuple(_checked(records, detection, reading.profile, first))
    return Peek(
        file=first.name,
        files=len(sources),
        size_bytes=sum(source.path.stat().st_size for source in sources if source.path.is_file()),
        columns=columns,
        detection=detection,
        looked_at=len(rows) or len(records),
        dropped=Counter(one.reason for one in rows if one.reason is not None),
        rows=rows[:SHOWN_ROWS],
    )


def _first_rows(source: Source, encoding: Encoding, cancelled: Callable[[], bool]) -> list[Record]:
    def watch(_count: int) -> None:
        if cancelled():
            raise Cancelled

    records = list(islice(SourceFile(source.path, watch, encoding=encoding).records(), SAMPLE_ROWS))
    if not records:
        raise AcademyError(ErrorCode.FILE_EMPTY, path=str(source.path))
    return records


def _checked(
    records: Sequence[Record], detection: Detection, profile: Profile, source: Source
) -> list[SampleRow]:
    rows, known = whole(records, detection, str(source.path))
    found = []
    for record in rows:
        verdict = Reason.UNPARSABLE if record.damaged else convert(record.value, known)
        reason = verdict if isinstance(verdict, Reason) else flaw(verdict, profile)
        if reason is not None:
            found.append(SampleRow(record.row, reason=reason))
        elif not isinstance(verdict, Reason):
            found.append(SampleRow(record.row, verdict))
    return found
