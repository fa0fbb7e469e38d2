"""Tells the stages of something long, one after the other: a line for each, and how far it is.

Owns what a stage looks like on a terminal. Refuses to know what the stages do.
"""

from __future__ import annotations

from collections.abc import Mapping

from academy_desktop.cli.following import Following
from academy_desktop.cli.session import Session
from trainers.events import AnyEvent


class StageNarrator:
    """Tells the stages on the screen, in the order of `titles`."""

    def __init__(self, session: Session, titles: Mapping[str, str]) -> None:
        self._session = session
        self._titles = titles
        self._title = ""
        self._shown: Following | None = None

    def stage(self, name: str) -> None:
        """A stage begins."""
        self.close()
        self._title = self._titles[name]
        place = f"[{list(self._titles).index(name) + 1}/{len(self._titles)}]"
        self._session.screen.note(f"{place} {self._title}")

    def told(self, done: int, total: int, detail: str) -> None:
        """How far the stage is, where no job runs."""
        self._following().progress(done, total, detail)

    def job(self, job: str) -> None:
        """A job was queued: it may have to wait for another run."""
        self._following().progress(0, 0, self._session.words.gettext("Waiting for its turn …"))

    def event(self, event: AnyEvent) -> None:
        """The job said something."""
        self._following().event(event)

    def close(self) -> None:
        """The stage is over, or all of it."""
        if self._shown is not None:
            self._shown.__exit__(None, None, None)
            self._shown = None

    def _following(self) -> Following:
        if self._shown is None:
            self._shown = Following(self._session.screen, self._session.words, self._title)
            self._shown.__enter__()
        return self._shown
