from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QThread
from PySide6.QtWidgets import QApplication

from academy_desktop.core.demo import STAGES as CORE_STAGES
from academy_desktop.core.demo import Audience, Outcome
from academy_desktop.core.workshop import Workshop, open_workshop
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.demo import DemoWay, OwnDemo, Tour
from academy_desktop.viewmodels.demo_story import STAGES
from academy_desktop.viewmodels.stages import StageState
from academy_desktop.viewmodels.supervisor import Supervisor
from tests.academy_desktop.viewmodels.making import in_loop, seen, words
from tests.pictures.export import PlayedDemo, outcome, rest, script, stage
from trainers.errors import AcademyError, ErrorCode

WHOLE = (*script(240), *rest())


@pytest.fixture(scope="module", autouse=True)
def _gone_in_their_own_thread() -> Iterator[None]:
    """Qt objects of one test are not collected by a thread of the next."""
    gc.collect()
    gc.disable()
    yield
    gc.collect()
    gc.enable()


class Room:
    """A demo that a test decides about, and what was heard of it."""

    def __init__(self, way: DemoWay) -> None:
        said = words()
        self.failures: list[BaseException] = []
        self.told: list[Description] = []
        self.changes = 0
        self.threads: set[bool] = set()
        self.supervisor = Supervisor(self.failures.append)
        self.tour = Tour(way, said.messages, said.formats, said.gettext, self.supervisor)
        self.tour.told.connect(self.told.append)
        self.tour.changed.connect(self._changed)

    @property
    def states(self) -> list[StageState]:
        """Of the six stages."""
        return [one.state for one in self.tour.story.stages]

    async def over(self) -> None:
        """Wait for its end."""
        await seen(lambda: not self.tour.is_running, "the end of the demo")

    def _changed(self) -> None:
        self.changes += 1
        self.threads.add(QThread.isMainThread())


def in_room(app: QApplication, way: DemoWay, act: Callable[[Room], Coroutine[Any, Any, None]]) -> Room:
    """Let a test act; returns the room as it is then."""
    room = Room(way)

    async def whole() -> None:
        try:
            await act(room)
        finally:
            await room.supervisor.close()

    in_loop(app, whole())
    return room


async def to_the_end(room: Room) -> None:
    """Start it and wait for its end."""
    room.tour.start()
    await room.over()


async def until_it_learns(room: Room) -> None:
    """Start it and wait for its training."""
    room.tour.start()
    await seen(lambda: len(room.tour.story.losses) == 5, "five steps")


def test_the_stages_are_those_of_the_demo_in_its_order() -> None:
    assert tuple(STAGES) == CORE_STAGES


def test_the_whole_way_ends_with_scores_and_a_verdict(qapp: QApplication, tmp_path: Path) -> None:
    way = PlayedDemo(WHOLE, outcome(tmp_path))
    room = in_room(qapp, way, to_the_end)
    assert room.states == ["done"] * 6
    result = room.tour.story.result
    assert result is not None
    assert (result.base, result.tuned, result.export, result.word) == ("0%", "96%", "94%", "Proven")
    assert result.title == "It has learned the language"
    assert result.job == "20261124-064744-3f9a1c"
    assert Path(result.folder) == tmp_path / result.job / "exports"
    details = {one.name: one.detail for one in room.tour.story.stages}
    assert details["training"] == "The loss fell from 2.29 to 0.23."
    assert details["exporting"] == "5 exports made."
    assert details["proving"] == "5 of 5 exports proven."
    assert (room.failures, room.told) == ([], [])


def test_the_demo_runs_in_a_thread_and_is_heard_in_the_loops_own(qapp: QApplication, tmp_path: Path) -> None:
    way = PlayedDemo(WHOLE, outcome(tmp_path))
    room = in_room(qapp, way, to_the_end)
    assert way.thread == "demo"
    assert room.threads == {True}


def test_however_much_is_said_the_window_hears_of_it_a_few_times(qapp: QApplication, tmp_path: Path) -> None:
    speak, spoken = threading.Event(), threading.Event()
    lines = (lambda _: speak.wait(60), *script(2000, 2000), lambda _: spoken.set())
    way = PlayedDemo(lines, outcome(tmp_path))

    async def act(room: Room) -> None:
        room.tour.start()
        await seen(lambda: way.thread, "the thread")
        speak.set()
        assert spoken.wait(60)  # the loop is busy meanwhile
        await room.over()

    room = in_room(qapp, way, act)
    assert len(room.tour.story.losses) == 2000
    assert room.changes <= 4


def test_a_demo_that_did_not_learn_does_not_boast(qapp: QApplication, tmp_path: Path) -> None:
    class Unlucky(PlayedDemo):
        def run(self, audience: Audience, *, fast: bool) -> Outcome:
            return replace(super().run(audience, fast=fast), tuned_score=0.0)

    room = in_room(qapp, Unlucky(WHOLE, outcome(tmp_path, passed=False)), to_the_end)
    result = room.tour.story.result
    assert result is not None
    assert (result.title, result.word, result.proven) == (
        "It has not learned the language",
        "Not proven",
        False,
    )


