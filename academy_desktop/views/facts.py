"""What a page says about one thing: its figures side by side, a pill, a remark with an icon, a thin bar.

Owns their layout. Refuses to know what is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QProgressBar, QSizePolicy, QWidget

from academy_desktop.viewmodels.figures import Figure
from academy_desktop.viewmodels.records import Tone
from academy_desktop.views.kit import Elided, Icon, card, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M

#: Tone → tokens of a pill: text and what lies behind it.
TONES: Mapping[Tone, tuple[str, str]] = {
    "neutral": ("muted", "neutral_soft"),
    "success": ("success", "success_soft"),
    "warning": ("warning", "warning_soft"),
}


class FigureTile(QFrame):
    """One figure: label, value, hint."""

    def __init__(self) -> None:
        super().__init__()
        self._label = Elided("small")
        self._value = Elided("number")
        self._hint = Elided("small")
        lines = column(2)
        for part in (self._label, self._value, self._hint):
            lines.addWidget(part)
        self.setLayout(lines)

    def show_figure(self, figure: Figure, *, with_hint: bool = True) -> None:
        """Show a figure, with room for its hint or without."""
        self._hint.setVisible(with_hint)
        for part, text in (
            (self._label, figure.label),
            (self._value, figure.value),
            (self._hint, figure.hint),
        ):
            part.setText(text)
        self.setAccessibleName(f"{figure.label}: {figure.value} {figure.hint}".strip())


class FigureRow(QWidget):
    """A card with as many figures as there are room for tiles."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.tiles = [FigureTile() for _ in range(most)]
        tiles = row(GAP_M)
        tiles.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        for tile in self.tiles:
            tiles.addWidget(tile, 1)
        held = column(0)
        held.addWidget(card(tiles))
        self.setLayout(held)

    def show_figures(self, figures: Sequence[Figure]) -> None:
        """Show these figures."""
        with_hints = any(figure.hint for figure in figures)
        for tile, figure in zip(self.tiles, figures, strict=False):
            tile.show_figure(figure, with_hint=with_hints)
        for number, tile in enumerate(self.tiles):
            tile.setVisible(number < len(figures))


class Pill(QLabel):
    """A word or two on a soft ground."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._tone: Tone = "neutral"
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        look.changed.connect(self._paint)

    def show_word(self, word: str, tone: Tone) -> None:
        """Show a word in the colours of its tone."""
        self._tone = tone
        self.setText(word)
        self._paint()

    def _paint(self) -> None:
        text, ground = (getattr(self._look.tokens, name) for name in TONES[self._tone])
        self.setStyleSheet(
            f"color: {text}; background: {ground}; font-weight: 600;"
            f" font-size: {self._look.sizes.font_small}px; border-radius: 10px; padding: 3px 10px;"
        )


class Remark(QWidget):
    """A sentence with an icon before it; without a sentence there is nothing to see."""

    def __init__(self, look: Look, icon: str, token: str) -> None:
        super().__init__()
        self._icon = Icon(look, icon, token, 18)
        self._text = label("", wrap=True, selectable=True)
        self._more = label("", "muted", wrap=True, selectable=True)
        texts = column(2)
        texts.addWidget(self._text)
        texts.addWidget(self._more)
        line = row(GAP)
        line.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        self.setLayout(line)

    def say(self, text: str, more: str = "") -> None:
        """Show a sentence, and perhaps what can be done about it."""
        self._text.setText(text)
        self._more.setText(more)
        self._more.setVisible(bool(more))
        self.setVisible(bool(text))

    def show_icon(self, icon: str, token: str) -> None:
        """Show another icon, or the same in another colour."""
        self._icon.show_icon(icon, token)


def thin_bar(name: str) -> QProgressBar:
    """A progress bar over a thousand steps; its words stand beside it."""
    made = QProgressBar()
    made.setRange(0, 1000)
    made.setTextVisible(False)
    made.setAccessibleName(name)
    return made
