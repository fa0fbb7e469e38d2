"""A window that goes the guided demo's way and notes how long its event loop is away, while the model learns.

    python -m tests.bench.gap_probe DATA_DIR SECONDS

Watches the training for that long at most, two thirds of it on the demo's page and the rest on Runs, then
ends the demo and closes. Says `gaps`: milliseconds between two turns of the loop, by page; and at the end
`modules`, as `home_probe`.
"""

from __future__ import annotations

import sys
import time

from PySide6.QtCore import QObject, Qt, QTimer

from academy_desktop.app import Desk
from academy_desktop.viewmodels.demo import Tour
from tests.bench.home_probe import HEAVY
from tests.windows import run_window, say

#: The loop is asked for a turn so often.
TICK_MS = 5
PAGES = ("demo", "runs")


class GapWatch(QObject):
    """Notes the distances between the ticks of a timer."""

    def __init__(self, desk: Desk, seconds: float) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self._seconds = seconds
        self._gaps: dict[str, list[float]] = {page: [] for page in PAGES}
        self._page = PAGES[0]
        self._last: float | None = None
        self._begun: float | None = None
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    @property
    def _tour(self) -> Tour | None:
        """The demo, once the window has begun with it."""
        return vars(self._desk.rooms).get("tour")

    def _tick(self) -> None:
        now = time.perf_counter()
        state = self._training()
        if state == "running":
            self._note(now)
            if self._begun is None:
                self._begun = now
            self._turn_page(now - self._begun)
        self._last = now
        ran_long = self._begun is not None and now - self._begun >= self._seconds
        if state in ("done", "failed") or ran_long:
            self._end()

    def _training(self) -> str:
        """How the demo's training stands; another stage that failed ends it as well."""
        if self._tour is None:
            return "waiting"
        states = {stage.name: stage.state for stage in self._tour.story.stages}
        return "failed" if "failed" in states.values() else states["training"]

    def _note(self, now: float) -> None:
        if self._last is not None:
            self._gaps[self._page].append(round(1000 * (now - self._last), 3))

    def _turn_page(self, training_s: float) -> None:
        if self._page == PAGES[0] and training_s >= self._seconds * 2 / 3:
            self._page = PAGES[1]
            self._desk.window.show_page(self._page)

    def _end(self) -> None:
        """Say what was seen, end the demo as its button does, and close once it has ended."""
        self._timer.stop()
        tour = self._tour
        failure = tour.story.failure if tour is not None else None
        said = f"{failure.title}. {failure.sentence}" if failure is not None else ""
        say("gaps", pages=self._gaps, failure=said)
        if tour is not None and tour.is_running:
            tour.changed.connect(self._leave)
            tour.cancel()
        self._leave()

    def _leave(self) -> None:
        if self._tour is None or not self._tour.is_running:
            QTimer.singleShot(0, self._desk.leave)


if __name__ == "__main__":
    folder, seconds = sys.argv[1:]
    code = run_window(["--data-dir", folder, "--demo"], lambda desk: GapWatch(desk, float(seconds)))
    say("modules", heavy=[name for name in HEAVY if name in sys.modules])
    sys.exit(code)
