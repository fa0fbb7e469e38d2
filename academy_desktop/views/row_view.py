"""One row as a model sees it: the text with what is learned marked, and the way to the rows beside it.

Owns layout. Refuses to know files and tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QFrame, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.datasets import Datasets
from academy_desktop.views.facts import Remark
from academy_desktop.views.fields import Choice
from academy_desktop.views.kit import Elided, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.row_text import RowText
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S

LEAST_TEXT_HEIGHT = 150


class Legend(QWidget):
    """A patch in the colours of learned or unlearned text, with its word."""

    def __init__(self, look: Look, word: str, ground: str, edge: str) -> None:
        """`ground` and `edge` name colours of the theme."""
        super().__init__()
        self._look = look
        self._colours = (ground, edge)
        self._patch = QFrame()
        self._patch.setFixedSize(14, 14)
        line = row(GAP_S + 2)
        line.addWidget(self._patch)
        line.addWidget(label(word, "small"))
        self.setLayout(line)
        look.changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        ground, edge = (getattr(self._look.tokens, name) for name in self._colours)
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
        self.previous = button(translate(N_("Previous row")), "icon")
        self.next = button(translate(N_("Next row")), "icon")
        self.position = label("")
        self.origin = Elided("small")
        self.model = Choice(look, translate(N_("Render for the model")))
        self.model.setMinimumContentsLength(16)
        self.tokens = button(translate(N_("Tokens")), hint=translate(N_("Show each token with its id")))
        self.tokens.setCheckable(True)
        self.text = RowText(look, translate(N_("The row as the model sees it")), LEAST_TEXT_HEIGHT)
        self.problem = Remark(look, "warning", "warning")
        self.counts = label("", "small", wrap=True)
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

    def _lay_out(self) -> None:
        head = row(GAP)
        head.addWidget(label(self._gettext(N_("What the model sees")), "heading"))
        legends = row(GAP_M)
        look, translate = self._look, self._gettext
        self._avoided = Legend(look, translate(N_("avoided")), "danger_soft", "danger")
        legends.addWidget(Legend(look, translate(N_("learned")), "accent_soft", "accent"))
        legends.addWidget(self._avoided)
        legends.addWidget(Legend(look, translate(N_("only read")), "inset", "border_strong"))
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
        self._avoided.setVisible(any(part.tone == "worse" for part in preview.parts))
        self.text.setAccessibleDescription(preview.counts)
        # while the next row is on its way this one stays: no flicker
        if preview.parts or preview.problem or not preview.total:
            self.text.show_parts(preview.parts)
