"""What the rows of chosen files are, before they are imported: form, columns, the first rows as stored.

Owns the user's corrections and the look at the files that follows each of them, in a thread; a look that is
out of date is given up. Refuses to know widgets and how rows are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.datasets.encodings import Encoding
from academy_desktop.core.datasets.forms import Form, fields_of
from academy_desktop.core.datasets.importing import Cancelled
from academy_desktop.core.datasets.peeking import Peek, Reading, SampleRow, peek
from academy_desktop.core.datasets.quality import Profile
from academy_desktop.text.formats import Formats
from academy_desktop.text.forms import ENCODING_NAMES, FIELD_NAMES, FORM_NAMES, sureness
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description, Messages
from academy_desktop.viewmodels.background import as_academy
from academy_desktop.viewmodels.row_preview import Part
from trainers.errors import AcademyError, ErrorCode

#: The form that is taken for granted; its value among the forms.
AUTO = "auto"
#: What is asked for where no form fits.
ASKED_FORM = Form.QUESTION_ANSWER
#: More of one turn is not shown, in characters.
MOST_CHARACTERS = 300
#: More turns of one row are not shown.
MOST_TURNS = 6


class Peeker(Protocol):
    """Looks at the first rows of files; blocks, belongs into a thread."""

    def __call__(self, files: Sequence[Path], reading: Reading, cancelled: Callable[[], bool], /) -> Peek:
        """Look."""
        ...


@dataclass(frozen=True)
class FieldLine:
    """A field of the form and the column it is in, or none."""

    name: str
    words: str
    required: bool
    column: str


class ImportPreview(QObject):
    """`changed()` when something else is asked for or was found."""

    changed = Signal()

    def __init__(
        self,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        peeker: Peeker = peek,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._peeker = peeker
        self._files: tuple[Path, ...] = ()
        self._form: Form | None = None
        self._columns: dict[str, str] = {}
        self._profile = Profile.BALANCED
        self._encoding = Encoding.AUTO
        self._found: Peek | None = None
        self._failure: AcademyError | None = None
        self._is_known = False
        self._give_up = Event()
        self._wished = asyncio.Event()

    # what was chosen

    @property
    def reading(self) -> Reading:
        """How the rows are to be read, as far as the user has said."""
        return Reading(self._form, dict(self._columns) or None, self._profile, self._encoding)

    @property
    def form(self) -> str:
        """The form that the user chose, or that it is to be detected."""
        return self._form.value if self._form else AUTO

    @property
    def encoding(self) -> str:
        """How the files are said to be encoded."""
        return self._encoding.value

    def show(self, files: Sequence[Path]) -> None:
        """Be about these files; what was said about others is forgotten."""
        if tuple(files) != self._files:
            self._files = tuple(files)
            self._form, self._columns, self._encoding = None, {}, Encoding.AUTO
            self._found = None
            self._wish()

    def choose_form(self, value: str) -> None:
        """Read the rows as this form, its columns found by their names."""
        form = None if value == AUTO else Form(value)
        if form != self._form or self._columns:
            self._form, self._columns = form, {}
            self._wish()

    def choose_column(self, field: str, column: str) -> None:
        """Take a field from a column, or from none; the form stays what it is."""
        if self._form is None:
            self._form = self._shown_form
        self._columns = {line.name: line.column for line in self.fields} | {field: column}
        self._wish()

    def choose_profile(self, value: str) -> None:
        """Check the rows by this profile."""
        if value and value != self._profile:
            self._profile = Profile(value)
            self._wish()

    def choose_encoding(self, value: str) -> None:
        """Read the files in this encoding."""
        if value and value != self._encoding:
            self._encoding = Encoding(value)
            self._wish()

    # what was found

    @property
    def is_known(self) -> bool:
        """Whether the rows were looked at, as they are to be read now."""
        return self._is_known

    @property
    def forms(self) -> tuple[tuple[str, str], ...]:
        """The forms on offer: value, words; first the one that is detected."""
        found = self._found if self._form is None else None
        detected = self._gettext(N_("Detect the form"))
        if found is not None and found.detection is not None:
            detected = self._say(N_("Detected: {name}"), name=self._gettext(FORM_NAMES[found.detection.form]))
        elif found is not None:
            detected = self._gettext(N_("Not recognised"))
        offered = [(form.value, self._gettext(FORM_NAMES[form])) for form in Form]
        return ((AUTO, detected), *sorted(offered, key=lambda one: one[1].casefold()))

    @property
    def encodings(self) -> tuple[tuple[str, str], ...]:
        """The encodings on offer: value, words."""
        return tuple((value, self._gettext(words)) for value, words in ENCODING_NAMES.items())

    @property
    def sureness(self) -> str:
        """How sure the form is, in a word and a number."""
        found = self._found
        if found is None or found.detection is None or self._failure:
            return ""
        share = found.detection.confidence
        return self._say(
            N_("{word}: {percent} of the first {rows} rows have these columns"),
            word=self._gettext(sureness(share)),
            percent=self._formats.percent(share),
            rows=self._formats.integer(found.looked_at),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rows have."""
        return self._found.columns if self._found else ()

    @property
    def fields(self) -> tuple[FieldLine, ...]:
        """The fields of the form, each with its column; nothing while the rows are unknown."""
        form = self._shown_form
        if form is None or self._found is None:
            return ()
        found = self._found.detection
        mapping = dict(found.mapping) if found and found.form is form else dict(self._columns)
        mapping |= self._columns
        return tuple(
            FieldLine(one.name, self._gettext(FIELD_NAMES[one.name]), one.required, mapping.get(one.name, ""))
            for one in fields_of(form)
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of fields that the form cannot do without and that have no column."""
        return tuple(line.words for line in self.fields if line.required and not line.column)

    @property
    def question(self) -> str:
        """What the user is asked, where the rows do not say it themselves."""
        if not self._is_known or self._found is None:
            return ""
        if self._found.detection is None and not self._columns:
            return self._gettext(
                N_(
                    "The columns fit no form that is known."
                    " Say which column holds the question and which the answer."
                )
            )
        if self.missing:
            return self._say(N_("Still without a column: {fields}."), fields=", ".join(self.missing))
        return ""

    @property
    def problem(self) -> Description | None:
        """Why the files cannot be read."""
        if self._failure is None:
            return None
        said = self._messages.describe(self._failure.code, self._failure.facts)
        if self._failure.code is ErrorCode.FILE_ENCODING:
            step = N_(
                "Choose its encoding below (older Windows programs mostly write Windows-1252),"
                " or save it as UTF-8."
            )
            return Description(said.title, said.sentence, self._gettext(step))
        return said

    @property
    def is_about_encoding(self) -> bool:
        """Whether the encoding is what the user has to think about."""
        asked = self._failure is not None and self._failure.code is ErrorCode.FILE_ENCODING
        return asked or self._encoding is not Encoding.AUTO

    @property
    def is_ready(self) -> bool:
        """Whether nothing is known that speaks against an import."""
        asks = self._found is not None and (self._found.detection is None or bool(self.missing))
        return self._failure is None and not asks

    @property
    def summary(self) -> str:
        """How many of the rows that were looked at can be used, and why others cannot."""
        found = self._found
        if not self._is_known and found is None:
            return self._gettext(N_("Looking at the rows …")) if self._files else ""
        if found is None or found.detection is None or self._failure:
            return ""
        rows, dropped = self._formats.integer(found.looked_at), sum(found.dropped.values())
        if not dropped:
            return self._say(N_("All of the first {rows} rows can be used."), rows=rows)
        first = max(found.dropped, key=lambda reason: found.dropped[reason])
        said = self._say(
            N_("{dropped} of the first {rows} rows will be dropped."),
            dropped=self._formats.integer(dropped),
            rows=rows,
        )
        return f"{said} {self._messages.drop_reason(first)}"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The first rows, as they will be stored; those of the last look until the next one is done."""
        made: list[Part] = []
        for row in self._found.rows if self._found and not self._failure else ():
            name = self._say(N_("Row {row}"), row=self._formats.integer(row.row))
            made.append(Part(f"{name}\n", learned=False, tone="caption"))
            made += self._row(row)
            made.append(Part("\n", learned=False))
        return tuple(made[:-1])

    # looking

    async def follow(self) -> None:
        """Look whenever something else is asked for, until cancelled."""
        while True:
            await self._wished.wait()
            self._wished.clear()
            files, reading, self._give_up = self._files, self.reading, Event()
            if files:
                try:
                    found = await asyncio.to_thread(self._look, files, reading, self._give_up.is_set)
                except asyncio.CancelledError:
                    self._give_up.set()
                    raise
                if (files, reading) == (self._files, self.reading):
                    self._take(found)

    def look(self) -> None:
        """Look here and now; blocks."""
        self._take(self._look(self._files, self.reading, lambda: False))

    def _look(
        self, files: tuple[Path, ...], reading: Reading, cancelled: Callable[[], bool]
    ) -> Peek | AcademyError | None:
        """What is there, or why it cannot be read; nothing once nobody wants to know."""
        try:
            return self._peeker(files, reading, cancelled)
        except Cancelled:
            return None
        except (AcademyError, OSError) as error:
            return as_academy(error)

    def _take(self, found: Peek | AcademyError | None) -> None:
        if found is not None:
            self._failure = found if isinstance(found, AcademyError) else None
            self._found = found if isinstance(found, Peek) else self._found
            self._is_known = True
            self.changed.emit()

    @property
    def _shown_form(self) -> Form | None:
        if self._form is not None:
            return self._form
        if self._found is None:
            return None
        return self._found.detection.form if self._found.detection else ASKED_FORM

    def _wish(self) -> None:
        self._give_up.set()
        self._is_known, self._failure = False, None
        self._wished.set()
        self.changed.emit()

    def _row(self, row: SampleRow) -> list[Part]:
        content = row.content
        if content is None:
            said = self._messages.drop_reason(row.reason or "")
            return [Part(f"{self._gettext(N_('Will be dropped:'))} {said}\n", learned=False, tone="problem")]
        if "text" in content:
            return [Part(_short(content["text"]), learned=True), Part("\n", learned=False)]
        made: list[Part] = []
        turns = content.get("messages", [])
        for turn in turns[:MOST_TURNS]:
            made += _turn(turn)
        if len(turns) > MOST_TURNS:
            made.append(Part("…\n", learned=False))
        for turn in content.get("chosen", []):
            made += _turn(turn)
        for turn in content.get("rejected", []):
            made += _turn(turn, is_worse=True)
        return made

    def _say(self, template: str, **facts: str) -> str:
        return self._gettext(template).format(**facts)


def _turn(turn: dict[str, object], *, is_worse: bool = False) -> list[Part]:
    said = _short(str(turn.get("content") or "")) or ("…" if turn.get("tool_calls") else "")
    learned = turn["role"] == "assistant"
    return [
        Part(f"{'✗ ' if is_worse else ''}{turn['role']}  ", learned=False),
        Part(said, learned, tone="worse" if is_worse else "plain"),
        Part("\n", learned=False),
    ]


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS].rstrip()} …"
