"""The forecast on the Train page: fits or not, a bar of the memory, time and disk, and what would fit.

Owns layout and paint. Refuses to know how a forecast is made.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QGridLayout, QSizePolicy, QVBoxLayout, QWidget
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.forecast import Item, LiveForecast, Shown, Tone
from academy_desktop.views.facts import Remark
from academy_desktop.views.kit import Icon, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S

#: Tone → icon, and the token of its colour.
TONES: dict[Tone, tuple[str, str]] = {
    "success": ("check", "success"),
    "warning": ("warning", "warning"),
    "danger": ("warning", "danger"),
    "neutral": ("info", "muted"),
}
BAR_HEIGHT, ITEM_BAR_HEIGHT = 12, 6


class MemoryBar(QWidget):
    """How much of the memory is needed: the figure, the range above it, and a mark where the memory ends."""

    def __init__(self, look: Look, height: int = BAR_HEIGHT) -> None:
        super().__init__()
        self._look = look
        self._used = self._most = 0.0
        self._room = 1.0
        self._tone: Tone = "success"
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        look.changed.connect(self.update)

    def show_shares(self, used: float, most: float = 0.0, room: float = 1.0, tone: Tone = "success") -> None:
        """Show shares of the whole width, 0 to 1."""
        self._used, self._most, self._room, self._tone = used, most, room, tone
        self.update()

    @override
    def sizeHint(self) -> QSize:
        """Qt: as wide as there is room."""
        return QSize(160, self.height())

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw the track, the range, the figure, and the mark."""
        tokens = self._look.tokens
        colour = QColor(tokens.accent if self._tone == "neutral" else getattr(tokens, self._tone))
        soft = QColor(colour)
        soft.setAlphaF(0.35)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        width, height = float(self.width()), float(self.height())
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(0, 0, width, height), height / 2, height / 2)
        painter.setClipPath(shape)
        painter.fillRect(QRectF(0, 0, width, height), QColor(tokens.neutral_soft))
        painter.fillRect(QRectF(0, 0, width * self._most, height), soft)
        painter.fillRect(QRectF(0, 0, width * self._used, height), colour)
        if self._room < 1.0:
            painter.setPen(QPen(QColor(tokens.text), 2))
            end = width * self._room
            painter.drawLine(round(end), 0, round(end), round(height))
        painter.end()


