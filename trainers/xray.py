"""The X-ray of a dataset for a model: every row rendered, measured and checked, in processes where that pays.

Writes into a folder: `lengths.bin` (little-endian uint32: tokens of each row, 0 where the template fails, of
two answers those of the longer) and
`defects.jsonl` (`{"row", "id", "code", "facts"}`; rows count from 0 over all files); where asked,
`tokens.bin` (uint32: all ids) and `trained.bin` (a byte per token: 1 is trained).

Owns the sharing of the work and the counting. Refuses to render: `trainers.rendering` does, as for training.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from trainers.errors import AcademyError, ErrorCode
from trainers.rendering import Renderer
from trainers.rendering.defects import Defect, Inspector

#: Bytes of rows that a worker takes at a time, and below how many no worker is worth its start.
SHARE_BYTES = 1 << 18
WORTH_WORKERS_BYTES = 1 << 20

Progress = Callable[[int, int, str], None]
Turns = Sequence[dict[str, Any]]
#: Token ids, and the ranges of them that are trained.
Stream = tuple[list[int], Sequence[tuple[int, int]]]


@dataclass(frozen=True)
class Order:
    """What to look at, and how."""

    model: str
    files: tuple[str, ...]
    max_length: int
    keep_tokens: bool = False


@dataclass(frozen=True)
class Share:
    """The rows of a file that begin at `start` or later and before `end`, in bytes."""

    file: int
    start: int
    end: int


@dataclass
class Findings:
    """What a share of the rows showed.

    `learned` holds, by position in a row, how many more rows train this position than the one before;
    `firsts` counts rows by their first trained position. From both follows what any limit would cut.
    """

    rows: int = 0
    failed: int = 0
    texts: int = 0
    lengths: array[int] = field(default_factory=lambda: array("I"))
    learned: Counter[int] = field(default_factory=Counter)
    firsts: Counter[int] = field(default_factory=Counter)
    defects: list[tuple[int, Any, str, dict[str, Any]]] = field(default_factory=list)
    tokens: array[int] = field(default_factory=lambda: array("I"))
    trained: bytearray = field(default_factory=bytearray)


def scan(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Look at all rows of the files; writes into the folder `out` and returns the counts.

    The request has the fields of `Order`, `out`, and `workers` where there is to be another number than
    of cores.

    Raises:
        AcademyError: what loading the model raises, and `dataset_damaged` with file and byte.
    """
    order = Order(
        request["model"],
        tuple(request["files"]),
        request["max_length"],
        bool(request.get("keep_tokens", False)),
    )
    Renderer.load(Path(order.model))  # says at once what is wrong with it
    total = sum(os.path.getsize(file) for file in order.files)
    workers = request.get("workers") or os.cpu_count() or 1
    shares = list(_shares(order))
    with ExitStack() as open_files:
        record = _Record(Path(request["out"]), order, open_files)
        if total < WORTH_WORKERS_BYTES or workers < 2:
            results: Iterable[Findings] = map(Worker(order).look, shares)
        else:
            results = _in_workers(order, shares, min(workers, len(shares)), open_files)
        done = 0
        for share, found in zip(shares, results, strict=True):
            record.take(found)
            done += share.end - share.start
            progress(done, total, "")
    return record.summary()


