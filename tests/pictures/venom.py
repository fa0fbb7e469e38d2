"""The Venom page, against a real server on this computer: servers of all sorts, a push, the way back."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import keyring
from keyring.core import load_keyring
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from academy_desktop.app import RESOURCES
from academy_desktop.core.datasets.fetching import Fetcher
from academy_desktop.core.exports import Exports
from academy_desktop.core.history import EventTail
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.logs import LogTail
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.venom.connections import Connections, Limits
from academy_desktop.core.venom.service import Venom
from academy_desktop.core.venom.ssh_route import parse_route
from academy_desktop.text.language import Words
from academy_desktop.viewmodels.dataset_fetch import DatasetFetch
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.venom import VenomServers
from academy_desktop.viewmodels.venom_choice import VenomChoice
from academy_desktop.viewmodels.venom_push import VenomPush
from academy_desktop.viewmodels.venom_runs import SendableRuns
from academy_desktop.views.connection_dialog import ConnectionDialog
from academy_desktop.views.connection_fields import TextField
from academy_desktop.views.look import Look
from academy_desktop.views.main_window import MainWindow, Page
from academy_desktop.views.venom import VenomPage
from tests.academy_desktop.core.venom.making import make_finished_run
from tests.academy_desktop.made_runs import held_lock, make_run, out_of_memory
from tests.academy_desktop.viewmodels.making import seen
from tests.venom_server.server import VenomServer
from tests.venom_server.ssh import Rights, SshServer, write_key
from tests.venom_server.state import VenomState
from trainers.layout import RunDir
from trainers.locks import FileLock

SIZES = ((1100, 700), (1600, 1000))
NAME = "home"

#: A server that is slow is slow after this many seconds.
LIMITS = Limits(connect_s=2.0, read_s=2.0, activate_s=60.0)


@dataclass
class HeldState(VenomState):
    """A server whose deployments wait until the gate is open."""

    gate: threading.Event = field(default_factory=threading.Event)

    def _deploy(self, adapter_id: str, model: str) -> None:
        assert self.gate.wait(60)
        super()._deploy(adapter_id, model)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[VenomServer, HeldState]]:
    """A Venom server with a models folder below `folder`; nothing is held up."""
    models_dir = folder / "data" / "models"
    models_dir.mkdir(parents=True)
    state = HeldState(folder, models_dir)
    state.gate.set()
    with VenomServer(state) as server:
        yield server, state
        state.gate.set()


def connect(data: DataDir, server: VenomServer, name: str = NAME) -> None:
    """Remember the server."""
    Connections(data.connections, data.tmp / "connections.lock").add(
        name, server.url, server.state.models_dir
    )


def fill(data: DataDir, *, certified: bool = True) -> tuple[list[RunDir], FileLock]:
    """Two runs that can be sent, one that failed, one in progress, whose lock is returned too."""
    runs = [
        make_finished_run(data, "Kitchen helper", fill=0.25),
        make_finished_run(data, "Replies in our tone", certified=certified),
    ]
    failed = make_run(data, "Long stories, large batch", 1_789_000_000.0, 400).started().steps(1, 3)
    failed.ended(out_of_memory, 3, 1)
    going = make_run(data, "Invented command language", 1_791_000_000.0, 300).started().steps(1, 9)
    going.close()
    return runs, held_lock(going.run.host_lock)


@dataclass
class Room:
    """The objects behind the page, over a data directory."""

    data: DataDir
    state: HeldState
    look: Look
    url: str = ""
    limits: Limits = LIMITS
    failures: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Build them, as the composition root does."""
        words = Words.load(RESOURCES / "locale")
        jobs = Jobs(self.data, Path(sys.executable))
        models = Models(self.data, self.data.root / "no-hub")
        self.supervisor = Supervisor(self.failures.append)
        self.hub = EventHub(jobs, EventTail, LogTail)
        self.venom = Venom(self.data, jobs, Exports(jobs), models, limits=self.limits, look_s=0.0)
        self.servers = VenomServers(self.venom, words.messages, words.formats, words.gettext, self.supervisor)
        self.runs = SendableRuns(self.hub, words.formats, words.gettext, self.supervisor)
        choice = VenomChoice(self.venom, self.servers, self.runs, words.gettext, self.supervisor)
        self.push = VenomPush(
            self.venom, self.servers, choice, words.messages, words.formats, words.gettext, self.supervisor
        )
        lessons = Fetcher(self.data.tmp / "fetched", self.venom.connections.all, self.venom.lessons)
        self.fetch = DatasetFetch(lessons, words.messages, words.gettext, self.supervisor)
        self.page = VenomPage(self.look, self.servers, self.push, words.gettext, lessons=lambda: self.fetch)
        pages = (Page("venom", "Venom", "venom", lambda: self.page),)
        self.window = MainWindow(self.look, pages, words.gettext)
        self.servers.told.connect(
            lambda said: self.window.tell(said.title, f"{said.sentence} {said.next_step}")
        )

    async def start(self) -> None:
        """As the window does: follow the servers, read the jobs; returns when both are known."""
        self.supervisor.start(self.servers.follow(), "venom")
        self.hub.jobs_read.emit(self.hub.read_jobs())
        await seen(lambda: self.servers.is_known and self.runs.is_known, "the page")
        await self.settled()

    async def settled(self) -> None:
        """Until every look at a server is over."""

        def is_still() -> bool:
            all_known = self.servers.standing is not None or not self.servers.all
            return all_known and not self.servers.is_looking and not self.push.choice.is_planning

        await seen(is_still, "the looks")

    async def close(self) -> None:
        """End what still runs, and the window."""
        await self.supervisor.close()
        self.window.close()
        self.window.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def type_in(field: TextField, text: str) -> None:
    """As a user would, letter by letter or not."""
    field.editor.setText(text)
    field.editor.textEdited.emit(text)


