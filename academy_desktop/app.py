"""The window's composition root: builds each object once, owns the loop and the shutdown.

In this order: options; a display or a sentence; the data directory or a sentence; the Qt application; the
loop; the objects; the window; then until it is closed. Runs in progress belong to their hosts and go on.
"""

from __future__ import annotations

import argparse
import asyncio
import gettext
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import qasync
from PySide6.QtWidgets import QApplication, QWidget

from academy_desktop.core.history import EventTail
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.logs import LogTail
from academy_desktop.core.paths import DataDir
from academy_desktop.text import catalogs
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description, Messages
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.home import Home
from academy_desktop.viewmodels.job_table import JobTable
from academy_desktop.viewmodels.ports import JobSource
from academy_desktop.viewmodels.run_detail import RunDetail
from academy_desktop.viewmodels.runs import Runs
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.views.home import HomePage
from academy_desktop.views.look import Look
from academy_desktop.views.main_window import MainWindow, Page
from trainers.errors import AcademyError, ErrorCode

RESOURCES = Path(__file__).resolve().parents[1] / "resources"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    data_dir: Path | None
    demo: bool
    smoke: bool


@dataclass(frozen=True)
class Words:
    """The user's language, handed to whoever speaks."""

    translations: gettext.NullTranslations
    formats: Formats
    messages: Messages

    @classmethod
    def load(cls, resources: Path) -> Words:
        """The language that the environment asks for, if there is a catalog of it."""
        translations, formats = catalogs.load(resources / "locale")
        return cls(translations, formats, Messages(translations, formats))

    @property
    def gettext(self) -> Callable[[str], str]:
        """Translates a marked text."""
        return self.translations.gettext


class Desk:
    """The objects behind one window, over one source of jobs."""

    def __init__(self, look: Look, words: Words, jobs: JobSource) -> None:
        self._look = look
        self._words = words
        self.supervisor = Supervisor(self._report)
        self.hub = EventHub(jobs, EventTail, LogTail)
        self.table = JobTable(words.messages, words.formats, words.gettext)
        detail = RunDetail(words.messages, words.formats, words.gettext)
        self.runs = Runs(jobs, self.hub, self.table, detail, words.messages, self.supervisor)
        self.home = Home(self.table, words.formats, words.gettext)
        self.window = MainWindow(look, self._pages(), words.gettext)
        self.hub.jobs_read.connect(self.home.refresh)
        self.runs.told.connect(self._tell)

    def _pages(self) -> Sequence[Page]:
        _ = self._words.gettext
        return (
            Page("home", _(N_("Home")), "home", self._make_home),
            Page("runs", _(N_("Runs")), "runs", self._make_runs),
        )

    def _make_home(self) -> QWidget:
        page = HomePage(self._look, self.home, self._words.gettext)
        page.job_opened.connect(self._open_job)
        return page

    def _make_runs(self) -> QWidget:
        from academy_desktop.views.runs import RunsPage  # brings pyqtgraph, which takes its time

        return RunsPage(self._look, self.runs, self._words.formats, self._words.gettext)

    def _open_job(self, job: str) -> None:
        self.runs.select(job)
        self.window.show_page("runs")

    def _tell(self, said: Description) -> None:
        self.window.tell(said.title, f"{said.sentence} {said.next_step}")

    def _report(self, error: BaseException) -> None:
        """Anything that is no expected failure is a bug: logged with its traceback, and shown as one."""
        _log.error("unexpected failure", exc_info=error)
        self._tell(self._words.messages.bug(f"{type(error).__name__}: {error}"))

    def report_hook(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        """For `sys.excepthook`: what escaped from a slot."""
        self._report(error.with_traceback(traceback))


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and stay until it is closed; returns the process's exit code."""
    options = _parse(argv)
    words = Words.load(RESOURCES)
    try:
        if not has_display(os.environ, sys.platform):
            raise AcademyError(ErrorCode.NO_DISPLAY)
        data = (DataDir(options.data_dir) if options.data_dir else DataDir.default()).open()
    except AcademyError as error:
        said = words.messages.describe(error.code, error.facts)
        sys.stderr.write(f"{said.title}. {said.sentence} {said.next_step}\n")
        return 1
    app = _application()
    try:
        with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(app)) as runner:
            runner.run(_session(app, words, data, options))
    except KeyboardInterrupt:
        return 130
    return 0


def has_display(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a window can be shown; without one Qt would end the process."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return not platform.startswith("linux") or any(environment.get(name) for name in names)


async def _session(app: QApplication, words: Words, data: DataDir, options: Options) -> None:
    """From the first paint until the window is closed."""
    desk = Desk(Look(app, RESOURCES), words, Jobs(data, Path(sys.executable)))
    closed = asyncio.Event()
    desk.window.closed.connect(closed.set)
    hook, sys.excepthook = sys.excepthook, desk.report_hook
    try:
        desk.window.show()
        desk.supervisor.start(desk.hub.run(), "event hub")
        if options.smoke:
            desk.supervisor.start(_smoke(desk), "smoke")
        await closed.wait()
    finally:
        await desk.supervisor.close()
        sys.excepthook = hook


async def _smoke(desk: Desk) -> None:
    """Paint every page once, then close the window."""
    for page in desk.window.page_ids:
        desk.window.show_page(page)
        desk.window.grab()
        await asyncio.sleep(0)
    desk.window.close()


def _application() -> QApplication:
    running = QApplication.instance()
    app = running if isinstance(running, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("Academy Desktop")
    app.setDesktopFileName("academy-desktop")
    app.setQuitOnLastWindowClosed(False)  # the session ends the loop, after its tasks
    return app


def _parse(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="academy-desktop", description="Opens the window of Academy Desktop."
    )
    parser.add_argument("--data-dir", type=Path, help="folder that holds datasets, models and runs")
    parser.add_argument("--demo", action="store_true", help="begin with the guided demo")
    parser.add_argument("--smoke", action="store_true", help="paint every page once and quit")
    given = parser.parse_args(argv)
    named = os.environ.get("ACADEMY_DATA_DIR")
    return Options(given.data_dir or (Path(named) if named else None), given.demo, given.smoke)


if __name__ == "__main__":
    sys.exit(main())
