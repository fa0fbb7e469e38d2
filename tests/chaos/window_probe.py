"""A window that can be driven by lines, and tells what its view models hold: `window_probe DATA_DIR`.

Says `open` when it is shown and `raised` when it came forward. Orders, one JSON object per line on stdin:

    queue   recipe, script     starts a job, from this process; says `queued`
    show    page
    stop                       presses the button on the Runs page
    when    job, state, step, last   says `seen`, with what is held, once all of these are there
    leave                      closes without a question
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from typing_extensions import override

from academy_desktop.app import Desk
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.views.runs import RunsPage
from tests.chaos.driving import fake_jobs
from tests.windows import run_window, say
from trainers.events import AnyEvent
from trainers.recipe_file import read_recipe

Order = dict[str, Any]


class Probe(QObject):
    """Carries out orders in the window's own thread."""

    ordered = Signal(dict)

    def __init__(self, desk: Desk, root: Path) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self._root = root
        self._told: list[AnyEvent] = []
        self._wanted: Order | None = None
        desk.runs.selected.connect(self._told.clear)
        desk.hub.events_read.connect(self._told.extend)
        for signal in (desk.hub.jobs_read, desk.hub.events_read):
            signal.connect(self._look)
        desk.window.installEventFilter(self)
        self.ordered.connect(self._obey)
        QTimer.singleShot(0, lambda: say("open"))
        threading.Thread(target=self._listen, daemon=True).start()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: something happens to the window; it is only ever raised when somebody rang."""
        if event.type() == QEvent.Type.ZOrderChange:
            say("raised")
        return False

    def _listen(self) -> None:
        for line in sys.stdin:
            self.ordered.emit(json.loads(line))

    def _obey(self, order: Order) -> None:
        match order["do"]:
            case "queue":
                say("queued", job=self._queue(order))
            case "show":
                self._desk.window.show_page(order["page"])
            case "stop":
                self._stop()
            case "when":
                self._wanted = order
                self._look()
            case "leave":
                self._desk.leave()

    def _queue(self, order: Order) -> str:
        script = order["script"]
        if script is None:
            jobs = Jobs(DataDir(self._root), Path(sys.executable))
        else:
            jobs = fake_jobs(self._root, **script)
        return jobs.queue(read_recipe(Path(order["recipe"])))

    def _stop(self) -> None:
        page = self._desk.window.show_page("runs")
        if isinstance(page, RunsPage):
            page.view.head.stop.click()

    def _look(self) -> None:
        """Say what is held, once it is what was asked for."""
        wanted, runs = self._wanted, self._desk.runs
        if (
            wanted is None
            or runs.selected_id != wanted["job"]
            or runs.detail.state != wanted["state"]
            or (runs.curve.steps[-1] if runs.curve.steps else 0) < wanted["step"]
            or (wanted["last"] and not (self._told and self._told[-1].type == wanted["last"]))
        ):
            return
        self._wanted = None
        say(
            "seen",
            told=[event.seq for event in self._told],
            steps=list(runs.curve.steps),
            losses=list(runs.curve.losses),
            attempt=runs.detail.job.attempt if runs.detail.job else 0,
            reason=runs.detail.job.reason if runs.detail.job else "",
        )


if __name__ == "__main__":
    root = Path(sys.argv[1])
    sys.exit(run_window(["--data-dir", str(root)], lambda desk: Probe(desk, root)))
