from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QLabel

from academy_desktop.core.estimate.machine import Machine
from academy_desktop.core.paths import DataDir
from academy_desktop.views.forecast import ForecastCard
from tests.academy_desktop.core.estimate.made_shapes import write_full_model
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen
from tests.academy_desktop.views.making import clipped, rested, shown_parts
from tests.pictures.train import LARGE, SMALL, Room, add_dataset, close, knows

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)


@pytest.fixture(autouse=True)
def _nothing_collected_in_threads() -> Iterator[None]:
    """A loop of Qt's that is garbage must not go in a worker's thread."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data").open()
    add_dataset(made)
    write_full_model(made.models / "smollm2-135m-instruct")
    return made


def texts(card: ForecastCard) -> list[str]:
    return [part.text() for part in shown_parts(card) if isinstance(part, QLabel) and part.text()]


async def shown(room: Room) -> ForecastCard:
    room.start()
    room.window.resize(960, 600)
    room.window.show()
    await seen(lambda: room.train.state != "reading", "datasets and models")
    card = room.train_page.forecast
    assert card is not None
    await seen(lambda: knows(room), "a forecast")
    await rested()
    return card


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_told_whether_it_fits_and_what_takes_the_room(
    qapp: QApplication, data: DataDir, dark: bool
) -> None:
    async def work() -> None:
        room = Room(qapp, data, dark=dark, machine=LARGE)
        card = await shown(room)
        assert "This fits" in texts(card)
        assert not card.items.isVisible()
        assert not card.apply.isVisible()
        card.more.click()
        await rested()
        assert {"Activations", "Weights of the model", "The trainer itself"} <= set(texts(card))
        assert clipped(card) == []
        close(room)
        await room.supervisor.close()
        assert room.failures == []

    in_loop(qapp, work())


def test_the_nearest_that_fits_is_put_into_the_form(qapp: QApplication, data: DataDir) -> None:
    async def work() -> None:
        room = Room(qapp, data, machine=tight())
        card = await shown(room)
        room.train.set("training.batch_size", "32")
        await seen(lambda: knows(room) and card.apply.isVisible(), "an offer")
        card.apply.click()
        assert room.train.form.value("training.batch_size") != "32"
        await seen(lambda: knows(room) and not card.apply.isVisible(), "its end")
        close(room)
        await room.supervisor.close()
        assert room.failures == []

    in_loop(qapp, work())


def tight() -> Machine:
    """A computer on which a smaller batch fits."""
    return SMALL
