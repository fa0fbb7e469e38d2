"""The window's composition root: builds each object once, owns the loop and the shutdown.

In this order: options; a display or a sentence; the data directory or a sentence; the Qt application; the
only window on this directory, or the other one comes forward; the loop; the objects; the window; then until
it is closed. Runs in progress belong to their hosts and go on.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import qasync
from PySide6.QtCore import QLibraryInfo, QMessageLogContext, QtMsgType, QTranslator, qInstallMessageHandler
from PySide6.QtWidgets import QApplication, QWidget

from academy_desktop.core.environment import Doctor, queue_device
from academy_desktop.core.history import EventTail
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.logs import LogTail
from academy_desktop.core.paths import DataDir
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks
from academy_desktop.display import has_display, refuse, why_none
from academy_desktop.doorbell import Doorbell
from academy_desktop.rooms import Hall, Rooms
from academy_desktop.text.considerate import ConsiderateWords
from academy_desktop.text.language import Words
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.endings import Endings
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.home import Home
from academy_desktop.viewmodels.job_table import JobTable, title
from academy_desktop.viewmodels.ports import JobSource, MachineDoctor
from academy_desktop.viewmodels.queue_end import QueueEnd, ShutdownSource
from academy_desktop.viewmodels.run_detail import RunDetail
from academy_desktop.viewmodels.runs import Runs
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.views.dialogs import LeaveDialog
from academy_desktop.views.home import HomePage
from academy_desktop.views.look import Look
from academy_desktop.views.main_window import MainWindow, Page
from academy_desktop.views.notifier import Notifier
from academy_desktop.views.question import Question
from trainers.errors import AcademyError, ErrorCode

RESOURCES = Path(__file__).resolve().parents[1] / "resources"

#: Seconds between two looks for garbage.
GARBAGE_EVERY_S = 1.0

#: What the environment says for yes, as on the command line.
_YES = {"1", "true", "t", "yes", "y", "on"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    data_dir: Path | None
    demo: bool
    offline: bool
    smoke: bool


class Desk:
    """The objects behind one window, over the core's jobs and doctor."""

    def __init__(
        self,
        look: Look,
        words: Words,
        jobs: JobSource,
        doctor: MachineDoctor,
        make_rooms: Callable[[Hall], Rooms] | None = None,
        shutdown: ShutdownSource | None = None,
    ) -> None:
        """`make_rooms`: builds the pages beyond Home and Runs; without it there are none.

        `shutdown`: shuts the computer down after the last job; without it that is not offered.
        """
        self.look = look
        self._words = words
        self._doctor = doctor
        self._leaving = False
        self.supervisor = Supervisor(self._report)
        self.hub = EventHub(jobs, EventTail, LogTail)
        self.table = JobTable(words.messages, words.formats, words.gettext)
        detail = RunDetail(words.messages, words.formats, words.gettext)
        self.runs = Runs(jobs, self.hub, self.table, detail, words.messages, self.supervisor)
        self.queue_end = self._make_queue_end(shutdown)
        self.home = Home(self.table, words.findings, words.formats, words.gettext)
        self.rooms = make_rooms(self._hall()) if make_rooms else None
        self.window = MainWindow(look, self._pages(), words.gettext, self._may_close)
        self._notifier = Notifier(self.window)
        self._endings = Endings(self.hub, words.messages, words.gettext)
        self._endings.ended.connect(lambda _job, name, said: self._notifier.tell(name, said))
        if self.queue_end is not None:
            self.queue_end.counting.connect(lambda said: self._notifier.tell(self.window.windowTitle(), said))
        self.hub.jobs_read.connect(self.home.refresh)
        self.runs.told.connect(self._tell)
        self.runs.deleted.connect(self._offer_undo)
        if self.rooms is not None:
            self.window.put(self.rooms.preferences.settings.window)
            self.window.closed.connect(self._note_place)

    def start(self) -> None:
        """Begin to look at jobs and machine; needs the running loop."""
        self.supervisor.start(self.hub.follow_jobs(), "jobs")
        self.supervisor.start(self.hub.follow_run(), "run")
        self.supervisor.start(self._examine(), "doctor")
        if self.queue_end is not None:
            self.supervisor.start(self.queue_end.follow(), "shutdown")
        if self.rooms is not None:
            self.rooms.start()

    def leave(self) -> None:
        """Close the window and ask nothing."""
        self._leaving = True
        self.window.close()

    def _make_queue_end(self, shutdown: ShutdownSource | None) -> QueueEnd | None:
        if shutdown is None:
            return None
        words = self._words
        sentences = ConsiderateWords(words.gettext, words.formats)
        made = QueueEnd(shutdown, sentences, words.messages, self.supervisor)
        made.told.connect(self._tell)
        self.hub.jobs_read.connect(made.take_jobs)
        return made

    async def _examine(self) -> None:
        self.home.take(await asyncio.to_thread(self._doctor.glance))
        if self.rooms is not None:
            self.home.take_capacity(await asyncio.to_thread(self.rooms.capacity))

    def _may_close(self) -> bool:
        """Whether the window may close now; with runs in progress the user is asked, and it closes then."""
        if self._leaving:
            return True
        if self.rooms is not None and self.rooms.is_sending:
            self._ask_about_push()
            return False
        going = self.runs.going
        wish = self.rooms.on_close if self.rooms is not None else "ask"
        if not going or wish == "keep":
            return True
        if wish == "stop":
            self.supervisor.start(self._stop_and_leave(), "stop and leave")
            return False
        dialog = LeaveDialog(self.look, [title(job) for job in going], self._words.gettext, self.window)
        dialog.keep.connect(self.leave)
        dialog.stop.connect(lambda: self.supervisor.start(self._stop_and_leave(), "stop and leave"))
        dialog.open()
        return False

    def _ask_about_push(self) -> None:
        _ = self._words.gettext
        question = Question(
            self.look,
            "venom",
            _(N_("An adapter is being sent to Venom")),
            _(
                N_(
                    "If you close now, sending ends before its next step, and the chat stays as it is. An "
                    "activation that has begun is still finished, or undone as a whole. Runs go on."
                )
            ),
            _(N_("Close anyway")),
            _(N_("Stay")),
            self.window,
        )
        question.accepted.connect(self.leave)
        question.open()

    async def _stop_and_leave(self) -> None:
        if await self.runs.stop_going():
            self.leave()

    def _pages(self) -> Sequence[Page]:
        _ = self._words.gettext
        home = Page("home", _(N_("Home")), "home", self._make_home)
        runs = Page("runs", _(N_("Runs")), "runs", self._make_runs)
        if self.rooms is None:
            return (home, runs)
        more = {page.id: page for page in self.rooms.pages()}
        before = [more[name] for name in ("demo", "datasets", "models", "train")]
        return (home, *before, runs, more["export"], more["venom"], more["settings"])

    def _hall(self) -> Hall:
        """What the rooms share with this window."""
        return Hall(
            look=self.look,
            words=self._words,
            supervisor=self.supervisor,
            hub=self.hub,
            table=self.table,
            tell=self._tell,
            go=self.go,
        )

    def _make_home(self) -> QWidget:
        page = HomePage(self.look, self.home, self._words.gettext)
        page.wanted.connect(self.go)
        return page

    def _make_runs(self) -> QWidget:
        from academy_desktop.views.runs import RunsPage  # brings pyqtgraph, which takes its time

        page = RunsPage(self.look, self.runs, self._words.formats, self._words.gettext, self.queue_end)
        page.wanted.connect(self.go)
        return page

    def go(self, page: str, job: str = "") -> None:
        """Show a page, ready for a user who was sent there: at this job, or with the demo begun."""
        if page == "runs" and job:
            self.runs.select(job)
        elif self.rooms is not None:
            self.rooms.prepare(page, job)
        self.window.show_page(page)

    def _offer_undo(self, job: str, name: str) -> None:
        _ = self._words.gettext
        self.window.notice.offer(
            _(N_("“{name}” is in the trash")).format(name=name),
            _(N_("Its files are kept there, and you can bring it back.")),
            _(N_("Bring it back")),
            lambda: self.runs.restore(job),
        )

    def _note_place(self) -> None:
        if self.rooms is not None:
            self.rooms.preferences.note_window(self.window.place())

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
        if isinstance(error, KeyboardInterrupt):
            self.leave()
            return
        self._report(error.with_traceback(traceback))


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and stay until it is closed; returns the process's exit code."""
    options = _parse(argv)
    restore_ctrl_c = _ctrl_c_ends_at_once()
    words = Words.load(RESOURCES / "locale")
    try:
        if not has_display(os.environ, sys.platform):
            raise AcademyError(ErrorCode.NO_DISPLAY)
        data = _data_dir(options).open()
    except AcademyError as error:
        return refuse(words.messages.describe(error.code, error.facts))
    app = _application(words)
    doorbell = Doorbell(data.root)
    if not doorbell.claim():
        return 0 if doorbell.ring() else refuse(_already_open(words, data))
    try:
        with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(app)) as runner:
            restore_ctrl_c()
            runner.run(_session(app, words, data, options, doorbell))
    except KeyboardInterrupt:
        return 130
    finally:
        doorbell.release()
    return 0


