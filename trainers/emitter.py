"""Writes `events.jsonl`: each event one whole line, numbered through all attempts.

Owns the file while a trainer lives (an operating-system lock keeps a second writer out) and the mending of a
torn last line. Refuses to know what the events mean.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from trainers.errors import AcademyError, ErrorCode
from trainers.events import EVENT, EVENTS_VERSION, Payload, parse_line
from trainers.locks import FileLock

#: How long to wait for the trainer of an earlier attempt, whose host was killed, to be gone.
WRITER_WAIT_S = 30.0
_BLOCK_BYTES = 64 * 1024


class Emitter:
    """The one writer of an event file. `guard` is held while a line is written.

    Raises:
        AcademyError: `job_running` when another trainer still writes to this file.
    """

    def __init__(
        self,
        path: Path,
        attempt: int,
        clock: Callable[[], float] = time.time,
        wait_s: float = WRITER_WAIT_S,
        guard: threading.RLock | None = None,
    ) -> None:
        self._attempt = attempt
        self._clock = clock
        self._guard = guard or threading.RLock()
        self._lock = FileLock(path)
        if not self._lock.acquire(wait_s):
            raise AcademyError(ErrorCode.JOB_RUNNING, job=path.parent.name)
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0))
            self._size = self._safe_size = _end_of_last_line(self._file)
            self._cut()
            self._seq = _last_seq(self._file, self._size)
        except OSError:
            self._lock.release()
            raise
        self._unsafe = False

    @property
    def seq(self) -> int:
        """The number of the last event in the file; 0 when there is none."""
        return self._seq

    def emit(self, payload: Payload) -> None:
        """Append one event by one write: a reader sees the whole line or a torn one, never two halves.

        Raises:
            ValueError: the payload holds a number that is not finite: no reader would take the line.
            OSError: the line could not be written whole; nothing of it stays in the file.
        """
        with self._guard:
            line = self._line(payload)
            parse_line(line)
            self._cut()
            try:
                written = os.write(self._file, line)
                if written < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                with contextlib.suppress(OSError):  # else before the next line
                    self._cut()
                raise
            self._seq += 1
            self._size += len(line)

    def sync(self) -> None:
        """Make every event so far durable.

        Raises:
            OSError: the disk did not take them all; the next call writes them again.
        """
        with self._guard:
            if self._unsafe:
                self._write_again()
            self._unsafe = True
            os.fsync(self._file)
            self._unsafe, self._safe_size = False, self._size

    def close(self) -> None:
        """Make the events durable and let another writer in."""
        with self._guard:
            try:
                self.sync()
            finally:
                os.close(self._file)
                self._lock.release()

    def _cut(self) -> None:
        """Cut off what is behind the last whole line."""
        if self._size < os.fstat(self._file).st_size:
            os.ftruncate(self._file, self._size)

    def _write_again(self) -> None:
        """Write what a failed fsync may have lost: the system counts those pages as written."""
        content = _read_at(self._file, self._safe_size, self._size - self._safe_size)
        file = os.open(self._path, os.O_WRONLY | getattr(os, "O_BINARY", 0))  # not to append
        try:
            os.lseek(file, self._safe_size, os.SEEK_SET)
            if os.write(file, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)

    def _line(self, payload: Payload) -> bytes:
        event = EVENT.validate_python(
            {
                "v": EVENTS_VERSION,
                "seq": self._seq + 1,
                "attempt": self._attempt,
                "t": self._clock(),
                "type": payload.event_type,
                "payload": payload,
            }
        )
        return event.model_dump_json().encode() + b"\n"


def _end_of_last_line(file: int) -> int:
    """The offset behind the last newline, found from the end."""
    end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        newline = _read_at(file, start, end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _last_seq(file: int, size: int) -> int:
    """The number of the last event before `size`; damaged lines are passed over."""
    end, tail = size, b""
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        tail = _read_at(file, start, end - start) + tail
        lines = tail.split(b"\n")
        # the first line of the block may have begun before it, unless the block is the beginning of the file
        whole = lines if start == 0 else lines[1:]
        for line in reversed(whole):
            try:
                return parse_line(line).seq
            except ValueError:
                continue
        end, tail = start, tail if not whole else lines[0]
    return 0


def _read_at(file: int, offset: int, size: int) -> bytes:
    os.lseek(file, offset, os.SEEK_SET)
    content = b""
    while len(content) < size:
        block = os.read(file, size - len(content))
        if not block:
            break
        content += block
    return content
