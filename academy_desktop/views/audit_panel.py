"""The check of a dataset for a model: how long its rows are, what a limit cuts, and every kind of defect.

Owns layout. Refuses to know files and tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QPushButton, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.datasets import Datasets
from academy_desktop.views.facts import FigureRow, thin_bar
from academy_desktop.views.kit import button, card, column, label, row
from academy_desktop.views.length_chart import LengthChart
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S


class AuditPanel(QWidget):
    """`listed` when the rows with a defect are to be looked at."""

    listed = Signal()

    def __init__(self, look: Look, datasets: Datasets, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._datasets = datasets
        self._audit = datasets.audit
        self._gettext = translate
        self._shown: object = None
        self.summary = label("", wrap=True)
        self.start = button(translate(N_("Check all rows")), "primary")
        self.cancel = button(translate(N_("Cancel")))
        self.mend = button(translate(N_("Mend")))
        self.mend.setAccessibleDescription(translate(N_("Makes a new version of the dataset")))
        self.cut = button(translate(N_("Show the rows that are cut")), "quiet")
        self.bar = thin_bar(translate(N_("Rows checked")))
        self.figures = FigureRow(4)
        self.chart = LengthChart(look, self._audit, translate)
        self.defects: list[QPushButton] = []
        self._lay_out()
        self.start.clicked.connect(self._audit.start)
        self.cancel.clicked.connect(self._audit.cancel)
        self.mend.clicked.connect(self._audit.mend)
        self.cut.clicked.connect(self._list_cut)
        self._audit.changed.connect(self._refresh)
        self._audit.limited.connect(self._refresh_limit)
        self._refresh()

    def _lay_out(self) -> None:
        head = row(GAP)
        head.addWidget(self.summary, 1)
        for part in (self.mend, self.start, self.cancel):
            head.addWidget(part, 0, Qt.AlignmentFlag.AlignTop)
        self._defect_lines = column(GAP_S)
        lines = column(GAP)
        lines.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        lines.addLayout(head)
        lines.addWidget(self.bar)
        lines.addLayout(self._defect_lines)
        lengths = column(GAP)
        lengths.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP)
        lengths.addWidget(self.chart, 1)
        lengths.addWidget(self.cut, 0, Qt.AlignmentFlag.AlignRight)
        self._lengths: QFrame = card(lengths)
        parts = column(GAP_M)
        parts.addWidget(card(lines))
        parts.addWidget(self.figures)
        parts.addWidget(self._lengths, 1)
        parts.addStretch(0)
        self.setLayout(parts)

    def _refresh(self) -> None:
        audit = self._audit
        self.summary.setText(audit.summary)
        self.start.setEnabled(audit.can_start)
        self.start.setVisible(not audit.is_running)
        self.cancel.setVisible(audit.is_running)
        self.mend.setVisible(audit.report is not None and any(one.can_mend for one in audit.defects))
        self.mend.setEnabled(audit.mendable)
        self.bar.setVisible(audit.is_running)
        self.bar.setValue(round(1000 * audit.share_done))
        self._lengths.setVisible(audit.report is not None)
        self._show_defects()
        self._refresh_limit()

    def _refresh_limit(self) -> None:
        self.figures.setVisible(self._audit.report is not None)
        self.figures.show_figures(self._audit.figures)
        self.cut.setEnabled(bool(self._audit.report and self._audit.report.cut(self._audit.limit).rows))

    def _show_defects(self) -> None:
        if self._audit.defects == self._shown:
            return
        self._shown = self._audit.defects
        while (item := self._defect_lines.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        self.defects = []
        for one in self._audit.defects:
            opened = button(one.name, "quiet")
            opened.setText(f"{one.rows:,}  {one.name}")
            opened.clicked.connect(lambda _checked=False, code=one.code: self._list(code))
            line = row(GAP)
            line.addWidget(opened)
            mend = self._gettext(N_("Mend: {what}")).format(what=one.mend) if one.can_mend else one.mend
            line.addWidget(label(mend, "small", wrap=True), 1)
            held = QWidget()
            held.setLayout(line)
            self._defect_lines.addWidget(held)
            self.defects.append(opened)

    def _list(self, code: str) -> None:
        self._datasets.list_defects(code)
        self.listed.emit()

    def _list_cut(self) -> None:
        self._datasets.list_cut()
        self.listed.emit()