async def _session(
    app: QApplication, words: Words, data: DataDir, options: Options, doorbell: Doorbell
) -> None:
    """From the first paint until the window is closed."""
    python = Path(sys.executable)
    jobs = Jobs(data, python, queue_device)
    doctor = Doctor(data, Tasks(python, Runtimes(data.runtimes)))
    desk = Desk(
        Look(app, RESOURCES),
        words,
        jobs,
        doctor,
        lambda hall: Rooms(hall, data, jobs, doctor, RESOURCES / "recipes", offline=options.offline),
        jobs.shutdown,
    )
    closed = asyncio.Event()
    desk.window.closed.connect(closed.set)
    doorbell.rung.connect(desk.window.come_forward)
    hook, sys.excepthook = sys.excepthook, desk.report_hook
    gc.disable()
    try:
        desk.window.show()
        desk.start()
        desk.supervisor.start(_collect_garbage(), "garbage")
        if options.smoke:
            desk.supervisor.start(_smoke(desk), "smoke")
        elif options.demo:
            desk.go("demo")
        await closed.wait()
    finally:
        doorbell.release()  # a thread may still read for a while: the next window need not wait for it
        await desk.supervisor.close()
        gc.enable()
        sys.excepthook = hook


async def _collect_garbage() -> None:
    """Collect where Qt objects belong: Python would do so in whatever thread makes the most objects."""
    thresholds = gc.get_threshold()
    while True:
        await asyncio.sleep(GARBAGE_EVERY_S)
        due = [number for number, count in enumerate(gc.get_count()) if count > thresholds[number]]
        if due:
            gc.collect(due[-1])


