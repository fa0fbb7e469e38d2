from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QLineEdit, QPushButton, QWidget

from academy_desktop.app import RESOURCES
from academy_desktop.core.paths import DataDir
from academy_desktop.views.connection_dialog import ConnectionDialog
from academy_desktop.views.look import Look
from academy_desktop.views.question import Question
from academy_desktop.views.venom_push import StepRow
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen
from tests.academy_desktop.views.making import (
    accessible_name,
    clipped,
    rested,
    shown_parts,
    tab_stops,
    takes_keys,
    texts,
)
from tests.pictures.venom import (
    Act,
    HeldState,
    Room,
    connect,
    fill,
    pushed,
    pushing,
    rolled_back,
    scrolled,
    serving,
    show_changed_key,
    show_login,
    show_no_keyring,
    show_nothing,
    show_ollama,
    show_passphrase,
    show_tested,
    show_wrong,
)
from tests.venom_server.server import VenomServer

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

T = TypeVar("T")

BASE = "gemma3:4b"

SIZES = pytest.mark.parametrize(("size", "dark"), [((1100, 700), False), ((1600, 1000), True)])


@pytest.fixture(scope="module", autouse=True)
def _gone_in_their_own_thread() -> Iterator[None]:
    """Qt objects of one test are not collected by a thread of the next."""
    gc.collect()
    gc.disable()
    yield
    gc.collect()
    gc.enable()


class Bench:
    """A data directory with runs, and a server."""

    def __init__(self, data: DataDir, server: VenomServer, state: HeldState) -> None:
        self.data, self.server, self.state = data, server, state


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    data = DataDir(tmp_path / "data").open()
    _, lock = fill(data)
    with serving(tmp_path / "venom") as (server, state):
        yield Bench(data, server, state)
    lock.release()


@pytest.fixture
def connected(bench: Bench) -> Bench:
    """The server is remembered."""
    connect(bench.data, bench.server)
    return bench


def looked_at(
    app: QApplication,
    bench: Bench,
    prepare: Act,
    look: Callable[[Room], T],
    size: tuple[int, int] = (1100, 700),
    *,
    dark: bool = False,
    after: Callable[[Room], Awaitable[object]] = show_nothing,
) -> T:
    """Show the page, prepared, look at it, and see what comes of that."""

    async def whole() -> T:
        shared = Look(app, RESOURCES, dark)
        room = Room(bench.data, bench.state, shared, bench.server.url)
        try:
            room.window.resize(*size)
            room.window.show()
            await room.start()
            await prepare(room)
            await rested()
            room.window.grab()
            found = look(room)
            await after(room)
            return found
        finally:
            bench.state.gate.set()
            await room.close()
            shared.deleteLater()
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            assert room.failures == []

    return in_loop(app, whole())


def dialog_of(room: Room) -> QDialog:
    """The dialog that is open."""
    (found,) = [one for one in room.page.findChildren(QDialog) if one.isVisible()]
    return found


async def warned(room: Room) -> QWidget:
    """A test of the connection that found something."""
    room.state.switches.remote = True
    return await show_tested(room)


async def removing(room: Room) -> None:
    """The user is asked whether the connection shall go."""
    room.page.head.remove.click()


async def going_back(room: Room) -> None:
    """The user is asked whether Venom shall go back."""
    await pushed(room)
    room.page.send.course.back.click()


STATES = pytest.mark.parametrize(
    "prepare",
    [show_nothing, pushing, pushed, scrolled, rolled_back, show_login],
    ids=["ready", "pushing", "active", "adapters", "back", "login"],
)
DIALOGS = pytest.mark.parametrize(
    "prepare",
    [
        warned,
        show_wrong,
        show_changed_key,
        show_passphrase,
        show_no_keyring,
        show_ollama,
        removing,
        going_back,
    ],
    ids=["warned", "wrong", "changed key", "passphrase", "keyring", "ollama", "remove", "back"],
)


@SIZES
@STATES
def test_no_text_is_clipped(
    qapp: QApplication, connected: Bench, prepare: Act, size: tuple[int, int], dark: bool
) -> None:
    assert looked_at(qapp, connected, prepare, lambda room: clipped(room.window), size, dark=dark) == []


