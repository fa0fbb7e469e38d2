"""The heartbeat: 64 mapped bytes that say "alive" and "still getting somewhere" without a write to disk.

Owns the layout (PROTOCOL.md, "Heartbeat"). Refuses to know what counts as too long without a beat.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainers.files import read_regular
from trainers.space import Trouble

MAGIC = b"ACHB"
VERSION = 1
SIZE_BYTES = 64
BEAT_S = 1.0

_LAYOUT = struct.Struct("<4sIQQd32s")
_BEAT = struct.Struct("<Q")
_TIME = struct.Struct("<d")
_BEAT_AT, _PROGRESS_AT, _TIME_AT, _PHASE_AT = 8, 16, 24, 32
_PHASE_BYTES = 32
_EMPTY = _LAYOUT.pack(MAGIC, VERSION, 0, 0, 0.0, b"")


@dataclass(frozen=True)
class Beat:
    """What a heartbeat said when it was read. `t` is the time of the last beat, in seconds since 1970."""

    beat: int
    progress: int
    t: float
    phase: str

    @property
    def waits(self) -> tuple[Trouble, int] | None:
        """What keeps the disk from taking the trainer's words, and the bytes that it waits for; else None."""
        return waits_in(self.phase)


def waits_in(phase: str) -> tuple[Trouble, int] | None:
    """Read a phase that says that the trainer waits for its disk; None for every other."""
    name, _, needed = phase.partition(" ")
    if not (needed.isascii() and needed.isdigit()):
        return None
    match name:
        case "disk_full" | "disk_error":
            return name, int(needed)
        case _:
            return None


def make_heartbeat(path: Path) -> None:
    """Make an empty heartbeat file where there is none: a trainer can then say that the disk is full.

    Raises:
        OSError: there is no room even for that.
    """
    try:
        if path.stat().st_size == SIZE_BYTES:
            return
    except FileNotFoundError:
        pass
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    try:
        os.write(descriptor, _EMPTY)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_heartbeat(path: Path) -> Beat | None:
    """Read a heartbeat file; None when there is none, or when it is not one of this version."""
    try:
        content = read_regular(path)
    except OSError:
        return None
    if len(content) < SIZE_BYTES:
        return None
    magic, version, beat, progress, t, phase = _LAYOUT.unpack_from(content)
    if magic != MAGIC or version != VERSION:
        return None
    return Beat(beat, progress, t, phase.rstrip(b"\0").decode("utf-8", "replace"))


class Heartbeat:
    """Writes the heartbeat of a running trainer: a thread beats, the work moves the progress counter."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.seconds = 0.0  # that the beats took the processor
        self._clock = clock
        self._beats = 0
        self._progress = 0
        self._quit = threading.Event()
        self._map = _map_file(path)
        self._beat()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat once a second."""
        self._thread.start()

    def advance(self) -> None:
        """Count one unit of work."""
        self._progress += 1
        _BEAT.pack_into(self._map, _PROGRESS_AT, self._progress)

    def phase(self, name: str) -> None:
        """Say what the trainer is doing now."""
        encoded = name.encode()[:_PHASE_BYTES]
        self._map[_PHASE_AT:SIZE_BYTES] = encoded.ljust(_PHASE_BYTES, b"\0")

    def waits(self, trouble: Trouble, needed_bytes: int) -> None:
        """Say that the disk takes nothing, and how many bytes are waited for; needs no disk."""
        self.phase(f"{trouble} {needed_bytes}")

    def close(self) -> None:
        """Stop beating; the last beat stays readable."""
        self._quit.set()
        if self._thread.is_alive():
            self._thread.join()
        self._map.close()

    def _run(self) -> None:
        while not self._quit.wait(BEAT_S):
            self._beat()
            self.seconds = time.thread_time()

    def _beat(self) -> None:
        self._beats += 1
        _TIME.pack_into(self._map, _TIME_AT, self._clock())
        _BEAT.pack_into(self._map, _BEAT_AT, self._beats)


def _map_file(path: Path) -> mmap.mmap:
    """Map the file, empty; really written before: a map over a hole dies when the disk is full."""
    make_heartbeat(path)
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        mapped = mmap.mmap(descriptor, SIZE_BYTES)
    finally:
        os.close(descriptor)
    mapped[:] = _EMPTY
    return mapped
