from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QMainWindow
from shiboken6 import isValid

from academy_desktop.core.environment import Check
from academy_desktop.core.paths import DataDir
from tests.academy_desktop.made_runs import GIB, MadeDoctor, made_machine
from tests.academy_desktop.views.making import DESKS
from tests.pictures.window import fill


@pytest.fixture(autouse=True)
def _windows_gone(qapp: QApplication) -> Iterator[None]:
    """No window of one test is there in the next."""
    yield
    for desk in DESKS:
        desk.leave()
        desk.look.deleteLater()
    for window in qapp.topLevelWidgets():  # each one left would be styled again with every new theme
        if isValid(window):
            if isinstance(window, QMainWindow):
                window.close()
            window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qapp.processEvents()
    DESKS.clear()
    gc.collect()  # here, where Qt objects belong, and not in a thread of the next test
    gc.freeze()  # what is still there stays, mostly modules: not looked at again and again


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataDir]:
    """A data directory with a job of each fate."""
    data = DataDir(tmp_path_factory.mktemp("filled")).open()
    locks = fill(data)
    yield data
    for lock in locks:
        lock.release()


@pytest.fixture
def empty(tmp_path: Path) -> DataDir:
    """A fresh data directory."""
    return DataDir(tmp_path / "data").open()


@pytest.fixture
def ill() -> MadeDoctor:
    """A computer with everything to say against it."""
    return made_machine(
        Check("packages", "fail", {"missing": "peft, trl"}),
        Check("disk", "warn", {"free_bytes": 3 * GIB, "path": f"/home/anna/{'deep/' * 20}academy"}),
        Check("llama_cpp", "warn"),
        Check("memory", "warn", {"ram_bytes": 2 * GIB}),
    )