async def _smoke(desk: Desk) -> None:
    """Paint every page once, then close the window; also when a page cannot be painted, which is told."""
    try:
        for page in desk.window.page_ids:
            desk.window.show_page(page)
            desk.window.grab()
            await asyncio.sleep(0)
    finally:
        desk.leave()


def _application(words: Words) -> QApplication:
    running = QApplication.instance()
    with _sentence_for_what_kills(words):
        app = running if isinstance(running, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("Academy Desktop")
    app.setDesktopFileName("academy-desktop")
    app.setQuitOnLastWindowClosed(False)  # the session ends the loop, after its tasks
    translator = QTranslator(app)
    folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    if translator.load(f"qtbase_{words.formats.locale}", folder):
        app.installTranslator(translator)
    return app


@contextmanager
def _sentence_for_what_kills(words: Words) -> Iterator[None]:
    """Without a display that it can reach Qt ends the process: say why, in a sentence, before it does."""
    said: list[str] = []

    def hear(kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
        if kind is not QtMsgType.QtFatalMsg:
            said.append(text)
            return
        plugins = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)) / "platforms"
        why = why_none(os.environ, plugins, (said or text.splitlines())[0].strip().rstrip("."))
        refuse(words.messages.describe(why.code, why.facts))
        sys.stderr.flush()
        os._exit(1)

    before = qInstallMessageHandler(hear)
    try:
        yield
    finally:
        qInstallMessageHandler(before)
    for text in said:
        _log.warning("Qt: %s", text)


def _ctrl_c_ends_at_once() -> Callable[[], object]:
    """Before the loop can catch it, Ctrl-C ends the process: Qt's modules break where they are interrupted.

    Returns what gives Python its own handler back.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.default_int_handler:  # somebody wants it ignored
        return lambda: None
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return lambda: signal.signal(signal.SIGINT, handler)


def _already_open(words: Words, data: DataDir) -> Description:
    _ = words.gettext
    return Description(
        _(N_("The window is already open")),
        _(N_("Another window uses the data folder {path}, and it does not answer.")).format(path=data.root),
        _(N_("Close that window, or choose another folder with --data-dir.")),
    )


def _data_dir(options: Options) -> DataDir:
    return DataDir(options.data_dir.expanduser().absolute()) if options.data_dir else DataDir.default()


def _parse(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="academy-desktop", description="Opens the window of Academy Desktop."
    )
    parser.add_argument("--data-dir", type=Path, help="folder that holds datasets, models and runs")
    parser.add_argument("--demo", action="store_true", help="begin with the guided demo")
    parser.add_argument("--offline", action="store_true", help="never use the network")
    parser.add_argument("--smoke", action="store_true", help="paint every page once and quit")
    given = parser.parse_args(argv)
    named = os.environ.get("ACADEMY_DATA_DIR")
    offline = given.offline or os.environ.get("ACADEMY_OFFLINE", "0").lower() in _YES
    return Options(given.data_dir or (Path(named) if named else None), given.demo, offline, given.smoke)


if __name__ == "__main__":
    sys.exit(main())
