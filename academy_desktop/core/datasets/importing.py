"""One import: rows of source files, checked and split, written into a folder that nobody else knows yet.

Kept rows are first written in one stream with some bytes per row in memory, then parted into the two sides:
a dataset may be larger than the memory. Refuses to know ids, names and other datasets.
"""

from __future__ import annotations

import hashlib
import os
import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pydantic_core import from_json, to_json

from academy_desktop.core.datasets.forms import Detection, Form, convert, detect, kind_of
from academy_desktop.core.datasets.manifest import SourceEntry
from academy_desktop.core.datasets.near import NearDups, NearFinder, groups, repeated
from academy_desktop.core.datasets.quality import Profile, flaw, prompt_key, row_key
from academy_desktop.core.datasets.readers import Record, SourceFile
from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Content, RowKind, texts
from academy_desktop.core.datasets.sources import Source, find_sources
from academy_desktop.core.datasets.splitting import held_out
from trainers.errors import AcademyError, ErrorCode

#: Called with the bytes read so far and the bytes there are.
Progress = Callable[[int, int], None]

#: Rows looked at to tell the form.
_SAMPLE_ROWS = 200
#: Longest text of a damaged row that is kept for the user to look at, in characters.
_SHOWN_CHARACTERS = 2000


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
        self._prompts: list[bytes] = []
        self._places = array("Q")
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
        kept = self._folder / "kept.jsonl"
        with kept.open("wb") as rows, (self._folder / "dropped.jsonl").open("wb") as dropped:
            for source in held_sources:
                self._read(source, rows, dropped, frozenset())
            given = len(self._prompts)
            known = frozenset(self._prompts)
            for source in sources:
                self._read(source, rows, dropped, known)
            if len(self._prompts) == given or (eval_files and not given):  # one side would be empty
                raise AcademyError(ErrorCode.NOTHING_LEFT, rows_in=self._rows_in, **self._dropped)
            rows.flush()
            sides = self._sides(given, kept, dropped)
            _sync(dropped)
        detection = self._known_detection()
        conflicting = self._note_conflicts(sides) if kind_of(detection.form) is RowKind.CHAT else 0
        digest = self._part(kept, sides)
        kept.unlink()
        return Tally(
            form=detection.form,
            mapping=detection.mapping,
            confidence=detection.confidence,
            sources=self._sources,
            rows_in=self._rows_in,
            dropped=self._dropped,
            train_rows=sides.count(False),
            eval_rows=sides.count(True),
            conflicting_rows=conflicting,
            sha256=digest,
        )

    def _read(self, source: Source, rows: IO[bytes], dropped: IO[bytes], known: frozenset[bytes]) -> None:
        """Check the rows of one file; those that ask what is in `known` are duplicates of held-out rows."""
        file = SourceFile(source.path, self._watch)
        records = file.records()
        sample = list(islice(records, _SAMPLE_ROWS))
        if not sample:
            raise AcademyError(ErrorCode.FILE_EMPTY, path=str(source.path))
        detection = self._detect(sample, source.path)
        for record in chain(sample, records):
            self._rows_in += 1
            verdict = self._check(record, detection, known)
            where = {"file": source.name, "row": record.row}
            if isinstance(verdict, Reason):
                self._dropped[verdict] += 1
                _write_row(dropped, {"source": where, "reason": verdict, "row": _shown(record)})
            else:
                self._places.append(rows.tell())
                _write_row(rows, {"id": len(self._prompts), "source": where, **verdict})
        self._sources.append(SourceEntry(name=source.name, size_bytes=file.size_bytes, sha256=file.sha256))

    def _detect(self, sample: Sequence[Record], path: Path) -> Detection:
        """Tell the form of a file; all files of a dataset have the same."""
        if len(sample) == _SAMPLE_ROWS and not any(isinstance(one.value, dict) for one in sample):
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

    def _check(self, record: Record, detection: Detection, known: frozenset[bytes]) -> Content | Reason:
        if record.damaged:
            return Reason.UNPARSABLE
        content = convert(record.value, detection)
        if isinstance(content, Reason):
            return content
        reason = flaw(content, self._options.profile)
        if reason is not None:
            return reason
        prompt = prompt_key(content)
        if prompt in known:
            return Reason.DUPLICATE
        if self._options.dedup:
            key = row_key(content)
            if key in self._seen:
                return Reason.DUPLICATE
            self._seen.add(key)
        self._prompts.append(prompt)
        if self._near is not None:
            self._near.add("\n".join(texts(content)))
        return content

    def _sides(self, given: int, kept: Path, dropped: IO[bytes]) -> list[bool | None]:
        """Say for each kept row whether it is held out; None: it is dropped as a near duplicate.

        The first `given` came from files that are held out.
        """
        pairs = self._near_pairs(kept)
        out = repeated(pairs) if self._options.near_dups is NearDups.DROP else set()
        if out:
            self._drop_near(kept, dropped, out)
        if given:
            sides = [True] * given + [False] * (len(self._prompts) - given)
        else:
            keys = self._group_keys(pairs)
            left = [key for number, key in enumerate(keys) if number not in out]
            chosen = iter(held_out(left, self._options.eval_fraction, self._options.seed))
            sides = [number not in out and next(chosen) for number in range(len(keys))]
        return [None if number in out else side for number, side in enumerate(sides)]

    def _near_pairs(self, kept: Path) -> list[tuple[int, int]]:
        if self._near is None:
            return []
        with kept.open("rb", buffering=0) as rows:
            return list(self._near.pairs(lambda number: self._text(rows, number), lambda: self._watch(0)))

    def _text(self, rows: IO[bytes], number: int) -> str:
        return "\n".join(texts(from_json(self._line(rows, number))))

    def _line(self, rows: IO[bytes], number: int) -> bytes:
        rows.seek(self._places[number])
        is_last = number + 1 == len(self._places)
        return rows.read(-1 if is_last else self._places[number + 1] - self._places[number])

    def _drop_near(self, kept: Path, dropped: IO[bytes], out: set[int]) -> None:
        self._dropped[Reason.NEAR_DUPLICATE] += len(out)
        with kept.open("rb", buffering=0) as rows:
            for number in sorted(out):
                row = from_json(self._line(rows, number))
                source = row.pop("source")
                _write_row(dropped, {"source": source, "reason": Reason.NEAR_DUPLICATE, "row": row})

    def _group_keys(self, pairs: Sequence[tuple[int, int]]) -> list[bytes]:
        """One key per row, equal for rows that ask the same or hang together by likeness."""
        if not pairs:
            return self._prompts
        first_asking: dict[bytes, int] = {}
        same = [
            (first, number)
            for number, prompt in enumerate(self._prompts)
            if (first := first_asking.setdefault(prompt, number)) != number
        ]
        leader = groups([*pairs, *same])
        return [self._prompts[leader.get(number, number)] for number in range(len(self._prompts))]

    def _note_conflicts(self, sides: Sequence[bool | None]) -> int:
        """Write `conflicts.jsonl`: ids of rows that answer one question differently. Return how many."""
        asking: defaultdict[bytes, list[int]] = defaultdict(list)
        often = {prompt for prompt, count in Counter(self._prompts).items() if count > 1}
        for number, prompt in enumerate(self._prompts):
            if prompt in often and sides[number] is not None:
                asking[prompt].append(number + 1)
        conflicts = [ids for ids in asking.values() if len(ids) > 1]
        if conflicts and self._options.dedup:
            with (self._folder / "conflicts.jsonl").open("wb") as out:
                for ids in conflicts:
                    _write_row(out, {"rows": ids})
                _sync(out)
            return sum(map(len, conflicts))
        return 0

    def _part(self, kept: Path, sides: Sequence[bool | None]) -> str:
        """Part the kept rows into the two files and return the hash over both."""
        train, held = RowWriter(self._folder / "train.jsonl"), RowWriter(self._folder / "eval.jsonl")
        with kept.open("rb") as rows, train, held:
            for number, (line, is_held) in enumerate(zip(rows, sides, strict=True)):
                if number % 4096 == 0:
                    self._watch(0)
                if is_held is not None:
                    (held if is_held else train).write(line)
        return content_hash(train.path, held.path)

    def _watch(self, count: int) -> None:
        self._done_bytes += count
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        if self._progress is not None and count:
            self._progress(self._done_bytes, max(self._total_bytes, self._done_bytes))


