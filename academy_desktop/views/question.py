"""A question before something that the user may not want.

Owns its layout and buttons. It is opened, never executed: nested loops would end the window's tasks.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget

from academy_desktop.views.dialogs import DIALOG_WIDTH
from academy_desktop.views.kit import Emblem, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_S, GAP_XL


class Question(QDialog):
    """`accepted()` when the user wants it, `rejected()` when not."""

    def __init__(
        self, look: Look, icon: str, title: str, sentence: str, yes: str, no: str, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Academy Desktop")
        self.setModal(True)
        self.setObjectName("page")
        self.setFixedWidth(DIALOG_WIDTH)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAccessibleName(title)
        self.setAccessibleDescription(sentence)
        self.yes = button(yes, "primary")
        self.no = button(no)
        self.yes.clicked.connect(self.accept)
        self.no.clicked.connect(self.reject)
        texts = column(GAP)
        texts.addWidget(label(title, "heading", wrap=True))
        texts.addWidget(label(sentence, "muted", wrap=True))
        top = row(GAP_L)
        top.addWidget(Emblem(look, icon), 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(texts, 1)
        buttons = row(GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.no)
        buttons.addWidget(self.yes)
        lines = column(GAP_XL, GAP_XL)
        lines.setContentsMargins(GAP_XL, GAP_XL, GAP_XL, GAP_L + GAP_S)
        lines.addLayout(top)
        lines.addLayout(buttons)
        self.setLayout(lines)
        self.no.setFocus()