@pytest.mark.parametrize("switch", ["remote", "older", "academy", "deploys"])
def test_no_text_of_a_trouble_is_clipped(qapp: QApplication, connected: Bench, switch: str) -> None:
    switches = connected.state.switches
    setattr(switches, switch, not getattr(switches, switch))
    prepare = pushed if switch == "deploys" else show_nothing
    assert looked_at(qapp, connected, prepare, lambda room: clipped(room.window)) == []


@STATES
def test_everything_that_takes_keys_is_named_and_reached_by_tab(
    qapp: QApplication, connected: Bench, prepare: Act
) -> None:
    assert looked_at(qapp, connected, prepare, lambda room: _unreached(room.window)) == ([], set())


@DIALOGS
def test_every_part_of_a_dialog_is_whole_named_and_reached_by_tab(
    qapp: QApplication, connected: Bench, prepare: Act
) -> None:
    def look(room: Room) -> tuple[list[str], list[str], set[str], str]:
        dialog = dialog_of(room)
        return (clipped(dialog), *_unreached(dialog), dialog.accessibleName())

    cut, unnamed, unreached, name = looked_at(qapp, connected, prepare, look)
    assert (cut, unnamed, unreached) == ([], [], set())
    assert name


def _unreached(window: QWidget) -> tuple[list[str], set[str]]:
    keyed = [part for part in shown_parts(window) if takes_keys(part)]
    unnamed = [type(part).__name__ for part in keyed if not accessible_name(part)]
    stops = tab_stops(window)
    return unnamed, {accessible_name(part) for part in keyed if part not in stops}


def test_where_the_keys_go_can_be_seen(qapp: QApplication, connected: Bench) -> None:
    def look(room: Room) -> list[str]:
        room.window.come_forward()
        QTest.qWaitForWindowActive(room.window)
        unseen = []
        for stop in tab_stops(room.window):
            stop.setFocus(Qt.FocusReason.TabFocusReason)
            QApplication.processEvents()
            with_focus = stop.grab().toImage()
            stop.clearFocus()
            QApplication.processEvents()
            if with_focus == stop.grab().toImage():
                unseen.append(accessible_name(stop))
        return unseen

    assert looked_at(qapp, connected, scrolled, look) == []


def test_without_a_connection_the_page_says_what_venom_is_and_adds_one(
    qapp: QApplication, bench: Bench
) -> None:
    """From nothing to a connection that is ready, by the keys alone."""

    def look(room: Room) -> str:
        said = texts(room.window)
        (add,) = [part for part in shown_parts(room.page) if isinstance(part, QPushButton)]
        QTest.keyClick(add, Qt.Key.Key_Return)
        dialog = dialog_of(room)
        assert isinstance(dialog, ConnectionDialog)
        for field, text in (
            (dialog.name, "lab"),
            (dialog.url, bench.server.url),
            (dialog.folder.folder, str(bench.state.models_dir)),
        ):
            field.editor.selectAll()
            QTest.keyClicks(field.editor, text)
        QTest.keyClick(dialog.folder.folder.editor, Qt.Key.Key_Return)
        return said

    async def added(room: Room) -> None:
        await seen(lambda: room.servers.shown, "the connection")
        await room.settled()
        await rested()
        shown.append((room.page.head.title.text(), room.page.head.badge.text()))
        assert not [one for one in room.page.findChildren(QDialog) if one.isVisible()]

    shown: list[tuple[str, str]] = []
    said = looked_at(qapp, bench, show_nothing, look, after=added)
    assert "No Venom connected yet" in said
    assert "its chat can use the adapters that you train here" in said
    assert shown == [("lab", "Ready")]


def test_what_is_wrong_stands_at_its_field(qapp: QApplication, connected: Bench) -> None:
    def look(room: Room) -> tuple[str, list[str], bool]:
        dialog = dialog_of(room)
        assert isinstance(dialog, ConnectionDialog)
        told = [part.accessibleDescription() for part in dialog.findChildren(QLineEdit)]
        return texts(dialog), told, dialog.save.isEnabled()

    said, told, can_save = looked_at(qapp, connected, show_wrong, look)
    assert "“my venom” cannot be the name of a connection." in said
    assert "There is no folder at /no/such/folder." in said
    assert [one.partition("”")[0] for one in told[:2]] == ["“my venom", "“venom:8000"]
    assert not can_save


