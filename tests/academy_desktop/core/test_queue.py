from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from academy_desktop.core.queue import DeviceQueue


@pytest.fixture
def queue(tmp_path: Path) -> DeviceQueue:
    return DeviceQueue(tmp_path / "queue" / "cpu")


def test_jobs_stand_in_the_order_in_which_they_came(queue: DeviceQueue) -> None:
    assert queue.jobs() == ()
    assert [queue.enter(job) for job in ("b", "a", "c")] == [
        "000000000001-b",
        "000000000002-a",
        "000000000003-c",
    ]
    assert queue.jobs() == ("b", "a", "c")
    assert all((queue.folder / name).stat().st_size == 0 for name in ("000000000001-b", "000000000002-a"))


def test_a_job_stands_in_the_queue_once_at_its_end(queue: DeviceQueue) -> None:
    for job in ("a", "b", "a"):
        queue.enter(job)
    assert queue.jobs() == ("b", "a")


@pytest.mark.parametrize(
    ("job", "to", "order"),
    [
        ("d", 1, "dabc"),
        ("a", 4, "bcda"),
        ("a", 9, "bcda"),
        ("c", 2, "acbd"),
        ("b", 2, "abcd"),
    ],
)
def test_a_job_changes_its_place_among_those_that_wait(
    queue: DeviceQueue, job: str, to: int, order: str
) -> None:
    for name in ("running", "a", "b", "c", "d"):
        queue.enter(name)
    queue.move(job, to, ["a", "b", "c", "d"])
    assert queue.jobs() == ("running", *order)
    queue.enter("last")
    assert queue.jobs()[-1] == "last"


def test_leaving_makes_no_gap_for_others(queue: DeviceQueue) -> None:
    for job in ("a", "a-a", "b"):
        queue.enter(job)
    queue.leave("a")
    queue.leave("nobody")
    assert queue.jobs() == ("a-a", "b")
    assert queue.enter("c") == "000000000004-c"


def test_an_emptied_queue_begins_anew(queue: DeviceQueue) -> None:
    queue.enter("a")
    queue.leave("a")
    assert queue.enter("b") == "000000000001-b"


def test_there_may_be_no_queue_to_leave(queue: DeviceQueue) -> None:
    queue.leave("a")
    assert not queue.folder.exists()


def test_other_files_are_no_entries(queue: DeviceQueue) -> None:
    queue.folder.mkdir(parents=True)
    for name in ("device.lock", ".hidden", "notes-x", "00000000001-short"):
        (queue.folder / name).touch()
    assert queue.enter("a") == "000000000001-a"
    assert queue.jobs() == ("a",)
    queue.leave("short")
    assert (queue.folder / "00000000001-short").exists()


@settings(deadline=None)
@given(steps=st.lists(st.tuples(st.booleans(), st.sampled_from("abcd")), max_size=12))
def test_it_is_a_queue(steps: list[tuple[bool, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    queue = DeviceQueue(tmp_path_factory.mktemp("queue"))
    expected: list[str] = []
    for enters, job in steps:
        expected = [one for one in expected if one != job]
        if enters:
            queue.enter(job)
            expected.append(job)
        else:
            queue.leave(job)
        assert queue.jobs() == tuple(expected)
