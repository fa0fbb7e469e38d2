from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from trainers.exporting.pipeline import MOST_WORKERS, HashedFile, blocks, in_order


def test_results_come_in_the_order_of_the_steps_whichever_is_done_first() -> None:
    first_may_end = threading.Event()

    def first() -> int:
        assert first_may_end.wait(30)
        return 0

    def second() -> int:
        first_may_end.set()
        return 1

    steps: list[Callable[[], int]] = [first, second, *(partial(int, n) for n in range(2, 50))]
    assert list(in_order(steps)) == list(range(50))


def test_no_more_than_a_few_results_lie_ready() -> None:
    begun: list[int] = []

    def steps() -> Iterator[Callable[[], int]]:
        for number in range(1000):
            begun.append(number)
            yield partial(int, number)

    results = in_order(steps())
    assert next(results) == 0
    assert len(begun) <= 2 * MOST_WORKERS + 1
    results.close()  # type: ignore[attr-defined]


def test_a_step_that_fails_ends_all_and_gives_the_threads_back() -> None:
    before = torch.get_num_threads()

    def fail() -> int:
        raise ValueError("no")

    steps: list[Callable[[], int]] = [partial(int, 1), fail, partial(int, 2)]
    with pytest.raises(ValueError, match="no"):
        list(in_order(steps))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("rows", "values", "together"), [(1, 5, 1), (1000, 1 << 15, 1), (192, 1 << 16, 64)])
def test_blocks_cover_every_row_once_and_tear_nothing_apart(rows: int, values: int, together: int) -> None:
    found = list(blocks(rows, values, together))
    assert [start for start, _ in found] == [0, *(stop for _, stop in found[:-1])]
    assert found[-1][1] == rows
    assert all(start % together == 0 for start, _ in found)


def test_a_file_s_hash_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as stream, HashedFile(stream) as file:
        file.append(b"abc")
        file.pad(32)
        file.append(memoryview(b"de"))
        digest = file.sha256()
    assert path.read_bytes() == b"abc" + bytes(29) + b"de"
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
