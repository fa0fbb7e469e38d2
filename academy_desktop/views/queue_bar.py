"""Below the list of runs: whether the computer shuts down after the last one, and the countdown.

Owns layout. Refuses to know who does it.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.queue_end import QueueEnd
from academy_desktop.views.kit import button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_M
from academy_desktop.views.tick import Tick


class QueueBar(QFrame):
    """Shown while a run goes on, and while there is something to read."""

    def __init__(self, look: Look, end: QueueEnd, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._end = end
        self.switch = Tick(look, translate(N_("Shut down after the last run")))
        self.switch.setToolTip(
            translate(N_("Asked for each time. There is a minute to cancel it, and it needs no window."))
        )
        self.sentence = label("", wrap=True, selectable=True)
        self.cancel = button(translate(N_("Leave it on")), "primary")
        self.dismiss = button(translate(N_("Dismiss")))
        buttons = row(GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.dismiss)
        buttons.addWidget(self.cancel)
        lines = column(GAP, GAP_M)
        lines.addWidget(self.switch)
        lines.addWidget(self.sentence)
        lines.addLayout(buttons)
        self.setLayout(lines)
        self.switch.clicked.connect(end.switch)
        self.cancel.clicked.connect(end.cancel)
        self.dismiss.clicked.connect(end.dismiss)
        end.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        end = self._end
        self.setVisible(end.is_offered)
        self.switch.setChecked(end.is_on)
        self.switch.setVisible(not end.is_counting and not end.is_over)
        self.sentence.setText(end.sentence)
        self.sentence.setVisible(bool(end.sentence))
        self.cancel.setVisible(end.is_counting)
        self.dismiss.setVisible(end.is_over)
