"""The steps of one push as they are taken: told, written down, cancelled, ended.

Owns what has been taken so far and the journal's entry. Refuses to know what a step does.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from academy_desktop.core.venom.journal import Writer
from academy_desktop.core.venom.steps import UNDIVIDED, Listener, Sent, Step, StepName
from trainers.errors import AcademyError, ErrorCode, Fact

#: After one of these nobody here knows whether a server did what it was asked.
UNSURE: Final = frozenset(
    {
        ErrorCode.VENOM_UNREACHABLE,
        ErrorCode.VENOM_TIMEOUT,
        ErrorCode.VENOM_FAILED,
        ErrorCode.VENOM_ANSWER_INVALID,
        ErrorCode.VENOM_NOT_VENOM,
        ErrorCode.VENOM_SSH_LOST,
        ErrorCode.VENOM_SSH_UNREACHABLE,
    }
)


class CancelledError(Exception):
    """Somebody wants the push to end here."""


class Stepping:
    """The steps of one push.

    Args:
        sent: how far it came; every step adds to it.
        listener: is told each step.
        writer: keeps its entry in the journal; None for a push that changes nothing.

    Attributes:
        is_unsure: the server may be halfway, and cannot be asked: the next start has to look again.
    """

    def __init__(self, sent: Sent, listener: Listener, writer: Writer | None) -> None:
        self.sent = sent
        self.listener = listener
        self.is_unsure = False
        self._writer = writer
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Have it end before the next step."""
        self._cancelled.set()

    def end_if_cancelled(self) -> None:
        """Go no further where somebody has cancelled."""
        if self._cancelled.is_set():
            raise CancelledError

    def wait(self, seconds: float) -> None:
        """Wait, or until somebody cancels."""
        self._cancelled.wait(seconds)

    @contextmanager
    def step(self, name: StepName, known: dict[str, Fact] | None = None) -> Iterator[dict[str, Fact]]:
        """Tell that a step begins and how it ends.

        The body adds facts: `kept` where nothing was to do, `reason` where the step was left out.
        """
        if name not in UNDIVIDED:
            self.end_if_cancelled()
        if self._writer is not None:
            self._writer.note(name, self.sent)
        self.listener.started(name)
        facts = dict(known or {})
        try:
            yield facts
        except AcademyError as error:
            step = Step(name, "failed", dict(error.facts), str(error.code))
            self.sent.steps.append(step)
            self.listener.failed(step)
            raise
        kept = bool(facts.pop("kept", False))
        self.over(Step(name, "skipped" if "reason" in facts else "kept" if kept else "done", facts))

    def skip(self, name: StepName, reason: str) -> None:
        """Tell that a step is left out, and why."""
        with self.step(name, {"reason": reason}):
            return

    def over(self, step: Step) -> None:
        """Tell a step that is over."""
        self.sent.steps.append(step)
        self.listener.done(step)

    def end(self, error: AcademyError | None) -> None:
        """Close the journal's entry, unless the server may be halfway: the next start looks again then."""
        if self._writer is None:
            return
        if error is None:
            self._writer.end("cancelled" if self.sent.cancelled else "done", self.sent)
        elif error.code is not ErrorCode.VENOM_ROLLBACK_FAILED and not self.is_unsure:
            # what stopped the push is told, whatever becomes of the journal
            with contextlib.suppress(AcademyError):
                self._writer.end("undone" if self.sent.rolled_back else "failed", self.sent, error.code)
