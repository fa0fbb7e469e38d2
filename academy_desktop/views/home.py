"""The Home page: a welcome, what this computer can do, what to do next, the runs of late.

Owns layout. Refuses to know how any of it is found out.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLayout, QScrollArea, QVBoxLayout, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.home import Finding, Home, NextStep
from academy_desktop.views.kit import Emblem, Icon, button, card, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.page import CONTENT_WIDTH
from academy_desktop.views.row_list import ROW_HEIGHT
from academy_desktop.views.run_list import RunList
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL

#: How a finding went → icon and colour.
FINDING_ICONS = {"ok": ("check", "success"), "warn": ("warning", "warning"), "fail": ("close", "danger")}


class HomePage(QScrollArea):
    """`wanted(page id, job id or "")` when the user goes somewhere: to a run, or to do the next step."""

    wanted = Signal(str, str)

    def __init__(self, look: Look, home: Home, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._home = home
        self._gettext = translate
        self._device_icon = Icon(look, "chip", "accent", 32)
        self._device_title = label("", "heading", wrap=True)
        self._device_text = label("", "muted", wrap=True)
        self._capacity_text = label("", "muted", wrap=True)
        self._findings = column(GAP)
        self._steps = row(GAP_L)
        self._waiting = label(self._gettext(N_("Reading your runs …")), "muted")
        self._recent = RunList(look, home.recent, translate)
        self._recent_card = self._recent_runs()
        self._way = self._way_through()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(self._content())
        self._recent.opened.connect(lambda job: self.wanted.emit("runs", job))
        home.changed.connect(self._refresh)
        home.recent.rowsInserted.connect(self._refresh_recent)
        home.recent.rowsRemoved.connect(self._refresh_recent)
        home.recent.modelReset.connect(self._refresh_recent)
        self._shown_steps: tuple[NextStep, ...] = ()
        self._shown_findings: tuple[Finding, ...] = ()
        self._refresh()
        self._refresh_recent()

    def _content(self) -> QWidget:
        lines = column(GAP_L)
        lines.addWidget(label(self._gettext(N_("Welcome to Academy Desktop")), "display"))
        lines.addWidget(
            label(
                self._gettext(N_("Teach a language model your own answers, on your own computer.")), "muted"
            )
        )
        lines.addSpacing(GAP)
        lines.addWidget(self._device())
        lines.addSpacing(GAP)
        lines.addWidget(label(self._gettext(N_("What you can do next")), "title"))
        lines.addWidget(self._waiting)
        lines.addLayout(self._steps)
        lines.addSpacing(GAP)
        lines.addWidget(self._recent_card)
        lines.addWidget(self._way)
        lines.addStretch(1)
        inner = QWidget()
        inner.setLayout(lines)
        inner.setMaximumWidth(CONTENT_WIDTH)
        centred = QHBoxLayout()
        centred.setContentsMargins(GAP_XL + GAP, GAP_XL + GAP, GAP_XL + GAP, GAP_XL)
        centred.addWidget(inner, 1)
        page = QWidget()
        page.setObjectName("page")
        page.setLayout(centred)
        return page

    def _device(self) -> QFrame:
        texts = column(GAP_S)
        texts.addWidget(self._device_title)
        texts.addWidget(self._device_text)
        texts.addWidget(self._capacity_text)
        texts.addLayout(self._findings)
        line = row(GAP_L, GAP_L)
        line.addWidget(self._device_icon, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        return card(line)

    def _recent_runs(self) -> QFrame:
        head = row(GAP)
        head.addWidget(label(self._gettext(N_("Recent runs")), "title"))
        head.addStretch(1)
        lines: QVBoxLayout = column(GAP_M)
        lines.addLayout(head)
        held = column(0, GAP_S)
        held.addWidget(self._recent)
        lines.addWidget(card(held))
        made = QFrame()
        made.setLayout(lines)
        return made

    def _way_through(self) -> QFrame:
        stages = row(GAP_L, GAP_L)
        for stage in self._home.stages:
            texts = column(GAP_S)
            texts.addWidget(Emblem(self._look, stage.icon))
            texts.addSpacing(GAP_S)
            texts.addWidget(label(stage.title, "heading"))
            texts.addWidget(label(stage.sentence, "small", wrap=True))
            texts.addStretch(1)
            stages.addLayout(texts, 1)
        lines = column(GAP_M)
        lines.addWidget(label(self._gettext(N_("How it goes")), "title"))
        lines.addWidget(card(stages))
        made = QFrame()
        made.setLayout(lines)
        return made

    def _refresh(self) -> None:
        home = self._home
        self._device_icon.show_icon(*(("chip", "accent") if home.is_ready else ("warning", "danger")))
        self._device_title.setText(home.device_title)
        self._device_text.setText(home.device_sentence)
        self._device_text.setVisible(bool(home.device_sentence))
        self._capacity_text.setText(home.capacity_sentence)
        self._capacity_text.setVisible(bool(home.capacity_sentence))
        self._waiting.setVisible(not home.knows_jobs)
        if home.findings != self._shown_findings:
            self._shown_findings = home.findings
            _empty(self._findings)
            self._findings.setContentsMargins(0, GAP if home.findings else 0, 0, 0)
            for finding in home.findings:
                self._findings.addWidget(self._finding(finding))
        if home.next_steps != self._shown_steps:
            self._shown_steps = home.next_steps
            _empty(self._steps)
            for step in self._shown_steps:
                self._steps.addWidget(self._step(step), 1)
        self._refresh_recent()

    def _finding(self, finding: Finding) -> QWidget:
        texts = column(2)
        texts.addWidget(label(finding.sentence, "body", wrap=True))
        if finding.next_step:
            texts.addWidget(label(finding.next_step, "muted", wrap=True))
        line = row(GAP)
        icon, token = FINDING_ICONS[finding.status]
        line.addWidget(Icon(self._look, icon, token, 18), 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        made = QWidget()
        made.setLayout(line)
        return made

    def _step(self, step: NextStep) -> QFrame:
        lines = column(GAP, GAP_L)
        lines.addWidget(Emblem(self._look, step.icon))
        lines.addSpacing(GAP_S)
        lines.addWidget(label(step.title, "heading", wrap=True))
        lines.addWidget(label(step.sentence, "muted", wrap=True))
        lines.addStretch(1)
        lines.addSpacing(GAP_S)
        action = button(step.action, "primary" if step == self._shown_steps[0] else "plain")
        action.setAccessibleDescription(step.sentence)
        action.clicked.connect(lambda: self.wanted.emit(step.page, step.job))
        lines.addWidget(action, 0, Qt.AlignmentFlag.AlignLeft)
        return card(lines)

    def _refresh_recent(self) -> None:
        rows = self._home.recent.rowCount()
        self._recent_card.setVisible(rows > 0)
        self._way.setVisible(rows == 0 and self._home.knows_jobs)
        self._recent.setFixedHeight(rows * ROW_HEIGHT + 2)


def _empty(layout: QLayout) -> None:
    while (item := layout.takeAt(0)) is not None:
        old = item.widget()
        if old is not None:
            old.hide()
            old.deleteLater()
