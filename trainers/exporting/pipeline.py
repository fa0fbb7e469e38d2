"""Blocks made by several threads and handed over in their order, a few at a time; files hashed as they grow.

Owns threads and the bound on what they hold. Refuses to know what a block is.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from typing import IO, TypeVar

import torch

from trainers.device import usable_cores

T = TypeVar("T")

#: Values of one block: so few that memory which was freed serves again. Larger pieces go back to the system,
#: which clears every page of the next one: merging 2^20 values took three times as long for each of them.
BLOCK_VALUES = 1 << 18
#: More threads than that wait for the disk.
MOST_WORKERS = 8


def in_order(steps: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Do the steps in threads and yield their results in order; at most two for each thread lie ready."""
    workers = min(usable_cores(), MOST_WORKERS)
    remaining, before = iter(steps), torch.get_num_threads()
    # Each thread would otherwise start as many again for every product of matrices.
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        waiting: deque[Future[T]] = deque(pool.submit(step) for step in islice(remaining, 2 * workers))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(step) for step in islice(remaining, 1))
        finally:
            for future in waiting:
                future.cancel()
            torch.set_num_threads(before)


def blocks(rows: int, row_values: int, together: int = 1) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of blocks of rows; `together` rows are never torn apart."""
    step = max(BLOCK_VALUES // max(row_values * together, 1), 1) * together
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


class HashedFile:
    """A file that is only appended to and hashed meanwhile; a context manager."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._pool = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None
        self.size = 0

    def __enter__(self) -> HashedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def append(self, data: bytes | memoryview) -> None:
        """Write `data`, which must not change afterwards."""
        if self._pending is not None:
            self._pending.result()
        self._pending = self._pool.submit(self._digest.update, data)
        self._stream.write(data)
        self.size += len(data)

    def pad(self, alignment: int) -> None:
        """Fill up with zeros to a multiple of `alignment` bytes."""
        self.append(bytes(-self.size % alignment))

    def sha256(self) -> str:
        """Hash of all that was written, in hex."""
        if self._pending is not None:
            self._pending.result()
        return self._digest.hexdigest()
