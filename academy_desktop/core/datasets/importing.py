"""One import: rows of source files, checked and split, written into a folder that nobody else knows yet.

Kept rows are first written in one stream with sixteen bytes per row in memory, then parted into the two
sides: a dataset may be larger than the memory. Refuses to know ids, names and other datasets.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from pydantic_core import to_json

from academy_desktop.core.datasets.forms import Detection, Form, Messages, Reason, convert, detect
from academy_desktop.core.datasets.manifest import SourceEntry
from academy_desktop.core.datasets.quality import Profile, flaw, prompt_key, row_key
from academy_desktop.core.datasets.readers import Record, SourceFile
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

    def run(self, files: Sequence[Path], eval_files: Sequence[Path] = ()) -> Tally:
        """Read everything and write `train.jsonl`, `eval.jsonl` and `dropped.jsonl`, fsynced.

        Raises:
            AcademyError: what `SourceFile.records` and `detect` raise, and `nothing_left`.
            OSError: the folder cannot be written.
            Cancelled: the caller asked to stop.
        """
        self._total_bytes = sum(file.stat().st_size for file in (*eval_files, *files) if file.is_file())
        kept = self._folder / "kept.jsonl"
        with kept.open("wb") as rows, (self._folder / "dropped.jsonl").open("wb") as dropped:
            for file in eval_files:
                self._read(file, rows, dropped, frozenset())
            given = len(self._prompts)
            known = frozenset(self._prompts)
            for file in files:
                self._read(file, rows, dropped, known)
            _sync(dropped)
        if len(self._prompts) == given or (eval_files and not given):  # one side would be empty
            raise AcademyError(ErrorCode.NOTHING_LEFT, rows_in=self._rows_in, **self._dropped)
        sides = self._sides(given)
        digest = self._part(kept, sides)
        kept.unlink()
        detection = self._known_detection()
        return Tally(
            form=detection.form,
            mapping=detection.mapping,
            confidence=detection.confidence,
            sources=self._sources,
            rows_in=self._rows_in,
            dropped=self._dropped,
            train_rows=sides.count(False),
            eval_rows=sides.count(True),
            sha256=digest,
        )

    def _read(self, path: Path, rows: IO[bytes], dropped: IO[bytes], known: frozenset[bytes]) -> None:
        """Check the rows of one file; those that ask what is in `known` are duplicates of held-out rows."""
        source = SourceFile(path, self._watch)
        records = source.records()
        sample = list(islice(records, _SAMPLE_ROWS))
        if not sample:
            raise AcademyError(ErrorCode.FILE_EMPTY, path=str(path))
        detection = self._detect(sample, path)
        for record in chain(sample, records):
            self._rows_in += 1
            verdict = self._check(record, detection, known)
            where = {"file": path.name, "row": record.row}
            if isinstance(verdict, Reason):
                self._dropped[verdict] += 1
                _write_row(dropped, {"source": where, "reason": verdict, "row": _shown(record)})
            else:
                _write_row(rows, {"id": len(self._prompts), "source": where, "messages": verdict})
        self._sources.append(SourceEntry(name=path.name, size_bytes=source.size_bytes, sha256=source.sha256))

    def _detect(self, sample: Sequence[Record], path: Path) -> Detection:
        """Tell the form of a file; all files of a dataset have the same."""
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

    def _check(self, record: Record, detection: Detection, known: frozenset[bytes]) -> Messages | Reason:
        if record.damaged:
            return Reason.UNPARSABLE
        messages = convert(record.value, detection)
        if isinstance(messages, Reason):
            return messages
        reason = flaw(messages, self._options.profile)
        if reason is not None:
            return reason
        prompt = prompt_key(messages)
        if prompt in known:
            return Reason.DUPLICATE
        if self._options.dedup:
            key = row_key(messages)
            if key in self._seen:
                return Reason.DUPLICATE
            self._seen.add(key)
        self._prompts.append(prompt)
        return messages

    def _sides(self, given: int) -> list[bool]:
        """Say for each kept row whether it is held out; the first `given` came from files that are."""
        if given:
            return [True] * given + [False] * (len(self._prompts) - given)
        return held_out(self._prompts, self._options.eval_fraction, self._options.seed)

    def _part(self, kept: Path, sides: Sequence[bool]) -> str:
        """Part the kept rows into the two files and return the hash over both."""
        train, held = self._folder / "train.jsonl", self._folder / "eval.jsonl"
        with kept.open("rb") as rows, train.open("wb") as learning, held.open("wb") as testing:
            for number, (line, is_held) in enumerate(zip(rows, sides, strict=True)):
                if number % 4096 == 0:
                    self._watch(0)
                (testing if is_held else learning).write(line)
            _sync(learning)
            _sync(testing)
        return content_hash(train, held)

    def _watch(self, count: int) -> None:
        self._done_bytes += count
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        if self._progress is not None and count:
            self._progress(self._done_bytes, max(self._total_bytes, self._done_bytes))


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
