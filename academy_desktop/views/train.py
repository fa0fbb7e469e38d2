"""The Train page: what is trained on which rows, the values that matter, and the button that begins.

Owns layout. Refuses to know recipes, files and how a job is run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.forecast import LiveForecast
from academy_desktop.viewmodels.recipe_form import NAME, Field
from academy_desktop.viewmodels.train import Train
from academy_desktop.views.forecast import ForecastCard
from academy_desktop.views.kit import Elided, EmptyState, Icon, button, card, column, label, row, side_by_side
from academy_desktop.views.look import Look
from academy_desktop.views.page import CONTENT_WIDTH, heading, one_column
from academy_desktop.views.recipe_form import (
    EDITOR_HEIGHT,
    ChoiceBox,
    FieldEditor,
    Segments,
    field_grid,
    form_sheet,
    restyle,
)
from academy_desktop.views.theme import GAP, GAP_L, GAP_M, GAP_S, GAP_XL

#: Pages of the stack.
_READING, _NO_DATASET, _NO_MODEL, _READY = range(4)


class WhatCard(QFrame):
    """Dataset, model, name and preset of the run."""

    def __init__(self, look: Look, train: Train, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._train = train
        self._gettext = translate
        self.dataset = ChoiceBox(look, translate(N_("Dataset")))
        self.model = ChoiceBox(look, translate(N_("Model")))
        self.name = QLineEdit()
        self.preset = Segments(translate(N_("Start from")))
        self._name_problem = label("", "small", wrap=True)
        self._preset_text = label("", "small", wrap=True)
        self.name.setAccessibleName(translate(N_("Name of the run")))
        self.name.setFixedHeight(EDITOR_HEIGHT)
        self.dataset.chosen.connect(train.choose_dataset)
        self.model.chosen.connect(train.choose_model)
        self.preset.chosen.connect(train.choose_preset)
        self.name.textEdited.connect(lambda text: train.set(NAME, text))
        first, second = row(GAP_L), row(GAP_L)
        first.addLayout(self._labelled(N_("Dataset"), self.dataset), 1)
        first.addLayout(self._labelled(N_("Model"), self.model), 1)
        second.addLayout(self._labelled(N_("Name of the run"), self.name, self._name_problem), 1)
        second.addLayout(self._labelled(N_("Start from"), self.preset, self._preset_text), 1)
        lines = column(GAP_L, GAP_L)
        lines.addLayout(first)
        lines.addLayout(second)
        self.setLayout(lines)
        train.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is chosen now."""
        train = self._train
        self.dataset.show_choices(train.datasets, train.dataset)
        self.model.show_choices(train.models, train.model)
        self.preset.show_choices(train.presets, train.preset)
        detail = next((one.detail for one in train.presets if one.id == train.preset), "")
        own = self._gettext(N_("Your own values; a click fills in those of a preset."))
        self._preset_text.setText(detail or own)
        name = str(train.form.value(NAME))
        if self.name.text() != name:
            self.name.setText(name)
        self.name.setPlaceholderText(train.default_name)
        problem = train.form.problems.get(NAME, "")
        self._name_problem.setText(problem or self._gettext(N_("How it is called in the list of runs.")))
        self.name.setAccessibleDescription(self._name_problem.text())
        restyle(self._name_problem, "text_role", "problem" if problem else "small")
        restyle(self.name, "wrong", bool(problem))

    def _labelled(self, title: str, part: QWidget, below: QWidget | None = None) -> QVBoxLayout:
        lines = column(GAP_S)
        name = label(self._gettext(title))
        name.setBuddy(part)
        lines.addWidget(name)
        lines.addWidget(part)
        if below is not None:
            lines.addWidget(below)
        lines.addStretch(1)
        return lines


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

    def __init__(self, look: Look, train: Train, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setObjectName("footer")
        self._look = look
        self._train = train
        self._gettext = translate
        self._title = label("", "heading", wrap=True)
        self._text = label("", "small", wrap=True)
        self.start = button(translate(N_("Start training")), "primary")
        self.start.setIconSize(QSize(16 + GAP, 16))
        self.start.clicked.connect(train.start)
        texts = column(2)
        texts.addWidget(self._title)
        texts.addWidget(self._text)
        line = row(GAP_L)
        line.addLayout(texts, 1)
        line.addWidget(self.start, 0, Qt.AlignmentFlag.AlignVCenter)
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
        self._draw()
        self.refresh()

    def refresh(self) -> None:
        """Show what will happen now."""
        train = self._train
        self._title.setText(train.summary or self._gettext(N_("This cannot begin yet")))
        ready = N_("It goes on when you close the window, and you can stop it at any time.")
        self._text.setText(train.reason or self._gettext(ready))
        self.start.setEnabled(train.can_start)
        self.start.setAccessibleDescription(train.reason or train.summary)
        self.start.setToolTip(train.reason)
        self._draw()

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
    ) -> None:
        """`forecast`: of the run; without it there is no card for it."""
        super().__init__()
        self.setObjectName("page")
        self._forecast = forecast
        self.forecast = ForecastCard(look, forecast, translate) if forecast is not None else None
        self._look = look
        self._train = train
        self._gettext = translate
        self.editors: dict[str, FieldEditor] = {}
        self.what = WhatCard(look, train, translate)
        self.problems = FileProblems(look, train, translate)
        self.footer = Footer(look, train, translate)
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
        lines.addWidget(self._section(N_("What matters most"), self._train.form.essential))
        if self.forecast is not None:
            lines.addWidget(self.forecast)
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

    def _section(self, title: str, fields: Sequence[Field]) -> QFrame:
        form = self._train.form
        made = [FieldEditor(self._look, one, form.value(one.path), self._gettext) for one in fields]
        for editor in made:
            editor.typed.connect(self._train.set)
            self.editors[editor.path] = editor
        lines = column(GAP_M, GAP_L)
        lines.addWidget(label(self._gettext(title), "heading"))
        lines.addLayout(field_grid(made))
        return card(lines)

    # what happens

    def _refresh(self) -> None:
        train = self._train
        pages = {"reading": _READING, "no_dataset": _NO_DATASET, "no_model": _NO_MODEL, "ready": _READY}
        self._stack.setCurrentIndex(pages[train.state])
        self._source.setText(train.source)
        self._source.setVisible(bool(train.source))
        for path, editor in self.editors.items():
            editor.show_value(train.form.value(path))
            editor.show_problem(train.form.problems.get(path, ""))
        if any(not train.form.field(path).is_essential for path in train.form.problems if path != NAME):
            self.all_button.setChecked(True)  # what is wrong must be seen
        self.open_button.setEnabled(not train.doing)
        self.save_button.setEnabled(train.can_start)
        self.save_button.setToolTip(train.reason)
        if train.file_problems:
            self._scroll.verticalScrollBar().setValue(0)

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
