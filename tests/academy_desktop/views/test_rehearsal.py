"""The rehearsal's card and the trial's row: whole texts, names for everything, and the way on."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication, QPushButton

from academy_desktop.core.paths import DataDir
from academy_desktop.core.rehearsal_record import RehearsalProblem
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen
from tests.academy_desktop.views.making import accessible_name, clipped, rested, shown_parts
from tests.pictures import train
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
)

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)


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


def buttons(room: Room) -> set[str]:
    """What can be pressed in the card."""
    card = room.train_page.rehearsal
    assert card is not None
    return {one.text() for one in card.findChildren(QPushButton) if one.isVisible() and one.isEnabled()}


@pytest.mark.parametrize(
    ("problems", "offered"),
    [
        ((CUT_ROWS,), {"Remove", "Rehearse again", "Start the real run"}),
        ((CUT_ROWS, LOST_TEMPLATE), {"Remove", "Rehearse again"}),
    ],
)
def test_the_outcome_is_whole_and_named_and_offers_what_can_be_done(
    qapp: QApplication, data: DataDir, problems: tuple[RehearsalProblem, ...], offered: set[str]
) -> None:
    found = record(*problems, changes=FROM_A_GPU)
    room = Room(qapp, data, rehearsal=Played((*rehearsed(), *proven()), found))

    async def act() -> None:
        page = await opened(room)
        assert page.rehearsal is not None
        assert not page.rehearsal.isVisible()
        (first,) = [one for one in page.findChildren(QPushButton) if one.text() == "Rehearse first"]
        assert first.isEnabled()
        first.click()
        await seen(lambda: room.rehearsing.story.verdict, "the outcome")
        await rested()
        page.show_rehearsal()
        await rested()
        assert page.rehearsal.isVisible()
        assert clipped(page.rehearsal) == []
        assert clipped(room.window) == []
        assert buttons(room) == offered
        unnamed = [
            one
            for one in shown_parts(page.rehearsal)
            if isinstance(one, QPushButton) and not accessible_name(one)
        ]
        assert unnamed == []
        train.close(room)
        await room.supervisor.close()

    in_loop(qapp, act())
    assert room.failures == []


def test_while_it_goes_on_it_can_be_ended_and_not_begun_again(qapp: QApplication, data: DataDir) -> None:
    room = Room(qapp, data, rehearsal=Played(rehearsed(4)))

    async def act() -> None:
        await opened(room)
        room.rehearsing.start()
        await seen(lambda: room.rehearsing.story.stages[2].share_done, "a step")
        await rested()
        assert buttons(room) == {"Cancel"}
        room.rehearsing.cancel()
        await seen(lambda: not room.rehearsing.is_running, "the end")
        await rested()
        assert buttons(room) == {"Remove", "Rehearse again"}
        train.close(room)
        await room.supervisor.close()

    in_loop(qapp, act())
    assert room.failures == []
