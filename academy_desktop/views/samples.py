"""The answers of a run side by side: the base's, and the model's after a step that is chosen by a slider.

Owns layout and colours. Refuses to know files and how a model is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from string import Template

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QColor, QFont, QShowEvent, QTextCharFormat, QTextOption
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QSizePolicy, QSlider, QStackedLayout, QWidget
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.run_actions import WORDS, RunAction
from academy_desktop.viewmodels.runs import Runs
from academy_desktop.viewmodels.samples import Samples
from academy_desktop.viewmodels.word_difference import Said
from academy_desktop.views.kit import EmptyState, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.recipe_form import ChoiceBox, form_sheet
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S

#: The slider as the rest of the window looks.
SHEET = Template("""
QSlider { min-height: 24px; border: 1px solid transparent; border-radius: 6px; }
QSlider:focus { border: 1px solid $accent; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $border_strong; }
QSlider::sub-page:horizontal { border-radius: 2px; background: $accent; }
QSlider::sub-page:horizontal:disabled { background: $border_strong; }
QSlider::handle:horizontal {
    width: 14px; height: 14px; margin: -6px 0; border-radius: 8px; background: $accent;
    border: 1px solid $surface;
}
QSlider::handle:horizontal:hover { background: $accent_strong; }
QSlider::handle:horizontal:disabled { background: $faint; }
""")


class AnswerText(QPlainTextEdit):
    """An answer whose differences are marked; it can be read, selected and copied."""

    def __init__(self, look: Look, name: str) -> None:
        super().__init__()
        self._look = look
        self._shown: tuple[Said, ...] = ()
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setTabChangesFocus(True)
        self.setAccessibleName(name)
        self.setMinimumHeight(72)
        look.changed.connect(self._write)

    def show_said(self, parts: Sequence[Said]) -> None:
        """Show an answer; the place where somebody reads stays."""
        if tuple(parts) != self._shown:
            self._shown = tuple(parts)
            self._write()

    def _write(self) -> None:
        bar = self.verticalScrollBar()
        place = bar.value()
        self.clear()
        cursor = self.textCursor()
        for part in self._shown:
            cursor.insertText(part.text, self._format(part))
        bar.setValue(min(place, bar.maximum()))

    def _format(self, part: Said) -> QTextCharFormat:
        """What is gone is underlined and what is new is bold: colours alone would not tell everybody."""
        tokens = self._look.tokens
        made = QTextCharFormat()
        made.setForeground(QColor(tokens.text))
        match part.tone:
            case "gone":
                made.setForeground(QColor(tokens.danger))
                made.setBackground(QColor(tokens.danger_soft))
                made.setFontUnderline(True)
            case "new":
                made.setForeground(QColor(tokens.success))
                made.setBackground(QColor(tokens.success_soft))
                made.setFontWeight(QFont.Weight.DemiBold)
            case "caption":
                made.setForeground(QColor(tokens.muted))
                made.setFontWeight(QFont.Weight.DemiBold)
            case "cut":
                made.setForeground(QColor(tokens.faint))
        return made


class StepSlider(QSlider):
    """Goes from answer to answer, by mouse, wheel and arrow keys."""

    def __init__(self, name: str) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setAccessibleName(name)
        self.setPageStep(1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._steps: tuple[int, ...] = ()

    def show_steps(self, steps: Sequence[int], step: int | None) -> None:
        """Offer these, with one of them chosen."""
        self._steps = tuple(steps)
        with QSignalBlocker(self):
            self.setRange(0, max(len(steps) - 1, 0))
            self.setValue(steps.index(step) if step in steps else 0)
        self.setEnabled(len(steps) > 1)

    @property
    def step(self) -> int | None:
        """The step that it stands at."""
        return self._steps[self.value()] if self.value() < len(self._steps) else None


class SamplesPanel(QFrame):
    """Question, step and both answers; without answers what to do for some."""

    def __init__(self, look: Look, runs: Runs, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._look = look
        self._runs = runs
        self._gettext = translate
        samples = self._samples
        self.question = ChoiceBox(look, translate(N_("Question")))
        self.slider = StepSlider(translate(N_("Step of the answers")))
        words = WORDS[RunAction.SAMPLE]
        self.ask = button(translate(words.title), hint=translate(words.hint))
        self.ask_first = button(translate(words.title), "primary", hint=translate(words.hint))
        self.before = AnswerText(look, translate(N_("Before training")))
        self.after = AnswerText(look, "")
        self.when = label("", "heading")
        self.expected = label("", "small", wrap=True, selectable=True)
        self.forgetting = label("", "small", wrap=True, selectable=True)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty())
        self._stack.addWidget(self._full())
        self.setLayout(self._stack)
        self.question.chosen.connect(samples.choose_question)
        self.slider.valueChanged.connect(self._scrub)
        for one in (self.ask, self.ask_first):
            one.clicked.connect(lambda: runs.act(RunAction.SAMPLE))
        samples.changed.connect(self._refresh)
        runs.detail.changed.connect(self._refresh_actions)
        runs.busy_changed.connect(self._refresh_actions)
        look.changed.connect(self._draw)
        self._draw()
        self._refresh()
        self._refresh_actions()

    @property
    def _samples(self) -> Samples:
        return self._runs.detail.samples

    def _empty(self) -> QWidget:
        _ = self._gettext
        return EmptyState(
            self._look,
            "spark",
            _(N_("No answers yet")),
            _(
                N_(
                    "At every evaluation of a training run the model answers the same questions as its base, "
                    "so that you see what it learns. Which ones is chosen on the Train page."
                )
            ),
            self.ask_first,
        )

    def _full(self) -> QWidget:
        top = row(GAP_M)
        top.addWidget(self.question, 1)
        top.addWidget(self.ask)
        steps = row(GAP_M)
        self.when.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        steps.addWidget(self.slider, 1)
        answers = row(GAP_M)
        for head, text in (
            (label(self._gettext(N_("Before training")), "heading"), self.before),
            (self.when, self.after),
        ):
            side = column(GAP_S)
            side.addWidget(head)
            side.addWidget(text, 1)
            answers.addLayout(side, 1)
        lines = column(GAP)
        lines.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        lines.addLayout(top)
        lines.addLayout(steps)
        lines.addLayout(answers, 1)
        lines.addWidget(self.expected)
        lines.addWidget(self.forgetting)
        made = QWidget()
        made.setLayout(lines)
        return made

    def _scrub(self, _value: int) -> None:
        if self.slider.step is not None:
            self._samples.choose_step(self.slider.step)

    def _draw(self) -> None:
        sheet = SHEET.substitute(asdict(self._look.tokens))
        self.setStyleSheet(form_sheet(self._look.tokens, self._look.sizes) + sheet)
        self.ask.setIconSize(QSize(16 + GAP, 16))

    @override
    def showEvent(self, event: QShowEvent) -> None:
        """Qt: somebody looks."""
        super().showEvent(event)
        self._refresh()

    def _refresh(self) -> None:
        if not self.isVisible():  # comparing long answers takes time that nobody would see
            return
        samples = self._samples
        self._stack.setCurrentIndex(0 if samples.is_empty else 1)
        self.question.show_choices(samples.questions, samples.question)
        self.slider.show_steps(samples.steps, samples.step)
        self.slider.setAccessibleDescription(samples.when)
        self.when.setText(samples.when)
        self.after.setAccessibleName(samples.when)
        self.before.show_said(samples.base)
        self.after.show_said(samples.tuned)
        for part, said in ((self.expected, samples.expected), (self.forgetting, samples.forgetting)):
            part.setText(said)
            part.setVisible(bool(said))

    def _refresh_actions(self) -> None:
        can = RunAction.SAMPLE in self._runs.detail.actions
        for one in (self.ask, self.ask_first):
            one.setVisible(can)
            one.setEnabled(not self._runs.busy)
