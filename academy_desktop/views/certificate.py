"""One finished export: what it is, where it lies, and a badge that opens into the proof.

Owns drawing. Refuses to know what a check means: the view model says it.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QColor, QDesktopServices, QIcon, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QFrame, QGridLayout, QLayout, QPushButton, QSizePolicy, QWidget
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.certificate import CheckLine, ExportCard, Standing
from academy_desktop.viewmodels.figures import Figure
from academy_desktop.views.kit import Elided, Icon, button, card, column, label, row
from academy_desktop.views.look import DENSITY, Look
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S

#: Standing → the tokens of its badge: text and what lies behind it.
STANDING_TOKENS: dict[Standing, tuple[str, str]] = {
    "proven": ("success", "success_soft"),
    "failed": ("danger", "danger_soft"),
    "unknown": ("muted", "neutral_soft"),
}

CHEVRON_SIZE = 12


def empty(layout: QLayout) -> None:
    """Take out and delete all that stands in a layout."""
    while (item := layout.takeAt(0)) is not None:
        old = item.widget()
        if old is not None:
            old.hide()
            old.deleteLater()


def show_in_folder(path: str) -> None:
    """Have the system's file manager show the folder of a path."""
    folder = path.rpartition("/")[0] or path
    QDesktopServices.openUrl(QUrl.fromLocalFile(folder))


class VerdictBadge(QPushButton):
    """A verdict as a coloured pill; pressed, it stays down while the proof is open."""

    def __init__(self, look: Look, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._gettext = translate
        self._standing: Standing = "unknown"
        self.setCheckable(True)
        self.setAutoDefault(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the arrow stands behind the word
        self.setIconSize(QSize(CHEVRON_SIZE + GAP_S, CHEVRON_SIZE))
        self.toggled.connect(self._paint)
        look.changed.connect(self._paint)

    def show_standing(self, standing: Standing, word: str) -> None:
        """Show a verdict by its word and its colours."""
        self._standing = standing
        self.setText(word)
        self._paint()

    def _paint(self) -> None:
        tokens = self._look.tokens
        text, ground = (getattr(tokens, token) for token in STANDING_TOKENS[self._standing])
        self.setStyleSheet(
            f"QPushButton {{ color: {text}; background: {ground}; font-weight: 600;"
            f" font-size: {self._look.sizes.font_small}px; border: 1px solid {ground};"
            f" border-radius: 11px; padding: 3px 8px; }}"
            f"QPushButton:hover, QPushButton:focus {{ border-color: {text}; }}"
        )
        self.setIcon(_chevron(text, up=self.isChecked()))
        hint = N_("Hide the proof") if self.isChecked() else N_("Show the proof")
        self.setToolTip(self._gettext(hint))
        self.setAccessibleName(self.text())
        self.setAccessibleDescription(self._gettext(hint))


class FigureTile(QWidget):
    """One figure of a proof: label, value, hint."""

    def __init__(self, figure: Figure) -> None:
        super().__init__()
        lines = column(2)
        for text, role in ((figure.label, "small"), (figure.value, "heading"), (figure.hint, "small")):
            part = Elided("heading" if role == "heading" else "small")
            part.setText(text)
            lines.addWidget(part)
        lines.addStretch(1)
        self.setLayout(lines)
        self.setAccessibleName(f"{figure.label}: {figure.value} {figure.hint}".strip())


class Proof(QFrame):
    """A certificate: a sentence, the figures that matter, and each check beside its bound."""

    def __init__(self, look: Look, shown: ExportCard, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self.setProperty("inset", True)
        lines = column(GAP_M, GAP_M)
        lines.addWidget(label(shown.sentence, wrap=True, selectable=True))
        if shown.figures:
            figures = row(GAP_L)
            for figure in shown.figures:
                figures.addWidget(FigureTile(figure), 1)
            lines.addLayout(figures)
        if shown.checks:
            lines.addWidget(_divider())
            lines.addLayout(self._checks(shown.checks, translate))
        self.setLayout(lines)

    def _checks(self, checks: tuple[CheckLine, ...], translate: Callable[[str], str]) -> QGridLayout:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GAP_M)
        grid.setVerticalSpacing(GAP)
        grid.setColumnStretch(1, 1)
        top = Qt.AlignmentFlag.AlignTop
        for at, check in enumerate(checks):
            icon = Icon(self._look, *(("check", "success") if check.passed else ("close", "danger")), size=16)
            icon.setAccessibleName(translate(N_("passed")) if check.passed else translate(N_("failed")))
            texts = column(0)
            texts.addWidget(label(check.title))
            texts.addWidget(label(check.meaning, "small", wrap=True))
            numbers = column(0)
            for text, role in ((check.value, "body"), (check.bound, "small")):
                number = label(text, "body" if role == "body" else "small")
                number.setAlignment(Qt.AlignmentFlag.AlignRight)
                numbers.addWidget(number)
            numbers.addStretch(1)
            grid.addWidget(icon, at, 0, top)
            grid.addLayout(texts, at, 1)
            grid.addLayout(numbers, at, 2)
        return grid


class PathLine(Elided):
    """A path that loses its middle where its place is too narrow: its end says most."""

    def __init__(self) -> None:
        super().__init__("small")

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw what fits."""
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, self.width())
        painter = QPainter(self)
        role, area = self.foregroundRole(), self.contentsRect()
        self.style().drawItemText(
            painter, area, self.alignment(), self.palette(), self.isEnabled(), shown, role
        )


class ExportCardView(QFrame):
    """One export; `proof_wanted(name)`, `shown_in_folder(path)`, `opened(name, bool)`."""

    proof_wanted = Signal(str)
    shown_in_folder = Signal(str)
    opened = Signal(str, bool)

    def __init__(
        self, look: Look, shown: ExportCard, translate: Callable[[str], str], *, is_open: bool = False
    ) -> None:
        super().__init__()
        self.badge = VerdictBadge(look, translate)
        self.badge.show_standing(shown.standing, shown.word)
        failed = shown.standing == "failed"
        self.prove = button(translate(N_("Prove again") if failed else N_("Prove it")))
        self.prove.setAccessibleDescription(shown.name)
        self.prove.setVisible(shown.standing != "proven")
        self.show_button = button(translate(N_("Show in folder")), "quiet")
        self.show_button.setAccessibleDescription(shown.name)
        self.proof = QWidget()
        path = PathLine()
        path.setText(shown.path)
        head = row(GAP)
        title = Elided("heading")
        title.setText(shown.title)
        head.addWidget(title)
        head.addWidget(self.badge)
        head.addStretch(1)
        head.addWidget(label(shown.size, "muted"))
        below = row(GAP)
        below.addWidget(path, 1)
        below.addWidget(self.show_button)
        below.addWidget(self.prove)
        opening = column(0)
        opening.setContentsMargins(0, GAP_S, GAP_S, GAP_S)
        opening.addWidget(Proof(look, shown, translate))
        self.proof.setLayout(opening)
        lines = column(GAP_S)
        lines.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        lines.addLayout(head)
        lines.addLayout(below)
        if shown.beside:
            lines.addWidget(label(shown.beside, "small"))
        lines.addWidget(self.proof)
        held = card(lines)
        around = column(0)
        around.addWidget(held)
        self.setLayout(around)
        self.proof.setVisible(is_open)
        self.badge.setChecked(is_open)
        self.badge.toggled.connect(self.proof.setVisible)
        self.badge.toggled.connect(lambda wanted: self.opened.emit(shown.name, wanted))
        self.prove.clicked.connect(lambda: self.proof_wanted.emit(shown.name))
        self.show_button.clicked.connect(lambda: self.shown_in_folder.emit(shown.path))


def _divider() -> QFrame:
    made = QFrame()
    made.setProperty("divider", True)
    made.setFixedHeight(1)
    return made


def _chevron(colour: str, *, up: bool) -> QIcon:
    """An arrow that points down, or up while what it opens is open."""
    pixmap = QPixmap(QSize(CHEVRON_SIZE + GAP_S, CHEVRON_SIZE) * DENSITY)
    pixmap.setDevicePixelRatio(DENSITY)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(QColor(colour), 1.75)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    outer, inner = (8.0, 4.5) if up else (4.5, 8.0)
    points = ((2.5, outer), (6.0, inner), (9.5, outer))
    painter.drawPolyline([QPointF(GAP_S + x, y) for x, y in points])
    painter.end()
    return QIcon(pixmap)
