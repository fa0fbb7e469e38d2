from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.considerate import ConsiderateFile
from academy_desktop.core.shutdown import ShutdownState, ShutdownStatus
from academy_desktop.core.states import JobState
from academy_desktop.text.considerate import ConsiderateWords
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.considerate import ConsiderateForm
from academy_desktop.viewmodels.queue_end import QueueEnd
from academy_desktop.viewmodels.supervisor import Supervisor
from tests.academy_desktop.viewmodels.making import in_loop, job, seen, words
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import Considerate, QuietHours


@pytest.fixture(autouse=True)
def _nothing_collected_in_threads() -> Iterator[None]:
    """A loop of Qt's that is garbage must not go in a worker's thread."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Room:
    """The form over a real file."""

    def __init__(self, path: Path) -> None:
        said = words()
        self.file = ConsiderateFile(path / "considerate.json")
        self.failures: list[BaseException] = []
        self.told: list[Description] = []
        self.supervisor = Supervisor(self.failures.append)
        self.words = ConsiderateWords(said.gettext, said.formats)
        self.form = self.make()
        self.form.told.connect(self.told.append)

    def make(self) -> ConsiderateForm:
        """A form over the file as it is now."""
        said = words()
        return ConsiderateForm(self.file, self.words, said.messages, said.gettext, self.supervisor)

    def change(self, qapp: QApplication, work: Callable[[], object]) -> None:
        """Do something, and wait until it is written."""

        async def session() -> None:
            before = self.file.load()
            work()
            await seen(lambda: self.file.load() != before and self.form.rules == self.file.load())
            await self.supervisor.close()

        in_loop(qapp, session())
        assert self.failures == []


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_at_first_nothing_holds_a_run_and_a_night_is_proposed(qapp: QApplication, room: Room) -> None:
    form = room.form
    assert form.rules == Considerate()
    assert form.sentence == "Runs go on at any hour, on battery too."
    assert (form.hours.begins, form.hours.ends, form.day_choice, form.heat) == (
        "22:00",
        "07:00",
        "all",
        "off",
    )
    assert len(form.times("22:00")) == 48
    assert len(form.times("22:10")) == 49


def test_every_change_is_written_and_said(qapp: QApplication, room: Room) -> None:
    form = room.form
    room.change(qapp, lambda: form.switch_quiet("on"))
    assert form.sentence.replace("\u202f", " ") == "Runs pause from 10:00 PM to 7:00 AM."
    room.change(qapp, lambda: form.choose_begins("23:30"))
    room.change(qapp, lambda: form.choose_days("week"))
    assert form.sentence.endswith("when that begins on Mon, Tue, Wed, Thu, and Fri.")
    room.change(qapp, lambda: form.switch_battery("on"))
    room.change(qapp, lambda: form.choose_heat("80"))
    room.change(qapp, lambda: form.choose_way("suspend"))
    assert room.file.load() == Considerate(
        quiet_hours=QuietHours(begins="23:30", days=(0, 1, 2, 3, 4)),
        pause_on_battery=True,
        most_celsius=80,
        way="suspend",
    )
    assert "hotter than 80 °C, and go on below 75 °C" in form.sentence
    room.change(qapp, lambda: form.switch_quiet("off"))
    assert form.hours.begins == "23:30"


def test_what_the_command_line_changed_meanwhile_stays(qapp: QApplication, room: Room) -> None:
    room.file.save(Considerate(most_celsius=70))
    room.change(qapp, lambda: room.form.switch_battery("on"))
    assert room.file.load() == Considerate(most_celsius=70, pause_on_battery=True)
    assert room.form.heat == "70"


def test_days_that_somebody_put_together_are_offered_as_they_are(qapp: QApplication, room: Room) -> None:
    room.file.save(Considerate(quiet_hours=QuietHours(days=(0, 2))))
    form = room.make()
    assert form.day_choice == "own"
    assert form.day_choices[-1].title == "Mon and Wed"


class Switch:
    """Shutting down as a test wants it."""

    def __init__(self) -> None:
        self.state: ShutdownState = "off"
        self.refusal: AcademyError | None = None

    def ask(self) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.state = "waiting"

    def cancel(self) -> None:
        self.state = "off"

    def dismiss(self) -> None:
        self.state = "off"

    def status(self) -> ShutdownStatus:
        at = 142.0 if self.state == "counting" else None
        return ShutdownStatus(self.state, at, "j1" if self.state == "called_off" else "", "Access denied.")


class End:
    """What follows the last run, and what is heard of it."""

    def __init__(self) -> None:
        said = words()
        self.switch = Switch()
        self.failures: list[BaseException] = []
        self.told: list[Description] = []
        self.supervisor = Supervisor(self.failures.append)
        self.end = QueueEnd(
            self.switch,
            ConsiderateWords(said.gettext, said.formats),
            said.messages,
            self.supervisor,
            lambda: 100.0,
        )
        self.end.told.connect(self.told.append)

    def do(self, qapp: QApplication, work: Callable[[], object], until: Callable[[], bool]) -> None:
        async def session() -> None:
            self.supervisor.start(self.end.follow(), "follow")
            work()
            await seen(until)
            await self.supervisor.close()

        in_loop(qapp, session())
        assert self.failures == []


def test_it_is_offered_while_a_run_goes_on_and_counted_down_in_words(qapp: QApplication) -> None:
    room = End()
    end = room.end
    offered = [end.is_offered]
    end.take_jobs([job(1, JobState.RUNNING)])
    assert [*offered, end.is_offered] == [False, True]
    room.do(qapp, lambda: end.switch(True), lambda: end.is_on)
    assert end.sentence == ""
    room.switch.state = "counting"
    counted: list[str] = []
    end.counting.connect(counted.append)
    room.do(qapp, lambda: None, lambda: len(counted) == 1)
    assert end.sentence == "The last run is over. The computer shuts down in 42 sec."
    room.do(qapp, end.cancel, lambda: not end.is_on)
    assert room.switch.status().state == "off"


def test_why_the_computer_stayed_on_is_read_and_put_away(qapp: QApplication) -> None:
    room = End()
    end = room.end
    end.take_jobs([job(1, JobState.FAILED, id="j1", name="Kitchen")])
    room.switch.state = "called_off"
    room.do(qapp, lambda: None, lambda: end.is_over)
    assert end.sentence == "The computer stays on: “Kitchen” did not end well. Have a look at it."
    room.switch.state = "failed"
    room.do(qapp, lambda: None, lambda: "denied" in end.sentence)
    assert end.sentence == "The computer could not be shut down: Access denied."
    room.do(qapp, end.dismiss, lambda: not end.is_offered)


def test_a_refusal_is_told_and_the_box_is_not_ticked(qapp: QApplication) -> None:
    room = End()
    room.switch.refusal = AcademyError(ErrorCode.SHUTDOWN_UNAVAILABLE, program="systemctl")
    drawn: list[bool] = []
    room.end.changed.connect(lambda: drawn.append(room.end.is_on))
    room.do(qapp, lambda: room.end.switch(True), lambda: bool(drawn))
    assert [one.title for one in room.told] == ["This computer cannot be shut down from here"]
    assert drawn[-1] is False
