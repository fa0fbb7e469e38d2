"""What the connection's dialog has found: the list, what is in the way, and what the user is asked about.

Owns layout. Refuses to know how it was found.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QProgressBar, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.connection_form import ConnectionForm
from academy_desktop.views.certificate import empty
from academy_desktop.views.facts import Remark
from academy_desktop.views.kit import button, column, label
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_M
from academy_desktop.views.venom_checklist import Checklist

#: A word of more letters is broken, into pieces of so many.
LONG_WORD, PIECE = 36, 9


class FoundPanel(QFrame):
    """What is known of the server by now."""

    def __init__(self, look: Look, form: ConnectionForm, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("inset", True)
        self.setAccessibleName(translate(N_("What the server says")))
        self._look = look
        self._form = form
        self._gettext = translate
        self._shown: tuple[object, ...] = ()
        self._waiting = label("", "muted", wrap=True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(translate(N_("Looking at the server")))
        self._list = Checklist(look)
        self._said = column(GAP_M)
        self.trust = button(translate(N_("Trust this computer")))
        self.go_on = button(translate(N_("Go on without")))
        self._trust_part, self._trust_words = self._asked(self.trust)
        self._ring_part, self._ring_words = self._asked(self.go_on)
        lines = column(GAP_M, GAP_M)
        lines.addWidget(label(translate(N_("What the server says")), "heading"))
        for part in (self._waiting, self._bar, self._list):
            lines.addWidget(part)
        lines.addLayout(self._said)
        lines.addWidget(self._trust_part)
        lines.addWidget(self._ring_part)
        lines.addStretch(1)
        self.setLayout(lines)
        self.trust.clicked.connect(form.trust)
        self.go_on.clicked.connect(form.go_without_keyring)

    def refresh(self) -> None:
        """Show what the form says."""
        form = self._form
        is_busy = form.is_looking or form.is_testing
        self._bar.setVisible(is_busy)
        self._list.show_lines(form.found)
        self._waiting.setText(self._waiting_words(is_busy=is_busy))
        self._waiting.setVisible(bool(self._waiting.text()))
        shown = (form.verdict, form.troubles)
        if shown != self._shown:
            self._shown = shown
            self._show_said()
        for part, words, question in (
            (self._trust_part, self._trust_words, form.trust_question),
            (self._ring_part, self._ring_words, form.keyring_question),
        ):
            words.setText(question)
            part.setVisible(bool(question))
        self.go_on.setEnabled(form.can_save)
        said = [f"{line.label}: {line.value}." for line in form.found]
        said += [form.verdict, *(f"{one.sentence} {one.next_step}" for one in form.troubles)]
        self.setAccessibleDescription(" ".join(one for one in said if one))

    def _waiting_words(self, *, is_busy: bool) -> str:
        if self._form.is_testing:
            return self._gettext(N_("Trying the connection …"))
        if self._form.found:
            return ""
        said = N_("Looking who answers there …") if is_busy else N_("Type where Venom answers.")
        return self._gettext(said)

    def _show_said(self) -> None:
        """That all is well, or each trouble with what can be done about it."""
        empty(self._said)
        if self._form.verdict:
            self._add_remark("check", "success").say(self._form.verdict)
        for trouble in self._form.troubles:
            self._add_remark("warning", "warning").say(breakable(trouble.sentence), trouble.next_step)

    def _add_remark(self, icon: str, token: str) -> Remark:
        made = Remark(self._look, icon, token)
        self._said.addWidget(made)  # before it has words: they show it, and alone it would be a window
        return made

    def _asked(self, answer: QWidget) -> tuple[QWidget, QLabel]:
        words = label("", wrap=True, selectable=True)
        lines = column(GAP)
        lines.addWidget(words)
        lines.addWidget(answer, 0, Qt.AlignmentFlag.AlignLeft)
        made = QWidget()
        made.setLayout(lines)
        return made, words


def breakable(text: str) -> str:
    """A text whose words of great length may be broken: a fingerprint is wider than its place."""
    return " ".join(
        word if len(word) <= LONG_WORD else "\u200b".join(re.findall(f".{{1,{PIECE}}}", word))
        for word in text.split(" ")
    )