async def looked(dialog: ConnectionDialog) -> None:
    """Until the dialog has found out what it wanted to know."""
    form = dialog._form
    await seen(lambda: not form.is_looking and not form.is_testing, "what the dialog finds out")


async def show_dialog(room: Room) -> ConnectionDialog:
    """The connection, being edited; what the dialog finds out by itself is there."""
    room.page.head.edit.click()
    dialog = _dialog(room)
    assert isinstance(dialog, ConnectionDialog)
    await looked(dialog)
    return dialog


async def show_new(room: Room) -> ConnectionDialog:
    """A form for one more connection, with the address of the server that is there."""
    room.page.open_new()
    dialog = _dialog(room)
    assert isinstance(dialog, ConnectionDialog)
    type_in(dialog.url, room.url)
    await looked(dialog)
    return dialog


async def show_nobody(room: Room) -> QWidget:
    """A form for one more connection, where nobody answers."""
    dialog = await show_new(room)
    type_in(dialog.url, "http://127.0.0.1:9")
    await looked(dialog)
    return dialog


async def show_removal(room: Room) -> QWidget:
    """The question before a connection is removed."""
    room.page.head.remove.click()
    return _dialog(room)


async def show_others(room: Room) -> None:
    """Two more connections, of which one leads nowhere."""
    folder = room.state.models_dir
    url = room.servers.all[0].url
    room.venom.connections.add("living-room-server", "http://127.0.0.1:9", folder)
    room.venom.connections.add("read-only", url)
    room.servers.refresh()
    await seen(lambda: len(room.servers.all) == 3, "the connections")
    await asyncio.sleep(0.5)
    room.servers.select("read-only")
    await room.settled()


async def show_tested(room: Room) -> QWidget:
    """The form after a try."""
    dialog = await show_dialog(room)
    dialog.test.click()
    await looked(dialog)
    return dialog


@contextmanager
def far_login(dialog: ConnectionDialog, rights: Rights | None = None) -> Iterator[SshServer]:
    """An SSH server, and its address typed, to be logged in by password."""
    with SshServer(rights or Rights(password="a passphrase")) as ssh:
        dialog.way.chosen.emit("ssh")
        dialog.ssh.by.chosen.emit("password")
        for field, text in (
            (dialog.ssh.login, "ada@127.0.0.1"),
            (dialog.ssh.port, str(ssh.port)),
            (dialog.ssh.password, "a passphrase"),
        ):
            type_in(field, text)
        yield ssh


async def show_stranger(room: Room) -> QWidget:
    """The form of a server elsewhere, whose host shows a key that nobody has confirmed yet."""
    dialog = await show_new(room)
    with far_login(dialog):
        dialog.test.click()
        await looked(dialog)
    return dialog


async def show_changed_key(room: Room) -> QWidget:
    """The same, whose host shows another key than the one that was confirmed."""
    dialog = await show_new(room)
    with tempfile.TemporaryDirectory() as folder, far_login(dialog):
        other = write_key(Path(folder) / "other").export_public_key().decode().strip()
        dialog._form.typed.login.host_key = other
        dialog.test.click()
        await looked(dialog)
    return dialog


