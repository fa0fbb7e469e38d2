from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.history import EventTail
from academy_desktop.core.logs import LogTail
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.viewmodels.event_hub import (
    FLUSHES_PER_S,
    JOBS_EVERY_S,
    MOST_EVENTS,
    PATIENCE,
    REST,
    EventHub,
)
from tests.academy_desktop.viewmodels.making import (
    Clock,
    JobsDouble,
    Silent,
    Wordless,
    in_loop,
    job,
    seen,
    steps,
)
from tests.chaos.driving import fake_jobs, train_recipe
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent


class Burst:
    """Has everything to say at once."""

    def __init__(self, events: Sequence[AnyEvent]) -> None:
        self._events = list(events)

    def read_new(self) -> list[AnyEvent]:
        told, self._events = self._events, []
        return told


def quiet_hub(jobs: JobsDouble, clock: Clock) -> EventHub:
    """A hub over no run; each of its rests takes as long as it was asked for, by the test's clock."""

    async def rest(seconds: float) -> None:
        clock.now += seconds
        await asyncio.sleep(0)

    return EventHub(jobs, Silent, Wordless, clock, rest)


def test_while_a_run_writes_each_event_arrives_once_and_in_order(qapp: QApplication, tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=300, step_s=0.001, save_every=50)
    hub = EventHub(jobs, EventTail, LogTail)
    told: list[AnyEvent] = []
    hub.events_read.connect(told.extend)

    async def follow() -> None:
        name = await asyncio.to_thread(jobs.queue, train_recipe())
        hub.watch(tmp_path / "runs" / name)
        following = asyncio.ensure_future(hub.follow_run())
        await seen(lambda: told and told[-1].type == "ended", "the end")
        following.cancel()

    in_loop(qapp, follow())
    written = EventTail(next((tmp_path / "runs").iterdir()) / "events.jsonl").read_new()
    assert [event.seq for event in told] == list(range(1, len(written) + 1))
    assert told == written


def test_a_torn_line_arrives_once_it_is_whole(qapp: QApplication, tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=5)
    name = jobs.queue(train_recipe())
    assert jobs.wait(name, 30).state is JobState.SUCCEEDED
    whole = (tmp_path / "runs" / name / "events.jsonl").read_bytes()
    run = tmp_path / "torn"
    run.mkdir()
    hub = EventHub(jobs, EventTail, LogTail)
    hub.watch(run)
    told: list[AnyEvent] = []
    hub.events_read.connect(told.extend)
    for end in range(0, len(whole) + 1, 37):
        (run / "events.jsonl").write_bytes(whole[:end])
        hub.deliver(hub.read_run())
    (run / "events.jsonl").write_bytes(whole)
    hub.deliver(hub.read_run())
    assert [event.seq for event in told] == list(range(1, whole.count(b"\n") + 1))


def test_a_long_history_comes_in_portions_at_most_thirty_times_a_second(qapp: QApplication) -> None:
    events = steps(1, 3 * MOST_EVENTS + 10)
    rests: list[float] = []
    portions: list[int] = []
    portions_at_rest: list[int] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        portions_at_rest.append(len(portions))
        await asyncio.sleep(0)

    hub = EventHub(JobsDouble(), lambda _path: Burst(events), Wordless, sleep=rest)
    hub.events_read.connect(lambda batch: portions.append(len(batch)))
    hub.watch(Path("/nowhere"))

    async def follow() -> None:
        following = asyncio.ensure_future(hub.follow_run())
        await seen(lambda: sum(portions) == len(events) and len(rests) > 5, "all events")
        following.cancel()

    in_loop(qapp, follow())
    assert portions == [MOST_EVENTS] * 3 + [10]
    assert min(rests) >= 1 / 30
    assert FLUSHES_PER_S <= 30
    # between two rests there is at most one delivery
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(portions_at_rest))


def test_nothing_of_an_earlier_run_arrives_after_another_is_watched(qapp: QApplication) -> None:
    sources: Iterator[Burst] = iter([Burst(steps(1, 5)), Burst(steps(1, 2))])
    hub = EventHub(JobsDouble(), lambda _path: next(sources), Wordless)
    told: list[AnyEvent] = []
    hub.events_read.connect(told.extend)
    hub.watch(Path("/first"))
    read_before = hub.read_run()
    hub.watch(Path("/second"))
    hub.deliver(read_before)
    assert told == []
    hub.deliver(hub.read_run())
    assert len(told) == 2


