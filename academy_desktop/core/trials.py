"""What the trial steps showed on this computer, kept so that nobody has to wait for them twice.

Owns `trials.json` and when it no longer holds: other packages or another driver were there. Refuses to know
what the steps are and what follows from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from academy_desktop.core.reader import read_if_whole
from academy_desktop.core.tasks import Tasks
from trainers.errors import AcademyError
from trainers.layout import Record, write_record

#: What a step says that worked; what stands in the words of one that had no memory.
WORKS, NO_MEMORY = "ok", "out of memory"


class Outcome(Record):
    """What the steps showed, and `under` which versions; a step that did not work says why."""

    under: Mapping[str, str]
    cuda: bool
    bf16: str
    four_bit: str

    @property
    def is_passing(self) -> bool:
        """Whether it may be another in a minute: something else holds the GPU's memory now."""
        return lacked_memory(self.bf16) or lacked_memory(self.four_bit)


def lacked_memory(outcome: str) -> bool:
    """Whether a step failed of what else was in the memory then, which says nothing of the step."""
    return NO_MEMORY in outcome.lower()


class Trials:
    """The trial steps of one data directory."""

    def __init__(self, path: Path, tasks: Tasks, versions: Callable[[], Mapping[str, str]]) -> None:
        """`versions`: of everything that the outcome depends on."""
        self._path = path
        self._tasks = tasks
        self._versions = versions

    def known(self) -> Outcome | None:
        """What they showed the last time, if everything is as it was then."""
        try:
            found = read_if_whole(self._path, Outcome)
        except AcademyError:
            return None
        if found is None or found.is_passing or found.under != self._versions():
            return None
        return found

    def ask(self) -> Outcome:
        """What they show: as known, or tried now, which takes some seconds.

        Raises:
            AcademyError: what ended the task.
        """
        return self.known() or self._outcome(self.run())

    def run(self) -> dict[str, Any]:
        """Try now, and keep what came of it; raises as `Tasks.run`."""
        found = self._tasks.run("trial-steps", {})
        outcome = self._outcome(found)
        if not outcome.is_passing:
            with suppress(OSError):  # they are tried again the next time
                write_record(self._path, outcome)
        return found

    def _outcome(self, found: Mapping[str, Any]) -> Outcome:
        return Outcome(
            under=self._versions(),
            cuda=bool(found["cuda"]),
            bf16=str(found["bf16"]),
            four_bit=str(found["four_bit"]),
        )