async def show_passphrase(room: Room) -> QWidget:
    """A key file whose passphrase is wrong."""
    dialog = await show_new(room)
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "id_ed25519"
        public = write_key(key, "another passphrase")
        with far_login(dialog, Rights([public])) as ssh:
            dialog.ssh.by.chosen.emit("key")
            type_in(dialog.ssh.key, str(key))
            type_in(dialog.ssh.passphrase, "a passphrase")
            dialog._form.typed.login.host_key = ssh.public_key
            dialog.test.click()
            await looked(dialog)
    return dialog


async def show_no_keyring(room: Room) -> QWidget:
    """The question where no keyring keeps the password."""
    dialog = await show_new(room)
    before = keyring.get_keyring()
    keyring.set_keyring(load_keyring("keyring.backends.fail.Keyring"))
    try:
        with far_login(dialog) as ssh:
            dialog._form.typed.login.host_key = ssh.public_key
            dialog.save.click()
            await seen(lambda: dialog._form.keyring_question, "the question")
    finally:
        keyring.set_keyring(before)
    return dialog


async def show_far(room: Room) -> QWidget:
    """A server elsewhere, reached over SSH, after a try."""
    dialog = await show_new(room)
    with far_login(dialog) as ssh:
        dialog._form.typed.login.host_key = ssh.public_key
        type_in(dialog.ssh.folder, str(room.state.models_dir))
        dialog.test.click()
        await looked(dialog)
    return dialog


async def show_ollama(room: Room) -> QWidget:
    """The way over Venom's Ollama, where nobody answers."""
    dialog = await show_new(room)
    dialog.way.chosen.emit("ollama")
    type_in(dialog.ollama.address, "http://127.0.0.1:9")
    dialog.test.click()
    await looked(dialog)
    return dialog


async def show_wrong(room: Room) -> QWidget:
    """The form with mistakes in every field."""
    dialog = await show_dialog(room)
    for part, text in (
        (dialog.name, "my venom"),
        (dialog.url, "venom:8000"),
        (dialog.folder.folder, "/no/such/folder"),
    ):
        type_in(part, text)
    await seen(lambda: dialog._form.typed.folder_problem, "the folder's problem")
    return dialog


async def show_override(room: Room) -> QWidget:
    """The question before an adapter is sent without a proof."""
    await pushed(room)
    room.page.send.course.override.click()
    return _dialog(room)


async def show_question(room: Room) -> QWidget:
    """The question before a rollback."""
    room.page.adapters.back.click()
    return _dialog(room)


async def show_login(room: Room) -> None:
    """A server elsewhere, whose password nothing keeps."""
    with SshServer(Rights(password="a passphrase")) as ssh:
        route = parse_route(f"ada@127.0.0.1:{ssh.port}", by_password=True)
        route = route.model_copy(update={"host_key": ssh.public_key})
        room.venom.connections.add("lab", room.url, str(room.state.models_dir), route)
        room.servers.refresh()
        await seen(lambda: len(room.servers.all) == 2, "the connections")
        room.servers.select("lab")
        await room.settled()


async def show_nothing(room: Room) -> None:
    """As it is."""


async def pushed(room: Room) -> None:
    """An adapter is sent, to its end."""
    room.push.start()
    await seen(lambda: room.push.outcome, "the end of the push")
    await room.settled()


async def pushing(room: Room) -> None:
    """An adapter is being activated, which takes long."""
    room.state.gate.clear()
    room.push.start()
    await seen(lambda: any(step.name == "activate" and step.state == "running" for step in room.push.steps))
    await asyncio.sleep(1.2)


async def rolled_back(room: Room) -> None:
    """Back to what was before."""
    await pushed(room)
    room.push.put_away()
    room.servers.roll_back()
    await seen(lambda: room.servers.news, "the way back")
    await room.settled()


async def scrolled(room: Room) -> None:
    """After a push, the form again, at the bottom of the page."""
    await pushed(room)
    room.push.put_away()


def _dialog(room: Room) -> QDialog:
    return next(one for one in room.page.findChildren(QDialog) if one.isVisible())


Act = Callable[[Room], Awaitable[QWidget | None]]


@dataclass(frozen=True)
class Scene:
    """One picture: how the server is, and what the user has done."""

    name: str
    act: Act
    connected: bool = True
    filled: bool = True
    certified: bool = True
    trouble: Callable[[VenomServer], None] = lambda server: None


