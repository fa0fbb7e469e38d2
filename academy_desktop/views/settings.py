"""The Settings page: how the window looks and behaves, where everything lies, whether training works here.

Owns layout, and that the theme follows the choice. Refuses to know files and how anything is tested.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFrame, QLayout, QProgressBar, QScrollArea, QSizePolicy, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.considerate import ConsiderateForm
from academy_desktop.viewmodels.home import Finding
from academy_desktop.viewmodels.settings import Preferences
from academy_desktop.views.considerate import ConsiderateCard
from academy_desktop.views.kit import Icon, button, card, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.page import heading, one_column
from academy_desktop.views.recipe_form import Segments, form_sheet, restyle
from academy_desktop.views.theme import GAP, GAP_L, GAP_M

#: How a finding went → icon and colour.
FINDING_ICONS = {"ok": ("check", "success"), "warn": ("warning", "warning"), "fail": ("close", "danger")}


class SettingsPage(QScrollArea):
    """The page."""

    def __init__(
        self,
        look: Look,
        preferences: Preferences,
        considerate: ConsiderateForm,
        translate: Callable[[str], str],
        show_folder: Callable[[str], object] = lambda path: QDesktopServices.openUrl(
            QUrl.fromLocalFile(path)
        ),
    ) -> None:
        """`show_folder`: opens a folder in the desktop's file manager."""
        super().__init__()
        self._show_folder = show_folder
        self._look = look
        self._preferences = preferences
        self._gettext = translate
        self.considerate = ConsiderateCard(look, considerate, translate)
        self.theme = Segments(translate(N_("Theme")))
        self.closing = Segments(translate(N_("When the window closes")))
        self.preset = Segments(translate(N_("First values")))
        self.open_folder = button(translate(N_("Open the folder")))
        self.test = button(translate(N_("Test")))
        self.cancel = button(translate(N_("Cancel")), "quiet")
        self._torch = label("", selectable=True)
        self._verdict = label("", "heading", wrap=True)
        self._progress = QProgressBar()
        self._findings = column(GAP)
        self._result = QFrame()
        self._shown: tuple[Finding, ...] = ()
        self._note = self._note_card()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(self._content())
        self._connect()
        self._draw()
        self._refresh()
        self._refresh_test()

    def _connect(self) -> None:
        preferences = self._preferences
        self.theme.chosen.connect(preferences.choose_theme)
        self.closing.chosen.connect(preferences.choose_closing)
        self.preset.chosen.connect(preferences.choose_preset)
        self.open_folder.clicked.connect(self._open_folder)
        self.test.clicked.connect(preferences.test)
        self.cancel.clicked.connect(preferences.cancel_test)
        preferences.changed.connect(self._refresh)
        preferences.examined.connect(self._refresh_test)
        self._look.changed.connect(self._draw)

    def _content(self) -> QWidget:
        lines = column(GAP_L)
        lines.addWidget(heading(self._gettext(N_("Settings"))))
        lines.addWidget(self._note)
        lines.addWidget(self._appearance())
        lines.addWidget(self._training())
        lines.addWidget(self.considerate.frame)
        lines.addWidget(self._data())
        lines.addWidget(self._environment())
        lines.addStretch(1)
        return one_column(lines)

    def _note_card(self) -> QFrame:
        note = self._preferences.note
        line = row(GAP_M)
        line.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        line.addWidget(Icon(self._look, "info", "danger"), 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(label(note, wrap=True, selectable=True), 1)
        made = QFrame()
        made.setObjectName("notice")
        made.setLayout(line)
        made.setVisible(bool(note))
        return made

    def _appearance(self) -> QFrame:
        language = label(self._preferences.language)
        return self._group(
            N_("Appearance"),
            self._setting(
                N_("Theme"), N_("Light, dark, or whatever the rest of your desktop is."), self.theme
            ),
            self._setting(N_("Language"), N_("Taken from your system’s language."), language),
        )

    def _training(self) -> QFrame:
        return self._group(
            N_("Training"),
            self._setting(
                N_("When the window closes"),
                N_("What becomes of a run in progress. It can go on in the background without the window."),
                self.closing,
            ),
            self._setting(
                N_("First values"),
                N_("What the form of the first run is filled in with; later ones begin as the last run did."),
                self.preset,
            ),
        )

    def _data(self) -> QFrame:
        folder = self._path(self._preferences.data_folder)
        return self._group(
            N_("Data folder"),
            self._setting(
                N_("Everything is kept here"),
                N_("Datasets, models and runs. Another one is chosen with --data-dir at the start."),
                self.open_folder,
                folder,
            ),
        )

    def _environment(self) -> QFrame:
        preferences = self._preferences
        self._progress.setRange(0, 0)
        self._progress.setTextVisible(False)
        self._progress.setAccessibleName(self._gettext(N_("Progress of the test")))
        buttons = row(GAP)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.test)
        held = QWidget()
        held.setLayout(buttons)
        result = column(GAP)
        result.setContentsMargins(0, GAP, 0, 0)
        result.addWidget(self._verdict)
        result.addWidget(self._progress)
        result.addLayout(self._findings)
        self._result.setLayout(result)
        return self._group(
            N_("Trainer environment"),
            self._setting(
                N_("Python that trains"),
                N_("Training runs in a process of its own, with this interpreter."),
                label(preferences.python_version),
                self._path(preferences.python),
            ),
            self._setting(N_("PyTorch"), N_("The library that does the arithmetic."), self._torch),
            self._setting(
                N_("Does it work?"),
                N_("Looks at everything that training needs, and takes one real step."),
                held,
                self._result,
            ),
        )

    def _path(self, path: str) -> QWidget:
        shown = label(path, "command", wrap=True, selectable=True)
        shown.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        line = row(0)
        line.setContentsMargins(GAP_M, GAP, GAP_M, GAP)
        line.addWidget(shown, 1)
        made = QFrame()
        made.setProperty("inset", True)
        made.setLayout(line)
        return made

    def _group(self, title: str, *settings: QLayout) -> QFrame:
        lines = column(GAP_L, GAP_L)
        lines.addWidget(label(self._gettext(title), "heading"))
        for number, setting in enumerate(settings):
            if number:
                divider = QFrame()
                divider.setProperty("divider", True)
                divider.setFixedHeight(1)
                lines.addWidget(divider)
            lines.addLayout(setting)
        return card(lines)

    def _setting(self, title: str, sentence: str, control: QWidget, below: QWidget | None = None) -> QLayout:
        texts = column(2)
        texts.addWidget(label(self._gettext(title)))
        texts.addWidget(label(self._gettext(sentence), "small", wrap=True))
        line = row(GAP_L)
        line.addLayout(texts, 1)
        line.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)
        lines = column(GAP)
        lines.addLayout(line)
        if below is not None:
            lines.addWidget(below)
        return lines

    def _refresh(self) -> None:
        preferences = self._preferences
        self.theme.show_choices(preferences.themes, preferences.settings.theme)
        self.closing.show_choices(preferences.closings, preferences.settings.on_close)
        self.preset.show_choices(preferences.presets, preferences.preset)

    def _refresh_test(self) -> None:
        preferences = self._preferences
        self._torch.setText(preferences.torch_version)
        self._verdict.setText(preferences.verdict)
        restyle(self._verdict, "text_role", "muted" if preferences.is_testing else "heading")
        self._progress.setVisible(preferences.is_testing)
        self._result.setVisible(bool(preferences.verdict))
        self.test.setEnabled(not preferences.is_testing)
        self.cancel.setVisible(preferences.is_testing)
        if preferences.findings != self._shown:
            self._shown = preferences.findings
            while (item := self._findings.takeAt(0)) is not None:
                old = item.widget()
                if old is not None:
                    old.hide()
                    old.deleteLater()
            for finding in self._shown:
                self._findings.addWidget(self._finding(finding))

    def _finding(self, finding: Finding) -> QWidget:
        texts = column(2)
        texts.addWidget(label(finding.sentence, wrap=True))
        if finding.next_step:
            texts.addWidget(label(finding.next_step, "muted", wrap=True))
        icon, token = FINDING_ICONS[finding.status]
        line = row(GAP)
        line.addWidget(Icon(self._look, icon, token, 18), 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        made = QWidget()
        made.setLayout(line)
        return made

    def _draw(self) -> None:
        self.setStyleSheet(form_sheet(self._look.tokens, self._look.sizes))

    def _open_folder(self) -> None:
        self._show_folder(self._preferences.data_folder)
