"""What a Venom server has learned, made into a dataset with one click.

Owns the button and what became of it. Refuses to know how lessons are fetched and imported.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.dataset_fetch import USUAL_LESSONS, DatasetFetch
from academy_desktop.viewmodels.venom import VenomServers
from academy_desktop.views.facts import Remark
from academy_desktop.views.kit import button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP_L, GAP_M, GAP_S

#: Gives what fetches lessons; made when it is first needed.
Fetching = Callable[[], DatasetFetch | None]


class LessonsCard(QFrame):
    """How many lessons there are, and the way to train on them. `fetched()` once they are ready to import."""

    fetched = Signal()

    def __init__(
        self, look: Look, servers: VenomServers, fetching: Fetching, translate: Callable[[str], str]
    ) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._servers = servers
        self._fetching = fetching
        self._gettext = translate
        self._fetch: DatasetFetch | None = None
        self._is_ours = False
        self.begin = button(translate(N_("Make a dataset")))
        self._words = label("", "muted", wrap=True)
        self.problem = Remark(look, "warning", "warning")
        texts = column(GAP_S)
        texts.addWidget(label(translate(N_("Lessons of this server")), "heading"))
        texts.addWidget(self._words)
        head = row(GAP_M)
        head.addLayout(texts, 1)
        head.addWidget(self.begin)
        lines = column(GAP_M)
        lines.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        lines.addLayout(head)
        lines.addWidget(self.problem)
        self.setLayout(lines)
        self.begin.clicked.connect(self._begin)
        servers.changed.connect(self._refresh)
        self._refresh()

    def _begin(self) -> None:
        shown = self._servers.shown
        if self._fetch is None:
            self._fetch = self._fetching()
            if self._fetch is not None:
                self._fetch.changed.connect(self._refresh)
                self._fetch.fetched.connect(self._finish)
        if self._fetch is not None and shown is not None:
            self._is_ours = True
            self._fetch.fetch_lessons(shown.name, USUAL_LESSONS)

    def _finish(self, _path: str, _name: str) -> None:
        if self._is_ours:  # and not of the dialog on the Datasets page
            self._is_ours = False
            self.fetched.emit()

    def _refresh(self) -> None:
        standing, fetch = self._servers.standing, self._fetch
        count = standing.lessons if standing else 0
        is_running = fetch is not None and fetch.is_running
        problem = fetch.problem if fetch is not None and self._is_ours else None
        self.setVisible(bool(count))
        if is_running:
            said = self._gettext(N_("Fetching the lessons …"))
        else:
            told = N_("It has learned {count} lessons from its tasks. Those that succeeded become rows.")
            said = self._gettext(told).format(count=self._servers.count_words(count))
        self._words.setText(said)
        self.begin.setEnabled(not is_running)
        self.problem.say(problem.sentence if problem else "", problem.next_step if problem else "")
