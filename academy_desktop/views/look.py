"""The look that all widgets share: the theme in force, icons in its colours, a signal when it changes.

Owns the choice between light and dark. Refuses to know pages.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontDatabase, QFontInfo, QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from academy_desktop.views.theme import DARK, LIGHT, Sizes, Tokens, palette, stylesheet

#: Pixels drawn per logical pixel: sharp on dense screens, cheap on others.
DENSITY = 2


class Look(QObject):
    """Hands out tokens and icons; `changed()` after the theme did."""

    changed = Signal()

    def __init__(self, app: QApplication, resources: Path, dark: bool | None = None) -> None:
        super().__init__(app)
        self._app = app
        self._resources = resources
        self._sources: dict[str, str] = {}
        self._sheet = (resources / "themes" / "app.qss").read_text(encoding="utf-8")
        self._sizes = Sizes.from_body(QFontInfo(app.font()).pixelSize())
        self._mono = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
        self._dark = _system_is_dark() if dark is None else dark
        app.setStyle("Fusion")
        self._apply()

    @property
    def dark(self) -> bool:
        """Whether the dark theme is in force."""
        return self._dark

    @property
    def tokens(self) -> Tokens:
        """The colours in force."""
        return DARK if self._dark else LIGHT

    @property
    def sizes(self) -> Sizes:
        """The type sizes in force."""
        return self._sizes

    def set_dark(self, dark: bool) -> None:
        """Change the theme."""
        if dark != self._dark:
            self._dark = dark
            self._apply()
            self.changed.emit()

    def icon(self, name: str, colour: str, checked: str | None = None, size: int = 16, gap: int = 0) -> QIcon:
        """An icon in a colour (`#rrggbb`), and in another one while its button is checked."""
        icon = QIcon(self.pixmap(name, colour, size, gap))
        if checked is not None:
            icon.addPixmap(self.pixmap(name, checked, size, gap), QIcon.Mode.Normal, QIcon.State.On)
        return icon

    def pixmap(self, name: str, colour: str, size: int, gap: int = 0) -> QPixmap:
        """An icon of `size` logical pixels, with `gap` pixels of nothing between it and a button's text."""
        source = self._sources.get(name)
        if source is None:
            source = (self._resources / "icons" / f"{name}.svg").read_text(encoding="utf-8")
            self._sources[name] = source
        pixmap = QPixmap(QSize(size + gap, size) * DENSITY)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        QSvgRenderer(QByteArray(source.replace("currentColor", colour).encode())).render(
            painter, QRectF(0, 0, size * DENSITY, size * DENSITY)
        )
        painter.end()
        pixmap.setDevicePixelRatio(DENSITY)
        return pixmap

    def _apply(self) -> None:
        self._app.setPalette(palette(self.tokens))
        self._app.setStyleSheet(stylesheet(self._sheet, self.tokens, self._sizes, self._mono))


def _system_is_dark() -> bool:
    return QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark
