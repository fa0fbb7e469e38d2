"""The questions of the Train page: what is learned by what, how long it may take, and what matters most.

Owns layout. Refuses to know recipes, and how answers become values.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QLineEdit, QVBoxLayout, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.recipe_fields import NAME
from academy_desktop.viewmodels.recipe_form import DATASET, MODEL
from academy_desktop.viewmodels.train import Train
from academy_desktop.views.kit import column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.recipe_form import EDITOR_HEIGHT, ChoiceBox, Segments, restyle
from academy_desktop.views.theme import GAP, GAP_L, GAP_S, GAP_XL

#: Room for the minutes of a week.
MINUTES_WIDTH = 84


class Said(QWidget):
    """A part with its name above and a line below that explains it, or says what is wrong."""

    def __init__(self, name: str, part: QWidget, *, heading: bool = False) -> None:
        super().__init__()
        self._part = part
        self._below = label("", "small", wrap=True)
        title = label(name, "heading" if heading else "body")
        title.setBuddy(part)
        lines = column(GAP if heading else GAP_S)
        lines.addWidget(title)
        lines.addWidget(part)
        lines.addWidget(self._below)
        lines.addStretch(1)
        self.setLayout(lines)

    def say(self, text: str, problem: str = "") -> None:
        """Explain the part, or say what is wrong with it."""
        self._below.setText(problem or text)
        self._below.setVisible(bool(problem or text))
        self._part.setAccessibleDescription(problem or text)
        restyle(self._below, "text_role", "problem" if problem else "small")
        restyle(self._part, "wrong", bool(problem))


class WhatCard(QFrame):
    """Dataset and model, what is learned, and the name of the run."""

    def __init__(self, look: Look, train: Train, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._train = train
        self._gettext = translate
        self.dataset = ChoiceBox(look, translate(N_("Dataset")))
        self.model = ChoiceBox(look, translate(N_("Model")))
        self.method = Segments(translate(N_("What is learned")))
        self._only_method = label()
        self.name = QLineEdit()
        self.name.setAccessibleName(translate(N_("Name of the run")))
        self.name.setFixedHeight(EDITOR_HEIGHT)
        self._dataset = Said(translate(N_("Dataset")), self.dataset)
        self._model = Said(translate(N_("Model")), self.model)
        self._method = Said(translate(N_("What is learned")), self._method_line())
        self._name = Said(translate(N_("Name of the run")), self.name)
        self.dataset.chosen.connect(train.choose_dataset)
        self.model.chosen.connect(train.choose_model)
        self.method.chosen.connect(train.choose_method)
        self.name.textEdited.connect(lambda text: train.set(NAME, text))
        self.setLayout(self._lines())
        train.changed.connect(self.refresh)
        self.refresh()

    def _lines(self) -> QVBoxLayout:
        lines = column(GAP_L, GAP_L)
        lines.addWidget(label(self._gettext(N_("What should be learned?")), "heading"))
        for parts in ((self._dataset, self._model), (self._method, self._name)):
            line = row(GAP_L)
            for part in parts:
                line.addWidget(part, 1)
            lines.addLayout(line)
        return lines

    def part(self, path: str) -> QWidget:
        """What a field of a recipe is chosen with here; the name of the run where it is none of them."""
        return {DATASET: self.dataset, MODEL: self.model}.get(path, self.name)

    def _method_line(self) -> QWidget:
        """The methods to choose from, or the name of the only one."""
        line = row(0)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.method)
        line.addWidget(self._only_method)
        line.addStretch(1)
        held = QWidget()
        held.setFixedHeight(EDITOR_HEIGHT)
        held.setLayout(line)
        return held

    def refresh(self) -> None:
        """Show what is chosen now."""
        train, problems = self._train, self._train.form.problems
        self.dataset.show_choices(train.datasets, train.dataset)
        self.model.show_choices(train.models, train.model)
        self.method.show_choices(train.methods, train.method)
        self._dataset.say("", problems.get(DATASET, ""))
        self._model.say("", problems.get(MODEL, ""))
        self.method.setVisible(len(train.methods) > 1)
        self._only_method.setVisible(len(train.methods) == 1)
        self._only_method.setText(train.methods[0].title if train.methods else "")
        self._method.say(next((one.detail for one in train.methods if one.id == train.method), ""))
        name = str(train.form.value(NAME))
        if self.name.text() != name:
            self.name.setText(name)
        self.name.setPlaceholderText(train.default_name)
        self._name.say(self._gettext(N_("How it is called in the list of runs.")), problems.get(NAME, ""))


class GuideCard(QFrame):
    """How long it may take, and what matters most: from these the values are chosen."""

    def __init__(self, train: Train, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._train = train
        self._gettext = translate
        self.budget = Segments(translate(N_("How long may it take?")))
        self.minutes = QLineEdit()
        self.preset = Segments(translate(N_("What matters most?")))
        self.minutes.setAccessibleName(translate(N_("Minutes it may take")))
        self.minutes.setFixedSize(MINUTES_WIDTH, EDITOR_HEIGHT)
        self._time = Said(translate(N_("How long may it take?")), self._time_line(), heading=True)
        self._matter = Said(translate(N_("What matters most?")), self.preset, heading=True)
        self.budget.chosen.connect(train.advice.choose_budget)
        self.minutes.textEdited.connect(train.advice.set_minutes)
        self.preset.chosen.connect(train.choose_preset)
        lines = column(GAP_XL, GAP_L)
        lines.addWidget(self._time)
        lines.addWidget(self._matter)
        self.setLayout(lines)
        train.changed.connect(self.refresh)
        self.refresh()

    def _time_line(self) -> QWidget:
        line = row(GAP)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.budget)
        line.addSpacing(GAP)
        line.addWidget(label(self._gettext(N_("or")), "muted"))
        line.addWidget(self.minutes)
        line.addWidget(label(self._gettext(N_("minutes")), "muted"))
        line.addStretch(1)
        held = QWidget()
        held.setLayout(line)
        return held

    def refresh(self) -> None:
        """Show the answers there are."""
        train, advice = self._train, self._train.advice
        self.budget.show_choices(advice.budgets, advice.budget)
        if self.minutes.text() != advice.minutes:
            self.minutes.setText(advice.minutes)
        restyle(self.minutes, "wrong", bool(advice.problem))
        unasked = N_("Say what time there is, and the number of steps is chosen to fit.")
        self._time.say(advice.sentence or self._gettext(unasked), advice.problem)
        self.minutes.setAccessibleDescription(advice.problem or advice.sentence)
        self.preset.show_choices(train.presets, train.preset)
        detail = next((one.detail for one in train.presets if one.id == train.preset), "")
        own = self._gettext(N_("Values of your own; a click fills in those that suit."))
        self._matter.say(detail or own)
