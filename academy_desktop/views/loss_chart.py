"""The loss curve: raw points, the smoothed line, held-out points, and what lies under the mouse.

Owns drawing. Refuses to know where points come from: it shows a `LossCurve` and follows its signal.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QCloseEvent, QColor, QKeyEvent
from PySide6.QtWidgets import QFrame, QLabel, QWidget
from typing_extensions import override

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.loss_curve import LossCurve
from academy_desktop.views.kit import column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M

#: Up to here raw points are drawn as points; more of them are a band of a line.
MOST_POINTS = 2000

#: Steps that the cursor jumps with Page Up and Page Down.
PAGE = 10


class LossChart(QFrame):
    """A card with the curve; `curve` may go on growing."""

    def __init__(
        self, look: Look, curve: LossCurve, formats: Formats, translate: Callable[[str], str]
    ) -> None:
        super().__init__()
        self._look = look
        self._curve = curve
        self._formats = formats
        self._gettext = translate
        self.setProperty("card", True)
        self._keys: list[tuple[QLabel, str]] = []
        self._legend: list[QWidget] = []
        self._read_at: int | None = None
        self._is_closed = False
        self._empty = label(translate(N_("The curve begins with the first step.")), "muted")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.plot = pg.PlotWidget()
        self._raw_band = self.plot.plot()
        self._raw = self.plot.plot()
        self._smoothed = self.plot.plot()
        self._held_out = self.plot.plot()
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._readout = label("", "small")
        self._set_up()
        self._lay_out()
        curve.changed.connect(self._draw)
        look.changed.connect(self._restyle)
        self._restyle()
        self._draw()

    def _set_up(self) -> None:
        item = self.plot.getPlotItem()
        item.hideButtons()
        item.setMenuEnabled(False)
        item.setMouseEnabled(x=True, y=False)
        item.getViewBox().enableAutoRange(x=True, y=True)
        item.getViewBox().setDefaultPadding(0.03)
        for side in ("left", "bottom"):
            item.getAxis(side).enableAutoSIPrefix(False)
        for line in (self._raw_band, self._smoothed):
            line.setDownsampling(auto=True, method="peak")
            line.setClipToView(True)
        self._cursor.hide()
        self.plot.addItem(self._cursor, ignoreBounds=True)
        self.plot.setAccessibleName(self._gettext(N_("Loss over steps")))
        self.plot.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.plot.installEventFilter(self)
        self.plot.setMinimumHeight(120)
        self.plot.scene().sigMouseMoved.connect(self._point_at)

    def _lay_out(self) -> None:
        head = row(GAP_L)
        head.addWidget(label(self._gettext(N_("Loss")), "heading"))
        for text, token in (
            (N_("each step"), "faint"),
            (N_("smoothed"), "accent"),
            (N_("held-out"), "second"),
        ):
            self._legend.append(self._key(self._gettext(text), token))
            head.addWidget(self._legend[-1])
        head.addStretch(1)
        head.addWidget(self._readout)
        lines = column(GAP)
        lines.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP)
        lines.addLayout(head)
        lines.addWidget(self.plot, 1)
        lines.addWidget(self._empty, 1)
        self.setLayout(lines)

    def _key(self, text: str, token: str) -> QWidget:
        """One entry of the legend."""
        dot = QLabel()
        dot.setFixedSize(8, 8)
        self._keys.append((dot, token))
        holder = QWidget()
        line = row(6)
        line.addWidget(dot)
        line.addWidget(label(text, "small"))
        holder.setLayout(line)
        return holder

    def _restyle(self) -> None:
        tokens = self._look.tokens
        self.plot.setBackground(QColor(tokens.surface))
        for dot, token in self._keys:
            dot.setStyleSheet(f"background: {getattr(tokens, token)}; border-radius: 4px;")
        for side in ("left", "bottom"):
            axis = self.plot.getPlotItem().getAxis(side)
            axis.setPen(pg.mkPen(tokens.border_strong))
            axis.setTickPen(pg.mkPen(tokens.border))
            axis.setTextPen(pg.mkPen(tokens.muted))
            axis.setStyle(tickLength=0, tickTextOffset=8)
        self.plot.showGrid(x=False, y=True, alpha=0.35 if self._look.dark else 0.3)
        faint = QColor(tokens.faint)
        faint.setAlpha(190)
        self._raw_band.setPen(pg.mkPen(faint, width=1))
        self._raw.setPen(None)
        self._raw.setSymbol("o")
        self._raw.setSymbolSize(4)
        self._raw.setSymbolPen(None)
        self._raw.setSymbolBrush(faint)
        self._smoothed.setPen(pg.mkPen(tokens.accent, width=2))
        self._held_out.setPen(pg.mkPen(tokens.second, width=1, style=Qt.PenStyle.DashLine))
        self._held_out.setSymbol("o")
        self._held_out.setSymbolSize(8)
        self._held_out.setSymbolPen(pg.mkPen(tokens.surface, width=2))
        self._held_out.setSymbolBrush(QColor(tokens.second))
        self._cursor.setPen(pg.mkPen(tokens.border_strong, width=1))

    def _draw(self) -> None:
        """Show the whole curve again: pyqtgraph thins it out to what the screen can show."""
        curve = self._curve
        steps, losses = np.array(curve.steps), np.array(curve.losses)
        few = len(steps) <= MOST_POINTS
        none = np.empty(0)
        self._raw.setData(steps if few else none, losses if few else none, antialias=True)
        self._raw_band.setData(none if few else steps, none if few else losses)
        self._smoothed.setData(steps, np.array(curve.smoothed), antialias=few)
        self._held_out.setData(
            np.array(curve.evaluated_steps), np.array(curve.evaluated_losses), antialias=True
        )
        self._describe()

    def _describe(self) -> None:
        """Say the values where the cursor stands, or the newest ones, also to assistive technology."""
        last = len(self._curve.steps) - 1
        self.plot.setVisible(last >= 0)
        self._empty.setVisible(last < 0)
        for key in self._legend:
            key.setVisible(last >= 0)
        self._legend[-1].setVisible(bool(self._curve.evaluated_steps))
        if last < 0:
            self._read_at = None
            self._readout.setText("")
            return
        if self._read_at is not None:
            self._read_at = min(self._read_at, last)
            self._cursor.setPos(self._curve.steps[self._read_at])
        self._cursor.setVisible(self._read_at is not None)
        self._read_out(last if self._read_at is None else self._read_at)

    def _point_at(self, position: QPointF) -> None:
        box = self.plot.getPlotItem().getViewBox()
        steps = self._curve.steps
        if not steps or not box.sceneBoundingRect().contains(position):
            self._read_at = None
        else:
            at = box.mapSceneToView(position).x()
            self._read_at = min(bisect_left(steps, round(at)), len(steps) - 1)
        self._describe()

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        """Qt: the window goes. pyqtgraph's scene does not survive being deleted by its parents."""
        if not self._is_closed:
            self._is_closed = True
            self._curve.changed.disconnect(self._draw)
            self._look.changed.disconnect(self._restyle)
            self.plot.removeEventFilter(self)
            self.plot.close()
        super().closeEvent(event)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: the arrow keys read the curve step by step."""
        match event.type():
            case QEvent.Type.FocusIn | QEvent.Type.FocusOut:
                self._show_focus(event.type() == QEvent.Type.FocusIn)
            case QEvent.Type.Leave:
                self._read_at = None
                self._describe()
            case QEvent.Type.KeyPress:
                return isinstance(event, QKeyEvent) and self._move(Qt.Key(event.key()))
        return super().eventFilter(watched, event)

    def _show_focus(self, focused: bool) -> None:
        self.setProperty("focused", focused)
        self.style().unpolish(self)
        self.style().polish(self)
        if not focused:
            self._read_at = None
            self._describe()

    def _move(self, key: Qt.Key) -> bool:
        """Move the cursor; returns whether the key meant something."""
        last = len(self._curve.steps) - 1
        at = last if self._read_at is None else self._read_at
        places = {
            Qt.Key.Key_Left: at - 1,
            Qt.Key.Key_Right: at + 1,
            Qt.Key.Key_PageUp: at - PAGE,
            Qt.Key.Key_PageDown: at + PAGE,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        if last < 0 or key not in places:
            return False
        self._read_at = min(max(places[key], 0), last)
        self._describe()
        return True

    def _read_out(self, index: int) -> None:
        curve = self._curve
        self._readout.setText(
            self._gettext(N_("step {step}: {loss}, smoothed {smoothed}")).format(
                step=self._formats.integer(int(curve.steps[index])),
                loss=self._formats.decimal(curve.losses[index], 3),
                smoothed=self._formats.decimal(curve.smoothed[index], 3),
            )
        )
        self.plot.setAccessibleDescription(self._readout.text())
