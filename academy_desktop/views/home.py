"""The Home page: a welcome, what this computer can do, what to do next, the runs of late.

Owns layout. Refuses to know how any of it is found out.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.home import Home, NextStep
from academy_desktop.views.kit import Command, Icon, button, card, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.run_list import ROW_HEIGHT, RunList
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL

#: A line of text or a card is never wider than this.
CONTENT_WIDTH = 1080


class HomePage(QScrollArea):
    """`job_opened(job id)` when the user wants to look at a run."""

    job_opened = Signal(str)

    def __init__(self, look: Look, home: Home, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._home = home
        self._gettext = translate
        self._device_title = label("", "heading")
        self._device_text = label("", "muted", wrap=True)
        self._steps = row(GAP_L)
        self._recent = RunList(look, home.recent, translate)
        self._recent_card = self._recent_runs()
        self._way = self._way_through()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(self._content())
        self._recent.opened.connect(self.job_opened)
        home.changed.connect(self._refresh)
        home.recent.rowsInserted.connect(self._refresh_recent)
        home.recent.rowsRemoved.connect(self._refresh_recent)
        home.recent.modelReset.connect(self._refresh_recent)
        self._shown: tuple[NextStep, ...] = ()
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
        line = row(GAP_L, GAP_L)
        line.addWidget(Icon(self._look, "chip", "accent", 32))
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
            texts.addWidget(Icon(self._look, stage.icon, "muted", 24))
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
        self._device_title.setText(self._home.device_title)
        self._device_text.setText(self._home.device_sentence)
        self._device_text.setVisible(bool(self._home.device_sentence))
        if self._home.next_steps != self._shown:
            self._shown = self._home.next_steps
            self._rebuild_steps()

    def _rebuild_steps(self) -> None:
        while (item := self._steps.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        for step in self._shown:
            self._steps.addWidget(self._step(step), 1)

    def _step(self, step: NextStep) -> QFrame:
        lines = column(GAP, GAP_L)
        lines.addWidget(Icon(self._look, step.icon, "accent", 24))
        lines.addSpacing(GAP_S)
        lines.addWidget(label(step.title, "heading", wrap=True))
        lines.addWidget(label(step.sentence, "muted", wrap=True))
        lines.addStretch(1)
        lines.addSpacing(GAP_S)
        if step.command:
            lines.addWidget(Command(self._look, step.command, self._gettext))
        if step.job:
            action = button(self._gettext(N_("Open the run")))
            action.setIconSize(QSize(16, 16))
            action.clicked.connect(lambda: self.job_opened.emit(step.job))
            lines.addWidget(action, 0, Qt.AlignmentFlag.AlignLeft)
        return card(lines)

    def _refresh_recent(self) -> None:
        rows = self._home.recent.rowCount()
        self._recent_card.setVisible(rows > 0)
        self._way.setVisible(rows == 0)
        self._recent.setFixedHeight(rows * ROW_HEIGHT + 2)
