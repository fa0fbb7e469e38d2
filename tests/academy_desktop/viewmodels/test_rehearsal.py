"""The rehearsal and the trial on the Train page, played: the real way is a test of the commands."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.paths import DataDir
from academy_desktop.core.rehearsal_record import STAGES as CORE_STAGES
from academy_desktop.text.rehearsals import STAGES
from academy_desktop.viewmodels.walk import CancelledError, Ear
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen
from tests.pictures import train
from tests.pictures.export import a_step, says
from tests.pictures.rehearsal import (
    CUT_ROWS,
    FROM_A_GPU,
    LOST_TEMPLATE,
    Played,
    Room,
    furnished,
    opened,
    proven,
    record,
    rehearsed,
    tried,
)
from trainers.errors import AcademyError, ErrorCode
from trainers.events import Phase
from trainers.recipe import TrainRecipe

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

WHOLE = (*rehearsed(), *proven())


@pytest.fixture(scope="module", autouse=True)
def _gone_in_their_own_thread() -> Iterator[None]:
    """Qt objects of one test are not collected by a thread of the next."""
    gc.collect()
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    return furnished(tmp_path_factory.mktemp("rehearsal") / "data")


def in_room(room: Room, act: Callable[[], Coroutine[Any, Any, None]]) -> Room:
    """Show the Train page and let a test act there."""

    async def whole() -> None:
        await opened(room)
        try:
            await act()
        finally:
            train.close(room)
            await room.supervisor.close()

    in_loop(room.app, whole())
    assert room.failures == []
    return room


async def rehearsed_in(room: Room) -> None:
    """Rehearse to the end."""
    room.rehearsing.start()
    await seen(lambda: not room.rehearsing.is_running, "the end of the rehearsal")


def test_the_stages_are_those_of_the_rehearsal_in_its_order() -> None:
    assert tuple(STAGES) == CORE_STAGES


def test_what_goes_well_can_be_followed_by_the_real_run(qapp: QApplication, data: DataDir) -> None:
    room = Room(qapp, data, rehearsal=Played(WHOLE, record(CUT_ROWS, changes=FROM_A_GPU)))

    async def act() -> None:
        await rehearsed_in(room)
        can = [room.rehearsing.can_start_run]
        for epochs in ("7", "2"):
            room.train.set("training.num_epochs", epochs)
            can.append(room.rehearsing.can_start_run)
        assert can == [True, False, True]
        room.rehearsing.put_away()
        await seen(lambda: room.rehearsal.removed, "the removal")
        assert not room.rehearsing.is_shown

    in_room(room, act)
    (recipe,) = room.rehearsal.recipes
    assert Path(recipe.dataset.path).parent == data.datasets
    assert room.rehearsal.removed == [room.rehearsal.outcome]


def test_what_is_to_be_mended_is_named_where_it_was_found(qapp: QApplication, data: DataDir) -> None:
    room = Room(qapp, data, rehearsal=Played(WHOLE, record(CUT_ROWS, LOST_TEMPLATE)))
    in_room(room, lambda: rehearsed_in(room))
    story = room.rehearsing.story
    assert [stage.state for stage in story.stages] == ["done", "done", "done", "done", "failed", "done"]
    assert story.verdict is not None
    assert [finding.serious for finding in story.verdict.findings] == [False, True]
    assert "the chat template is lost" in story.verdict.findings[1].text
    assert story.stages[4].detail == story.verdict.findings[1].text
    assert not room.rehearsing.can_start_run


def test_a_rehearsal_that_is_cancelled_stops_its_job_and_says_nothing(
    qapp: QApplication, data: DataDir
) -> None:
    room = Room(qapp, data, rehearsal=Played(rehearsed(5)))

    async def act() -> None:
        room.rehearsing.start()
        await seen(lambda: room.rehearsing.story.stages[2].share_done, "a step")
        assert not room.rehearsing.can_start
        room.rehearsing.cancel()
        await seen(lambda: not room.rehearsing.is_running, "the end")

    in_room(room, act)
    assert room.rehearsal.stopped == ["20261124-064744-3f9a1c"]
    assert room.rehearsing.story.verdict is None
    assert room.told == []


def test_one_that_is_cancelled_while_its_job_waits_finds_nothing(qapp: QApplication, data: DataDir) -> None:
    class Waiting(Played):
        """Its job never says a word."""

        def run(self, recipe: TrainRecipe, audience: Any) -> Any:
            audience.stage("training")
            audience.job("20261124-064744-3f9a1c")
            assert self.go_on.wait(60.0)
            return record(LOST_TEMPLATE)

    room = Room(qapp, data, rehearsal=Waiting())

    async def act() -> None:
        room.rehearsing.start()
        await seen(lambda: "Waiting" in room.rehearsing.story.stages[2].detail, "the job")
        room.rehearsing.cancel()
        await seen(lambda: not room.rehearsing.is_running, "the end")

    in_room(room, act)
    assert room.rehearsal.stopped == ["20261124-064744-3f9a1c"]
    assert room.rehearsing.story.verdict is None
    assert room.rehearsing.story.is_cut_short


def test_nothing_is_queued_after_a_cancellation(qapp: QApplication, data: DataDir) -> None:
    room = Room(qapp, data)

    async def act() -> None:
        ear = Ear(asyncio.get_running_loop(), room.rehearsing.story, lambda: None)
        ear.close()
        with pytest.raises(CancelledError):
            ear.stage("training")
        with pytest.raises(CancelledError):
            ear.job("20261124-064744-3f9a1c")
        assert ear.in_progress  # remembered all the same, so that it can be stopped

    in_loop(qapp, act())


def test_a_trial_is_told_and_the_forecast_made_anew(qapp: QApplication, data: DataDir) -> None:
    trial = Played((says(Phase(name="training")), a_step(3, 3)))
    room = Room(qapp, data, trial=trial)
    learned: list[bool] = []

    async def act() -> None:
        room.trying.learned.connect(lambda: learned.append(True))
        trial.outcome = tried(data, await room.train.made())
        room.trying.start()
        await seen(lambda: learned and not room.trying.is_running, "the end of the trial")

    in_room(room, act)
    said = room.trying.text.replace("\N{NO-BREAK SPACE}", " ")
    assert said.startswith("The trial used 3.1 GiB and 4.2s a step with the longest rows: the run would")
    room.train.set("training.num_epochs", "7")  # what a step takes is as it was, how long it goes on is not
    assert room.trying.text.endswith("with the longest rows.")
    room.train.set("training.batch_size", "1")
    assert room.trying.text == ""


def test_a_trial_without_memory_says_what_to_do(qapp: QApplication, data: DataDir) -> None:
    room = Room(qapp, data, trial=Played((), AcademyError(ErrorCode.OUT_OF_MEMORY)))

    async def act() -> None:
        room.trying.start()
        await seen(lambda: room.trying.next_step, "a sentence")

    in_room(room, act)
    assert "memory" in room.trying.text.lower()
