"""One row of a dataset as a model sees it: which row, for which model, and which of its text is learned.

Owns the place in the dataset. Rows are read and rendered in a thread; what arrives for a row that is no
longer asked for is dropped. Refuses to know widgets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.datasets.browse import Rows, StoredRow
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.datasets.xray import Preview, preview_row
from academy_desktop.core.models import Model
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from trainers.errors import AcademyError, ErrorCode, Fact
from trainers.rendering import Renderer

#: More of a row is not put on the screen, in characters: laying it out would hold up the window.
MOST_CHARACTERS = 10_000
MOST_TOKENS = 2_000


class RowSource(Protocol):
    """Reads the rows of a dataset; blocks, belongs into a thread."""

    def rows(self, key: str) -> Rows:
        """The rows of a dataset, by number."""
        ...


#: A caption stands between answers; what is `worse` is learned to be avoided; a `problem` says what is wrong.
Tone = Literal["plain", "caption", "worse", "problem"]


@dataclass(frozen=True)
class Part:
    """A stretch of a row's text; where tokens are shown, one token with its id."""

    text: str
    learned: bool
    token: int | None = None
    tone: Tone = "plain"


@dataclass(frozen=True)
class Wish:
    """The row that is asked for: its number, from 0, and the model's folder, if there is one."""

    dataset: str
    number: int
    model: str


@dataclass(frozen=True)
class Sight:
    """What was found: the row, rendered if there is a model, or the code of what went wrong."""

    wish: Wish
    row: StoredRow | None = None
    rendered: tuple[Preview, ...] = ()
    code: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)


class RowReader:
    """Reads rows by their number and renders them; blocks, belongs into a thread, one call at a time."""

    def __init__(self, rows: RowSource) -> None:
        self._source = rows
        self._rows: tuple[str, Rows] | None = None
        self._renderer: tuple[str, Renderer] | None = None

    def look(self, wish: Wish) -> Sight:
        """Read and render the row that is asked for."""
        row = None
        try:
            row = self._row(wish)
            rendered = preview_row(self._load(wish.model), row) if wish.model else ()
        except AcademyError as error:
            return Sight(wish, row, code=error.code, facts=error.facts)
        return Sight(wish, row, rendered)

    def _row(self, wish: Wish) -> StoredRow:
        if self._rows is None or self._rows[0] != wish.dataset:
            self._rows = (wish.dataset, self._source.rows(wish.dataset))
        try:
            return self._rows[1].row(wish.number)
        except IndexError as error:
            self._rows = None
            raise AcademyError(ErrorCode.DATASET_DAMAGED, dataset=wish.dataset) from error

    def _load(self, folder: str) -> Renderer:
        if self._renderer is None or self._renderer[0] != folder:
            self._renderer = (folder, Renderer.load(Path(folder)))
        return self._renderer[1]


