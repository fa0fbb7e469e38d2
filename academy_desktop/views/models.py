"""The Models page: the base models at the left, what is known of the chosen one at the right.

Owns layout and the choice of a folder. Refuses to read folders.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QLineEdit,
    QPushButton,
    QStackedLayout,
    QWidget,
)
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.models import BaseModels
from academy_desktop.views.facts import FigureRow, Pill, Remark, thin_bar
from academy_desktop.views.kit import Elided, Emblem, EmptyState, button, card, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.page import HEAD_HEIGHT, heading, list_card, scroller, two_sides
from academy_desktop.views.record_list import RecordList
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S

#: Least and largest width of the list; between, it has a third of the page.
LIST_WIDTHS = (320, 420)

BADGE_ICONS = {True: ("check", "success"), False: ("info", "warning")}


class DemoCard(QWidget):
    """The offer to fetch the demo model, and how far that is; nothing to see once the model is there."""

    def __init__(self, look: Look, models: BaseModels, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look
        self._models = models
        self.fetch = button(translate(N_("Get the demo model")), "primary")
        self.cancel = button(translate(N_("Cancel")))
        self.bar = thin_bar(translate(N_("Progress of the demo model")))
        self.progress = label("", "small", wrap=True)
        offer = N_(
            "SmolLM2-135M-Instruct (Apache-2.0) is small enough to learn on any processor. "
            "About 100 MB are downloaded; it then takes 0.5 GiB on the disk."
        )
        texts = column(GAP)
        texts.addWidget(label(translate(N_("A model to begin with")), "heading", wrap=True))
        texts.addWidget(label(translate(offer), "muted", wrap=True))
        texts.addWidget(self.bar)
        texts.addWidget(self.progress)
        buttons = row(GAP)
        buttons.addWidget(self.fetch)
        buttons.addWidget(self.cancel)
        buttons.addStretch(1)
        texts.addLayout(buttons)
        line = row(GAP_L, GAP_L)
        line.addWidget(Emblem(look, "spark"), 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        held = column(0)
        held.addWidget(card(line))
        self.setLayout(held)
        self.fetch.setIconSize(QSize(16 + GAP, 16))
        self.fetch.clicked.connect(models.fetch_demo)
        self.cancel.clicked.connect(models.cancel_fetch)
        models.changed.connect(self._refresh)
        look.changed.connect(self._draw)
        self._draw()
        self._refresh()

    def _draw(self) -> None:
        self.fetch.setIcon(self._look.icon("download", self._look.tokens.on_accent, gap=GAP))

    def _refresh(self) -> None:
        models = self._models
        self.setVisible(models.offers_demo)
        self.fetch.setVisible(not models.is_fetching)
        for part in (self.cancel, self.bar, self.progress):
            part.setVisible(models.is_fetching)
        self.cancel.setEnabled(not models.is_cancelling)
        self.bar.setValue(round(1000 * models.share_fetched))
        self.progress.setText(models.fetch_progress)


class ModelView(QWidget):
    """One model as a whole."""

    def __init__(self, look: Look, models: BaseModels, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._models = models
        self.title = Elided("title")
        self.title.setMinimumHeight(HEAD_HEIGHT)
        self.badge = Pill(look)
        self.figures = FigureRow(3)
        self.verdict = Remark(look, *BADGE_ICONS[True])
        self.origin = label("", "small")
        self.path = QLineEdit()
        self.path.setReadOnly(True)
        self.path.setAccessibleName(translate(N_("Where it lies")))
        first = row(GAP_M)
        first.addWidget(self.title)
        first.addWidget(self.badge)
        first.addStretch(1)
        told = column(0)
        told.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        told.addWidget(self.verdict)
        place = column(GAP_S)
        place.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        place.addWidget(self.origin)
        place.addWidget(self.path)
        lines = column(GAP_M)
        lines.addLayout(first)
        lines.addWidget(self.figures)
        lines.addWidget(card(told))
        lines.addWidget(card(place))
        self.setLayout(lines)
        models.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        shown = self._models.shown
        self.setVisible(shown is not None)
        if shown is None:
            return
        self.title.setText(shown.name)
        self.badge.show_word(self._models.badge, "success" if shown.trainable else "neutral")
        self.figures.show_figures(self._models.figures)
        self.verdict.show_icon(*BADGE_ICONS[shown.trainable])
        self.verdict.say(self._models.verdict, self._models.next_step)
        self.origin.setText(self._models.origin)
        if self.path.text() != shown.path:
            self.path.setText(shown.path)
            self.path.setCursorPosition(0)


class ModelsPage(QWidget):
    """The page; empty it offers the demo model."""

    def __init__(self, look: Look, models: BaseModels, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setObjectName("page")
        self._look = look
        self._models = models
        self._gettext = translate
        self._adders: list[QPushButton] = []
        self.list = RecordList(look, models.records, translate(N_("Models")))
        self.view = ModelView(look, models, translate)
        self.demos = [DemoCard(look, models, translate) for _ in range(2)]
        self._waiting = label(translate(N_("Looking for models …")), "muted")
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedLayout()
        for part in (self._waiting, self._empty(), self._full()):
            self._stack.addWidget(part)
        self.setLayout(self._stack)
        self.list.opened.connect(models.select)
        models.changed.connect(self._refresh)
        look.changed.connect(self._draw)
        self._draw()
        self._refresh()

    def choose_folder(self) -> None:
        """Let the user choose the folder of a model."""
        dialog = QFileDialog(self, self._gettext(N_("Choose the folder of a model")))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._models.add)
        dialog.open()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        """Qt: the page appears; models that came meanwhile appear with it."""
        super().showEvent(event)
        self._models.refresh()

    def _empty(self) -> QWidget:
        lines = column(GAP_L)
        lines.addWidget(self.demos[0])
        lines.addWidget(self._add_button(), 0, Qt.AlignmentFlag.AlignHCenter)
        action = QWidget()
        action.setLayout(lines)
        return EmptyState(
            self._look,
            "models",
            self._gettext(N_("No models yet")),
            self._gettext(
                N_(
                    "Get the demo model, or add a folder in Hugging Face layout: weights as safetensors, a"
                    " tokenizer and a chat template."
                )
            ),
            action,
        )

    def _full(self) -> QWidget:
        head = row(GAP)
        head.addWidget(heading(self._gettext(N_("Models"))))
        head.addStretch(1)
        head.addWidget(self._add_button())
        left = column(GAP_M)
        left.addLayout(head)
        left.addWidget(list_card(self.list), 1)
        right = column(GAP_L)
        right.addWidget(self.view)
        right.addWidget(self.demos[1])
        right.addStretch(1)
        inner = QWidget()
        inner.setLayout(right)
        return two_sides(left, scroller(inner), widths=LIST_WIDTHS, shares=(2, 3))

    def _add_button(self) -> QPushButton:
        made = button(self._gettext(N_("Add a folder")))
        made.setIconSize(QSize(16 + GAP, 16))
        made.clicked.connect(self.choose_folder)
        self._adders.append(made)
        return made

    def _draw(self) -> None:
        for adder in self._adders:
            adder.setIcon(self._look.icon("folder", self._look.tokens.text, gap=GAP))

    def _refresh(self) -> None:
        models = self._models
        shown = models.shown
        self.list.show_record(shown.id if shown else "")
        for adder in self._adders:
            adder.setEnabled(not models.is_adding)
        if not models.is_known:
            self._stack.setCurrentIndex(0)
        else:
            self._stack.setCurrentIndex(2 if models.all else 1)