def test_a_folder_is_asked_for_in_a_dialog_that_holds_nothing_up(
    qapp: QApplication, connected: Bench, tmp_path: Path
) -> None:
    def look(room: Room) -> tuple[str, str]:
        room.page.head.edit.click()
        dialog = dialog_of(room)
        assert isinstance(dialog, ConnectionDialog)
        dialog.folder.browse.click()
        (files,) = dialog.findChildren(QFileDialog)
        files.fileSelected.emit(str(tmp_path))
        files.close()
        shown = dialog.folder.folder.editor.text()
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        return shown, room.servers.shown.models_dir or "" if room.servers.shown else ""

    chosen, kept = looked_at(qapp, connected, show_nothing, look)
    assert (chosen, kept) == (str(tmp_path), str(connected.state.models_dir))


def test_remove_asks_and_says_that_nothing_changes_there(qapp: QApplication, connected: Bench) -> None:
    said: list[str] = []

    def look(room: Room) -> None:
        room.page.head.remove.click()
        said.append(texts(dialog_of(room)))
        QTest.keyClick(dialog_of(room), Qt.Key.Key_Escape)
        assert room.servers.shown is not None
        room.page.head.remove.click()
        question = dialog_of(room)
        assert isinstance(question, Question)
        connected.server.asked.clear()
        QTest.keyClick(question.yes, Qt.Key.Key_Return)

    async def gone(room: Room) -> None:
        await seen(lambda: not room.servers.all, "the end of the connection")
        said.append(texts(room.page))

    looked_at(qapp, connected, show_nothing, look, after=gone)
    assert "Remove “home”?" in said[0]
    assert "Nothing changes on the server" in said[0]
    assert "No Venom connected yet" in said[1]
    assert connected.server.asked == []


def test_a_trouble_stands_on_the_page_with_its_next_step(qapp: QApplication, connected: Bench) -> None:
    connected.state.switches.remote = True

    def look(room: Room) -> tuple[str, bool, bool]:
        form = room.page.send.form
        return texts(room.page), form.activate.isEnabled(), form.send.isEnabled()

    said, can_activate, can_send = looked_at(qapp, connected, show_nothing, look)
    assert "refuses changes from another computer" in said
    assert "choose SSH as its way" in said
    assert "the adapter can only be placed" in said
    assert (can_activate, can_send) == (False, True)


def test_refresh_looks_again(qapp: QApplication, connected: Bench) -> None:
    connected.state.switches.academy = False

    def look(room: Room) -> str:
        before = room.page.head.badge.text()
        connected.state.switches.academy = True
        QTest.keyClick(room.page.head.refresh, Qt.Key.Key_Return)
        assert not room.page.head.refresh.isEnabled()
        return before

    async def after(room: Room) -> None:
        await room.settled()
        badges.append(room.page.head.badge.text())

    badges: list[str] = []
    before = looked_at(qapp, connected, show_nothing, look, after=after)
    assert (before, badges) == ("Switched off", ["Ready"])


def test_the_runs_to_send_and_why_others_cannot_be(qapp: QApplication, connected: Bench) -> None:
    def look(room: Room) -> tuple[list[str], str]:
        run = room.page.send.form.run
        return [run.itemText(row).partition("  ·")[0] for row in range(run.count())], texts(room.page.send)

    runs, said = looked_at(qapp, connected, show_nothing, look)
    assert runs == ["Replies in our tone", "Kitchen helper"]
    assert "Venom calls the base model “smollm2:135m”." in said
    assert "“Invented command language” is still in progress" in said
    assert "“Long stories, large batch” ended before it had an adapter" in said