class RowPreview(QObject):
    """`changed()` when another row is asked for or the one that is asked for has arrived."""

    changed = Signal()

    def __init__(
        self,
        rows: RowSource,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._reader = RowReader(rows)
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._dataset: DatasetManifest | None = None
        self._model: Model | None = None
        self._number = 0
        self._with_tokens = False
        self._sight: Sight | None = None
        self._wished = asyncio.Event()

    @property
    def model(self) -> Model | None:
        """The model that rows are rendered for."""
        return self._model

    @property
    def number(self) -> int:
        """The number of the row that is asked for, from 0."""
        return self._number

    @property
    def total(self) -> int:
        """Rows of the dataset, those to learn before those held out."""
        return self._dataset.train_rows + self._dataset.eval_rows if self._dataset else 0

    @property
    def has_previous(self) -> bool:
        """Whether there is a row before this one."""
        return self._number > 0

    @property
    def has_next(self) -> bool:
        """Whether there is a row after this one."""
        return self._number + 1 < self.total

    def show(self, dataset: DatasetManifest | None) -> None:
        """Look at the first row of a dataset; one that is shown already stays where it is."""
        if (dataset.id if dataset else "") != (self._dataset.id if self._dataset else ""):
            self._dataset = dataset
            self._number = 0
            self._wish()

    def use(self, model: Model | None) -> None:
        """Render for this model; for none, show rows as they are stored."""
        before, self._model = self._model, model
        if (model.path if model else "") != (before.path if before else ""):
            self._wish()

    def next(self) -> None:
        """Go to the row after this one."""
        self.go(self._number + 1)

    def previous(self) -> None:
        """Go to the row before this one."""
        self.go(self._number - 1)

    def go(self, number: int) -> None:
        """Go to the row with this number, from 0; one that there is not changes nothing."""
        if 0 <= number < self.total and number != self._number:
            self._number = number
            self._wish()

    def show_tokens(self, wanted: bool) -> None:
        """Show the row token by token, each with its id, or as text."""
        self._with_tokens = wanted
        self.changed.emit()

    def wish(self) -> Wish | None:
        """The row that is asked for now."""
        if self._dataset is None or not self.total:
            return None
        return Wish(self._dataset.id, self._number, self._model.path if self._model else "")

    def look(self, wish: Wish) -> Sight:
        """Read a row; blocks, belongs into a thread, one call at a time."""
        return self._reader.look(wish)

    def take(self, sight: Sight) -> None:
        """Show what was found, if it is still asked for."""
        if sight.wish == self.wish():
            self._sight = sight
            self.changed.emit()

    async def follow(self) -> None:
        """Read what is asked for, until cancelled."""
        while True:
            await self._wished.wait()
            self._wished.clear()
            wish = self.wish()
            if wish is not None:
                self.take(await asyncio.to_thread(self.look, wish))

    @property
    def position(self) -> str:
        """Which row this is: `Row 3 of 120 · held out`."""
        wish = self.wish()
        if wish is None:
            return ""
        where = self._say(
            N_("Row {row} of {total}"),
            row=self._formats.integer(self._number + 1),
            total=self._formats.integer(self.total),
        )
        if self._dataset is None or self._number < self._dataset.train_rows:
            return where
        held_out = self._gettext(N_("held out"))
        return f"{where} · {held_out}"

    @property
    def origin(self) -> str:
        """Where the row came from: `capitals.jsonl, row 3`."""
        row = self._current.row if self._current else None
        if row is None:
            return ""
        return self._say(N_("{file}, row {row}"), file=row.file, row=self._formats.integer(row.row))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The row's text; nothing while it is on its way, or when it cannot be rendered."""
        sight = self._current
        if sight is None or sight.code or sight.row is None:
            return ()
        if sight.rendered and self._with_tokens:
            first, *others = (_as_tokens(one) for one in sight.rendered)
        elif sight.rendered:
            first, *others = (_as_text(one) for one in sight.rendered)
        else:
            first, *others = (
                _as_stored(turns) for turns in (sight.row.messages, sight.row.rejected) if turns is not None
            )
        whole = [*first, *self._verdict(sight.row)]
        for other in others:
            caption = self._gettext(N_("Worse answer, learned to be avoided"))
            whole += [Part(f"\n\n{caption}\n", learned=False, tone="caption"), *_worse(first, other)]
        return tuple(whole) if self._with_tokens and sight.rendered else _shortened(whole)

    def _verdict(self, row: StoredRow) -> tuple[Part, ...]:
        if row.label is None:
            return ()
        said = N_("This answer was found good.") if row.label else N_("This answer was found bad.")
        return (Part(f"\n\n{self._gettext(said)}", learned=False, tone="caption"),)

    @property
    def problem(self) -> str:
        """Why there is no text, in words."""
        sight = self._current
        if sight is None or not sight.code:
            return ""
        said = self._messages.describe(sight.code, sight.facts)
        return f"{said.sentence} {said.next_step}"

    @property
    def counts(self) -> str:
        """How much of the row is learned, and whether all of it is shown."""
        sight = self._current
        if sight is None or sight.code:
            return ""
        if not sight.rendered:
            return self._gettext(
                N_("This is the row as it is stored. A model’s template adds marks of its own.")
            )
        seen = sum(len(one.tokens) for one in sight.rendered)
        learned = sum(one.supervised_tokens for one in sight.rendered)
        said = self._say(
            N_("{learned} of {tokens} tokens are learned."),
            learned=self._formats.integer(learned),
            tokens=self._formats.integer(seen),
        )
        if self._with_tokens and seen > MOST_TOKENS:
            most = self._formats.integer(MOST_TOKENS)
            shortened = self._say(N_("The first {most} tokens are shown."), most=most)
            said = f"{said} {shortened}"
        elif not self._with_tokens and sum(len(one.text) for one in sight.rendered) > MOST_CHARACTERS:
            most = self._formats.integer(MOST_CHARACTERS)
            shortened = self._say(N_("The first {most} characters are shown."), most=most)
            said = f"{said} {shortened}"
        return said

    @property
    def _current(self) -> Sight | None:
        return self._sight if self._sight is not None and self._sight.wish == self.wish() else None

    def _wish(self) -> None:
        self._wished.set()
        self.changed.emit()

    def _say(self, template: str, **facts: str) -> str:
        return self._gettext(template).format(**facts)


def _as_text(rendered: Preview) -> list[Part]:
    return [Part(rendered.text[one.start : one.end], one.trained) for one in rendered.stretches]


def _worse(better: Sequence[Part], other: Sequence[Part]) -> list[Part]:
    """The parts that a worse answer does not share with the better one."""
    same = next((n for n, (one, two) in enumerate(zip(better, other, strict=False)) if one != two), 0)
    return [replace(part, tone="worse") if part.learned else part for part in other[same:]]


def _as_stored(messages: Sequence[Mapping[str, Any]]) -> list[Part]:
    if len(messages) == 1 and messages[0]["role"] == "text":
        return [Part(str(messages[0]["content"]), learned=True)]
    parts: list[Part] = []
    for message in messages:
        parts.append(Part(f"{message['role']}\n", learned=False))
        said = [str(message.get("content") or ""), *map(_called, message.get("tool_calls") or ())]
        parts.append(Part("\n".join(filter(None, said)), learned=message["role"] == "assistant"))
        parts.append(Part("\n\n", learned=False))
    return parts[:-1]


def _called(call: Mapping[str, Any]) -> str:
    return json.dumps(call.get("function", call), ensure_ascii=False)


def _as_tokens(rendered: Preview) -> list[Part]:
    shown = rendered.tokens[:MOST_TOKENS]
    return [Part(rendered.text[one.start : one.end], one.trained, one.id) for one in shown]


def _shortened(parts: list[Part]) -> tuple[Part, ...]:
    kept: list[Part] = []
    room = MOST_CHARACTERS
    for part in parts:
        if room > 0:
            kept.append(replace(part, text=part.text[:room]))
            room -= len(part.text)
    return tuple(kept)