class RowWriter:
    """Writes rows, and beside them `.idx`: where each begins, as little-endian uint64; fsynced at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets = array("Q")
        self._place = 0

    def __enter__(self) -> RowWriter:
        self._rows = self.path.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._rows:
            if error is None:
                _sync(self._rows)
        if error is None:
            with self.path.with_suffix(".idx").open("wb") as index:
                if sys.byteorder == "big":
                    self._offsets.byteswap()
                index.write(self._offsets.tobytes())
                _sync(index)

    def write(self, line: bytes) -> None:
        """Write one row, which ends with its line's end."""
        self._rows.write(line)
        self._offsets.append(self._place)
        self._place += len(line)


def content_hash(*paths: Path) -> str:
    """SHA-256 over the bytes of the files, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            for chunk in _chunks(stream):
                digest.update(chunk)
    return digest.hexdigest()


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(1 << 20):
        yield chunk


def _write_row(stream: IO[bytes], row: Mapping[str, Any]) -> None:
    # A dropped row may hold what JSON has no number for: it is shown as text.
    stream.write(to_json(row, inf_nan_mode="strings") + b"\n")


def _shown(record: Record) -> object:
    """The row as it was; a text that cannot be written, or is damaged, is shown as far as possible."""
    if record.damaged:
        return str(record.value)[:_SHOWN_CHARACTERS]
    try:
        to_json(record.value)
    except ValueError:
        return repr(record.value)[:_SHOWN_CHARACTERS]
    return record.value


def _columns(sample: Sequence[Record]) -> str:
    names = dict.fromkeys(
        name for record in sample if isinstance(record.value, dict) for name in record.value
    )
    return ", ".join(names)


def _sync(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())
