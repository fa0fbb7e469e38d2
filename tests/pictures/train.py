"""The Train and the Settings page: the form, its problems, the forecast, choices, the test."""

from __future__ import annotations

import asyncio
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtWidgets import QApplication, QScrollArea, QWidget

from academy_desktop.app import RESOURCES
from academy_desktop.core.considerate import ConsiderateFile
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.environment import Check, trials_of
from academy_desktop.core.environment import Findings as Found
from academy_desktop.core.estimate.machine import Machine
from academy_desktop.core.estimate.service import Estimates
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.judge import Equipment, Judge
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipes import Recipes
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.settings import SettingsFile
from academy_desktop.core.tasks import Tasks
from academy_desktop.text.considerate import ConsiderateWords
from academy_desktop.text.estimates import EstimateWords
from academy_desktop.text.findings import Findings
from academy_desktop.text.language import Words
from academy_desktop.viewmodels.considerate import ConsiderateForm
from academy_desktop.viewmodels.forecast import LiveForecast
from academy_desktop.viewmodels.settings import Preferences, Surroundings, Voice
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.train import Train
from academy_desktop.viewmodels.train_sources import Sources
from academy_desktop.views.look import Look
from academy_desktop.views.main_window import MainWindow, Page
from academy_desktop.views.settings import SettingsPage
from academy_desktop.views.theme_follower import ThemeFollower
from academy_desktop.views.train import TrainPage
from tests.academy_desktop.core.estimate.made_shapes import write_full_model
from tests.academy_desktop.core.models.made_models import write_model
from tests.academy_desktop.made_runs import GIB, made_machine, make_run
from tests.academy_desktop.viewmodels.making import seen

SIZES = ((1100, 700), (1600, 1000))
ROWS = RESOURCES / "samples" / "requests.jsonl"
HELD_OUT = RESOURCES / "samples" / "requests-held-out.jsonl"

Prepare = Callable[["Room"], None]

#: A usual computer, and one on which little fits.
LARGE = Machine(8, 16 * GIB, 11 * GIB, 200 * GIB)
SMALL = Machine(2, 2 * GIB, int(1.1 * GIB), 20 * GIB)


@dataclass(frozen=True)
class Examiner:
    """A doctor who finds what it was told to find."""

    found: Found
    gate: Callable[[], object] = lambda: None

    def glance(self) -> Found:
        """Look."""
        return self.found

    def examine(self) -> Found:
        """Look longer."""
        self.gate()
        return self.found


def sources_of(data: DataDir, machine: Machine | None = None) -> Sources:
    """The core over a data directory, without the models of this machine; `machine` is what recipes need."""
    datasets, models = Library(data.datasets), Models(data, data.root / "no-hub")
    judge = None
    if machine is not None:
        python = Path(sys.executable)
        trials = trials_of(data, Tasks(python, Runtimes(data.runtimes)))
        judge = Judge(Estimates(data, lambda: machine), trials, Equipment(gpus=lambda: ()))
    recipes = Recipes(RESOURCES / "recipes", datasets, models, judge)
    return Sources(datasets, models, recipes, Jobs(data, Path(sys.executable)))


def add_dataset(data: DataDir, name: str = "Kitchen requests") -> str:
    """Import the sample rows; returns the dataset's id."""
    return Library(data.datasets).import_files([ROWS], name, eval_files=[HELD_OUT]).id


def add_pairs(data: DataDir, name: str = "Better answers") -> str:
    """Import pairs of a better and a worse answer, made from the sample rows; returns the dataset's id."""
    rows = [json.loads(line) for line in ROWS.read_text("utf-8").splitlines()[:120]]
    path = data.tmp / "pairs.jsonl"
    pairs = (
        {"prompt": row["instruction"], "chosen": row["output"], "rejected": f"I do not know {number}."}
        for number, row in enumerate(rows)
    )
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), "utf-8")
    return Library(data.datasets).import_files([path], name).id


def add_model(data: DataDir, name: str = "smollm2-135m-instruct") -> None:
    """Make a model that can be trained, as far as anybody can see from outside."""
    write_model(data.models / name)


