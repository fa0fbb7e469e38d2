"""Sending an adapter: the steps as a list that fills, and what came of it.

Owns layout. Refuses to know what the steps do.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.venom_push import OutcomeKind, VenomPush
from academy_desktop.viewmodels.venom_steps import LineState, StepLine
from academy_desktop.views.demo import Mark
from academy_desktop.views.kit import Elided, Icon, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S
from academy_desktop.views.venom_send_form import SendForm

#: How a push ended → icon and colour.
OUTCOMES: dict[OutcomeKind, tuple[str, str]] = {
    "active": ("check", "success"),
    "placed": ("check", "success"),
    "cancelled": ("stop", "muted"),
    "failed": ("warning", "danger"),
}

#: How a step stands, for a screen reader.
STATE_WORDS: dict[LineState, str] = {
    "waiting": N_("waiting"),
    "running": N_("in progress"),
    "done": N_("done"),
    "skipped": N_("passed over"),
    "failed": N_("failed"),
}


class StepRow(QWidget):
    """One step: mark, title, what happened, how long it took."""

    def __init__(self, look: Look, number: int, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._gettext = translate
        self._mark = Mark(look, number)
        self._title = label()
        self._took = label("", "small")
        self._text = Elided("small")
        self._undo = Elided("small")
        first = row(GAP)
        first.addWidget(self._title)
        first.addStretch(1)
        first.addWidget(self._took)
        texts = column(0)
        texts.addLayout(first)
        texts.addWidget(self._text)
        texts.addWidget(self._undo)
        line = row(GAP_M)
        line.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        self.setLayout(line)

    def show_step(self, step: StepLine) -> None:
        """Show a step as it stands."""
        self._mark.show_state("waiting" if step.state == "skipped" else step.state)
        self._title.setText(step.title)
        self._took.setText(step.took)
        self._text.setText(step.sentence)
        self._text.setVisible(bool(step.sentence))
        self._undo.setText(step.undo)
        self._undo.setVisible(bool(step.undo))
        state = self._gettext(STATE_WORDS[step.state])
        self.setAccessibleName(f"{step.title}: {state}. {step.sentence} {step.undo}".strip())


class CourseView(QWidget):
    """The push that is in progress, or was last.

    Signals: `back_wanted()` when the user wants to go back, `override_wanted()` to send without a proof.
    """

    back_wanted = Signal()
    override_wanted = Signal()

    def __init__(self, look: Look, push: VenomPush, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._push = push
        self._gettext = translate
        self._rows: list[StepRow] = []
        self._title = Elided("heading")
        self.cancel = button(translate(N_("Cancel")))
        self._cancel_words = label("", "small", wrap=True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(translate(N_("Progress of sending")))
        self._steps = column(GAP)
        self.again = button(translate(N_("Try again")), "primary")
        self.back = button(translate(N_("Roll back")))
        self.more = button(translate(N_("Send another")))
        self.override = button(translate(N_("Send it all the same …")))
        self._outcome = self._make_outcome()
        self._lay_out()
        self.cancel.clicked.connect(push.cancel)
        self.again.clicked.connect(push.again)
        self.more.clicked.connect(push.put_away)
        self.back.clicked.connect(self.back_wanted)
        self.override.clicked.connect(self.override_wanted)
        push.moved.connect(self._refresh)
        self._refresh()

    def _make_outcome(self) -> QFrame:
        self._icon = Icon(self._look, "check", "success", 24)
        self._outcome_title = label("", "heading", wrap=True)
        self._sentence = label("", wrap=True, selectable=True)
        self._undone = label("", wrap=True, selectable=True)
        self._next_step = label("", "muted", wrap=True, selectable=True)
        texts = column(GAP_S)
        for part in (self._outcome_title, self._sentence, self._undone, self._next_step):
            texts.addWidget(part)
        top = row(GAP_M)
        top.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(texts, 1)
        buttons = row(GAP)
        buttons.addStretch(1)
        for button_ in (self.more, self.back, self.override, self.again):
            buttons.addWidget(button_)
        lines = column(GAP_M, GAP_M)
        lines.addLayout(top)
        lines.addLayout(buttons)
        made = QFrame()
        made.setProperty("inset", True)
        made.setLayout(lines)
        return made

    def _lay_out(self) -> None:
        head = row(GAP_M)
        head.addWidget(self._title, 1)
        head.addWidget(self.cancel)
        lines = column(GAP_M)
        lines.addLayout(head)
        for part in (self._cancel_words, self._bar, self._outcome):
            lines.addWidget(part)
        lines.addLayout(self._steps)
        self.setLayout(lines)

    def lead_keys(self) -> None:
        """Where the keys go: to what can be done now; while that is nothing, they wait here."""
        offered = (self.cancel, self.again, self.override, self.back, self.more)
        can = (one for one in offered if one.isVisibleTo(self) and one.isEnabled())
        next(can, self).setFocus(Qt.FocusReason.OtherFocusReason)

    def _refresh(self) -> None:
        push = self._push
        if not push.steps:  # put away: whoever has the keys keeps them until the form takes them
            return
        has_keys = self.window().focusWidget() in {self, self.cancel}  # which goes when nothing can be ended
        self._title.setText(push.title)
        self.setAccessibleName(push.title)
        self.cancel.setVisible(push.is_busy)
        self.cancel.setEnabled(push.can_cancel)
        self.cancel.setAccessibleDescription(push.cancel_words)
        self._cancel_words.setText(push.cancel_words)
        self._cancel_words.setVisible(push.is_busy)
        self._bar.setVisible(push.is_busy)
        self._refresh_steps()
        self._refresh_outcome()
        if has_keys:
            self.lead_keys()

    def _refresh_steps(self) -> None:
        steps = self._push.steps
        while len(self._rows) < len(steps):
            made = StepRow(self._look, len(self._rows) + 1, self._gettext)
            self._rows.append(made)
            self._steps.addWidget(made)
        for number, one in enumerate(self._rows):
            one.setVisible(number < len(steps))
        for one, step in zip(self._rows, steps, strict=False):
            one.show_step(step)

    def _refresh_outcome(self) -> None:
        outcome = self._push.outcome
        self._outcome.setVisible(outcome is not None)
        if outcome is None:
            return
        self._icon.show_icon(*OUTCOMES[outcome.kind])
        for part, text in (
            (self._outcome_title, outcome.title),
            (self._sentence, outcome.sentence),
            (self._undone, outcome.undone),
            (self._next_step, outcome.next_step),
        ):
            part.setText(text)
            part.setVisible(bool(text))
        self.again.setVisible(outcome.kind in {"failed", "cancelled"})
        self.back.setVisible(outcome.kind == "active")
        self.override.setVisible(outcome.can_override)
        self._outcome.setAccessibleName(f"{outcome.title}. {outcome.sentence}")


class SendCard(QFrame):
    """The form, or the push to the server that is shown."""

    def __init__(self, look: Look, push: VenomPush, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._push = push
        self.form = SendForm(look, push, translate)
        self.course = CourseView(look, push, translate)
        self._stack = column(0)
        self._stack.setContentsMargins(GAP_L, GAP_M, GAP_L, GAP_L)
        self._stack.addWidget(self.form)
        self._stack.addWidget(self.course)
        self.setLayout(self._stack)
        push.changed.connect(self._choose)
        push.moved.connect(self._choose)
        self._choose()

    def _choose(self) -> None:
        is_course = self._push.is_here
        before: SendForm | CourseView = self.form if is_course else self.course
        after: SendForm | CourseView = self.course if is_course else self.form
        holder = self.window().focusWidget()
        had_keys = holder is not None and before.isAncestorOf(holder)
        before.hide()
        after.show()
        if had_keys:
            after.lead_keys()
