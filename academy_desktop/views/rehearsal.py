"""The rehearsal on the Train page: its stages one below the other, what was found, and what can be done now.

Owns layout. Refuses to know what the stages do.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QPushButton, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.rehearsal import Rehearsing
from academy_desktop.viewmodels.rehearsal_story import Finding, Verdict
from academy_desktop.views.demo import StageRow
from academy_desktop.views.kit import Icon, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP_L, GAP_M, GAP_S

ICON_SIZE = 20


class RehearseButton(QPushButton):
    """`Rehearse first`, beside the button that begins in earnest."""

    def __init__(self, rehearsing: Rehearsing, translate: Callable[[str], str]) -> None:
        text = translate(N_("Rehearse first"))
        super().__init__(text)
        self.setAccessibleName(text)
        hint = N_(
            "The whole way once with a small model: rows, training, exports and proof. Takes a minute or two."
        )
        self.setToolTip(translate(hint))
        self.setAccessibleDescription(translate(hint))
        self._rehearsing = rehearsing
        self.clicked.connect(rehearsing.start)
        rehearsing.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Whether it can be pressed."""
        self.setEnabled(self._rehearsing.can_start)


class FindingRow(QWidget):
    """One thing that was found."""

    def __init__(self, look: Look, finding: Finding) -> None:
        super().__init__()
        icon = ("warning", "danger") if finding.serious else ("info", "muted")
        line = row(GAP_M)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(Icon(look, *icon, ICON_SIZE), 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(label(finding.text, wrap=True, selectable=True), 1)
        self.setLayout(line)
        self.setAccessibleName(finding.text)


class RehearsalCard(QFrame):
    """The rehearsal that is in progress, or was last; hidden before the first."""

    def __init__(self, look: Look, rehearsing: Rehearsing, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._look = look
        self._rehearsing = rehearsing
        self._gettext = translate
        self._sentence = label("", "muted", wrap=True)
        self._rows = [StageRow(look, number) for number, _ in enumerate(rehearsing.story.stages, 1)]
        self.cancel = button(translate(N_("Cancel")))
        self.again = button(translate(N_("Rehearse again")))
        self.away = button(translate(N_("Remove")), hint=translate(N_("Its jobs go to the trash")))
        self.start_run = button(translate(N_("Start the real run")), "primary")
        self._icon = Icon(look, "check", "success", ICON_SIZE)
        self._title = label("", "heading", wrap=True)
        self._next_step = label("", wrap=True, selectable=True)
        self._remarks = label("", "small", wrap=True, selectable=True)
        self._findings = column(GAP_S)
        self._shown: Verdict | None = None
        self._outcome = self._make_outcome()
        self._lay_out()
        self.cancel.clicked.connect(rehearsing.cancel)
        self.again.clicked.connect(rehearsing.start)
        self.away.clicked.connect(rehearsing.put_away)
        self.start_run.clicked.connect(rehearsing.start_run)
        rehearsing.changed.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        texts = column(GAP_S)
        texts.addWidget(label(self._gettext(N_("Rehearsal")), "heading"))
        texts.addWidget(self._sentence)
        head = row(GAP_M)
        head.addLayout(texts, 1)
        for action in (self.cancel, self.away, self.again):
            head.addWidget(action, 0, Qt.AlignmentFlag.AlignTop)
        stages = column(GAP_M)
        for one in self._rows:
            stages.addWidget(one)
        lines = column(GAP_L, GAP_L)
        lines.addLayout(head)
        lines.addLayout(stages)
        lines.addWidget(self._outcome)
        self.setLayout(lines)

    def _make_outcome(self) -> QFrame:
        texts = column(GAP_S)
        texts.addWidget(self._title)
        texts.addWidget(self._next_step)
        top = row(GAP_M)
        top.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(texts, 1)
        top.addWidget(self.start_run, 0, Qt.AlignmentFlag.AlignTop)
        lines = column(GAP_M, GAP_M)
        lines.addLayout(top)
        lines.addLayout(self._findings)
        lines.addWidget(self._remarks)
        made = QFrame()
        made.setProperty("inset", True)
        made.setLayout(lines)
        return made

    def refresh(self) -> None:
        """Show it as it stands."""
        rehearsing = self._rehearsing
        self.setVisible(rehearsing.is_shown)
        self._sentence.setText(self._say())
        self.cancel.setVisible(rehearsing.is_running)
        self.cancel.setEnabled(not rehearsing.is_cancelling)
        for action in (self.again, self.away):
            action.setVisible(not rehearsing.is_running)
        self.again.setEnabled(rehearsing.can_start)
        for shown, stage in zip(self._rows, rehearsing.story.stages, strict=True):
            shown.show_stage(stage)
        self._refresh_outcome()

    def _refresh_outcome(self) -> None:
        verdict = self._rehearsing.story.verdict
        self._outcome.setVisible(verdict is not None)
        self.start_run.setVisible(self._rehearsing.can_start_run)
        if verdict is None or verdict is self._shown:
            return
        self._shown = verdict
        self._icon.show_icon(*(("check", "success") if verdict.ok else ("warning", "danger")))
        self._title.setText(verdict.title)
        self._next_step.setText(verdict.sentence)
        self._remarks.setText("\n".join(verdict.remarks))
        self._remarks.setVisible(bool(verdict.remarks))
        while (old := self._findings.takeAt(0)) is not None:
            widget = old.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for finding in verdict.findings:
            self._findings.addWidget(FindingRow(self._look, finding))
        self._outcome.setAccessibleName(f"{verdict.title}. {verdict.sentence}")

    def _say(self) -> str:
        _, rehearsing = self._gettext, self._rehearsing
        if rehearsing.is_cancelling:
            return _(N_("Ending; your rows and models stay as they are."))
        if rehearsing.is_running:
            return _(N_("The whole way once with a small model. You can use the other pages meanwhile."))
        if rehearsing.story.is_cut_short:
            return _(N_("It did not come to its end, so it says nothing about the run."))
        if rehearsing.is_stale:
            return _(N_("The form was changed since. Rehearse again to be sure of what it shows now."))
        return _(N_("The whole way once with a small model, for what the form shows."))
