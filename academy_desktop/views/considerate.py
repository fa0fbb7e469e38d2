"""Considerate running on the Settings page: quiet hours, battery, heat, and what a pause does.

Owns layout. Refuses to know files and who obeys.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QLayout, QSizePolicy, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.considerate import OFF, ON, ConsiderateForm
from academy_desktop.views.kit import Emblem, card, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.recipe_form import ChoiceBox, Segments
from academy_desktop.views.theme import GAP, GAP_L, GAP_M

TIME_WIDTH = 116
HEAT_WIDTH = 132


class ConsiderateCard:
    """The controls and the card that holds them."""

    def __init__(self, look: Look, form: ConsiderateForm, translate: Callable[[str], str]) -> None:
        self._form = form
        self._gettext = translate
        self.quiet = Segments(translate(N_("Quiet hours")))
        self.begins = _narrow(ChoiceBox(look, translate(N_("Quiet hours begin"))), TIME_WIDTH)
        self.ends = _narrow(ChoiceBox(look, translate(N_("Quiet hours end"))), TIME_WIDTH)
        self.days = Segments(translate(N_("Days on which quiet hours begin")))
        self.battery = Segments(translate(N_("On battery")))
        self.heat = _narrow(ChoiceBox(look, translate(N_("Hottest graphics card"))), HEAT_WIDTH)
        self.way = Segments(translate(N_("While a run pauses")))
        self.sentence = label("", wrap=True, selectable=True)
        self._hours = self._hours_line()
        self.frame = self._card(look)
        self._connect()
        self._refresh()

    def _connect(self) -> None:
        form = self._form
        self.quiet.chosen.connect(form.switch_quiet)
        self.begins.chosen.connect(form.choose_begins)
        self.ends.chosen.connect(form.choose_ends)
        self.days.chosen.connect(form.choose_days)
        self.battery.chosen.connect(form.switch_battery)
        self.heat.chosen.connect(form.choose_heat)
        self.way.chosen.connect(form.choose_way)
        form.changed.connect(self._refresh)

    def _hours_line(self) -> QWidget:
        line = row(GAP)
        for part in (
            label(self._gettext(N_("from")), "muted"),
            self.begins,
            label(self._gettext(N_("to")), "muted"),
            self.ends,
        ):
            line.addWidget(part)
        line.addSpacing(GAP)
        line.addWidget(self.days)
        line.addStretch(1)
        made = QWidget()
        made.setLayout(line)
        return made

    def _card(self, look: Look) -> QFrame:
        said = row(GAP_M)
        said.addWidget(Emblem(look, "runs", 14))
        said.addWidget(self.sentence, 1)
        lines = column(GAP_L, GAP_L)
        lines.addWidget(label(self._gettext(N_("Considerate running")), "heading"))
        lines.addLayout(said)
        for setting in self._settings():
            lines.addWidget(_divider())
            lines.addLayout(setting)
        return card(lines)

    def _settings(self) -> tuple[QLayout, ...]:
        return (
            self._setting(
                N_("Quiet hours"),
                N_("Nothing is trained then. A computer that sleeps meanwhile goes on once it is awake."),
                self.quiet,
                self._hours,
            ),
            self._setting(
                N_("On battery"), N_("A run that pauses goes on when the power is back."), self.battery
            ),
            self._setting(
                N_("Hottest graphics card"),
                N_("Above it a run pauses until it is 5 °C cooler. NVIDIA cards say how hot they are."),
                self.heat,
            ),
            self._setting(
                N_("While a run pauses"),
                N_("It can keep its memory and go on at once, or save and leave the memory to others."),
                self.way,
            ),
        )

    def _setting(self, title: str, sentence: str, control: QWidget, below: QWidget | None = None) -> QLayout:
        texts = column(2)
        texts.addWidget(label(self._gettext(title)))
        texts.addWidget(label(self._gettext(sentence), "small", wrap=True))
        line = row(GAP_L)
        line.addLayout(texts, 1)
        line.addWidget(control)
        lines = column(GAP)
        lines.addLayout(line)
        if below is not None:
            lines.addWidget(below)
        return lines

    def _refresh(self) -> None:
        form = self._form
        rules, hours = form.rules, form.hours
        self.quiet.show_choices(form.switches, ON if rules.quiet_hours else OFF)
        self.begins.show_choices(form.times(hours.begins), hours.begins)
        self.ends.show_choices(form.times(hours.ends), hours.ends)
        self.days.show_choices(form.day_choices, form.day_choice)
        self._hours.setVisible(rules.quiet_hours is not None)
        self.battery.show_choices(form.batteries, ON if rules.pause_on_battery else OFF)
        self.heat.show_choices(form.heats, form.heat)
        self.way.show_choices(form.ways, rules.way)
        self.sentence.setText(form.sentence)


def _narrow(box: ChoiceBox, width: int) -> ChoiceBox:
    box.setFixedWidth(width)
    box.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    return box


def _divider() -> QFrame:
    made = QFrame()
    made.setProperty("divider", True)
    made.setFixedHeight(1)
    return made