def test_while_it_learns_the_loss_is_shown_live(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        await until_it_learns(room)
        story = room.tour.story
        assert story.loss_line == "loss 2.513 · step 5 of 240 · 7m 26s left"
        assert room.states == ["done", "done", "running", "waiting", "waiting", "waiting"]
        assert story.stages[2].share_done == 5 / 240
        room.tour.cancel()
        await room.over()

    in_room(qapp, PlayedDemo(script(5)), act)


def test_a_stage_without_a_job_shows_how_far_it_is(qapp: QApplication) -> None:
    async def act(room: Room) -> None:
        room.tour.start()
        await seen(lambda: room.tour.story.stages[0].share_done, "the download")
        first = room.tour.story.stages[0]
        assert first.detail == "Downloading the model; this takes a minute or two"
        assert first.share_done == 1 / 6
        room.tour.cancel()
        await room.over()

    in_room(qapp, PlayedDemo(script(0)[:2]), act)


def test_what_stops_a_stage_is_told_and_stands_at_the_stage(qapp: QApplication) -> None:
    full = AcademyError(ErrorCode.DISK_FULL, path="/home/anna")
    room = in_room(qapp, PlayedDemo(script(5), full), to_the_end)
    assert room.states[2:4] == ["failed", "waiting"]
    assert room.tour.story.stages[2].detail == "The disk is full"
    assert [said.title for said in room.told] == ["The disk is full"]
    assert room.tour.story.failure == room.told[0]


def test_cancel_stops_the_job_and_is_no_failure(qapp: QApplication) -> None:
    way = PlayedDemo(script(5))

    async def act(room: Room) -> None:
        await until_it_learns(room)
        room.tour.cancel()
        assert room.tour.is_cancelling
        room.tour.cancel()
        await room.over()

    room = in_room(qapp, way, act)
    assert way.stopped == ["20261124-064744-3f9a1c"]
    assert room.states[2] == "failed"
    assert room.tour.story.stages[2].detail == "You ended it here."
    assert (room.told, room.failures, room.tour.story.failure) == ([], [], None)


def test_a_job_that_ends_with_an_error_after_cancel_is_no_failure(qapp: QApplication) -> None:
    class Stubborn(PlayedDemo):
        def run(self, audience: Audience, *, fast: bool) -> Outcome:
            try:
                return super().run(audience, fast=fast)
            except Exception as error:
                raise AcademyError(ErrorCode.CRASHED) from error

    async def act(room: Room) -> None:
        await until_it_learns(room)
        room.tour.cancel()
        await room.over()

    assert in_room(qapp, Stubborn(script(5)), act).told == []


def test_cancel_does_not_wait_for_a_stage_without_a_job(qapp: QApplication) -> None:
    way = PlayedDemo((stage("model"),))  # says nothing more, as a download does

    async def act(room: Room) -> None:
        room.tour.start()
        await seen(lambda: room.tour.story.has_begun, "the first stage")
        room.tour.cancel()
        await room.over()
        assert not way.go_on.is_set()

    room = in_room(qapp, way, act)
    way.go_on.set()
    assert (way.stopped, room.states[0], room.failures) == ([], "failed", [])


def test_when_the_window_closes_the_job_is_stopped(qapp: QApplication) -> None:
    way = PlayedDemo(script(5))
    room = in_room(qapp, way, until_it_learns)
    assert way.stopped == ["20261124-064744-3f9a1c"]
    assert (room.told, room.failures) == ([], [])


def test_a_job_that_was_just_queued_is_ended_by_whoever_queued_it(qapp: QApplication) -> None:
    queued, ended = threading.Event(), threading.Event()

    class Queueing(PlayedDemo):
        def run(self, audience: Audience, *, fast: bool) -> Outcome:
            audience.stage("model")
            assert queued.wait(60)
            try:
                audience.stage("training")  # the job is queued by now
                audience.job("20261124-064744-3f9a1c")
            except BaseException:
                ended.set()
                raise
            return super().run(audience, fast=fast)

    async def act(room: Room) -> None:
        room.tour.start()
        await seen(lambda: room.tour.story.has_begun, "the first stage")
        room.tour.cancel()
        await room.over()
        queued.set()
        await asyncio.to_thread(ended.wait, 60)

    in_room(qapp, Queueing(script(5)), act)
    assert ended.is_set()


def test_it_can_be_tried_again_from_the_beginning(qapp: QApplication, tmp_path: Path) -> None:
    way = PlayedDemo(script(5), AcademyError(ErrorCode.OFFLINE))

    async def act(room: Room) -> None:
        await to_the_end(room)
        way.lines, way.outcome = WHOLE, outcome(tmp_path)
        room.tour.start(fast=True)
        room.tour.start()
        assert room.tour.story.losses == []
        await room.over()

    room = in_room(qapp, way, act)
    assert way.fast is True
    assert room.tour.story.failure is None
    assert room.tour.story.result is not None


def test_a_mistake_of_ours_is_reported_as_one(qapp: QApplication) -> None:
    room = in_room(qapp, PlayedDemo(script(5), RuntimeError("oh")), to_the_end)
    assert [str(error) for error in room.failures] == ["oh"]
    assert room.states[2] == "failed"
    assert room.told == []


def test_the_real_demo_without_its_model_and_the_network_says_so(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-cache"))
    opened: list[str] = []

    def open_own() -> Workshop:
        opened.append(threading.current_thread().name)
        return open_workshop(tmp_path / "demo", offline=True)

    room = in_room(qapp, OwnDemo(open_own), to_the_end)
    assert opened == ["demo"]
    assert [said.title for said in room.told] == [words().messages.describe(ErrorCode.OFFLINE).title]
    assert room.states[:2] == ["failed", "waiting"]
