from __future__ import annotations

from pathlib import Path

import pytest

from trainers.host_queue import Turn
from trainers.locks import FileLock, is_held


class Queue:
    """A device with jobs whose hosts this process plays."""

    def __init__(self, root: Path) -> None:
        self.runs = root / "runs"
        self.folder = root / "queue" / "cpu"
        self.folder.mkdir(parents=True)
        self.hosts: dict[str, FileLock] = {}

    def add(self, job: str, order: int, *, alive: bool = True) -> Turn:
        (self.runs / job).mkdir(parents=True)
        name = f"{order:012d}-{job}"
        (self.folder / name).touch()
        if alive:
            self.hosts[job] = FileLock(self.runs / job / "host.lock")
            assert self.hosts[job].acquire()
        return Turn(self.runs / job, str(self.folder), name)

    def die(self, job: str) -> None:
        self.hosts.pop(job).release()

    def names(self) -> list[str]:
        return sorted(path.name[13:] for path in self.folder.glob("0*"))

    def device_is_taken(self) -> bool:
        return is_held(self.folder / "device.lock")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


def test_without_a_queue_it_is_always_ones_turn(tmp_path: Path) -> None:
    turn = Turn(tmp_path / "runs" / "a", None, None)
    assert turn.take()
    turn.leave()
    turn.release()
    assert list(tmp_path.iterdir()) == []


def test_the_first_in_the_queue_takes_the_device(queue: Queue) -> None:
    second, first = queue.add("b", 2), queue.add("a", 1)
    assert not second.take()
    assert not queue.device_is_taken()
    assert first.take()
    assert queue.device_is_taken()


def test_the_next_one_waits_until_the_device_is_given_back(queue: Queue) -> None:
    first, second = queue.add("a", 1), queue.add("b", 2)
    assert first.take()
    first.leave()
    assert queue.names() == ["b"]
    assert not second.take()
    first.release()
    assert second.take()


def test_the_entry_of_a_dead_host_holds_nobody_up(queue: Queue) -> None:
    queue.add("dead", 1, alive=False)
    queue.add("dying", 2)
    third = queue.add("c", 3)
    assert not third.take()
    queue.die("dying")
    assert third.take()


def test_an_entry_of_a_job_that_is_gone_holds_nobody_up(queue: Queue) -> None:
    (queue.folder / "000000000001-deleted").touch()
    assert queue.add("b", 2).take()


def test_a_job_that_the_user_moves_to_the_front_comes_first(queue: Queue) -> None:
    first, second = queue.add("a", 2), queue.add("b", 3)
    (queue.folder / "000000000003-b").rename(queue.folder / "000000000001-b")
    assert not first.take()
    assert second.take()


def test_of_two_with_one_number_only_one_is_first(queue: Queue) -> None:
    one, other = queue.add("b", 1), queue.add("a", 1)
    assert not one.take()
    assert other.take()


def test_an_entry_that_somebody_removed_keeps_its_place(queue: Queue) -> None:
    first, second = queue.add("a", 1), queue.add("b", 2)
    (queue.folder / "000000000002-b").unlink()
    assert not second.take()
    assert first.take()


def test_leaving_takes_the_own_entry_only_wherever_it_was_moved(queue: Queue) -> None:
    turn = queue.add("a", 1)
    queue.add("a-a", 2)
    (queue.folder / "000000000001-a").rename(queue.folder / "000000000007-a")
    turn.leave()
    turn.leave()
    assert queue.names() == ["a-a"]


def test_other_files_are_no_entries(queue: Queue) -> None:
    for name in ("device.lock", ".hidden", "00000000001-short", "notes-x", "000000000000x"):
        (queue.folder / name).touch()
    turn = queue.add("b", 2)
    assert turn.take()
    turn.leave()
    assert (queue.folder / "00000000001-short").exists()