def test_the_jobs_come_newest_first(qapp: QApplication) -> None:
    hub = quiet_hub(JobsDouble(job(1), job(2), job(3)), Clock())
    assert [one.name for one in hub.read_jobs()] == ["run 3", "run 2", "run 1"]


@pytest.mark.parametrize(
    "failure",
    [AcademyError(ErrorCode.PROTOCOL_NEWER, found=2), FileNotFoundError(2, "No such file", "/mnt/gone")],
    ids=lambda failure: type(failure).__name__,
)
def test_what_cannot_be_read_is_told_once_and_read_again(qapp: QApplication, failure: Exception) -> None:
    jobs, clock = JobsDouble(job(1)), Clock()
    jobs.failure = failure
    hub = quiet_hub(jobs, clock)
    told: list[AcademyError] = []
    lists: list[Sequence[JobSummary]] = []
    hub.failed.connect(told.append)
    hub.jobs_read.connect(lists.append)

    async def follow() -> None:
        began = clock.now
        following = asyncio.ensure_future(hub.follow_jobs())
        await seen(lambda: clock.now > began + 3 * PATIENCE * JOBS_EVERY_S, "many looks")
        jobs.failure = None
        await seen(lambda: lists, "a look that goes well")
        following.cancel()

    in_loop(qapp, follow())
    assert len(told) == 1
    assert told[0].code in {ErrorCode.PROTOCOL_NEWER, ErrorCode.FILE_UNREADABLE}
    assert [one.name for one in lists[0]] == ["run 1"]


def test_a_job_that_vanishes_during_a_look_is_no_failure(qapp: QApplication) -> None:
    class Moving(JobsDouble):
        looks = 0

        def list(self) -> Sequence[JobSummary]:
            self.looks += 1
            if self.looks == 1:
                raise FileNotFoundError(2, "No such file")
            return super().list()

    hub = quiet_hub(Moving(job(1)), Clock())
    told: list[AcademyError] = []
    lists: list[Sequence[JobSummary]] = []
    hub.failed.connect(told.append)
    hub.jobs_read.connect(lists.append)

    async def follow() -> None:
        following = asyncio.ensure_future(hub.follow_jobs())
        await seen(lambda: lists, "a look that goes well")
        following.cancel()

    in_loop(qapp, follow())
    assert told == []


class SlowJobs(JobsDouble):
    """A list that takes as long as the test wants."""

    def __init__(self) -> None:
        super().__init__(job(1))
        self.looks = 0
        self.go_on = threading.Event()

    def list(self) -> Sequence[JobSummary]:
        self.looks += 1
        assert self.go_on.wait(30)
        return super().list()


def test_a_slow_list_of_jobs_holds_up_no_curve(qapp: QApplication) -> None:
    jobs = SlowJobs()
    hub = EventHub(jobs, lambda _path: Burst(steps(1, 5)), Wordless)
    told: list[AnyEvent] = []
    hub.events_read.connect(told.extend)
    hub.watch(Path("/nowhere"))

    async def follow() -> None:
        following = [asyncio.ensure_future(one) for one in (hub.follow_jobs(), hub.follow_run())]
        await seen(lambda: len(told) == 5, "the events")
        assert jobs.looks == 1
        jobs.go_on.set()
        for one in following:
            one.cancel()

    in_loop(qapp, follow())


def test_a_wish_to_refresh_during_a_look_is_not_lost(qapp: QApplication) -> None:
    jobs, clock = SlowJobs(), Clock()

    async def rest(_seconds: float) -> None:
        await asyncio.sleep(0)  # the clock stands still: only the wish can make a second look

    hub = EventHub(jobs, Silent, Wordless, clock, rest)

    async def follow() -> None:
        following = asyncio.ensure_future(hub.follow_jobs())
        await seen(lambda: jobs.looks == 1, "the first look")
        hub.refresh()
        jobs.go_on.set()
        await seen(lambda: jobs.looks == 2, "the second look")
        following.cancel()

    in_loop(qapp, follow())


def test_after_a_long_look_the_hub_rests_longer(qapp: QApplication) -> None:
    clock = Clock()
    looked_at: list[float] = []

    class Long(JobsDouble):
        def list(self) -> Sequence[JobSummary]:
            looked_at.append(clock.now)
            clock.now += 4.0
            return ()

    hub = quiet_hub(Long(), clock)

    async def follow() -> None:
        following = asyncio.ensure_future(hub.follow_jobs())
        await seen(lambda: len(looked_at) >= 3, "three looks")
        following.cancel()

    in_loop(qapp, follow())
    assert all(later - earlier >= 4.0 * (REST + 1) for earlier, later in itertools.pairwise(looked_at))
