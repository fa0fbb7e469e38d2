"""The guided demo: an invitation, then six stages one below the other, then what came out.

Owns drawing. Refuses to know what the stages do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QFrame, QProgressBar, QPushButton, QWidget
from typing_extensions import override

from academy_desktop.core.states import JobState
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.demo import Tour
from academy_desktop.viewmodels.demo_story import Result
from academy_desktop.viewmodels.figures import Figure
from academy_desktop.viewmodels.stages import Stage, StageState
from academy_desktop.views.certificate import FigureTile, empty, show_in_folder
from academy_desktop.views.kit import Badge, Elided, Emblem, Icon, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S

#: Stage's state → icon and colour; one that waits or runs has a mark of its own.
STATE_ICONS: dict[StageState, tuple[str, str]] = {"done": ("check", "success"), "failed": ("close", "danger")}

MARK_SIZE = 20
SPARK_SIZE = QSize(140, 20)


class Mark(QWidget):
    """A stage's state: its number, a ring, a tick or a cross. Silent: the row's name says it."""

    def __init__(self, look: Look, number: int) -> None:
        super().__init__()
        self._look = look
        self._number = number
        self._state: StageState = "waiting"
        self.setFixedSize(MARK_SIZE, MARK_SIZE)
        look.changed.connect(self.update)

    def show_state(self, state: StageState) -> None:
        """Show a state."""
        if state != self._state:
            self._state = state
            self.update()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw it."""
        tokens = self._look.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._state in STATE_ICONS:
            name, token = STATE_ICONS[self._state]
            painter.drawPixmap(0, 0, self._look.pixmap(name, getattr(tokens, token), MARK_SIZE))
            return
        running = self._state == "running"
        colour = QColor(tokens.accent if running else tokens.border_strong)
        painter.setPen(QPen(colour, 1.75 if running else 1.25))
        painter.setBrush(QColor(tokens.accent_soft) if running else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(self.rect().adjusted(2, 2, -2, -2))
        font = self.font()
        font.setPixelSize(10)
        font.setWeight(font.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor(tokens.accent if running else tokens.muted))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, str(self._number))


class Spark(QWidget):
    """The loss as a small line, without numbers: it falls."""

    def __init__(self, look: Look, name: str) -> None:
        super().__init__()
        self._look = look
        self._values: Sequence[float] = ()
        self.setFixedSize(SPARK_SIZE)
        self.setAccessibleName(name)
        look.changed.connect(self.update)

    def show_values(self, values: Sequence[float]) -> None:
        """Show these values, the oldest at the left."""
        self._values = values
        self.update()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw the line, as many points as there are pixels."""
        values = _thinned(self._values, self.width())
        if len(values) < 2:
            return
        least, most = min(values), max(values)
        span = (most - least) or 1.0
        width, height = self.width() - 2, self.height() - 4
        points = [
            QPointF(1 + width * at / (len(values) - 1), 2 + height * (most - value) / span)
            for at, value in enumerate(values)
        ]
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._look.tokens.accent), 1.5))
        painter.drawPolyline(QPolygonF(points))


class StageRow(QWidget):
    """One stage: mark, title, what happens, how far."""

    def __init__(self, look: Look, number: int, spark: Spark | None = None) -> None:
        super().__init__()
        self._mark = Mark(look, number)
        self._title = label("", "heading")
        self._took = label("", "small")
        self._text = Elided("muted")
        self._spark = spark
        self._loss = label("", "small")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._lay_out()

    def show_stage(self, stage: Stage, loss_line: str = "", losses: Sequence[float] = ()) -> None:
        """Show a stage; the training's with its loss."""
        self._mark.show_state(stage.state)
        self._title.setText(stage.title)
        self._took.setText(stage.took)
        self._text.setText(stage.detail or stage.sentence)
        self._loss.setText(loss_line)
        self._loss.setVisible(bool(loss_line))
        if self._spark is not None:
            self._spark.show_values(losses)
            self._spark.setVisible(len(losses) > 1)
        running = stage.state == "running"
        self._bar.setVisible(running)
        if running and stage.share_done is None:
            self._bar.setRange(0, 0)
        elif running:
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(1000 * (stage.share_done or 0.0)))
        self._bar.setAccessibleName(stage.title)
        self.setAccessibleName(f"{stage.title}: {stage.detail or stage.sentence}")

    def _lay_out(self) -> None:
        first = row(GAP)
        first.addWidget(self._title)
        first.addStretch(1)
        if self._spark is not None:
            first.addWidget(self._spark)
        first.addWidget(self._took)
        bar = column(0)
        bar.setContentsMargins(0, GAP_S, 0, 0)
        bar.addWidget(self._bar)
        texts = column(2)
        texts.addLayout(first)
        texts.addWidget(self._text)
        texts.addWidget(self._loss)
        texts.addLayout(bar)
        line = row(GAP_M)
        line.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        self.setLayout(line)


