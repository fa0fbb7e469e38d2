"""The trial in the forecast: a button, what is done meanwhile, and what came out.

Owns layout. Refuses to know how a trial is done.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QProgressBar, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.trial import Trying
from academy_desktop.views.kit import button, column, label, row
from academy_desktop.views.theme import GAP_M, GAP_S


class TrialRow(QWidget):
    """`Try it`, and the trial that is in progress or was last."""

    def __init__(self, trying: Trying, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._trying = trying
        self._gettext = translate
        hint = translate(N_("Takes three real steps with your longest rows, to see what they need here"))
        self.start = button(translate(N_("Try it")), hint=hint)
        self.cancel = button(translate(N_("Cancel")))
        self._text = label("", wrap=True, selectable=True)
        self._next_step = label("", "small", wrap=True, selectable=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 0)
        self._bar.setAccessibleName(translate(N_("Progress of the trial")))
        texts = column(GAP_S)
        for part in (self._text, self._next_step, self._bar):
            texts.addWidget(part)
        line = row(GAP_M)
        line.setContentsMargins(0, 0, 0, 0)
        line.addLayout(texts, 1)
        for action in (self.start, self.cancel):
            line.addWidget(action, 0, Qt.AlignmentFlag.AlignVCenter)
        self.setLayout(line)
        self.start.clicked.connect(trying.start)
        self.cancel.clicked.connect(trying.cancel)
        trying.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show it as it stands."""
        trying = self._trying
        offer = N_("Not sure? Three real steps with your longest rows tell what the run needs here.")
        self._text.setText(trying.text or self._gettext(offer))
        self._next_step.setText(trying.next_step)
        self._next_step.setVisible(bool(trying.next_step))
        self._bar.setVisible(trying.is_running)
        self.start.setVisible(not trying.is_running)
        self.start.setEnabled(trying.can_start)
        self.cancel.setVisible(trying.is_running)
        self.cancel.setEnabled(not trying.is_cancelling)