class Items(QWidget):
    """What takes the room, a line each: name, size, bar."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, GAP_S, 0, 0)
        self._grid.setHorizontalSpacing(GAP_L)
        self._grid.setVerticalSpacing(GAP)
        self._grid.setColumnStretch(2, 1)
        self._shown: tuple[Item, ...] = ()
        self.setLayout(self._grid)

    def show_items(self, items: tuple[Item, ...]) -> None:
        """Show these items."""
        if items == self._shown:
            return
        self._shown = items
        while (old := self._grid.takeAt(0)) is not None:
            widget = old.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for number, item in enumerate(items):
            self._add(number, item)

    def _add(self, number: int, item: Item) -> None:
        texts = column(0)
        name = label(item.title)
        name.setAccessibleName(f"{item.title}: {item.size}")
        texts.addWidget(name)
        texts.addWidget(label(item.meaning, "small"))
        held = QWidget()
        held.setLayout(texts)
        bar = MemoryBar(self._look, ITEM_BAR_HEIGHT)
        bar.show_shares(item.share, tone="neutral")
        size = label(item.size)
        centre = Qt.AlignmentFlag.AlignVCenter
        self._grid.addWidget(held, number, 0)
        self._grid.addWidget(size, number, 1, centre | Qt.AlignmentFlag.AlignRight)
        self._grid.addWidget(bar, number, 2, centre)


class ForecastCard(QFrame):
    """The forecast, live while the form changes."""

    def __init__(self, look: Look, forecast: LiveForecast, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._look = look
        self._forecast = forecast
        self._gettext = translate
        self._icon = Icon(look, "info", "muted", 20)
        self._verdict = label("", "heading", wrap=True)
        self.bar = MemoryBar(look)
        self._memory = label("", wrap=True, selectable=True)
        self._time = label("", wrap=True, selectable=True)
        self._disk = label("", wrap=True, selectable=True)
        self._basis = label("", "small", wrap=True)
        self._nearest = label("", wrap=True, selectable=True)
        self.apply = button(translate(N_("Use these values")))
        self.more = button("", "quiet")
        self.more.setCheckable(True)
        self.items = Items(look)
        self._problem = Remark(look, "info", "muted")
        self._facts, self._offer = QWidget(), QWidget()
        self._below = column(GAP)
        self._lay_out()
        self.apply.clicked.connect(forecast.apply)
        self.more.toggled.connect(self._refresh)
        forecast.changed.connect(self._refresh)
        self._refresh()

    def _lay_out(self) -> None:
        head = row(GAP)
        head.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addWidget(self._verdict, 1)
        head.addWidget(self.more, 0, Qt.AlignmentFlag.AlignVCenter)
        offer = row(GAP_M)
        offer.setContentsMargins(0, 0, 0, 0)
        offer.addWidget(self._nearest, 1)
        offer.addWidget(self.apply, 0, Qt.AlignmentFlag.AlignVCenter)
        self._offer.setLayout(offer)
        self._facts.setLayout(self._lines())
        lines = column(GAP_M, GAP_L)
        lines.addLayout(head)
        lines.addWidget(self._problem)
        lines.addWidget(self._facts)
        lines.addLayout(self._below)
        self.setLayout(lines)

    def _lines(self) -> QVBoxLayout:
        lines = column(GAP)
        lines.addWidget(self.bar)
        lines.addSpacing(GAP_S)
        grid = QGridLayout()
        grid.setHorizontalSpacing(GAP_L)
        grid.setVerticalSpacing(GAP_S)
        grid.setColumnStretch(1, 1)
        said = (
            (N_("Memory"), self._memory),
            (N_("Time"), self._time),
            (N_("Disk"), self._disk),
        )
        for number, (title, text) in enumerate(said):
            grid.addWidget(label(self._gettext(title), "muted"), number, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(text, number, 1)
        lines.addLayout(grid)
        lines.addWidget(self._offer)
        lines.addWidget(self.items)
        lines.addWidget(self._basis)
        return lines

    def offer(self, part: QWidget) -> None:
        """Put something that can be done about the forecast at its end."""
        self._below.addWidget(part)

    def _refresh(self) -> None:
        forecast = self._forecast
        shown, (problem, next_step) = forecast.shown, forecast.problem
        self._problem.say(problem, next_step)
        self._facts.setVisible(shown is not None)
        self.more.setVisible(shown is not None)
        if shown is not None:
            self._show(shown)
        else:
            self._icon.show_icon("info", "muted")
            waiting, none = N_("Reckoning what this will need …"), N_("No forecast for these values")
            self._verdict.setText(self._gettext(waiting if forecast.is_busy and not problem else none))
        self._offer.setVisible(shown is not None and bool(shown.nearest))
        self.apply.setEnabled(forecast.can_apply)

    def _show(self, shown: Shown) -> None:
        self._icon.show_icon(*TONES[shown.tone])
        self._verdict.setText(shown.verdict)
        self.bar.show_shares(shown.used, shown.most, shown.room, shown.tone)
        self.bar.setAccessibleName(shown.memory)
        self._memory.setText(shown.memory)
        self._time.setText(shown.time)
        self._disk.setText(shown.disk)
        self._basis.setText(shown.basis)
        self._nearest.setText(shown.nearest)
        opened = self.more.isChecked()
        said = self._gettext(N_("Hide what takes the room") if opened else N_("What takes the room"))
        self.more.setText(said)
        self.more.setAccessibleName(said)
        self.items.setVisible(opened)
        self.items.show_items(shown.items)
