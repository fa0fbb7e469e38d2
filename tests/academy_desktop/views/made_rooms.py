"""What tests of the Datasets and the Models page share: the pages in a window, and its end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from academy_desktop.app import RESOURCES
from academy_desktop.core.paths import DataDir
from academy_desktop.viewmodels.datasets import DatasetSource
from academy_desktop.viewmodels.models import DemoSource
from academy_desktop.views.look import Look
from tests.academy_desktop.made_data import make_shelves
from tests.academy_desktop.views.making import settle, shown_parts
from tests.pictures.data import Rooms


@contextmanager
def opened(
    app: QApplication,
    data: DataDir,
    *,
    dark: bool = False,
    read: bool = True,
    library: DatasetSource | None = None,
    demo: DemoSource | None = None,
) -> Iterator[Rooms]:
    """The window; with `read` it knows datasets and models, as after the first moment."""
    shelves = make_shelves(data, library=library, demo=demo)
    look = Look(app, RESOURCES, dark)
    rooms = Rooms(look, shelves)
    if read:
        shelves.read()
    try:
        yield rooms
    finally:
        rooms.window.close()
        rooms.window.deleteLater()
        look.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        app.processEvents()
        del rooms, look, shelves
        gc.collect()  # here and not in a thread of the next test


def show(rooms: Rooms, page: str, width: int = 1100, height: int = 700) -> QWidget:
    """Show a page in a window of this size, as painted."""
    shown = rooms.window.show_page(page)
    rooms.window.resize(width, height)
    rooms.window.show()
    QTest.qWaitForWindowExposed(rooms.window)
    settle()
    rooms.window.grab()
    return shown


def texts(window: QWidget) -> str:
    """All that is written in a window."""
    return "\n".join(part.text() for part in shown_parts(window) if isinstance(part, QLabel | QPushButton))
