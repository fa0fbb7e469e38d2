"""One import: rows of source files, checked and split, written into a folder that nobody else knows yet.

Kept rows are first written in one stream with some bytes per row in memory, then parted into the two sides:
a dataset may be larger than the memory. Refuses to know ids, names and other datasets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from academy_desktop.core.datasets.checking import (
    Checked,
    Checker,
    CheckOptions,
    parsed,
    row_text,
    shown,
    split_sixteen,
)
from academy_desktop.core.datasets.crew import WORTH_BYTES, Crew, Found, Task, cores, stamp_of
from academy_desktop.core.datasets.encodings import Encoding
from academy_desktop.core.datasets.forms import Detection, Form, detect, kind_of
from academy_desktop.core.datasets.kept import KeptRows, RowWriter, content_hash, sync, write_sides
from academy_desktop.core.datasets.lines import Lines
from academy_desktop.core.datasets.manifest import SourceEntry
from academy_desktop.core.datasets.near import NearDups, NearFinder, groups, repeated
from academy_desktop.core.datasets.quality import Profile
from academy_desktop.core.datasets.readers import Record, SourceFile, line_records
from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Content, RowKind
from academy_desktop.core.datasets.sources import Source, find_sources
from academy_desktop.core.datasets.splitting import Groups, Keys, as_keys, grouped, hold_out
from academy_desktop.core.datasets.trees import whole
from trainers.errors import AcademyError, ErrorCode

__all__ = [
    "SAMPLE_ROWS",
    "Cancelled",
    "ImportOptions",
    "Importer",
    "Progress",
    "RowWriter",
    "Tally",
    "content_hash",
]

#: Called with the bytes read so far and the bytes there are.
Progress = Callable[[int, int], None]

#: Rows looked at to tell the form.
SAMPLE_ROWS = 200
#: Rows, and bytes of what is stored of them, that are looked at before they are written.
_BATCH_ROWS, _BATCH_BYTES = 2048, 1 << 20

#: Gives the record of a sound row of a batch again.
RecordOf = Callable[[int], object]


class Cancelled(Exception):  # noqa: N818 - not an error: the user asked for it
    """The caller asked to stop; nothing was stored."""


@dataclass(frozen=True)
class ImportOptions:
    """How rows are recognised, checked and split."""

    form: Form | None = None
    mapping: Mapping[str, str] | None = None
    profile: Profile = Profile.BALANCED
    eval_fraction: float = 0.1
    seed: int = 3407
    dedup: bool = True
    near_dups: NearDups = NearDups.APART
    encoding: Encoding = Encoding.AUTO


@dataclass
class Tally:
    """What an import found."""

    form: Form
    mapping: dict[str, str]
    confidence: float = 1.0
    sources: list[SourceEntry] = field(default_factory=list)
    rows_in: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    train_rows: int = 0
    eval_rows: int = 0
    conflicting_rows: int = 0
    near_rows: int = 0
    sha256: str = ""


class Importer:
    """Runs one import into `folder`, which exists and is empty.

    Rows of `eval_files` are all held out; with none of them, `options.eval_fraction` of the rows is.
    `progress` is told bytes; once `cancelled` answers True, `Cancelled` is raised.
    """

    def __init__(
        self,
        folder: Path,
        options: ImportOptions,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._folder = folder
        self._options = options
        self._progress = progress
        self._cancelled = cancelled
        self._done_bytes = 0
        self._total_bytes = 0
        self._detection: Detection | None = None
        self._sources: list[SourceEntry] = []
        self._rows_in = 0
        self._dropped: Counter[str] = Counter()
        self._seen: set[bytes] = set()
        self._prompts = bytearray()
        self._near_rows = 0
        self._near = NearFinder() if options.near_dups is not NearDups.KEEP else None

    def run(self, files: Sequence[Path], eval_files: Sequence[Path] = ()) -> Tally:
        """Read everything and write the rows, their offsets and what was dropped, fsynced.

        Raises:
            AcademyError: what `SourceFile.records` and `detect` raise, and `nothing_left`.
            OSError: the folder cannot be written.
            Cancelled: the caller asked to stop.
        """
        held_sources, sources = list(find_sources(eval_files)), list(find_sources(files))
        self._total_bytes = sum(
            source.path.stat().st_size for source in (*held_sources, *sources) if source.path.is_file()
        )
        with KeptRows(self._folder) as kept, (self._folder / "dropped.jsonl").open("wb") as dropped:
            for source in held_sources:
                self._read(source, kept, dropped, frozenset())
            given = len(kept)
            known = frozenset(split_sixteen(bytes(self._prompts)))
            for source in sources:
                self._read(source, kept, dropped, known)
            if len(kept) == given or (eval_files and not given):  # one side would be empty
                raise AcademyError(ErrorCode.NOTHING_LEFT, rows_in=self._rows_in, **self._dropped)
            kept.flush()
            return self._finish(given, kept, dropped)

    def _finish(self, given: int, kept: KeptRows, dropped: IO[bytes]) -> Tally:
        """Part the rows; the first `given` came from files that are held out."""
        detection = self._known_detection()
        prompts = as_keys(self._prompts)
        sides = self._sides(given, prompts, kept, dropped)
        sync(dropped)
        conflicting = 0
        if kind_of(detection.form) is RowKind.CHAT:
            conflicting = self._note_conflicts(grouped(prompts), sides)
        digest = write_sides(kept, sides, self._folder, lambda: self._watch(0))
        return Tally(
            form=detection.form,
            mapping=detection.mapping,
            confidence=detection.confidence,
            sources=self._sources,
            rows_in=self._rows_in,
            dropped=self._dropped,
            train_rows=int((sides == 0).sum()),
            eval_rows=int((sides == 1).sum()),
            conflicting_rows=conflicting,
            near_rows=self._near_rows,
            sha256=digest,
        )

    def _read(self, source: Source, kept: KeptRows, dropped: IO[bytes], known: frozenset[bytes]) -> None:
        """Check the rows of one file; those that ask what is in `known` are duplicates of held-out rows."""
        file = SourceFile(source.path, self._watch, encoding=self._options.encoding)
        pieces = file.pieces()
        first, sample = _sampled(pieces)
        if not sample:
            raise AcademyError(ErrorCode.FILE_EMPTY, path=str(source.path))
        detection = self._detect(sample, source.path)
        pieces = chain(first, pieces)
        if detection.form is Form.OASST_FLAT:
            pieces, detection = whole(_records(pieces), detection, str(source.path))
        options = CheckOptions(detection, self._options.profile, source.name, self._near is not None)
        for checked, part, place, record_of in self._checked(pieces, source, options, kept):
            self._take(checked, part, place, record_of, source.name, kept, dropped, known)
        self._sources.append(SourceEntry(name=source.name, size_bytes=file.size_bytes, sha256=file.sha256))

    def _checked(
        self, pieces: Iterable[Record | Lines], source: Source, options: CheckOptions, kept: KeptRows
    ) -> Iterator[tuple[Checked, Path | None, int, RecordOf]]:
        """Check rows, in other processes where that pays; what is stored comes along or is in a file."""
        pieces = iter(pieces)
        first = next(pieces, None)
        if first is None:
            return
        pieces = chain([first], pieces)
        count = cores()
        is_large = (
            isinstance(first, Lines) and first.place is not None and source.path.stat().st_size >= WORTH_BYTES
        )
        if not is_large or count < 2:
            for checked, record_of in _batches(pieces, Checker(options)):
                yield checked, None, 0, record_of
            return
        with source.path.open("rb") as opened:
            task = Task(source.path, stamp_of(opened.fileno()), options)
        with Crew(task, self._folder, f"kept-{len(self._sources)}", count) as crew:
            for path in crew.parts:
                kept.add_file(path)
            for found in crew.check(cast("Iterable[Lines]", pieces)):
                yield found.checked, found.part, found.place, _line_of(found)

    def _take(
        self,
        checked: Checked,
        part: Path | None,
        place: int,
        record_of: RecordOf,
        name: str,
        kept: KeptRows,
        dropped: IO[bytes],
        known: frozenset[bytes],
    ) -> None:
        """Keep the sound rows of a batch that were not there before."""
        self._rows_in += checked.looked_at
        fresh = self._fresh(checked, known)
        self._write_dropped(checked, fresh, record_of, name, dropped)
        keep = None if fresh is None else np.array(fresh, bool)
        self._prompts += (
            checked.prompts if keep is None else as_keys(checked.prompts)[keep].astype("<u8").tobytes()
        )
        if self._near is not None and checked.sketches:
            sketches = np.frombuffer(checked.sketches, np.uint64).reshape(len(checked.rows), -1)
            self._near.add_sketches(sketches if keep is None else sketches[keep])
        kept.add(checked.sizes, keep, checked.content, part, place)

    def _fresh(self, checked: Checked, known: frozenset[bytes]) -> list[bool] | None:
        """Which rows of a batch were not there before; None: all of them."""
        prompts = split_sixteen(checked.prompts) if known else ()
        keys = list(split_sixteen(checked.keys)) if self._options.dedup else []
        if self._seen.isdisjoint(keys) and known.isdisjoint(prompts) and len(set(keys)) == len(keys):
            self._seen.update(keys)
            return None
        fresh = []
        for number, prompt in enumerate(split_sixteen(checked.prompts)):
            is_fresh = prompt not in known and not (keys and keys[number] in self._seen)
            if is_fresh and keys:
                self._seen.add(keys[number])
            fresh.append(is_fresh)
        return fresh

    def _write_dropped(
        self, checked: Checked, fresh: Sequence[bool] | None, record_of: RecordOf, name: str, out: IO[bytes]
    ) -> None:
        """Note the rows that are none and those that were there before, in the order of the file."""
        repeats = [] if fresh is None else [number for number, is_fresh in enumerate(fresh) if not is_fresh]
        noted = [(one.at, one.row, one.reason, one.shown) for one in checked.dropped]
        for number in repeats:
            record = shown(record_of(number))
            noted.append((number, checked.rows[number], Reason.DUPLICATE, record))
        if repeats:  # what was dropped before a row comes before it
            noted.sort(key=lambda one: (one[0], one[2] is Reason.DUPLICATE))
        head = b'{"source":{"file":' + to_json(name)
        for _, row, reason, record in noted:
            self._dropped[reason] += 1
            out.write(head + b',"row":%d},"reason":%b,"row":%b}\n' % (row, to_json(reason), record))

    def _detect(self, sample: Sequence[Record], path: Path) -> Detection:
        """Tell the form of a file; all files of a dataset have the same."""
        if len(sample) == SAMPLE_ROWS and not any(isinstance(one.value, dict) for one in sample):
            raise AcademyError(ErrorCode.FORM_UNKNOWN, path=str(path))
        first = self._detection
        form = self._options.form if first is None else first.form
        detection = detect(sample, str(path), form, self._options.mapping)
        if first is not None and detection.confidence == 0.0 < first.confidence:
            detail = f"the first file has {', '.join(first.mapping.values())}"
            raise AcademyError(
                ErrorCode.FORM_UNKNOWN, path=str(path), columns=_columns(sample), detail=detail
            )
        if first is None or detection.confidence < first.confidence:
            self._detection = detection
        return detection

    def _known_detection(self) -> Detection:
        if self._detection is None:
            raise ValueError("no files were given")
        return self._detection

    def _sides(self, given: int, prompts: Keys, kept: KeptRows, dropped: IO[bytes]) -> NDArray[np.int8]:
        """Say for each row where it goes, as `write_sides` has it."""
        pairs = self._near_pairs(kept)
        if self._options.near_dups is NearDups.APART:
            self._near_rows = len({number for pair in pairs for number in pair})
        out = sorted(repeated(pairs)) if self._options.near_dups is NearDups.DROP else []
        self._drop_near(kept, dropped, out)
        sides = np.zeros(len(kept), np.int8)
        sides[out] = -1
        if given:
            sides[:given][sides[:given] == 0] = 1
        else:
            left = sides == 0
            keys = _joined(prompts, pairs)[left]
            sides[left] = hold_out(keys, self._options.eval_fraction, self._options.seed)
        return sides

    def _near_pairs(self, kept: KeptRows) -> list[tuple[int, int]]:
        if self._near is None:
            return []

        def text_of(number: int) -> str:
            return row_text(cast("Content", parsed(kept.line(number))))

        with closing(self._near) as near:
            return list(near.pairs(text_of, lambda: self._watch(0)))

    def _drop_near(self, kept: KeptRows, dropped: IO[bytes], out: Sequence[int]) -> None:
        self._dropped.update({Reason.NEAR_DUPLICATE: len(out)} if out else {})
        for number in out:
            row = {"id": number + 1, **parsed(kept.line(number))}
            source = row.pop("source")
            _write_row(dropped, {"source": source, "reason": Reason.NEAR_DUPLICATE, "row": row})

    def _note_conflicts(self, asking: Groups, sides: NDArray[np.int8]) -> int:
        """Write `conflicts.jsonl`: ids of rows that answer one question differently. Return how many."""
        often = np.flatnonzero((asking.sizes[asking.numbers] > 1) & (sides >= 0))
        by_prompt: dict[int, list[int]] = {}
        for group, number in zip(asking.numbers[often].tolist(), often.tolist(), strict=True):
            by_prompt.setdefault(group, []).append(number + 1)
        conflicts = [ids for ids in by_prompt.values() if len(ids) > 1]
        if not conflicts or not self._options.dedup:
            return 0
        with (self._folder / "conflicts.jsonl").open("wb") as out:
            for ids in conflicts:
                _write_row(out, {"rows": ids})
            sync(out)
        return sum(map(len, conflicts))

    def _watch(self, count: int) -> None:
        self._done_bytes += count
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        if self._progress is not None and count:
            self._progress(self._done_bytes, max(self._total_bytes, self._done_bytes))


def _sampled(pieces: Iterator[Record | Lines]) -> tuple[list[Record | Lines], list[Record]]:
    """The first pieces, and the first rows of them, to tell the form by."""
    taken: list[Record | Lines] = []
    sample: list[Record] = []
    while len(sample) < SAMPLE_ROWS and (piece := next(pieces, None)) is not None:
        taken.append(piece)
        rows = line_records(piece) if isinstance(piece, Lines) else [piece]
        sample += islice(rows, SAMPLE_ROWS - len(sample))
    return taken, sample


def _records(pieces: Iterable[Record | Lines]) -> Iterator[Record]:
    for piece in pieces:
        yield from line_records(piece) if isinstance(piece, Lines) else (piece,)


def _batches(pieces: Iterable[Record | Lines], checker: Checker) -> Iterator[tuple[Checked, RecordOf]]:
    """Check rows here; each batch comes with its sound rows as they were."""
    sound: list[object] = []
    for record in _records(pieces):
        if checker.take(record):
            sound.append(record.value)
        if len(checker) == _BATCH_ROWS or checker.size_bytes > _BATCH_BYTES:
            yield checker.batch(), sound.__getitem__
            sound = []
    yield checker.batch(), sound.__getitem__


def _line_of(found: Found) -> RecordOf:
    """The sound rows of lines that were checked elsewhere, as they were."""
    known: dict[int, object] = {}

    def record_of(number: int) -> object:
        if not known:
            known.update((record.row, record.value) for record in line_records(found.lines))
        return known[found.checked.rows[number]]

    return record_of


def _joined(prompts: Keys, pairs: Sequence[tuple[int, int]]) -> Keys:
    """One key per row, equal for rows that ask the same or hang together by likeness."""
    if not pairs:
        return prompts
    asking = grouped(prompts)
    firsts = asking.firsts[asking.numbers]
    others = np.flatnonzero(firsts != np.arange(len(prompts)))
    same = zip(firsts[others].tolist(), others.tolist(), strict=True)
    leader = groups([*pairs, *same])
    leaders = np.arange(len(prompts))
    leaders[list(leader)] = list(leader.values())
    return prompts[leaders]


def _write_row(stream: IO[bytes], row: Mapping[str, Any]) -> None:
    # A dropped row may hold what JSON has no number for: it is shown as text.
    stream.write(to_json(row, inf_nan_mode="strings") + b"\n")


def _columns(sample: Sequence[Record]) -> str:
    names = dict.fromkeys(
        name for record in sample if isinstance(record.value, dict) for name in record.value
    )
    return ", ".join(names)