class Worker:
    """Looks at shares with a renderer of its own."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._inspector = Inspector(Renderer.load(Path(order.model)), order.max_length)

    def look(self, share: Share) -> Findings:
        """Render and check the rows of a share."""
        found = Findings()
        for at, line in _lines(self._order.files[share.file], share):
            try:
                row = json.loads(line)
                parts = _Parts.of(row)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                path = self._order.files[share.file]
                raise AcademyError(ErrorCode.DATASET_DAMAGED, path=path, detail=f"byte {at}") from error
            streams, defects = self._inspected(parts)
            for defect in defects:
                found.defects.append((found.rows, row.get("id"), defect.code.value, dict(defect.facts)))
            found.rows += 1
            found.texts += parts.text is not None
            if streams is None:
                found.failed += 1
                found.lengths.append(0)
                continue
            found.lengths.append(max(len(ids) for ids, _ in streams))
            _count(found, [runs for _, runs in streams])
            if self._order.keep_tokens:
                for ids, runs in streams:
                    found.tokens.extend(ids)
                    found.trained += _mask(len(ids), runs)
        return found

    def _inspected(self, parts: _Parts) -> tuple[Sequence[Stream] | None, tuple[Defect, ...]]:
        """The token streams that a row gives, or None where the template refuses one; and its defects."""
        if parts.text is not None:
            ids, defects = self._inspector.inspect_text(parts.text)
            return [(ids, [(0, len(ids))])], defects
        if parts.rejected is None:
            rendered, defects = self._inspector.inspect(parts.asked, parts.tools, parts.given)
            return (None if rendered is None else [(rendered.ids, rendered.runs)]), defects
        both, defects = self._inspector.inspect_pair(parts.asked, parts.chosen, parts.rejected)
        streams = [(one.ids, one.runs) for one in both if one is not None]
        return (streams if len(streams) == len(both) else None), defects


class _Record:
    """The files that are written, and the counts."""

    def __init__(self, folder: Path, order: Order, open_files: ExitStack) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lengths = open_files.enter_context((folder / "lengths.bin").open("wb"))
        self._defects = open_files.enter_context((folder / "defects.jsonl").open("wb"))
        self._tokens = self._trained = None
        if order.keep_tokens:
            self._tokens = open_files.enter_context((folder / "tokens.bin").open("wb"))
            self._trained = open_files.enter_context((folder / "trained.bin").open("wb"))
        self._rows = self._failed = self._texts = 0
        self._by_length: Counter[int] = Counter()
        self._by_code: Counter[str] = Counter()
        self._learned: Counter[int] = Counter()
        self._firsts: Counter[int] = Counter()

    def take(self, found: Findings) -> None:
        """Write down what the next share showed."""
        self._lengths.write(_little_endian(found.lengths))
        for row, row_id, code, facts in found.defects:
            line = {"row": self._rows + row, "id": row_id, "code": code, "facts": facts}
            self._defects.write(json.dumps(line).encode() + b"\n")
            self._by_code[code] += 1
        self._by_length.update(length for length in found.lengths if length)
        self._rows += found.rows
        self._failed += found.failed
        self._texts += found.texts
        self._learned.update(found.learned)
        self._firsts.update(found.firsts)
        if self._tokens is not None and self._trained is not None:
            self._tokens.write(_little_endian(found.tokens))
            self._trained.write(found.trained)

    def summary(self) -> dict[str, Any]:
        """The counts; tables as lists of pairs, in order."""
        return {
            "rows": self._rows,
            "failed": self._failed,
            "texts": self._texts,
            "lengths": sorted(self._by_length.items()),
            "learned": sorted((at, change) for at, change in self._learned.items() if change),
            "firsts": sorted(self._firsts.items()),
            "defects": dict(sorted(self._by_code.items())),
        }


@dataclass(frozen=True)
class _Parts:
    """What of a row is rendered: plain text, a conversation, or turns with a better and a worse answer.

    `given`: of a conversation with a judged answer, how many turns come before that.
    """

    asked: Turns = ()
    tools: Turns | None = None
    chosen: Turns = ()
    rejected: Turns | None = None
    text: str | None = None
    given: int = 0

    @classmethod
    def of(cls, row: dict[str, Any]) -> _Parts:
        if "text" in row:
            if not isinstance(row["text"], str):
                raise TypeError("a text is a string")
            return cls(text=row["text"])
        if "chosen" in row:
            return cls(_turns(row["messages"]), None, _turns(row["chosen"]), _turns(row["rejected"]))
        turns = _turns(row["messages"])
        return cls(turns, row.get("tools"), given=len(turns) - 1 if "label" in row else 0)


def _turns(value: list[dict[str, Any]]) -> Turns:
    if not all(isinstance(turn, dict) for turn in value):
        raise TypeError("a turn is an object")
    return value


def _count(found: Findings, streams: Sequence[Sequence[tuple[int, int]]]) -> None:
    """Count trained positions. The first token of a row has nothing before it to be learned from.

    A row of several streams teaches from where the last of them begins to.
    """
    firsts = []
    for runs in streams:
        first = None
        for start, end in runs:
            start = max(start, 1)
            if start < end:
                found.learned[start] += 1
                found.learned[end] -= 1
                first = start if first is None else first
        firsts.append(first)
    known = [first for first in firsts if first is not None]
    if len(known) == len(firsts):
        found.firsts[max(known)] += 1


def _mask(length: int, runs: Iterable[tuple[int, int]]) -> bytearray:
    mask = bytearray(length)
    for start, end in runs:
        mask[start:end] = b"\1" * (end - start)
    return mask


def _little_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _shares(order: Order) -> Iterator[Share]:
    for number, file in enumerate(order.files):
        size = os.path.getsize(file)
        for start in range(0, size, SHARE_BYTES):
            yield Share(number, start, min(start + SHARE_BYTES, size))


def _lines(file: str, share: Share) -> Iterator[tuple[int, bytes]]:
    """The lines that begin in the share, each with its place."""
    with open(file, "rb") as stream:
        if share.start:
            stream.seek(share.start - 1)
            stream.readline()  # the rest of a line that belongs to the share before
        while (at := stream.tell()) < share.end and (line := stream.readline()):
            yield at, line


def _in_workers(order: Order, shares: list[Share], count: int, open_files: ExitStack) -> Iterator[Findings]:
    """Yield the findings of the shares in order, made by `count` processes."""
    crew = [open_files.enter_context(_Hand(order)) for _ in range(count)]
    waiting = deque(enumerate(shares))
    busy: dict[Connection, int] = {}
    done: dict[int, Findings] = {}
    for hand in crew:
        _give(hand.line, waiting, busy)
    for number in range(len(shares)):
        while number not in done:
            for line in wait(list(busy)):
                assert isinstance(line, Connection)
                done[busy.pop(line)] = _received(line)
                _give(line, waiting, busy)
        yield done.pop(number)


def _give(line: Connection, waiting: deque[tuple[int, Share]], busy: dict[Connection, int]) -> None:
    if waiting:
        number, share = waiting.popleft()
        line.send(share)
        busy[line] = number


def _received(line: Connection) -> Findings:
    try:
        answer = line.recv()
    except EOFError as error:
        raise AcademyError(ErrorCode.TASK_FAILED, task="xray", detail="a worker process ended") from error
    if isinstance(answer, Findings):
        return answer
    code, facts = answer
    raise AcademyError(ErrorCode(code), **facts)


class _Hand:
    """A worker process. It ends when its line closes, so none outlives us however we end."""

    def __init__(self, order: Order) -> None:
        context = multiprocessing.get_context("spawn")
        self.line, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, order), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> _Hand:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()
        self._process.terminate()
        self._process.join()


def _work(line: Connection, order: Order) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are the parallelism
    worker = Worker(order)
    while True:
        try:
            share = line.recv()
        except EOFError:
            return
        answer: Findings | tuple[str, Mapping[str, Any]]
        try:
            answer = worker.look(share)
        except AcademyError as error:
            answer = (error.code.value, error.facts)
        line.send(answer)
