"""Workers that read and check the lines of one large file, each in a process of its own.

The caller reads the file too, for its hash; a worker is told a place and reads it again, from memory as a
rule. What a worker cannot do, because it was killed or the disk is full, is done by the caller.
Owns the processes. Refuses to know what a row says, and which rows were there before.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from academy_desktop.core.datasets.checking import Checked, Checker, CheckOptions
from academy_desktop.core.datasets.lines import Lines
from academy_desktop.core.datasets.near import keep_freed_memory

#: Files below this size are checked sooner than a worker has started, in bytes.
WORTH_BYTES = 24 << 20
#: Pieces that a worker knows of: the one it looks at and the next.
_AHEAD = 4

_LENGTH = struct.Struct("<Q")
_ORDER = struct.Struct("<QQQ")
#: Whatever a library prints while it is imported must not get among the answers.
_START = """
import sys
answers, sys.stdout = sys.stdout, sys.stderr
from academy_desktop.core.datasets.crew import work
work(sys.stdin.buffer, answers.buffer)
"""


@dataclass(frozen=True)
class Task:
    """What all workers of a crew work on; `stamp` tells whether it is the same file still."""

    path: Path
    stamp: tuple[int, int, int]
    options: CheckOptions


@dataclass(frozen=True)
class Found:
    """What is known of a piece; its stored rows stand in the file `part` at `place`, or with the rest."""

    lines: Lines
    checked: Checked
    part: Path | None
    place: int


def cores() -> int:
    """How many workers there may be; none where there is no Python to start."""
    if getattr(sys, "frozen", False):
        return 0
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def stamp_of(file: int) -> tuple[int, int, int]:
    """What of an open file changes when it changes."""
    told = os.fstat(file)
    return told.st_ino, told.st_size, told.st_mtime_ns


class Crew:
    """Some workers. They end with the `with` block, however it is left, and when the caller is gone."""

    def __init__(self, task: Task, folder: Path, name: str, count: int) -> None:
        """Start as many as can be; what they keep goes into files in `folder` that begin with `name`."""
        self._options = task.options
        self.parts = [folder / f"{name}-{number}" for number in range(count)]
        self._hands: list[_Hand] = []
        for part in self.parts:
            with contextlib.suppress(OSError):
                self._hands.append(_Hand(task, part))

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hand in self._hands:
            hand.end()

    def check(self, pieces: Iterable[Lines]) -> Iterator[Found]:
        """Check pieces and yield what was found, in their order."""
        waiting: deque[tuple[Lines, Callable[[], Found | None]]] = deque()
        hands = cycle(self._hands)
        for lines in pieces:
            hand = next(hands, None)
            waiting.append((lines, hand.give(lines) if hand else _not_there))
            if len(waiting) > _AHEAD * len(self._hands):
                yield self._taken(*waiting.popleft())
        while waiting:
            yield self._taken(*waiting.popleft())

    def _taken(self, lines: Lines, answer: Callable[[], Found | None]) -> Found:
        found = answer()
        if found is None:
            checker = Checker(self._options)
            checker.take_lines(lines)
            found = Found(lines, checker.batch(), None, 0)
        return found


class _Hand:
    """The caller's end of one worker."""

    def __init__(self, task: Task, part: Path) -> None:
        self._part = part
        self._place = 0
        path = os.pathsep.join(part for part in sys.path if part)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self._answers = self._process.stdin, self._process.stdout
        self._is_there = True
        self._send(_framed(pickle.dumps((task, part))))

    def give(self, lines: Lines) -> Callable[[], Found | None]:
        """Hand a piece over; the answer is to be asked for in the same order."""
        if lines.place is None or not self._is_there:
            return _not_there
        self._send(_ORDER.pack(lines.place, len(lines.content), lines.first_row))
        return lambda: self._answer(lines)

    def end(self) -> None:
        """End the worker."""
        self._process.kill()
        for stream in (self._orders, self._answers):
            with contextlib.suppress(OSError):
                stream.close()
        self._process.wait()

    def _send(self, message: bytes) -> None:
        try:
            self._orders.write(message)
            self._orders.flush()
        except OSError:
            self._is_there = False

    def _answer(self, lines: Lines) -> Found | None:
        message = _received(self._answers) if self._is_there else None
        if not message:
            self._is_there = message is not None
            return None
        checked = pickle.loads(message)
        found = Found(lines, checked, self._part, self._place)
        self._place += sum(checked.sizes)
        return found


def _not_there() -> Found | None:
    return None


def work(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Be a worker until there are no more orders; an empty answer says that one could not be followed."""
    gc.disable()  # rows make no cycles
    keep_freed_memory()
    message = _received(orders)
    if message is None:
        return
    task, part = pickle.loads(message)
    checker = Checker(task.options)
    with task.path.open("rb", buffering=0) as file, part.open("wb", buffering=0) as kept:
        while len(order := orders.read(_ORDER.size)) == _ORDER.size:
            try:
                answer = pickle.dumps(_checked(checker, file, kept, task.stamp, *_ORDER.unpack(order)))
            except OSError:
                answer = b""
            answers.write(_framed(answer))
            answers.flush()


def _checked(
    checker: Checker,
    file: IO[bytes],
    kept: IO[bytes],
    stamp: tuple[int, int, int],
    place: int,
    size: int,
    first_row: int,
) -> Checked:
    """Check one piece; what is to be stored goes into the worker's file."""
    file.seek(place)
    content = file.read(size)
    if len(content) != size or stamp_of(file.fileno()) != stamp:
        raise OSError("the file is another")
    checker.take_lines(Lines(content, first_row))
    checked = checker.batch()
    end = kept.tell()
    left = memoryview(checked.content)
    try:
        while left:
            left = left[kept.write(left) :]
    except OSError:
        kept.seek(end)
        raise
    checked.content = b""
    return checked


def _framed(message: bytes) -> bytes:
    return _LENGTH.pack(len(message)) + message


def _received(stream: IO[bytes]) -> Any:
    """The next message; None: there is none any more."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    message = stream.read(length)
    return message if len(message) == length else None
