"""The window's questions to the user.

Owns their wording and buttons. A dialog is opened, never executed: nested loops would end the window's tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.views.kit import Emblem, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_S, GAP_XL

DIALOG_WIDTH = 460


class LeaveDialog(QDialog):
    """Asks what becomes of the runs in progress; `keep()`, `stop()`, or rejected: the window stays."""

    keep = Signal()
    stop = Signal()

    def __init__(
        self, look: Look, names: Sequence[str], translate: Callable[[str], str], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Academy Desktop")
        self.setModal(True)
        self.setObjectName("page")
        self.setFixedWidth(DIALOG_WIDTH)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.keep_button = button(translate(N_("Keep training")), "primary")
        self.stop_button = button(translate(N_("Stop and save")))
        self.stay_button = button(translate(N_("Cancel")), "quiet")
        for chosen, answer in ((self.keep_button, self.keep), (self.stop_button, self.stop)):
            chosen.clicked.connect(self.accept)
            chosen.clicked.connect(answer)
        self.stay_button.clicked.connect(self.reject)
        if len(names) == 1:
            title = translate(N_("“{name}” is still in progress")).format(name=names[0])
        else:
            title = translate(N_("{count} runs are still in progress")).format(count=len(names))
        sentence = translate(
            N_(
                "Training goes on in the background without this window, and the next window shows it. "
                "Or stop now: a checkpoint is saved, and you can resume later."
            )
        )
        self.setAccessibleName(title)
        self.setAccessibleDescription(sentence)
        self._lay_out(look, title, sentence)
        self.keep_button.setFocus()

    def _lay_out(self, look: Look, title: str, sentence: str) -> None:
        texts = column(GAP)
        texts.addWidget(label(title, "heading", wrap=True))
        texts.addWidget(label(sentence, "muted", wrap=True))
        top = row(GAP_L)
        top.addWidget(Emblem(look, "runs"), 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(texts, 1)
        buttons = row(GAP)
        buttons.addWidget(self.stay_button)
        buttons.addStretch(1)
        buttons.addWidget(self.stop_button)
        buttons.addWidget(self.keep_button)
        lines = column(GAP_XL, GAP_XL)
        lines.setContentsMargins(GAP_XL, GAP_XL, GAP_XL, GAP_L + GAP_S)
        lines.addLayout(top)
        lines.addLayout(buttons)
        self.setLayout(lines)
