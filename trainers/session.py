"""What the code of a job is given: a place to say things, the user's commands, and signs of life.

Owns the trainer's side of the run directory while an attempt lives. Refuses to know what is trained, exported
or proved.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Literal

from trainers.emitter import Emitter
from trainers.errors import AcademyError, ErrorCode
from trainers.events import CheckpointSaved, CommandAnswered, Ended, Payload, Phase, Step
from trainers.heartbeat import Heartbeat
from trainers.host_ties import die_with_host
from trainers.host_watch import PAUSED
from trainers.inbox import Inbox, Order
from trainers.layout import RunDir
from trainers.space import disk_full, is_full

StopReason = Literal["user", "suspended"]
PhaseName = Literal[
    "loading", "rendering", "training", "evaluating", "saving", "merging", "writing", "proving"
]

#: Command files are looked for at most this often.
POLL_S = 0.2
#: Longest wait for an event line that is being written when the host dies.
_LINE_WAIT_S = 1.0
_STOPS: dict[str, StopReason] = {"stop": "user", "suspend": "suspended"}
_RESERVE_BYTES = 64 * 1024


class Session:
    """One attempt of a job, from the inside.

    Attributes:
        run_dir: the job's folder.
        attempt: which start of the job this is, from 1.
    """

    def __init__(self, run_dir: RunDir, attempt: int, emitter: Emitter, heartbeat: Heartbeat) -> None:
        self.run_dir = run_dir
        self.attempt = attempt
        self._emitter = emitter
        self._heartbeat = heartbeat
        self._inbox = Inbox(run_dir.commands, attempt)
        self._last_poll = float("-inf")
        self._stops: list[Order] = []
        self._saves: list[Order] = []
        self._stop_reason: StopReason | None = None
        self._signalled = False
        self._save_wanted = False
        self._paused = False
        self._phase = ""
        self._last_step: Step | None = None

    @classmethod
    @contextmanager
    def open(cls, run_dir: Path, attempt: int) -> Iterator[Session]:
        """Open the run directory for writing: events, heartbeat, signals, and the tie to the host.

        Raises:
            AcademyError: `job_running` when a trainer of an earlier attempt is still alive.
        """
        run = RunDir(run_dir)
        writing = threading.RLock()
        die_with_host(lambda: _wait_for_line(writing))
        emitter = Emitter(run.events, attempt, guard=writing)
        heartbeat = Heartbeat(run.heartbeat)
        session = cls(run, attempt, emitter, heartbeat)
        heartbeat.start()
        session._make_reserve()
        try:
            with session._signals_as_stop():
                yield session
        finally:
            session._reserve.unlink(missing_ok=True)
            heartbeat.close()
            emitter.close()

    # what the job says

    def emit(self, payload: Payload) -> None:
        """Append one event; a saved checkpoint also answers the `save` commands that waited for one.

        Raises:
            OSError: the disk is full, even after the reserve that is kept for the last words was given up.
        """
        try:
            self._emitter.emit(payload)
        except OSError as error:
            if not is_full(error) or not self._reserve.exists():
                raise
            self._reserve.unlink()
            self._emitter.emit(payload)
        self._heartbeat.advance()
        if isinstance(payload, Step):
            self._last_step = payload
        elif isinstance(payload, CheckpointSaved):
            self._answer_all(self._saves, "done")

    def sync(self) -> None:
        """Make all events so far durable; called before the manifest of a checkpoint is written."""
        self._emitter.sync()

    def phase(self, name: PhaseName, detail: str = "") -> None:
        """Say what the job is doing now, in the events and in the heartbeat."""
        self._phase = name
        self._heartbeat.phase(name)
        self.emit(Phase(name=name, detail=detail))

    def tick(self) -> None:
        """Count one unit of work that is worth no event."""
        self._heartbeat.advance()

    # what the user wants

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the job should save and end, or None while it should go on."""
        if self._stop_reason is None and self._signalled:
            self._stop_reason = "user"
        return self._stop_reason

    @property
    def paused(self) -> bool:
        """Whether the user asked for a pause."""
        return self._paused

    def poll(self, *, now: bool = False) -> None:
        """Read new commands and answer them; cheap enough for every step (looks five times a second at most).

        Args:
            now: look at once, however recent the last look was.
        """
        moment = time.monotonic()
        if not now and moment - self._last_poll < POLL_S:
            return
        self._last_poll = moment
        for order in self._inbox.new():
            self._obey(order)

    def take_save(self) -> bool:
        """Whether the user asked for a checkpoint since the last call; `done` is said when one is saved."""
        wanted, self._save_wanted = self._save_wanted, False
        return wanted

    def wait_while_paused(self) -> None:
        """Keep the memory and do nothing until the user goes on, stops, or wants a checkpoint."""
        if self._paused:
            self._heartbeat.phase(PAUSED)
        while self._paused and self.stop_reason is None and not self._save_wanted:
            time.sleep(POLL_S / 2)
            self.poll()
        self._heartbeat.phase(self._phase)

    def between_steps(self, save: Callable[[], None]) -> StopReason | None:
        """Do what the user asked for between two steps: save, pause, or say why to save and end."""
        self.poll()
        while self.stop_reason is None and (self._save_wanted or self._paused):
            if self.take_save():
                save()
            self.wait_while_paused()
        return self.stop_reason

    # the end

    def finish(self, ended: Ended) -> None:
        """Answer what is open, say how the attempt ended, and make it durable. The last event."""
        self.poll(now=True)
        self._answer_all(self._stops, "done" if ended.state == "stopped" else "refused")
        self._answer_all(self._saves, "refused")
        if self._last_step is not None:
            missing: dict[str, int | float] = {}
            if ended.step == 0:
                missing["step"] = self._last_step.step
            if ended.loss is None:
                missing["loss"] = self._last_step.loss
            ended = ended.model_copy(update=missing)
        self.emit(ended)
        self.sync()

    # inside

    def _obey(self, order: Order) -> None:
        match order.name:
            case "stop" | "suspend":
                self._stop_reason = self._stop_reason or _STOPS[order.name]
                self._answer(order, "accepted")
                self._stops.append(order)
            case "save":
                self._save_wanted = True
                self._saves.append(order)
            case "pause" | "unpause":
                self._paused = order.name == "pause"
                self._answer(order, "done")
            case "kill":
                pass  # the host obeys that one
            case _:
                self._answer(order, "refused", ErrorCode.PROTOCOL_NEWER)

    def _answer(
        self, order: Order, outcome: Literal["accepted", "done", "refused"], code: ErrorCode | None = None
    ) -> None:
        self.emit(CommandAnswered(id=order.id, command=order.name, outcome=outcome, code=code or ""))

    def _answer_all(self, orders: list[Order], outcome: Literal["done", "refused"]) -> None:
        code = ErrorCode.JOB_NOT_RUNNING if outcome == "refused" else None
        while orders:
            self._answer(orders.pop(0), outcome, code)

    @property
    def _reserve(self) -> Path:
        return self.run_dir.path / ".reserve"

    def _make_reserve(self) -> None:
        """Keep some room on the disk, so that "the disk is full" can still be written to a full disk."""
        try:
            self._reserve.write_bytes(os.urandom(_RESERVE_BYTES))
        except OSError as error:
            if not is_full(error):
                raise

    @contextmanager
    def _signals_as_stop(self) -> Iterator[None]:
        """Take a polite signal (a shutdown, Ctrl-C on a trainer started by hand) as the user's stop."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        polite = [signal.SIGINT, signal.SIGTERM]
        if sys.platform == "win32":
            polite.append(signal.SIGBREAK)
        before = {number: signal.signal(number, self._on_signal) for number in polite}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signalled = True


def run_job(run_dir: Path, attempt: int, work: Callable[[Session], Ended]) -> int:
    """Run one attempt to its `ended` event, whatever happens on the way.

    Returns:
        The exit code of the process: 0 after succeeded or stopped, 1 after failed.

    Raises:
        AcademyError: `job_running` when a trainer of an earlier attempt is still alive.
    """
    with Session.open(run_dir, attempt) as session:
        try:
            ended = work(session)
        except (Exception, SystemExit) as error:
            traceback.print_exc(file=sys.stderr)
            ended = failure(error, run_dir)
        session.finish(ended)
    return 1 if ended.state == "failed" else 0


def failure(error: BaseException, run_dir: Path) -> Ended:
    """What an exception means for the job: an expected failure with its facts, or `crashed`."""
    if isinstance(error, AcademyError):
        return Ended(state="failed", reason=error.code, facts=error.facts)
    detail = f"{type(error).__name__}: {error}".splitlines()[0][:500]
    if isinstance(error, OSError) and is_full(error):
        facts = disk_full(run_dir).facts
        path = str(error.filename or run_dir)
        return Ended(state="failed", reason=ErrorCode.DISK_FULL, facts={**facts, "path": path})
    code = ErrorCode.OUT_OF_MEMORY if is_out_of_memory(error) else ErrorCode.CRASHED
    return Ended(state="failed", reason=code, facts={"detail": detail})


def _wait_for_line(writing: threading.RLock) -> None:
    """Let an event line be finished, and none be begun any more."""
    writing.acquire(timeout=_LINE_WAIT_S)


def is_out_of_memory(error: BaseException) -> bool:
    """Know torch's ways of saying it without importing torch."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        sign in text for sign in ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")
    )
