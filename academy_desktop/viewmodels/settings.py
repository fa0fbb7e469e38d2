"""The Settings page: what the user chose, where everything lies, and whether training works here.

Owns the choices in force and their way into the file. Refuses to know widgets and who acts on a choice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.settings import OnClose, Settings, Theme
from academy_desktop.text.findings import Findings
from academy_desktop.text.formats import MISSING, Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.home import Finding
from academy_desktop.viewmodels.ports import CheckFacts
from academy_desktop.viewmodels.recipe_form import Choice, preset_choices
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError

Status = Literal["ok", "warn", "fail"]

THEMES: Mapping[Theme, str] = {"system": N_("As the system"), "light": N_("Light"), "dark": N_("Dark")}
CLOSINGS: Mapping[OnClose, str] = {
    "ask": N_("Ask me"),
    "keep": N_("Keep training"),
    "stop": N_("Stop and save"),
}

#: The worst first.
_STATUSES: tuple[Status, ...] = ("fail", "warn", "ok")


class SettingsStore(Protocol):
    """Keeps the choices; blocks, belongs into a thread, but for the first look."""

    @property
    def set_aside(self) -> Path | None:
        """Where a file went that could not be read."""
        ...

    def load(self) -> Settings:
        """What was chosen."""
        ...

    def save(self, settings: Settings) -> None:
        """Write all choices."""
        ...


class Examined(Protocol):
    """What the doctor found in the trainer environment."""

    @property
    def ok(self) -> bool:
        """Whether a model can be trained here."""
        ...

    @property
    def checks(self) -> Sequence[CheckFacts]:
        """All findings."""
        ...

    @property
    def packages(self) -> Mapping[str, str]:
        """Package → version."""
        ...


class Examiner(Protocol):
    """The doctor; blocks, belongs into a thread."""

    def glance(self) -> Examined:
        """Look without starting anything."""
        ...

    def examine(self) -> Examined:
        """Look, and really take a step."""
        ...


@dataclass(frozen=True)
class Surroundings:
    """Where this window works: its data folder; interpreter and version of the trainer environment."""

    data: Path
    python: Path
    python_version: str


@dataclass(frozen=True)
class Voice:
    """What sentences are made with."""

    messages: Messages
    findings: Findings
    formats: Formats
    gettext: Callable[[str], str]


class Preferences(QObject):
    """Signals: `changed()` for a choice, `examined()` for the test's progress, `told(Description)`."""

    changed = Signal()
    examined = Signal()
    told = Signal(object)

    def __init__(
        self,
        store: SettingsStore,
        doctor: Examiner,
        surroundings: Surroundings,
        presets: Sequence[str],
        voice: Voice,
        supervisor: Supervisor,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._doctor = doctor
        self._surroundings = surroundings
        self._presets = presets
        self._voice = voice
        self._gettext = voice.gettext
        self._supervisor = supervisor
        self._settings = store.load()
        self._saved = self._settings
        self._due = asyncio.Event()
        self._found: Examined | None = None
        self._tested = False
        self._test: asyncio.Task[object] | None = None

    # choices

    @property
    def settings(self) -> Settings:
        """All choices in force."""
        return self._settings

    @property
    def themes(self) -> tuple[Choice, ...]:
        """The themes to choose from."""
        return tuple(Choice(theme, self._gettext(title)) for theme, title in THEMES.items())

    @property
    def closings(self) -> tuple[Choice, ...]:
        """What may become of runs in progress when the window closes."""
        return tuple(Choice(closing, self._gettext(title)) for closing, title in CLOSINGS.items())

    @property
    def presets(self) -> tuple[Choice, ...]:
        """The presets to choose from."""
        return preset_choices(self._presets, self._gettext)

    @property
    def preset(self) -> str:
        """The preset that a first run starts from: the chosen one, or the first that there is."""
        known = [one.id for one in self.presets]
        chosen = self._settings.preset
        return chosen if chosen in known or not known else known[0]

    def choose_theme(self, theme: str) -> None:
        """Light, dark, or as the system."""
        if theme in get_args(Theme):
            self._choose(theme=theme)

    def choose_closing(self, closing: str) -> None:
        """Ask, keep or stop."""
        if closing in get_args(OnClose):
            self._choose(on_close=closing)

    def choose_preset(self, preset: str) -> None:
        """One of the presets."""
        if preset in {one.id for one in self.presets}:
            self._choose(preset=preset)

    def note_window(self, place: str) -> None:
        """Where the window stands."""
        self._choose(window=place)

    async def keep(self) -> None:
        """Write every choice into the file, until cancelled; then the last one too."""
        try:
            while True:
                await self._due.wait()
                self._due.clear()
                try:
                    await asyncio.to_thread(self._save)
                except AcademyError as error:
                    self.told.emit(self._voice.messages.describe(error.code, error.facts))
        finally:
            with suppress(AcademyError):  # nobody is there any more to be told
                self._save()

    # facts

    @property
    def language(self) -> str:
        """The language in force, by its own name."""
        locale = self._voice.formats.locale
        said = locale.get_display_name() or str(locale)
        return f"{said[:1].upper()}{said[1:]}"

    @property
    def data_folder(self) -> str:
        """Where everything is kept."""
        return str(self._surroundings.data)

    @property
    def python(self) -> str:
        """The interpreter of the trainer environment."""
        return str(self._surroundings.python)

    @property
    def python_version(self) -> str:
        """Its version."""
        return self._surroundings.python_version

    @property
    def torch_version(self) -> str:
        """The version of PyTorch in there, once somebody looked."""
        if self._found is None:
            return MISSING
        return self._found.packages.get("torch") or self._gettext(N_("not installed"))

    @property
    def note(self) -> str:
        """What the user should know about the file, or nothing."""
        aside = self._store.set_aside
        if aside is None:
            return ""
        said = N_(
            "Your earlier settings could not be read, so all are at their default. They are kept in {path}."
        )
        return self._gettext(said).format(path=aside)

    # the trainer environment

    @property
    def is_testing(self) -> bool:
        """Whether the trainer environment is being tested."""
        return self._test is not None

    @property
    def verdict(self) -> str:
        """How the test went: a few words, or nothing before the first."""
        if self.is_testing:
            return self._gettext(N_("Taking a trial step; this takes some seconds …"))
        if not self._tested or self._found is None:
            return ""
        if self._found.ok:
            return self._gettext(N_("Training works here."))
        return self._gettext(N_("Something is missing before you can train here."))

    @property
    def is_well(self) -> bool:
        """Whether the last test found nothing that keeps from training."""
        return self._found is not None and self._found.ok

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the test found, the worst first; nothing before the first and while one goes on."""
        if not self._tested or self._found is None or self.is_testing:
            return ()
        told = [self._finding(check) for check in self._found.checks]
        return tuple(sorted(told, key=lambda one: _STATUSES.index(one.status)))

    async def look(self) -> None:
        """Find out the versions."""
        found = await asyncio.to_thread(self._doctor.glance)
        if self._found is None:
            self._found = found
            self.examined.emit()

    def test(self) -> None:
        """Test the trainer environment."""
        if self._test is None:
            self._test = self._supervisor.start(self._examine(), "trial step")
            self._test.add_done_callback(self._test_ended)
            self.examined.emit()

    def cancel_test(self) -> None:
        """Wait for the test no longer; a step that was begun ends by itself."""
        if self._test is not None:
            self._test.cancel()

    # inside

    def _choose(self, **choice: str) -> None:
        chosen = self._settings.model_copy(update=choice)
        if chosen != self._settings:
            self._settings = chosen
            self.changed.emit()
            self._due.set()

    def _save(self) -> None:
        """Write what was chosen since the last time; blocks."""
        wanted = self._settings
        if wanted != self._saved:
            self._store.save(wanted)
            self._saved = wanted

    async def _examine(self) -> None:
        self._found = await asyncio.to_thread(self._doctor.examine)
        self._tested = True

    def _test_ended(self, _task: object) -> None:
        self._test = None
        self.examined.emit()

    def _finding(self, check: CheckFacts) -> Finding:
        said = self._voice.findings.check(check.id, check.status, check.facts)
        known: dict[str, Status] = {one: one for one in _STATUSES}
        return Finding(known.get(check.status, "fail"), said.message, said.next_step)
