"""What the rows are that are about to be imported: their form, their columns, and the first of them.

Owns layout. Refuses to know files and how a form is told.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.import_preview import ImportPreview
from academy_desktop.views.facts import Remark
from academy_desktop.views.fields import Choice, Field
from academy_desktop.views.kit import column, label
from academy_desktop.views.look import Look
from academy_desktop.views.mapping_editor import MappingEditor
from academy_desktop.views.row_text import RowText
from academy_desktop.views.theme import GAP_M

LEAST_HEIGHT = 140


class ImportPreviewView(QWidget):
    """Form, encoding where that matters, mapping, and the first rows as they will be stored."""

    def __init__(self, look: Look, preview: ImportPreview, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._preview = preview
        self.form = Choice(look, translate(N_("Form of the rows")))
        self.encoding = Choice(look, translate(N_("Encoding of the files")))
        self.mapping = MappingEditor(look, preview, translate)
        self.problem = Remark(look, "warning", "warning")
        self.question = Remark(look, "info", "accent")
        self.summary = label("", "small", wrap=True)
        self.rows = RowText(look, translate(N_("The first rows as they will be stored")), LEAST_HEIGHT)
        self._form_field = Field(translate(N_("Form of the rows")), self.form)
        self._encoding_field = Field(translate(N_("Encoding of the files")), self.encoding)
        self._rows_field = Field(translate(N_("The first rows as they will be stored")), self.rows)
        lines = column(GAP_M)
        lines.addWidget(self._form_field)
        for remark in (self.problem, self.question):
            lines.addWidget(remark)
        lines.addWidget(self._encoding_field)
        lines.addWidget(self.mapping)
        lines.addWidget(self._rows_field, 1000)
        lines.addWidget(self.summary)
        lines.addStretch(1)  # without rows the rest stays together at the top
        self.setLayout(lines)
        self.form.chosen.connect(preview.choose_form)
        self.encoding.chosen.connect(preview.choose_encoding)
        preview.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        preview = self._preview
        self.form.offer(preview.forms, preview.form)
        self._form_field.say(preview.sureness)
        self.encoding.offer(preview.encodings, preview.encoding)
        self._encoding_field.setVisible(preview.is_about_encoding)
        problem = preview.problem
        self.problem.say(problem.sentence if problem else "", problem.next_step if problem else "")
        self.question.say(preview.question)
        self._rows_field.setVisible(bool(preview.parts))
        self.rows.show_parts(preview.parts)
        self.summary.setText(preview.summary)
