"""Stages one after the other, as a page shows them: which is done, which goes on, and how long each took.

Owns their order and their times. Refuses to know what is done in a stage, threads and widgets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_

StageState = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class Stage:
    """One stage as the page shows it; `share_done` is None when nobody knows."""

    name: str
    title: str
    sentence: str
    state: StageState = "waiting"
    detail: str = ""
    share_done: float | None = None
    took: str = ""


class Stages:
    """All stages of one course, by name. Overridden: what a stage brought, and what begins anew with it."""

    def __init__(
        self,
        words: Mapping[str, tuple[str, str]],
        formats: Formats,
        translate: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`words`: each stage's title and sentence, in their order, to be translated."""
        self._formats = formats
        self._gettext = translate
        self._clock = clock
        self._current: str | None = None
        self._begun_at = 0.0
        self._stages: dict[str, Stage] = {
            name: Stage(name, translate(title), translate(sentence))
            for name, (title, sentence) in words.items()
        }

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages, in their order."""
        return tuple(self._stages.values())

    @property
    def has_begun(self) -> bool:
        """Whether the first stage began."""
        return self._current is not None

    def begin(self, name: str) -> None:
        """A stage begins, so the one before is done."""
        if self._current is not None:
            self._leave(self._current)
        self._current, self._begun_at = name, self._clock()
        self._forget()
        self._change(name, state="running")

    def take_job(self, job: str) -> None:
        """The stage's job was queued: it may have to wait for another run."""
        if self._current is not None:
            self._change(self._current, detail=self._gettext(N_("Waiting for its turn …")))

    def _leave(self, name: str) -> None:
        seconds = self._clock() - self._begun_at
        took = self._formats.brief(seconds) if seconds >= 1 else ""
        self._change(name, state="done", detail=self._summary(name), share_done=None, took=took)

    def _summary(self, name: str) -> str:
        """What a stage brought, in a few words."""
        return ""

    def _forget(self) -> None:
        """Another stage begins: what the one before said is of no use to it."""

    def _change(
        self,
        name: str,
        *,
        state: StageState | None = None,
        detail: str | None = None,
        share_done: float | None = None,
        took: str = "",
    ) -> None:
        old = self._stages[name]
        self._stages[name] = replace(
            old,
            state=state or old.state,
            detail=old.detail if detail is None else detail,
            share_done=share_done,
            took=took,
        )