def test_without_a_run_the_page_leads_to_training(qapp: QApplication, tmp_path: Path) -> None:
    wanted: list[str] = []

    def look(room: Room) -> None:
        room.page.wanted.connect(lambda page, _job: wanted.append(page))
        QTest.keyClick(room.page.send.form.train, Qt.Key.Key_Return)

    with serving(tmp_path / "venom") as (server, state):
        data = DataDir(tmp_path / "data").open()
        connect(data, server)
        looked_at(qapp, Bench(data, server, state), show_nothing, look)
    assert wanted == ["train"]


def test_while_an_adapter_is_activated_the_steps_say_how_far_it_is(
    qapp: QApplication, connected: Bench
) -> None:
    def look(room: Room) -> tuple[list[str], str, bool, bool]:
        course = room.page.send.course
        names = [one.accessibleName() for one in course.findChildren(StepRow) if one.isVisible()]
        return names, texts(course), course.cancel.isEnabled(), room.page.head.edit.isEnabled()

    names, said, can_cancel, can_edit = looked_at(qapp, connected, pushing, look)
    assert [name.partition(": ")[2].partition(".")[0] for name in names] == [
        *["done"] * 7,
        "in progress",
        *["waiting"] * 2,
    ]
    assert names[7].startswith("Activate it")
    assert "Sending “Replies in our tone” to home" in said
    assert "From here on it cannot be cancelled" in said
    assert (can_cancel, can_edit) == (False, False)


def test_an_adapter_is_sent_and_taken_back_by_the_keys_alone(qapp: QApplication, connected: Bench) -> None:
    said: list[str] = []

    def look(room: Room) -> None:
        room.page.send.form.send.setFocus()
        QTest.keyClick(room.page.send.form.send, Qt.Key.Key_Return)
        assert room.window.focusWidget() is room.page.send.course.cancel

    async def after(room: Room) -> None:
        await seen(lambda: room.push.outcome, "the end of the push")
        await seen(lambda: room.page.send.course.back.isEnabled(), "the way back")
        assert room.window.focusWidget() is room.page.send.course.more
        said.append(texts(room.page))
        assert connected.state.model.startswith("venom-adapter-replies-in-our-tone-")
        QTest.keyClick(room.page.send.course.back, Qt.Key.Key_Return)
        question = dialog_of(room)
        assert isinstance(question, Question)
        said.append(texts(question))
        QTest.keyClick(question.yes, Qt.Key.Key_Return)
        await seen(lambda: room.servers.news, "the way back")
        await room.settled()
        await asyncio.sleep(0.02)
        said.append(texts(room.page))
        assert room.window.focusWidget() is room.page.send.form.run

    looked_at(qapp, connected, show_nothing, look, after=after)
    assert "Active and verified" in said[0]
    assert "Venom’s chat will use gemma3:4b again." in said[1]
    assert "Venom’s chat uses gemma3:4b again." in said[2]
    assert "Send an adapter" in said[2]
    assert (connected.state.model, connected.state.active) == (BASE, None)


def test_after_a_failure_the_page_says_what_was_undone_and_tries_again(
    qapp: QApplication, connected: Bench
) -> None:
    connected.state.switches.deploys = False

    def look(room: Room) -> str:
        course = room.page.send.course
        said = texts(course)
        connected.state.switches.deploys = True
        QTest.keyClick(course.again, Qt.Key.Key_Return)
        return said

    async def after(room: Room) -> None:
        await seen(lambda: room.push.outcome, "the second try")
        assert room.push.outcome is not None
        kinds.append(room.push.outcome.kind)
        await room.settled()

    kinds: list[str] = []
    said = looked_at(qapp, connected, pushed, look, after=after)
    assert "Venom could not put the adapter to use" in said
    assert "Venom’s chat uses gemma3:4b again, as before." in said
    assert "Go back to what was active before" in said
    assert "Roll back" not in said
    assert kinds == ["active"]


def test_the_page_can_be_opened_for_a_run(qapp: QApplication, connected: Bench) -> None:
    def look(room: Room) -> str:
        older = room.runs.choices[1][0]
        room.page.show_push(older)
        return room.page.send.form.run.currentText().partition("  ·")[0]

    assert looked_at(qapp, connected, pushed, look) == "Kitchen helper"
