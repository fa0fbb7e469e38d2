"""The Train page: what is trained on which rows, the values that matter, and the button that begins.

Owns layout. Refuses to know recipes, files and how a job is run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.forecast import LiveForecast
from academy_desktop.viewmodels.readiness import Readiness
from academy_desktop.viewmodels.recipe_fields import Field
from academy_desktop.viewmodels.rehearsal import Rehearsing
from academy_desktop.viewmodels.train import Train
from academy_desktop.viewmodels.trial import Trying
from academy_desktop.views.field_editor import FieldEditor, FieldGrid
from academy_desktop.views.forecast import ForecastCard
from academy_desktop.views.kit import Elided, EmptyState, Icon, button, card, column, label, row, side_by_side
from academy_desktop.views.look import Look
from academy_desktop.views.page import CONTENT_WIDTH, heading, one_column
from academy_desktop.views.recipe_form import form_sheet
from academy_desktop.views.rehearsal import RehearsalCard, RehearseButton
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL
from academy_desktop.views.train_questions import GuideCard, WhatCard
from academy_desktop.views.trial import TrialRow

#: Pages of the stack.
_READING, _NO_DATASET, _NO_MODEL, _READY = range(4)


class FileProblems(QFrame):
    """What is wrong in a recipe file that was to be opened."""

    def __init__(self, look: Look, train: Train, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setObjectName("notice")
        self._look = look
        self._train = train
        self._lines = label("", wrap=True, selectable=True)
        self._close = button(translate(N_("Dismiss")), "icon")
        self._close.clicked.connect(train.dismiss_problems)
        texts = column(GAP_S)
        texts.addWidget(label(translate(N_("This recipe cannot be used as it is")), "heading"))
        texts.addWidget(self._lines)
        line = row(GAP_M)
        line.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        line.addWidget(Icon(look, "warning", "danger", 24), 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        line.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self.setLayout(line)
        look.changed.connect(self._draw)
        train.changed.connect(self.refresh)
        self._draw()
        self.refresh()

    def refresh(self) -> None:
        """Show the problems there are."""
        self._lines.setText("\n".join(self._train.file_problems))
        self.setVisible(bool(self._train.file_problems))

    def _draw(self) -> None:
        self._close.setIcon(self._look.icon("close", self._look.tokens.muted))


class Footer(QFrame):
    """What will happen, why it cannot, and the button that makes it happen."""

    def __init__(
        self,
        look: Look,
        train: Train,
        translate: Callable[[str], str],
        readiness: Readiness | None = None,
    ) -> None:
        super().__init__()
        self.setObjectName("footer")
        self._look = look
        self._train = train
        self._readiness = readiness
        self._gettext = translate
        self._title = label("", "heading", wrap=True)
        self._text = label("", "small", wrap=True)
        self.show_wrong = button(translate(N_("Show it")), "quiet")
        self.start = button(translate(N_("Start training")), "primary")
        self.start.setIconSize(QSize(16 + GAP, 16))
        self.start.clicked.connect(train.start)
        texts = column(2)
        texts.addWidget(self._title)
        texts.addWidget(self._text)
        line = row(GAP_L)
        line.addLayout(texts, 1)
        line.addWidget(self.show_wrong, 0, Qt.AlignmentFlag.AlignVCenter)
        line.addWidget(self.start, 0, Qt.AlignmentFlag.AlignVCenter)
        self._line = line
        inner = QWidget()
        line.setContentsMargins(0, 0, 0, 0)
        inner.setLayout(line)
        inner.setMaximumWidth(CONTENT_WIDTH)
        self._around = QHBoxLayout()
        self._around.addWidget(inner, 1)
        self.setLayout(self._around)
        self.make_room(0)
        look.changed.connect(self._draw)
        train.changed.connect(self.refresh)
        if readiness is not None:
            readiness.changed.connect(self.refresh)
        self._draw()
        self.refresh()

    def refresh(self) -> None:
        """Show what will happen now."""
        train = self._train
        goes = train.can_start or bool(train.doing)
        self._title.setText(train.summary if goes else self._gettext(N_("This cannot begin yet")))
        self._text.setText(train.reason or self._outlook)
        self.show_wrong.setVisible(bool(train.form.problems))
        self.start.setEnabled(train.can_start)
        self.start.setAccessibleDescription(train.reason or train.summary)
        self.start.setToolTip(train.reason)
        self._draw()

    @property
    def _outlook(self) -> str:
        """What may be expected of a run that can begin."""
        said = self._gettext(N_("It goes on when you close the window, and you can stop it at any time."))
        note = self._readiness.note if self._readiness is not None else ""
        return f"{said}\n{note}" if note else said

    def offer(self, action: QWidget) -> None:
        """Put another button in front of the one that begins."""
        self._line.insertWidget(1, action, 0, Qt.AlignmentFlag.AlignVCenter)

    def make_room(self, bar: int) -> None:
        """Stay below what scrolls, which has a bar of this width at its right."""
        self._around.setContentsMargins(GAP_XL + GAP, GAP_M, GAP_XL + GAP + bar, GAP_M)

    def _draw(self) -> None:
        tokens = self._look.tokens
        colour = tokens.on_accent if self._train.can_start else tokens.faint
        self.start.setIcon(self._look.icon("resume", colour, gap=GAP))


class TrainPage(QWidget):
    """`wanted(page id, "")` when the user wants to go where datasets or models are made."""

    wanted = Signal(str, str)

    def __init__(
        self,
        look: Look,
        train: Train,
        translate: Callable[[str], str],
        forecast: LiveForecast | None = None,
        rehearsing: Rehearsing | None = None,
        trying: Trying | None = None,
        readiness: Readiness | None = None,
    ) -> None:
        """`forecast`, …, `readiness`: of the run; without them there is nothing of it here."""
        super().__init__()
        self.setObjectName("page")
        self._forecast = forecast
        self._readiness = readiness
        self.forecast = ForecastCard(look, forecast, translate) if forecast is not None else None
        self.rehearsal = RehearsalCard(look, rehearsing, translate) if rehearsing is not None else None
        if self.forecast is not None and trying is not None:
            self.forecast.offer(TrialRow(trying, translate))
        self._look = look
        self._train = train
        self._gettext = translate
        self.editors: dict[str, FieldEditor] = {}
        self._sections: list[tuple[QFrame, FieldGrid]] = []
        self.what = WhatCard(look, train, translate)
        self.guide = GuideCard(train, translate)
        self._changes = label("", "small")
        self.reset_button = button(translate(N_("Put all back")), "quiet")
        self.problems = FileProblems(look, train, translate)
        self.footer = Footer(look, train, translate, readiness)
        if rehearsing is not None:
            rehearse = RehearseButton(rehearsing, translate)
            rehearse.clicked.connect(lambda: QTimer.singleShot(0, self, self.show_rehearsal))
            self.footer.offer(rehearse)
        self._source = Elided("muted")
        self.open_button = button(translate(N_("Open recipe …")), "quiet")
        self.save_button = button(translate(N_("Save recipe …")), "quiet")
        self.all_button = button("", "quiet")
        self.all_button.setCheckable(True)
        self._more = QWidget()
        self._stack = QStackedLayout()
        for page in (self._reading(), self._no_dataset(), self._no_model(), self._form()):
            self._stack.addWidget(page)
        self.setLayout(self._stack)
        self.open_button.clicked.connect(self._ask_open)
        self.save_button.clicked.connect(self._ask_save)
        self.all_button.toggled.connect(self._show_more)
        self.reset_button.clicked.connect(train.reset_all)
        self.footer.show_wrong.clicked.connect(self._show_wrong)
        train.changed.connect(self._refresh)
        look.changed.connect(self._draw)
        self._show_more(False)
        self._draw()
        self._refresh()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        """Qt: the page appears; a dataset may have come since it was last seen."""
        super().showEvent(event)
        self._train.refresh()
        if self._forecast is not None:
            self._forecast.refresh()
        if self._readiness is not None:
            self._readiness.see(True)

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        """Qt: the page is left."""
        super().hideEvent(event)
        if self._readiness is not None:
            self._readiness.see(False)

    # the pages

    def _reading(self) -> QWidget:
        return EmptyState(
            self._look,
            "train",
            self._gettext(N_("Looking for datasets and models …")),
            self._gettext(N_("This takes a moment.")),
        )

    def _no_dataset(self) -> QWidget:
        go = self._action(N_("Import rows"), "datasets")
        return EmptyState(
            self._look,
            "datasets",
            self._gettext(N_("No dataset yet")),
            self._gettext(N_("A model learns from your questions and answers: import a file of them first.")),
            go,
        )

    def _no_model(self) -> QWidget:
        go = self._action(N_("Choose a model"), "models")
        return EmptyState(
            self._look,
            "models",
            self._gettext(N_("No model that can be trained")),
            self._gettext(
                N_("Training begins with a small model: add a folder that has one, or make the demo’s.")
            ),
            go,
        )

    def _action(self, text: str, page: str) -> QWidget:
        """The button of an empty state, as wide as it needs."""
        go = button(self._gettext(text), "primary")
        go.clicked.connect(lambda: self.wanted.emit(page, ""))
        return side_by_side(go)

    def _form(self) -> QWidget:
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(self._content())
        lines = column(0)
        lines.addWidget(scroll, 1)
        lines.addWidget(self.footer)
        page = QWidget()
        page.setObjectName("page")
        page.setLayout(lines)
        self._scroll = scroll
        bar = scroll.verticalScrollBar()
        bar.rangeChanged.connect(lambda _, most: self.footer.make_room(bar.sizeHint().width() if most else 0))
        return page

    def _content(self) -> QWidget:
        lines = column(GAP_L)
        lines.addLayout(self._head())
        lines.addWidget(self.problems)
        lines.addWidget(self.what)
        lines.addWidget(self.guide)
        if self.forecast is not None:
            lines.addWidget(self.forecast)
        if self.rehearsal is not None:
            lines.addWidget(self.rehearsal)
        lines.addWidget(
            self._section(N_("Main settings"), self._train.form.essential, self._changes, self.reset_button)
        )
        lines.addWidget(self.all_button, 0, Qt.AlignmentFlag.AlignLeft)
        more = column(GAP_L)
        for section in self._train.form.sections:
            more.addWidget(self._section(section.title, section.fields))
        self._more.setLayout(more)
        lines.addWidget(self._more)
        lines.addStretch(1)
        return one_column(lines)

    def _head(self) -> QVBoxLayout:
        line = row(GAP_S)
        line.addWidget(heading(self._gettext(N_("Train"))))
        line.addStretch(1)
        line.addWidget(self.open_button)
        line.addWidget(self.save_button)
        lines = column(GAP_S)
        lines.addLayout(line)
        lines.addWidget(self._source)
        return lines

    def _section(self, title: str, fields: Sequence[Field], *beside: QWidget) -> QFrame:
        """A card with fields, and parts at the right of its title."""
        form = self._train.form
        made = [FieldEditor(self._look, one, form.value(one.path), self._gettext) for one in fields]
        for editor in made:
            editor.typed.connect(self._train.set)
            editor.reset.connect(self._train.reset)
            editor.mended.connect(self._train.use_nearest)
            self.editors[editor.path] = editor
        head = row(GAP_S)
        head.addWidget(label(self._gettext(title), "heading"), 1)
        for part in beside:
            head.addWidget(part)
        grid = FieldGrid(made)
        lines = column(GAP_M, GAP_L)
        lines.addLayout(head)
        lines.addWidget(grid)
        made_card = card(lines)
        self._sections.append((made_card, grid))
        return made_card

    # what happens

    def _refresh(self) -> None:
        train = self._train
        pages = {"reading": _READING, "no_dataset": _NO_DATASET, "no_model": _NO_MODEL, "ready": _READY}
        self._stack.setCurrentIndex(pages[train.state])
        self._source.setText(train.source)
        self._source.setVisible(bool(train.source))
        self._refresh_fields()
        self.open_button.setEnabled(not train.doing)
        self.save_button.setEnabled(train.can_start)
        self.save_button.setToolTip(train.reason)
        if train.file_problems:
            self._scroll.verticalScrollBar().setValue(0)

    def _refresh_fields(self) -> None:
        form = self._train.form
        for path, editor in self.editors.items():
            editor.show_value(form.value(path))
            editor.show_change(form.filled_in(path) if form.is_changed(path) else None)
            editor.show_problem(form.problems.get(path, ""), form.nearest(path))
        for section, grid in self._sections:
            section.setVisible(grid.show_only(form.has))
        self._changes.setText(self._train.changes)
        self.reset_button.setVisible(bool(self._train.changes))
        if any(path in self.editors and not form.field(path).is_essential for path in form.problems):
            self.all_button.setChecked(True)  # what is wrong must be seen

    def show_rehearsal(self) -> None:
        """Bring the rehearsal into view, if there is one."""
        if self.rehearsal is not None:
            self._scroll.ensureWidgetVisible(self.rehearsal)

    def _show_wrong(self) -> None:
        """Bring the first field that is wrong into view, ready to be typed into."""
        path = next(iter(self._train.form.problems), "")
        editor = self.editors.get(path)
        part = editor.editor if editor is not None else self.what.part(path)
        self._scroll.ensureWidgetVisible(editor or part, 0, GAP_XL)
        part.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_more(self, shown: bool) -> None:
        text = self._gettext(N_("Fewer settings")) if shown else self._gettext(N_("All settings"))
        self.all_button.setText(text)
        self.all_button.setAccessibleName(text)
        self._more.setVisible(shown)

    def _draw(self) -> None:
        self.setStyleSheet(form_sheet(self._look.tokens, self._look.sizes))

    def _ask_open(self) -> None:
        dialog = self._file_dialog(self._gettext(N_("Open a recipe")))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self._train.open(Path(path)))
        dialog.open()

    def _ask_save(self) -> None:
        dialog = self._file_dialog(self._gettext(N_("Save the recipe")))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("yaml")
        dialog.selectFile("recipe.yaml")
        dialog.fileSelected.connect(lambda path: self._train.save(Path(path)))
        dialog.open()

    def _file_dialog(self, title: str) -> QFileDialog:
        dialog = QFileDialog(self, title)
        dialog.setNameFilter(self._gettext(N_("Recipes")) + " (*.yaml *.yml)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return dialog