@dataclass
class Room:
    """Both pages in a window, over a data directory."""

    app: QApplication
    data: DataDir
    doctor: Examiner = field(default_factory=lambda: Examiner(made_machine().found))
    dark: bool = False
    machine: Machine = LARGE
    sources: Sources | None = None

    def __post_init__(self) -> None:
        words = Words.load(RESOURCES / "locale")
        self.failures: list[BaseException] = []
        self.supervisor = Supervisor(self.failures.append)
        self.look = Look(self.app, RESOURCES, self.dark)
        self.preferences = Preferences(
            SettingsFile(self.data.settings),
            self.doctor,
            Surroundings(self.data.root, Path(sys.executable), platform.python_version()),
            sources_of(self.data).recipes.presets(),
            Voice(words.messages, Findings(words.translations, words.messages), words.formats, words.gettext),
            self.supervisor,
        )
        self.considerate = ConsiderateForm(
            ConsiderateFile(self.data.considerate),
            ConsiderateWords(words.gettext, words.formats),
            words.messages,
            words.gettext,
            self.supervisor,
        )
        self.train = Train(
            self.sources or sources_of(self.data, self.machine),
            words.messages,
            words.formats,
            words.gettext,
            self.supervisor,
            lambda: self.preferences.preset,
        )
        self.forecast = LiveForecast(
            self.train,
            Estimates(self.data, lambda: self.machine),
            EstimateWords(words.gettext, words.formats),
            words.messages,
        )
        self.window = MainWindow(
            self.look,
            (
                Page("train", "Train", "train", self._make_train),
                Page(
                    "settings",
                    "Settings",
                    "settings",
                    lambda: SettingsPage(self.look, self.preferences, self.considerate, words.gettext),
                ),
            ),
            words.gettext,
        )

    def _make_train(self) -> TrainPage:
        return TrainPage(self.look, self.train, Words.load(RESOURCES / "locale").gettext, self.forecast)

    def start(self) -> None:
        """As the window does: look for everything, and keep what is chosen."""
        for work in (
            self.train.follow(),
            self.train.advice.follow(),
            self.forecast.follow(),
            self.preferences.look(),
            self.preferences.keep(),
        ):
            self.supervisor.start(work, "follow")

    def follow_theme(self) -> ThemeFollower:
        """As the window does: the theme is the chosen one."""
        return ThemeFollower(self.look, self.preferences)

    @property
    def train_page(self) -> TrainPage:
        """The Train page, shown."""
        page = self.window.show_page("train")
        assert isinstance(page, TrainPage)
        return page

    @property
    def settings_page(self) -> SettingsPage:
        """The Settings page, shown."""
        page = self.window.show_page("settings")
        assert isinstance(page, SettingsPage)
        return page


@dataclass(frozen=True)
class Scene:
    """One picture: a data directory, and what the user has done."""

    name: str
    data: DataDir
    prepare: Prepare
    doctor: Examiner = field(default_factory=lambda: Examiner(made_machine().found))
    settled: Callable[[Room], bool] = lambda room: room.train.state != "reading"
    machine: Machine = LARGE


def show_settings(room: Room) -> None:
    """The Settings page as it is first seen."""
    assert room.settings_page


def show_test(room: Room) -> None:
    """The Settings page after a test."""
    room.settings_page.test.click()


def scroll_down(room: Room) -> None:
    """Whatever page is shown, at its end."""
    for area in room.window.findChildren(QScrollArea):
        area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())


def show_train(room: Room) -> None:
    """The Train page as it is first seen."""
    assert room.train_page


def show_problems(room: Room) -> None:
    """Somebody typed nonsense, and a recipe file that was to be opened is wrong."""
    page = room.train_page
    for path, text in (("training.learning_rate", "5"), ("training.num_epochs", "two")):
        room.train.set(path, text)
    assert page.editors


def show_file_problems(room: Room) -> None:
    """A recipe file that was to be opened is wrong."""
    assert room.train_page
    path = room.data.root / "mine.yaml"
    path.write_text("training:\n  learning_rate: 5\n  num_epoch: 2\n", "utf-8")
    room.train.open(path)


def show_all(room: Room) -> None:
    """All settings."""
    room.train_page.all_button.click()


def show_beginner(room: Room) -> None:
    """Somebody said that there is time for a coffee, and that quality matters."""
    assert room.train_page
    room.train.choose_preset("thorough")
    room.train.advice.choose_budget("coffee")


def show_little_time(room: Room) -> None:
    """There is less time than one pass takes."""
    assert room.train_page
    room.train.advice.set_minutes("1")


def show_pairs(room: Room) -> None:
    """Pairs of answers, and what does not go with them."""
    room.train_page.all_button.click()
    room.train.set("training.neftune_noise_alpha", "5")
    room.train.set("lora.rank", "8")


def show_refusals(room: Room) -> None:
    """What this computer and this model do not have."""
    assert room.train_page
    for path, value in (
        ("training.max_seq_length", "8000"),
        ("lora.target_modules", "q_porj, v_proj"),
        ("hardware.device", "cuda"),
    ):
        room.train.set(path, value)


def advised(room: Room) -> bool:
    """Whether all is found out about what the form holds."""
    return not room.forecast.is_busy and not room.train.advice.is_busy


def show_items(room: Room) -> None:
    """What takes the room."""
    card = room.train_page.forecast
    assert card is not None
    card.more.click()
    room.train.set("training.batch_size", "8")


def show_too_much(room: Room) -> None:
    """More than the computer has."""
    assert room.train_page
    for path, text in (("training.batch_size", "32"), ("hardware.engine", "peft")):
        room.train.set(path, text)


def knows(room: Room) -> bool:
    """Whether the forecast is there, for what the form holds."""
    return not room.forecast.is_busy and (room.forecast.shown is not None or bool(room.forecast.problem[0]))


def scenes(root: Path) -> Iterator[Scene]:
    """All that there is to look at."""
    empty, rows, fresh, used = (DataDir(root / name).open() for name in ("empty", "rows", "fresh", "used"))
    for data in (rows, fresh, used):
        add_dataset(data)
    for data in (fresh, used):
        add_model(data)
    make_run(used, "Kitchen helper", time.time() - 3600)
    ill = Examiner(
        made_machine(
            Check("packages", "fail", {"missing": "peft, trl"}),
            Check("disk", "warn", {"free_bytes": 3 * GIB, "path": "/home/anna/.local/share/academy-desktop"}),
        ).found
    )
    yield Scene("train-no-dataset", empty, show_train)
    yield Scene("train-no-model", rows, show_train)
    full = DataDir(root / "full").open()
    add_dataset(full)
    write_full_model(full.models / "smollm2-135m-instruct")
    yield Scene("train-fresh", full, show_train, settled=knows)
    pairs = DataDir(root / "pairs").open()
    add_dataset(pairs)
    add_pairs(pairs)
    write_full_model(pairs.models / "smollm2-135m-instruct", max_position_embeddings=2048)
    yield Scene("train-beginner", full, show_beginner, settled=advised)
    yield Scene("train-little-time", full, show_little_time, settled=advised)
    yield Scene("train-pairs", pairs, show_pairs, settled=advised)
    yield Scene("train-refusals", pairs, show_refusals, settled=advised)
    yield Scene("train-no-forecast", fresh, show_train, settled=knows)
    yield Scene("train-what-takes-the-room", full, show_items, settled=knows)
    yield Scene("train-too-much", full, show_too_much, settled=knows, machine=SMALL)
    yield Scene("train-after-a-run", used, show_train)
    yield Scene("train-all", fresh, show_all)
    yield Scene("train-problems", fresh, show_problems)
    yield Scene(
        "train-file-problems", fresh, show_file_problems, settled=lambda room: bool(room.train.file_problems)
    )
    yield Scene("settings", fresh, show_settings, settled=lambda room: room.preferences.torch_version != "–")
    yield Scene("settings-tested", fresh, show_test, settled=lambda room: bool(room.preferences.findings))
    yield Scene("settings-ill", fresh, show_test, ill, lambda room: bool(room.preferences.findings))


async def draw(app: QApplication, scene: Scene, out: Path) -> list[Path]:
    """Draw a scene in both themes and all sizes."""
    drawn: list[Path] = []
    for dark in (False, True):
        room = Room(app, scene.data, scene.doctor, dark, scene.machine)
        await arrange(room, scene)
        for width, height in SIZES:
            room.window.resize(width, height)
            for end in (False, True):
                await asyncio.sleep(0.05)
                if end:
                    scroll_down(room)
                    await asyncio.sleep(0.02)
                place = f"{width}x{height}{'-end' if end else ''}"
                path = out / f"{scene.name}-{'dark' if dark else 'light'}-{place}.png"
                room.window.grab().save(str(path))
                drawn.append(path)
            for area in room.window.findChildren(QScrollArea):
                area.verticalScrollBar().setValue(0)
        close(room)
        await room.supervisor.close()
        assert not room.failures
    return drawn


async def arrange(room: Room, scene: Scene) -> None:
    """Show the window and do what the user has done."""
    room.start()
    room.window.show()
    await seen(lambda: room.train.state != "reading", "datasets and models")
    scene.prepare(room)
    await seen(lambda: scene.settled(room), scene.name)


def close(room: Room) -> None:
    """The window goes."""
    window: QWidget = room.window
    window.close()
    window.deleteLater()


def draw_all(app: QApplication, runner: asyncio.Runner, out: Path) -> Iterator[Path]:
    """Draw every scene into a folder; yields the pictures' paths."""
    with tempfile.TemporaryDirectory() as folder:
        for scene in scenes(Path(folder)):
            yield from runner.run(draw(app, scene, out))