def scenes() -> Iterator[Scene]:
    """All that there is to look at."""
    yield Scene("venom-empty", show_nothing, connected=False, filled=False)
    yield Scene("venom-ready", show_nothing)
    yield Scene("venom-login", show_login)
    yield Scene("venom-lessons", show_nothing, filled=False, trouble=_learn)
    yield Scene("venom-no-runs", show_nothing, filled=False)
    yield Scene("venom-remote", show_nothing, trouble=_switch("remote", True))
    yield Scene("venom-off", show_nothing, trouble=_switch("academy", False))
    yield Scene("venom-older", show_nothing, trouble=_switch("older", True))
    yield Scene("venom-down", show_nothing, trouble=lambda server: server.close())
    yield Scene("venom-slow", show_nothing, trouble=_switch("slow", frozenset({"/healthz"})))
    yield Scene(
        "venom-no-model", show_nothing, trouble=lambda server: server.state.ollama.remove("smollm2:135m")
    )
    yield Scene("venom-pushing", pushing)
    yield Scene("venom-active", pushed)
    yield Scene("venom-adapters", scrolled)
    yield Scene("venom-failed", pushed, trouble=_switch("deploys", False))
    yield Scene("venom-unproven", pushed, certified=False)
    yield Scene("venom-override", show_override, certified=False)
    yield Scene("venom-back", rolled_back)
    yield Scene("venom-question", _after(scrolled, show_question))
    yield Scene("venom-others", show_others)
    yield Scene("venom-removal", show_removal)
    yield Scene("venom-dialog", show_new)
    yield Scene("venom-dialog-nobody", show_nobody)
    yield Scene("venom-dialog-tested", show_tested)
    yield Scene("venom-dialog-remote", show_new, trouble=_switch("remote", True))
    yield Scene("venom-dialog-older", show_new, trouble=_switch("older", True))
    yield Scene("venom-dialog-ssh", show_stranger, trouble=_switch("remote", True))
    yield Scene("venom-dialog-changed", show_changed_key, trouble=_switch("remote", True))
    yield Scene("venom-dialog-passphrase", show_passphrase, trouble=_switch("remote", True))
    yield Scene("venom-dialog-keyring", show_no_keyring, trouble=_switch("remote", True))
    yield Scene("venom-dialog-far", show_far)
    yield Scene("venom-dialog-ollama", show_ollama, trouble=_switch("remote", True))
    yield Scene("venom-dialog-wrong", show_wrong)


def _switch(name: str, value: object) -> Callable[[VenomServer], None]:
    return lambda server: setattr(server.state.switches, name, value)


def _learn(server: VenomServer) -> None:
    """It has learned something, and trains by itself."""
    job = {"job_name": "Night shift", "base_model": "gemma3:4b", "started_at": "2026-11-24T22:00:00+00:00"}
    server.state.jobs += [
        {"job_id": "training_2", "status": "running", **job},
        {"job_id": "training_1", "status": "failed", "base_model": "gemma3:4b"},
    ]
    lesson = {
        "situation": "A guest asks for the key.",
        "action": "Say where it hangs.",
        "result": "✅ sukces",
    }
    server.state.lessons += [lesson | {"lesson_id": str(number), "tags": []} for number in range(12)]


def _after(first: Act, then: Act) -> Act:
    async def both(room: Room) -> QWidget | None:
        await first(room)
        return await then(room)

    return both


async def draw(
    app: QApplication,
    scene: Scene,
    data: DataDir,
    server: VenomServer,
    state: HeldState,
    out: Path,
    *,
    dark: bool,
) -> list[Path]:
    """Draw a scene in all sizes; a dialog has but one."""
    drawn: list[Path] = []
    room = Room(data, state, Look(app, RESOURCES, dark), server.url)
    room.window.show()
    await room.start()
    shown = await scene.act(room)
    for width, height in SIZES:
        room.window.resize(width, height)
        await asyncio.sleep(0.1)
        path = out / f"{scene.name}-{'dark' if dark else 'light'}-{width}x{height}.png"
        (shown or room.window).grab().save(str(path))
        drawn.append(path)
        if shown is not None:
            shown.close()
            break
    state.gate.set()
    await room.close()
    for failure in room.failures:
        raise failure
    return drawn


def drawn_anew(
    runner: asyncio.Runner, app: QApplication, scene: Scene, folder: Path, out: Path, *, dark: bool
) -> list[Path]:
    """Draw a scene over a data directory and a server of its own."""
    data = DataDir(folder / "data").open()
    lock = fill(data, certified=scene.certified)[1] if scene.filled else None
    with serving(folder / "venom") as (server, state):
        if scene.connected:
            connect(data, server)
        scene.trouble(server)
        drawn = runner.run(draw(app, scene, data, server, state, out, dark=dark))
    if lock is not None:
        lock.release()
    return drawn


def draw_all(app: QApplication, runner: asyncio.Runner, out: Path) -> Iterator[Path]:
    """Draw every scene into a folder; yields the pictures' paths."""
    for scene in scenes():
        for dark in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                yield from drawn_anew(runner, app, scene, Path(folder), out, dark=dark)
