"""What is to be sent, and how: the run, whether the chat shall use it, the model on the server.

Owns layout. Refuses to know what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.venom_push import VenomPush
from academy_desktop.views.facts import Remark
from academy_desktop.views.kit import button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.recipe_form import ChoiceBox
from academy_desktop.views.theme import GAP_M, GAP_S
from academy_desktop.views.tick import Tick


class SendForm(QWidget):
    """Which run, and whether the chat shall use it. `train_wanted()` where there is no run to send."""

    train_wanted = Signal()

    def __init__(self, look: Look, push: VenomPush, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._push = push
        self._gettext = translate
        self.run = ChoiceBox(look, translate(N_("Run")))
        self.activate = Tick(look, translate(N_("Let Venom’s chat use it")))
        self.model = ChoiceBox(look, translate(N_("Model on the server")))
        self.send = button(translate(N_("Send")), "primary")
        self.train = button(translate(N_("Train a model")), "primary")
        self._others = label("", "small", wrap=True)
        self._none = label("", "muted", wrap=True)
        self._activate_words = label("", "small", wrap=True)
        self._base = label("", "muted", wrap=True)
        self._trouble = Remark(look, "warning", "warning")
        self._form = self._make_form()
        self._empty = self._make_empty()
        lines = column(GAP_M)
        lines.addWidget(label(translate(N_("Send an adapter")), "heading"))
        lines.addWidget(self._empty)
        lines.addWidget(self._form)
        lines.addWidget(self._others)
        self.setLayout(lines)
        self.run.chosen.connect(push.choice.runs.choose)
        self.model.chosen.connect(push.choice.choose_model)
        self.activate.clicked.connect(push.choice.set_activate)
        self.send.clicked.connect(push.start)
        self.train.clicked.connect(self.train_wanted)
        push.changed.connect(self._refresh)
        self._refresh()

    def lead_keys(self) -> None:
        """Where the keys go: to the choice of a run."""
        self.run.setFocus(Qt.FocusReason.OtherFocusReason)

    def _make_form(self) -> QWidget:
        tick = column(GAP_S)
        tick.addWidget(self.activate)
        tick.addWidget(self._activate_words)
        model = column(GAP_S)
        name = label(self._gettext(N_("Model on the server")))
        name.setBuddy(self.model)
        model.addWidget(name)
        model.addWidget(self.model)
        self._model_part = QWidget()
        self._model_part.setLayout(model)
        foot = row(GAP_M)
        foot.addWidget(self._base, 1)
        foot.addWidget(self.send, 0, Qt.AlignmentFlag.AlignBottom)
        lines = column(GAP_M)
        lines.addWidget(self.run)
        lines.addLayout(tick)
        lines.addWidget(self._trouble)
        lines.addWidget(self._model_part)
        lines.addLayout(foot)
        made = QWidget()
        made.setLayout(lines)
        return made

    def _make_empty(self) -> QWidget:
        line = row(GAP_M)
        line.addWidget(self._none, 1)
        line.addWidget(self.train, 0, Qt.AlignmentFlag.AlignTop)
        made = QWidget()
        made.setLayout(line)
        return made

    def _refresh(self) -> None:
        runs, _ = self._push.choice.runs, self._gettext
        has_runs = bool(runs.choices)
        self._form.setVisible(has_runs)
        self._empty.setVisible(not has_runs)
        self.train.setVisible(runs.is_known)
        looked = _(N_("No run has an adapter yet. Train a model first; then send it from here."))
        self._none.setText(looked if runs.is_known else _(N_("Looking for runs …")))
        self._others.setText(runs.others)
        self._others.setVisible(bool(runs.others))
        self.run.offer(runs.choices, runs.chosen)
        self._refresh_activate()
        self._refresh_plan()

    def _refresh_activate(self) -> None:
        choice = self._push.choice
        self.activate.setChecked(choice.activate)
        self.activate.setEnabled(choice.can_activate)
        if self._push.why_not:
            said = ""
        elif not choice.can_activate:
            said = N_("The server would refuse that now, as said above; the adapter can only be placed.")
        elif choice.activate:
            said = N_(
                "It is activated, and the chat is asked something; if that fails, Venom is brought back."
            )
        else:
            said = N_("It is placed and checked only; Venom’s chat stays as it is.")
        words = self._gettext(said) if said else ""
        self._activate_words.setText(words)
        self._activate_words.setVisible(bool(words))
        self.activate.setAccessibleDescription(words)

    def _refresh_plan(self) -> None:
        push, choice = self._push, self._push.choice
        finding = self._gettext(N_("Asking what Venom calls the base model …"))
        self._base.setText(push.why_not or (finding if choice.is_planning else choice.base_sentence))
        trouble = choice.trouble
        self._trouble.say(trouble.sentence if trouble else "", trouble.next_step if trouble else "")
        self._model_part.setVisible(bool(choice.models))
        if choice.models:
            none_yet = () if choice.model_id else (("", self._gettext(N_("Choose …"))),)
            self.model.offer([*none_yet, *((name, name) for name in choice.models)], choice.model_id)
        self.send.setEnabled(push.can_start)
