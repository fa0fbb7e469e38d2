from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.estimate.machine import Machine
from academy_desktop.core.estimate.service import Estimate, Estimates
from academy_desktop.core.paths import DataDir
from academy_desktop.text.estimates import EstimateWords
from academy_desktop.viewmodels.forecast import LiveForecast
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.train import Train
from tests.academy_desktop.core.estimate.made_shapes import write_full_model
from tests.academy_desktop.viewmodels.making import in_loop, seen, words
from tests.pictures.train import LARGE, SMALL, add_dataset, add_model, sources_of
from trainers.recipe import TrainRecipe


class Counted:
    """The real forecasts, counted."""

    def __init__(self, estimates: Estimates) -> None:
        self._estimates = estimates
        self.asked: list[TrainRecipe] = []
        self.learned = 0

    def estimate(self, recipe: TrainRecipe) -> Estimate:
        self.asked.append(recipe)
        return self._estimates.estimate(recipe)

    def learn(self) -> int:
        self.learned += 1
        return self._estimates.learn()


class Room:
    """The page's state and its forecast, over a real data directory."""

    def __init__(self, data: DataDir, machine: Machine = LARGE) -> None:
        said = words()
        self.failures: list[BaseException] = []
        self.supervisor = Supervisor(self.failures.append)
        self.train = Train(sources_of(data), said.messages, said.formats, said.gettext, self.supervisor)
        self.source = Counted(Estimates(data, lambda: machine))
        self.forecast = LiveForecast(
            self.train, self.source, EstimateWords(said.gettext, said.formats), said.messages
        )

    def look(self) -> Room:
        """What `Train.follow` does when it is due."""
        self.train.take(self.train.read())
        return self

    def run(self, app: QApplication, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something while the forecast follows the form."""

        async def all_of_it() -> None:
            self.supervisor.start(self.forecast.follow(), "forecast")
            await work()
            await self.supervisor.close()

        in_loop(app, all_of_it())
        assert self.failures == []

    async def known(self) -> None:
        await seen(lambda: not self.forecast.is_busy, "a forecast")


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


def test_nothing_is_reckoned_before_there_is_a_form(qapp: QApplication, data: DataDir) -> None:
    forecast = Room(data).forecast
    assert (forecast.shown, forecast.is_busy, forecast.problem) == (None, False, ("", ""))


def test_the_forecast_follows_the_form(qapp: QApplication, data: DataDir) -> None:
    room = Room(data).look()

    async def work() -> None:
        await room.known()
        first = room.forecast.shown
        room.train.set("training.batch_size", "32")
        room.train.set("hardware.engine", "peft")
        assert room.forecast.is_busy
        assert room.forecast.shown is first  # what is known stays until there is something newer
        await room.known()
        second = room.forecast.shown
        assert first is not None
        assert second is not None
        assert second.used > first.used
        assert first.tone == "success"
        assert sum(item.share for item in second.items) == pytest.approx(1.0, abs=0.01)

    room.run(qapp, work)


def test_while_somebody_types_only_the_last_value_is_reckoned(qapp: QApplication, data: DataDir) -> None:
    room = Room(data).look()

    async def work() -> None:
        await room.known()
        before = len(room.source.asked)
        for value in ("3", "5", "6", "7", "8"):
            room.train.set("training.batch_size", value)
        await room.known()
        assert len(room.source.asked) == before + 1
        assert room.source.asked[-1].training.batch_size == 8

    room.run(qapp, work)


def test_while_a_value_is_wrong_the_last_forecast_stays(qapp: QApplication, data: DataDir) -> None:
    room = Room(data).look()

    async def work() -> None:
        await room.known()
        room.train.set("training.batch_size", "many")
        await asyncio.sleep(0)
        assert not room.forecast.is_busy
        assert room.forecast.shown is not None

    room.run(qapp, work)


def test_what_would_fit_is_one_click_away(qapp: QApplication, data: DataDir) -> None:
    room = Room(data, SMALL).look()

    async def work() -> None:
        room.train.set("training.batch_size", "32")
        await room.known()
        shown = room.forecast.shown
        assert shown is not None
        assert (shown.tone, shown.room < 1.0) == ("danger", True)
        assert shown.nearest
        assert room.forecast.can_apply
        room.forecast.apply()
        assert room.forecast.is_busy
        await room.known()
        after = room.forecast.shown
        assert after is not None
        assert after.tone != "danger"
        assert after.nearest == ""

    room.run(qapp, work)


def test_a_model_that_cannot_be_judged_is_told_with_a_next_step(qapp: QApplication, tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data").open()
    add_dataset(data)
    add_model(data)
    room = Room(data).look()

    async def work() -> None:
        await room.known()
        problem, next_step = room.forecast.problem
        assert "config.json" in problem
        assert next_step
        assert room.forecast.shown is None

    room.run(qapp, work)


def test_a_page_that_is_seen_again_learns_of_runs_that_have_ended(qapp: QApplication, data: DataDir) -> None:
    room = Room(data).look()

    async def work() -> None:
        await room.known()
        asked = len(room.source.asked)
        room.forecast.refresh()
        await room.known()
        assert (room.source.learned, len(room.source.asked)) == (1, asked + 1)

    room.run(qapp, work)
