"""Jobs that ended while somebody could have watched: each is told once.

Owns what "ended just now" means. Refuses to know how the user is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.reader import JobSummary
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.job_table import title


class Endings(QObject):
    """`ended(job id, title, sentence)` for a job that was in progress at the last look and is over now."""

    ended = Signal(str, str, str)

    def __init__(
        self,
        hub: EventHub,
        messages: Messages,
        translate: Callable[[str], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._messages = messages
        self._gettext = translate
        self._going: frozenset[str] = frozenset()
        hub.jobs_read.connect(self._look)

    def _look(self, jobs: Sequence[JobSummary]) -> None:
        before, self._going = self._going, frozenset(job.id for job in jobs if not job.state.is_over)
        for job in jobs:
            if job.id in before - self._going:
                said = self._gettext(N_("“{name}”: {state}"))
                self.ended.emit(
                    job.id,
                    said.format(name=title(job), state=self._messages.state(job.state)),
                    self._messages.outcome(job.state, job.reason, job.facts),
                )