class DemoView(QFrame):
    """The demo as a card; `wanted("runs", job id)` when the user wants to look at its run."""

    wanted = Signal(str, str)

    def __init__(
        self,
        look: Look,
        tour: Tour,
        translate: Callable[[str], str],
        show_folder: Callable[[str], object] = show_in_folder,
    ) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._look = look
        self._tour = tour
        self._gettext = translate
        self._show_folder = show_folder
        self.start = button(translate(N_("Start the demo")), "primary")
        self.shorter = button(
            translate(N_("Shorter demo")), "quiet", hint=translate(N_("Fewer passes over the rows"))
        )
        self.cancel = button(translate(N_("Cancel")))
        self.open_run = button(translate(N_("Open the run")), "primary")
        self.show_files = button(translate(N_("Show the files")))
        self._sentence = label("", "muted", wrap=True)
        self._badge = Badge(look)
        self._rows = [
            StageRow(
                look, number, Spark(look, translate(N_("Loss so far"))) if stage.name == "training" else None
            )
            for number, stage in enumerate(tour.story.stages, 1)
        ]
        self._trouble_title = label("", "heading", wrap=True)
        self._trouble_text = label("", wrap=True, selectable=True)
        self._result_title = label("", "heading")
        self._result_text = label("", "muted", wrap=True)
        self._figures = row(GAP_L)
        self._shown: Result | None = None
        self._trouble = self._make_trouble()
        self._result = self._make_result()
        self._stages = QWidget()
        self._lay_out()
        self.start.clicked.connect(lambda: tour.start())
        self.shorter.clicked.connect(lambda: tour.start(fast=True))
        self.cancel.clicked.connect(tour.cancel)
        self.open_run.clicked.connect(self._open_run)
        self.show_files.clicked.connect(self._open_folder)
        tour.changed.connect(self._refresh)
        self._refresh()

    def _lay_out(self) -> None:
        texts = column(GAP_S)
        texts.addWidget(label(self._gettext(N_("See the whole way in ten minutes")), "heading"))
        texts.addWidget(self._sentence)
        head = row(GAP_M)
        head.addWidget(Emblem(self._look, "spark"), 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(texts, 1)
        actions = row(GAP)
        for action in (self.shorter, self.start, self.cancel):
            actions.addWidget(action)
        head.addLayout(actions)
        head.setAlignment(actions, Qt.AlignmentFlag.AlignTop)
        stages = column(GAP_M)
        for one in self._rows:
            stages.addWidget(one)
        self._stages.setLayout(stages)
        lines = column(GAP_L, GAP_L)
        lines.addLayout(head)
        lines.addWidget(self._stages)
        lines.addWidget(self._trouble)
        lines.addWidget(self._result)
        self.setLayout(lines)

    def _make_trouble(self) -> QWidget:
        texts = column(2)
        texts.addWidget(self._trouble_title)
        texts.addWidget(self._trouble_text)
        line = row(GAP_M)
        line.addWidget(Icon(self._look, "warning", "danger", MARK_SIZE), 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        made = QWidget()
        made.setLayout(line)
        return made

    def _make_result(self) -> QFrame:
        head = row(GAP)
        head.addWidget(self._result_title)
        head.addWidget(self._badge)
        head.addStretch(1)
        actions = row(GAP)
        actions.addWidget(self.open_run)
        actions.addWidget(self.show_files)
        actions.addStretch(1)
        lines = column(GAP_M, GAP_M)
        lines.addLayout(head)
        lines.addLayout(self._figures)
        lines.addWidget(self._result_text)
        lines.addLayout(actions)
        made = QFrame()
        made.setProperty("inset", True)
        made.setLayout(lines)
        return made

    def _refresh(self) -> None:
        tour, story = self._tour, self._tour.story
        self._sentence.setText(self._say())
        again = self._gettext(N_("Once more") if story.result else N_("Try again"))
        self.start.setText(again if story.has_begun else self._gettext(N_("Start the demo")))
        self.start.setAccessibleName(self.start.text())
        self._set_kind(self.start, "plain" if story.result else "primary")
        self.start.setVisible(not tour.is_running)
        self.shorter.setVisible(not tour.is_running and not story.result)
        self.cancel.setVisible(tour.is_running)
        self.cancel.setEnabled(not tour.is_cancelling)
        for shown, stage in zip(self._rows, story.stages, strict=True):
            is_training = stage.name == "training"
            shown.show_stage(
                stage, story.loss_line if is_training else "", story.losses if is_training else ()
            )
        failure = story.failure
        self._trouble.setVisible(failure is not None)
        if failure is not None:
            self._trouble_title.setText(failure.title)
            self._trouble_text.setText(f"{failure.sentence} {failure.next_step}")
        self._refresh_result()

    def _refresh_result(self) -> None:
        result = self._tour.story.result
        self._result.setVisible(result is not None)
        if result is None or result is self._shown:
            return
        self._shown = result
        state = JobState.SUCCEEDED if result.proven else JobState.FAILED
        self._badge.show_state(state, result.word)
        self._result_title.setText(result.title)
        self._result_text.setText(result.sentence)
        self.show_files.setVisible(bool(result.folder))
        _ = self._gettext
        empty(self._figures)
        for figure in (
            Figure(_(N_("Before")), result.base, _(N_("right answers"))),
            Figure(_(N_("After")), result.tuned, _(N_("right answers"))),
            Figure(_(N_("From the Q8_0 file")), result.export, _(N_("right answers"))),
        ):
            self._figures.addWidget(FigureTile(figure), 1)

    def _say(self) -> str:
        _, tour = self._gettext, self._tour
        if tour.is_cancelling:
            return _(N_("Ending; what was made before stays."))
        if tour.is_running:
            return _(N_("Six stages, all on this computer. You can use the other pages meanwhile."))
        if tour.story.result:
            return _(N_("From rows to a file that is proven, all on this computer."))
        return _(
            N_(
                "Teaches a small model an invented command language on this computer, makes files of it and "
                "proves them. Needs about 2 GiB of disk; the model is downloaded once."
            )
        )

    def _set_kind(self, action: QPushButton, kind: str) -> None:
        if action.property("kind") != kind:
            action.setProperty("kind", kind)
            action.style().unpolish(action)
            action.style().polish(action)

    def _open_run(self) -> None:
        if self._shown is not None:
            self.wanted.emit("runs", self._shown.job)

    def _open_folder(self) -> None:
        if self._shown is not None:
            self._show_folder(self._shown.folder)


def _thinned(values: Sequence[float], most: int) -> Sequence[float]:
    """At most so many values, each the mean of its neighbours: enough for a line of so many pixels."""
    if len(values) <= most:
        return values
    edges = [round(at * len(values) / most) for at in range(most + 1)]
    return [sum(values[first:last]) / (last - first) for first, last in pairwise(edges)]
