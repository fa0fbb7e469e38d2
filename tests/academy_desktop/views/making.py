"""What tests of the window's widgets share: a desk over real run directories, and looks at what is shown."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from academy_desktop.app import RESOURCES, Desk
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.viewmodels.ports import JobSource, MachineDoctor
from academy_desktop.viewmodels.queue_end import ShutdownSource
from academy_desktop.views.kit import Elided
from academy_desktop.views.look import Look
from tests.academy_desktop.made_runs import made_machine
from tests.academy_desktop.viewmodels.making import words

#: More Tab presses than any page has stops.
MANY_TABS = 200

#: Those of the test in progress: a window is closed before its objects go.
DESKS: list[Desk] = []


def make_desk(
    app: QApplication,
    jobs: JobSource,
    *,
    dark: bool = False,
    doctor: MachineDoctor | None = None,
    shutdown: ShutdownSource | None = None,
    look: bool = True,
) -> Desk:
    """The window's objects; with `look` they know the jobs and the machine, as after the first moment."""
    machine = doctor or made_machine()
    desk = Desk(Look(app, RESOURCES, dark), words(), jobs, machine, shutdown=shutdown)
    DESKS.append(desk)
    if look:
        desk.home.take(machine.glance())
        look_again(desk)
    return desk


def look_again(desk: Desk) -> None:
    """What the hub does all the time."""
    desk.hub.jobs_read.emit(desk.hub.read_jobs())
    desk.hub.deliver(desk.hub.read_run())


def jobs_of(data: DataDir) -> Jobs:
    """The jobs of a data directory."""
    return Jobs(data, Path(sys.executable))


def show(desk: Desk, page: str, width: int = 1100, height: int = 700) -> QWidget:
    """Show a page in a window of this size, as painted. Not inside a coroutine: it processes events."""
    shown = desk.window.show_page(page)
    desk.window.resize(width, height)
    desk.window.show()
    QTest.qWaitForWindowExposed(desk.window)
    settle()
    desk.window.grab()
    return shown


def settle() -> None:
    """Let layouts, and what follows from them, come to rest."""
    for _ in range(4):
        QApplication.processEvents()


async def rested() -> None:
    """As `settle`, in a coroutine: a loop that is entered twice forgets its tasks."""
    for _ in range(4):
        await asyncio.sleep(0.01)


def shown_parts(window: QWidget) -> Iterator[QWidget]:
    """Every widget that is visible in a window."""
    return (part for part in window.findChildren(QWidget) if part.isVisible())


def takes_keys(part: QWidget) -> bool:
    """Whether the Tab key stops here."""
    return bool(part.focusPolicy() & Qt.FocusPolicy.TabFocus) and part.isEnabled()


def accessible_name(part: QWidget) -> str:
    """What a screen reader calls it."""
    return QAccessible.queryAccessibleInterface(part).text(QAccessible.Text.Name)


def texts(part: QWidget) -> str:
    """All that is written."""
    return "\n".join(one.text() for one in shown_parts(part) if isinstance(one, QLabel | QPushButton))


def tab_stops(window: QWidget) -> list[QWidget]:
    """Where the Tab key leads, in its order, once around."""
    stops: list[QWidget] = []
    for _ in range(MANY_TABS):
        QTest.keyClick(window.focusWidget() or window, Qt.Key.Key_Tab)
        part = window.focusWidget()
        assert part is not None
        if stops and part is stops[0]:
            break
        stops.append(part)
    return stops


def clipped(window: QWidget) -> list[str]:
    """The texts that have less room than they need; what may end in dots has its whole text as a tooltip."""
    found: list[str] = []
    for part in shown_parts(window):
        match part:
            case Elided():
                fits = part.toolTip() == part.text() and part.height() >= part.fontMetrics().height()
            case QLabel() if part.wordWrap() and part.text():
                fits = part.heightForWidth(part.width()) <= part.height()
            case QLabel() if part.text():
                need = part.minimumSizeHint()
                fits = need.width() <= part.width() and need.height() <= part.height()
            case QPushButton():
                need = part.minimumSizeHint()
                fits = need.width() <= part.width() and need.height() <= part.height()
            case _:
                fits = True
        if not fits:
            found.append(f"{type(part).__name__} {accessible_name(part)!r} {part.size().toTuple()}")
    return found
