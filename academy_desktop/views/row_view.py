"""One row as a model sees it: the text with what is learned marked, and the way to the rows beside it.

Owns layout and marking. Refuses to know files and tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QFont, QTextCharFormat, QTextOption
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.datasets import Datasets
from academy_desktop.viewmodels.row_preview import Part
from academy_desktop.views.facts import Remark
from academy_desktop.views.fields import Choice
from academy_desktop.views.kit import Elided, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S

LEAST_TEXT_HEIGHT = 150


class Legend(QWidget):
    """A patch in the colours of learned or unlearned text, with its word."""

    def __init__(self, look: Look, word: str, *, learned: bool) -> None:
        super().__init__()
        self._look = look
        self._learned = learned
        self._patch = QFrame()
        self._patch.setFixedSize(14, 14)
        line = row(GAP_S + 2)
        line.addWidget(self._patch)
        line.addWidget(label(word, "small"))
        self.setLayout(line)
        look.changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        tokens = self._look.tokens
        ground, edge = (
            (tokens.accent_soft, tokens.accent) if self._learned else (tokens.inset, tokens.border_strong)
        )
        self._patch.setStyleSheet(f"background: {ground}; border: 1px solid {edge}; border-radius: 4px;")


class RowView(QFrame):
    """A card with one row; `model` and `tokens` say how it is shown and stand where the page wants them."""

    def __init__(self, look: Look, datasets: Datasets, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._look = look
        self._datasets = datasets
        self._preview = datasets.preview
        self._gettext = translate
        self._shown: tuple[Part, ...] = ()
        self.previous = button(translate(N_("Previous row")), "icon")
        self.next = button(translate(N_("Next row")), "icon")
        self.position = label("")
        self.origin = Elided("small")
        self.model = Choice(look, translate(N_("Render for the model")))
        self.model.setMinimumContentsLength(16)
        self.tokens = button(translate(N_("Tokens")), hint=translate(N_("Show each token with its id")))
        self.tokens.setCheckable(True)
        self.text = QPlainTextEdit()
        self.problem = Remark(look, "warning", "warning")
        self.counts = label("", "small", wrap=True)
        self._set_up_text()
        self._lay_out()
        self.previous.clicked.connect(self._preview.previous)
        self.next.clicked.connect(self._preview.next)
        self.tokens.toggled.connect(self._preview.show_tokens)
        self.model.chosen.connect(datasets.choose_model)
        self._preview.changed.connect(self._refresh)
        datasets.models.changed.connect(self._offer_models)
        look.changed.connect(self._draw)
        self._draw()
        self._offer_models()
        self._refresh()

    def _set_up_text(self) -> None:
        self.text.setReadOnly(True)
        self.text.setUndoRedoEnabled(False)
        self.text.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName(self._gettext(N_("The row as the model sees it")))
        self.text.setMinimumHeight(LEAST_TEXT_HEIGHT)

    def _lay_out(self) -> None:
        head = row(GAP)
        head.addWidget(label(self._gettext(N_("What the model sees")), "heading"))
        legends = row(GAP_M)
        legends.addWidget(Legend(self._look, self._gettext(N_("learned")), learned=True))
        legends.addWidget(Legend(self._look, self._gettext(N_("only read")), learned=False))
        way = row(GAP)
        for step in (self.previous, self.next):
            step.setIconSize(QSize(18, 18))
            way.addWidget(step)
        way.addWidget(self.position)
        way.addWidget(self.origin, 1)
        lines = column(GAP)
        lines.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        lines.addLayout(head)
        lines.addLayout(way)
        lines.addWidget(self.problem)
        lines.addWidget(self.text, 1)
        foot = row(GAP)
        foot.addWidget(self.counts, 1)
        foot.addLayout(legends)
        lines.addLayout(foot)
        self.setLayout(lines)

    def _draw(self) -> None:
        colour = self._look.tokens.muted
        self.previous.setIcon(self._look.icon("previous", colour))
        self.next.setIcon(self._look.icon("next", colour))
        self._write()

    def _offer_models(self) -> None:
        models = self._datasets.models.trainable
        chosen = self._preview.model
        self.model.offer([(one.id, one.name) for one in models], chosen.id if chosen else "")
        self.model.setVisible(bool(models))
        self.tokens.setVisible(bool(models))

    def _refresh(self) -> None:
        preview = self._preview
        self.previous.setEnabled(preview.has_previous)
        self.next.setEnabled(preview.has_next)
        self.position.setText(preview.position)
        self.origin.setText(preview.origin)
        self.problem.say(preview.problem)
        self.counts.setText(preview.counts)
        self.text.setVisible(not preview.problem)
        self.text.setAccessibleDescription(preview.counts)
        # while the next row is on its way this one stays: no flicker
        if preview.parts != self._shown and (preview.parts or preview.problem or not preview.total):
            self._shown = preview.parts
            self._write()

    def _write(self) -> None:
        self.text.clear()
        cursor = self.text.textCursor()
        for part in self._shown:
            cursor.insertText(part.text, self._format(learned=part.learned))
            if part.token is not None:
                cursor.insertText(f" {part.token} ", self._id_format())
        self.text.verticalScrollBar().setValue(0)

    def _id_format(self) -> QTextCharFormat:
        made = QTextCharFormat()
        made.setForeground(QColor(self._look.tokens.faint))
        made.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignSubScript)
        return made

    def _format(self, *, learned: bool) -> QTextCharFormat:
        tokens = self._look.tokens
        made = QTextCharFormat()
        made.setForeground(QColor(tokens.accent if learned else tokens.muted))
        if learned:
            made.setBackground(QColor(tokens.accent_soft))
            made.setFontWeight(QFont.Weight.DemiBold)
        return made
