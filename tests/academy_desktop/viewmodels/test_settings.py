from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.environment import Check, Findings
from academy_desktop.core.settings import Settings, SettingsFile
from academy_desktop.text import findings as text_findings
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.settings import Preferences, Surroundings, Voice
from academy_desktop.viewmodels.supervisor import Supervisor
from tests.academy_desktop.made_runs import made_machine
from tests.academy_desktop.viewmodels.making import in_loop, seen, words


@dataclass
class Examiner:
    """A doctor who takes as long as a test wants."""

    found: Findings = field(default_factory=lambda: made_machine().found)
    gate: threading.Event = field(default_factory=threading.Event)
    examined: int = 0

    def glance(self) -> Findings:
        return self.found

    def examine(self) -> Findings:
        self.examined += 1
        assert self.gate.wait(30)
        return self.found


class Room:
    """The page's state over a real file."""

    def __init__(self, path: Path, doctor: Examiner | None = None) -> None:
        said = words()
        self.path = path
        self.doctor = doctor or Examiner()
        self.failures: list[BaseException] = []
        self.told: list[Description] = []
        self.supervisor = Supervisor(self.failures.append)
        self.preferences = Preferences(
            SettingsFile(path),
            self.doctor,
            Surroundings(path.parent, Path("/opt/python"), "3.12.4"),
            ["balanced", "demo", "quick"],
            Voice(
                said.messages,
                text_findings.Findings(said.translations, said.messages),
                said.formats,
                said.gettext,
            ),
            self.supervisor,
        )
        self.preferences.told.connect(self.told.append)

    @property
    def written(self) -> Settings:
        """What stands in the file."""
        return SettingsFile(self.path).load()


@pytest.fixture(autouse=True)
def _nothing_collected_in_threads() -> Iterator[None]:
    """A loop of Qt's that is garbage must not go in a worker's thread."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "settings.json")


def test_what_is_offered_is_named(qapp: QApplication, room: Room) -> None:
    preferences = room.preferences
    assert [one.id for one in preferences.themes] == ["system", "light", "dark"]
    assert [one.id for one in preferences.closings] == ["ask", "keep", "stop"]
    assert [one.id for one in preferences.presets] == ["quick", "balanced"]
    assert all(one.title for one in (*preferences.themes, *preferences.closings, *preferences.presets))


def test_where_everything_is_and_in_which_language(qapp: QApplication, room: Room) -> None:
    preferences = room.preferences
    assert preferences.language == "English"
    assert preferences.data_folder == str(room.path.parent)
    assert (preferences.python, preferences.python_version) == ("/opt/python", "3.12.4")


def test_choices_are_in_force_at_once_and_written_soon(qapp: QApplication, room: Room) -> None:
    async def work() -> None:
        room.supervisor.start(room.preferences.keep(), "keep")
        room.preferences.choose_theme("dark")
        room.preferences.choose_closing("keep")
        assert room.preferences.settings.theme == "dark"
        await seen(lambda: room.written.on_close == "keep", "the file")
        room.preferences.choose_preset("quick")
        await seen(lambda: room.written.preset == "quick", "the file")
        await room.supervisor.close()

    in_loop(qapp, work())
    assert room.written == Settings(theme="dark", on_close="keep", preset="quick")
    assert Room(room.path).preferences.preset == "quick"
    assert room.failures == []


def test_a_choice_made_at_the_very_end_is_written_too(qapp: QApplication, room: Room) -> None:
    async def work() -> None:
        room.supervisor.start(room.preferences.keep(), "keep")
        await asyncio.sleep(0)
        room.preferences.choose_theme("light")
        await room.supervisor.close()

    in_loop(qapp, work())
    assert room.written.theme == "light"


def test_only_another_choice_is_a_change_and_only_a_known_one(qapp: QApplication, room: Room) -> None:
    said: list[None] = []
    room.preferences.changed.connect(lambda: said.append(None))
    room.preferences.choose_theme("system")
    room.preferences.choose_theme("sepia")
    room.preferences.choose_closing("burn")
    room.preferences.choose_preset("demo")
    assert said == []
    room.preferences.choose_theme("dark")
    assert len(said) == 1


def test_a_choice_that_cannot_be_written_is_told_and_stays_in_force(
    qapp: QApplication, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    room = Room(tmp_path / "file" / "settings.json")

    async def work() -> None:
        room.supervisor.start(room.preferences.keep(), "keep")
        room.preferences.choose_theme("dark")
        await seen(lambda: room.told, "the sentence")
        await room.supervisor.close()

    in_loop(qapp, work())
    assert room.told[0].title == "The data folder cannot be written"
    assert room.preferences.settings.theme == "dark"
    assert room.failures == []


def test_a_preset_that_is_gone_gives_way_to_one_that_is_there(qapp: QApplication, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    SettingsFile(path).save(Settings(preset="my-own"))
    assert Room(path).preferences.preset == "quick"


def test_a_file_that_was_set_aside_is_mentioned(qapp: QApplication, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    assert Room(path).preferences.note == ""
    path.write_text("{", "utf-8")
    note = Room(path).preferences.note
    assert str(tmp_path / "settings.damaged.json") in note


def test_versions_are_known_after_a_look(qapp: QApplication, room: Room) -> None:
    assert room.preferences.torch_version == "–"
    in_loop(qapp, room.preferences.look())
    assert room.preferences.torch_version == "2.13.0"
    assert room.preferences.verdict == ""
    assert room.preferences.findings == ()


def test_an_environment_without_torch_says_so(qapp: QApplication, tmp_path: Path) -> None:
    found = Findings(**{**vars(made_machine().found), "packages": {}})
    room = Room(tmp_path / "settings.json", Examiner(found))
    in_loop(qapp, room.preferences.look())
    assert room.preferences.torch_version == "not installed"


def test_a_test_says_that_it_goes_on_and_how_it_went(qapp: QApplication, tmp_path: Path) -> None:
    found = made_machine(Check("llama_cpp", "warn"), Check("packages", "fail", {"missing": "trl"})).found
    room = Room(tmp_path / "settings.json", Examiner(found))
    preferences = room.preferences

    async def work() -> None:
        preferences.test()
        preferences.test()
        assert preferences.is_testing
        assert preferences.verdict.startswith("Taking a trial step")
        room.doctor.gate.set()
        await seen(lambda: not preferences.is_testing, "the end of the test")

    in_loop(qapp, work())
    assert room.doctor.examined == 1
    assert not preferences.is_well
    assert preferences.verdict == "Something is missing before you can train here."
    assert [one.status for one in preferences.findings][:3] == ["fail", "warn", "ok"]
    assert preferences.findings[0].next_step


def test_all_is_well_is_said_too(qapp: QApplication, room: Room) -> None:
    async def work() -> None:
        room.doctor.gate.set()
        room.preferences.test()
        await seen(lambda: not room.preferences.is_testing, "the end of the test")

    in_loop(qapp, work())
    assert room.preferences.is_well
    assert room.preferences.verdict == "Training works here."


def test_a_cancelled_test_leaves_no_trace_and_can_be_repeated(qapp: QApplication, room: Room) -> None:
    preferences = room.preferences

    async def work() -> None:
        preferences.cancel_test()
        for early in (True, False):
            preferences.test()
            if not early:
                await seen(lambda: room.doctor.examined, "the doctor")
            preferences.cancel_test()
            await seen(lambda: not preferences.is_testing, "the end")
            assert preferences.verdict == ""
        room.doctor.gate.set()
        preferences.test()
        await seen(lambda: preferences.findings, "the findings")

    in_loop(qapp, work())
    assert room.failures == []
