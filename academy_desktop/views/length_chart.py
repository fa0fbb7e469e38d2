"""How long the rows are: a histogram, with the limit as a line that can be dragged or moved by keys.

Owns drawing and dragging. Refuses to know what the limit cuts: it shows a `DatasetAudit`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QBrush, QCloseEvent, QColor, QKeyEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.dataset_audit import DatasetAudit
from academy_desktop.views.kit import Elided, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP

#: Tokens that the limit moves with an arrow key, and with Page Up and Page Down.
STEP, PAGE = 8, 128


class LengthChart(QWidget):
    """The histogram and its line."""

    def __init__(self, look: Look, audit: DatasetAudit, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._audit = audit
        self._is_closed = False
        self.plot = pg.PlotWidget()
        self._kept = pg.BarGraphItem(x0=[], x1=[], height=[])
        self._cut = pg.BarGraphItem(x0=[], x1=[], height=[])
        self.line = pg.InfiniteLine(angle=90, movable=True)
        self.limit = Elided("small")
        item = self.plot.getPlotItem()
        item.hideButtons()
        item.setMenuEnabled(False)
        item.setMouseEnabled(x=False, y=False)
        for side in ("left", "bottom"):
            item.getAxis(side).enableAutoSIPrefix(False)
        for part in (self._kept, self._cut, self.line):
            self.plot.addItem(part)
        self.plot.setMinimumHeight(120)
        # its own wish is that of a window
        self.plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.plot.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.plot.setAccessibleName(translate(N_("Rows by number of tokens, and where they are cut")))
        self.plot.installEventFilter(self)
        head = row(GAP)
        head.addWidget(label(translate(N_("Tokens in a row")), "heading"))
        head.addStretch(1)
        head.addWidget(self.limit)
        lines = column(GAP)
        lines.addLayout(head)
        lines.addWidget(self.plot, 1)
        self.setLayout(lines)
        self.line.sigDragged.connect(lambda line: audit.set_limit(round(line.value())))
        audit.changed.connect(self._draw)
        audit.limited.connect(self._draw_limit)
        look.changed.connect(self._draw)
        self._draw()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: the arrow keys move the limit; focus shows as on any card."""
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self._draw_limit()
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            steps = {
                Qt.Key.Key_Left: -STEP,
                Qt.Key.Key_Right: STEP,
                Qt.Key.Key_PageUp: -PAGE,
                Qt.Key.Key_PageDown: PAGE,
            }
            step = steps.get(Qt.Key(event.key()))
            if step is not None:
                self._audit.set_limit(self._audit.limit + step)
                return True
        return super().eventFilter(watched, event)

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        """Qt: the window goes. pyqtgraph's scene does not survive being deleted by its parents."""
        if not self._is_closed:
            self._is_closed = True
            self._audit.changed.disconnect(self._draw)
            self._audit.limited.disconnect(self._draw_limit)
            self._look.changed.disconnect(self._draw)
            self.plot.removeEventFilter(self)
            self.plot.close()
        super().closeEvent(event)

    def _draw(self) -> None:
        tokens = self._look.tokens
        self.plot.setBackground(QColor(tokens.surface))
        for side in ("left", "bottom"):
            axis = self.plot.getPlotItem().getAxis(side)
            axis.setPen(pg.mkPen(tokens.border_strong))
            axis.setTextPen(pg.mkPen(tokens.muted))
            axis.setStyle(tickLength=0, tickTextOffset=8)
        self._draw_limit()

    def _draw_limit(self) -> None:
        tokens, bars, limit = self._look.tokens, self._audit.bars, self._audit.limit
        parts = ((self._kept, tokens.accent, False), (self._cut, tokens.second, True))
        for item, colour, beyond in parts:
            some = [bar for bar in bars if (bar.start >= limit) is beyond]
            item.setOpts(
                x0=np.array([bar.start for bar in some]),
                x1=np.array([bar.end for bar in some]),
                height=np.array([bar.rows for bar in some]),
                # not by colour alone: what is cut is hatched
                brush=QBrush(
                    QColor(colour), Qt.BrushStyle.BDiagPattern if beyond else Qt.BrushStyle.SolidPattern
                ),
                pen=pg.mkPen(tokens.surface),
            )
        self.line.setPen(pg.mkPen(tokens.text, width=3 if self.plot.hasFocus() else 2))
        self.line.setHoverPen(pg.mkPen(tokens.accent, width=4))
        self.line.setValue(limit)
        last = max([bar.end for bar in bars] + [limit])
        self.plot.setXRange(0, last * 1.04, padding=0)
        self.plot.setYRange(0, max((bar.rows for bar in bars), default=1) * 1.08, padding=0)
        self.limit.setText(self._audit.limit_words)
        self.plot.setAccessibleDescription(self._audit.limit_words)
