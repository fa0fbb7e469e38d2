"""Where a command speaks: its answer on stdout, all else on stderr.

Owns the two forms of an answer (text for people, one JSON object for programs) and of progress (a bar on a
terminal, a line now and then elsewhere). Refuses to know what is said.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from academy_desktop.text.language import Words
from trainers.errors import Fact

Told = Callable[[int, int, str], None]

#: Between two lines of progress where there is no terminal.
PACE_S = 5.0


class Screen:
    """One command's output.

    Args:
        words: the user's language.
        as_json: the answer is one JSON object.
        quiet: show no progress and no remarks.
    """

    def __init__(self, words: Words, *, as_json: bool = False, quiet: bool = False) -> None:
        self._words = words
        self._as_json = as_json
        self._quiet = quiet
        self._out = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._err = Console(file=sys.stderr, highlight=False, soft_wrap=True)

    @property
    def as_json(self) -> bool:
        """Whether a program reads the answer."""
        return self._as_json

    @property
    def is_terminal(self) -> bool:
        """Whether somebody watches."""
        return self._err.is_terminal

    # the answer

    def answer(self, fields: Mapping[str, Any], text: str | Table | None = None) -> None:
        """Give the command's answer: `fields` to a program, `text` to a person."""
        if self._as_json:
            self.line(fields)
        elif text is not None:
            self._out.print(escape(text) if isinstance(text, str) else text)

    def line(self, fields: Mapping[str, Any]) -> None:
        """Print one JSON object on one line."""
        sys.stdout.write(json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()

    def raw(self, text: str) -> None:
        """Print text as it is."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
        """Lay out rows under headings."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        return table

    # what goes wrong

    def failure(self, code: str, facts: Mapping[str, Fact], fields: Mapping[str, Any] | None = None) -> None:
        """Say what failed and what to do; `fields` go along in the JSON object."""
        said = self._words.messages.describe(code, facts)
        self.failed(code, said.title, said.sentence, said.next_step, dict(facts), fields)

    def failed(
        self,
        code: str,
        title: str,
        sentence: str,
        next_step: str,
        facts: Mapping[str, Any] | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Say what failed in words that are ready."""
        if self._as_json:
            error = {"code": code, "message": sentence, "next_step": next_step, "facts": dict(facts or {})}
            self.line({**(fields or {}), "error": error})
            return
        self._err.print(f"[bold red]{escape(title)}[/]")
        self._err.print(escape(f"{sentence}\n{next_step}".strip()))

    def bug(self, error: BaseException, log: Path) -> None:
        """Say that something happened which nobody expected."""
        said = self._words.messages.bug(f"{type(error).__name__}: {error}")
        self.failed("bug", said.title, said.sentence, f"{said.next_step} ({log})")

    # remarks and progress

    def note(self, text: str) -> None:
        """Say something in passing."""
        if not self._quiet:
            self._err.print(escape(text))

    @contextmanager
    def progress(self, title: str) -> Iterator[Told]:
        """Show how far something is: called with what is done, what there is in all, and what it is now."""
        if self._quiet:
            yield lambda _done, _total, _detail: None
        elif self.is_terminal:
            with self._bar() as bar:
                task = bar.add_task(escape(title), total=None, detail="")
                yield lambda done, total, detail: bar.update(
                    task, completed=done, total=total or None, detail=escape(detail)
                )
        else:
            yield _Lines(title, self._err).tell

    def _bar(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=self._err,
            transient=True,
        )


class _Lines:
    """Progress as lines: one for each new detail, and one every few seconds."""

    def __init__(self, title: str, console: Console) -> None:
        self._title = title
        self._console = console
        self._detail: str | None = None
        self._said_at = float("-inf")

    def tell(self, done: int, total: int, detail: str) -> None:
        now = time.monotonic()
        if detail == self._detail and now - self._said_at < PACE_S:
            return
        self._detail, self._said_at = detail, now
        share = f" {done * 100 // total} %" if total else ""
        self._console.print(escape(f"{self._title}:{share} {detail}".rstrip()))
