"""What the code of a job is given: a place to say things, the user's commands, and signs of life.

Owns the trainer's side of the run directory while an attempt lives. Refuses to know what is trained, exported
or proved.
"""

from __future__ import annotations

import contextlib
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
from typing import Literal, TypeVar

from trainers.duties import Duties
from trainers.emitter import Emitter
from trainers.errors import AcademyError, ErrorCode
from trainers.events import CheckpointSaved, CommandAnswered, Ended, Payload, Phase, Step, Warned
from trainers.heartbeat import Heartbeat
from trainers.host_ties import HOST_PID_VARIABLE, die_with_host
from trainers.host_watch import PAUSED
from trainers.inbox import HOST, Inbox, Order
from trainers.layout import RunDir
from trainers.patience import GaveUpError, Patience, Written
from trainers.space import disk_full, is_full, trouble_of

StopReason = Literal["user", "suspended"]
PhaseName = Literal[
    "loading", "rendering", "training", "evaluating", "saving", "merging", "writing", "proving"
]

#: Command files are looked for at most this often.
POLL_S = 0.2
#: What has to be free before a line is tried again that a full disk did not take.
LINE_ROOM_BYTES = 64 * 1024
#: How long the last words are tried on a disk that takes nothing.
LAST_WORDS_S = 10.0
#: Longest wait for an event line that is being written when the host dies.
_LINE_WAIT_S = 1.0
_STOPS: dict[str, StopReason] = {"stop": "user", "suspend": "suspended"}
_RESERVE_BYTES = 64 * 1024

T = TypeVar("T")


class StartAgainError(Exception):
    """This process has no memory left even to begin again: a new one may have it."""


class Session:
    """One attempt of a job, from the inside.

    Attributes:
        run_dir: the job's folder.
        attempt: which start of the job this is, from 1.
        duties: what the job spends on its own duties.
        room_bytes: what has to be free on the disk for the job to go on once that was full.
    """

    def __init__(self, run_dir: RunDir, attempt: int, heartbeat: Heartbeat, writing: threading.RLock) -> None:
        """Open the event file; waits until the disk allows that."""
        self.run_dir = run_dir
        self.attempt = attempt
        self.room_bytes = LINE_ROOM_BYTES
        self.duties = Duties()
        self._heartbeat = heartbeat
        self._patience = Patience(run_dir.path, heartbeat, self._given_up)
        self._is_patient = False
        self._waits = False
        self._stops_before = 0
        self._owed: list[Payload] = []
        self._inbox = Inbox(run_dir.commands, attempt)
        self._last_poll = float("-inf")
        self._stops: list[Order] = []
        self._saves: list[Order] = []
        self._samples: list[Order] = []
        self._stop_reason: StopReason | None = None
        self._signalled = False
        self._save_wanted = False
        self._sample_wanted = False
        self._paused = False
        self._phase = ""
        self._last_step: Step | None = None
        self._emitter = self._wait_through(
            lambda: Emitter(run_dir.events, attempt, guard=writing), LINE_ROOM_BYTES
        ).result

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
        heartbeat = Heartbeat(run.heartbeat)
        heartbeat.start()
        try:
            session = cls(run, attempt, heartbeat, writing)
            try:
                session._make_reserve()
                with session._signals_as_stop():
                    yield session
            finally:
                run.reserve.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # the last words are durable already
                    session._emitter.close()
        finally:
            heartbeat.close()

    # what the job says

    def emit(self, payload: Payload) -> None:
        """Append one event; a saved checkpoint also answers the `save` commands that waited for one.

        Raises:
            GaveUpError: as `write`.
            OSError: the job does not wait, and the disk is full, even after the reserve that is kept for the
                last words was given up.
        """
        if self._waits:  # the answer to a command that came while the disk takes nothing
            self._owed.append(payload)
            return
        self.write(lambda: self._append(payload))
        self._heartbeat.advance()
        if isinstance(payload, Step):
            self._last_step = payload
        elif isinstance(payload, CheckpointSaved):
            self._answer_all(self._saves, "done")

    def wait_for_room(self) -> None:
        """Let this job wait from now on while its disk is full or broken, instead of failing."""
        self._is_patient = True

    def write(self, write: Callable[[], T], needed_bytes: int = 0) -> T:
        """Write something; a job that waits for its disk does so until that has taken it.

        Args:
            write: does it; leaves nothing half done when it fails, and can be called again.
            needed_bytes: what has to be free for it, if that is more than `room_bytes`.

        Raises:
            GaveUpError: the user ended the job meanwhile.
            OSError: as `write`; a full disk only where the job does not wait.
        """
        if not self._is_patient:
            return write()
        written = self._wait_through(write, max(needed_bytes, self.room_bytes))
        if written.trouble is not None:
            self._make_reserve()
            waited_s = round(written.waited_s, 1)
            self._owed.append(Warned(code=f"{written.trouble}_over", facts={"waited_s": waited_s}))
            while self._owed:
                self.emit(self._owed.pop(0))
        return written.result

    def sync(self) -> None:
        """Make all events so far durable; called before the manifest of a checkpoint is written."""
        with self.duties.of("events"):
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
        with self.duties.of("commands"):
            for order in self._inbox.new():
                self._obey(order)

    def take_save(self) -> bool:
        """Whether the user asked for a checkpoint since the last call; `done` is said when one is saved."""
        wanted, self._save_wanted = self._save_wanted, False
        return wanted

    def take_sample(self) -> bool:
        """Whether the user asked for answers since the last call; `done` is said when they are there."""
        wanted, self._sample_wanted = self._sample_wanted, False
        return wanted

    def wait_while_paused(self) -> None:
        """Keep the memory and do nothing until the user goes on, stops, or wants something in between."""
        if self._paused:
            self._heartbeat.phase(PAUSED)
        while self._paused and self.stop_reason is None and not (self._save_wanted or self._sample_wanted):
            time.sleep(POLL_S / 2)
            self.poll()
        self._heartbeat.phase(self._phase)

    def between_steps(
        self, save: Callable[[], None], sample: Callable[[], None] | None = None
    ) -> StopReason | None:
        """Do what the user asked for between two steps: save, answer, pause, or say why to save and end.

        Args:
            save: writes a checkpoint.
            sample: lets the model answer the questions of the recipe; None where nothing can.
        """
        self.poll()
        while self.stop_reason is None and (self._save_wanted or self._sample_wanted or self._paused):
            if self.take_save():
                save()
            if self.take_sample():
                if sample is not None:
                    sample()
                self._answer_all(self._samples, "refused" if sample is None else "done")
            self.wait_while_paused()
        return self.stop_reason

    # the end

    def leave_to_host(self) -> bool:
        """End without a last word, in the phase that lacked memory: the host then begins the next attempt.

        False where there is no host.
        """
        self._heartbeat.phase("training")
        return HOST_PID_VARIABLE in os.environ

    def finish(self, ended: Ended) -> None:
        """Answer what is open, say how the attempt ended, and make it durable. The last event."""
        if ended.state != "succeeded":
            self._is_patient = False
        self._insist(lambda: self.poll(now=True))
        self._insist(self._pay)
        self._insist(lambda: self._answer_all(self._stops, "done" if ended.state == "stopped" else "refused"))
        self._insist(lambda: self._answer_all(self._saves, "refused"))
        self._insist(lambda: self._answer_all(self._samples, "refused"))
        if self._last_step is not None:
            missing: dict[str, int | float] = {}
            if ended.step == 0:
                missing["step"] = self._last_step.step
            if ended.loss is None:
                missing["loss"] = self._last_step.loss
            ended = ended.model_copy(update=missing)
        self.duties.add("heartbeat", self._heartbeat.seconds)
        last = ended.model_copy(update={"seconds": self.duties.seconds, "duties_s": self.duties.told()})
        self._insist(lambda: self.emit(last))
        self._insist(self.sync)

    # inside

    def _append(self, payload: Payload) -> None:
        """Append one event; one of a job that does not wait may use the reserve."""
        with self.duties.of("events"):
            try:
                self._emitter.emit(payload)
            except OSError as error:
                if self._is_patient or not is_full(error) or not self.run_dir.reserve.exists():
                    raise
                self.run_dir.reserve.unlink()
                self._emitter.emit(payload)

    def _wait_through(self, write: Callable[[], T], needed_bytes: int) -> Written[T]:
        """Write, however long the disk takes nothing; what is said meanwhile is owed."""
        try:
            written = self._patience.through(write, needed_bytes)
        except BaseException:
            self._go_on()
            raise
        if written.trouble is not None:
            self._go_on()
        return written

    def _go_on(self) -> None:
        """The waiting for the disk is over."""
        self._waits = False
        self._heartbeat.phase(PAUSED if self._paused else self._phase)

    def _given_up(self) -> bool:
        """Read the user's commands while the disk takes nothing: a stop that comes now ends the job.

        A rule's `suspend` waits too: nobody has chosen to lose what is not saved yet.
        """
        if not self._waits:
            self._waits, self._stops_before = True, self._stops_of_user()
        self.poll()
        return self._signalled or self._stops_of_user() > self._stops_before

    def _stops_of_user(self) -> int:
        return sum(order.by != HOST for order in self._stops)

    def _pay(self) -> None:
        """Say what had to wait."""
        while self._owed:
            self._append(self._owed[0])
            self._owed.pop(0)

    def _insist(self, say: Callable[[], None]) -> None:
        """Say some of the last words; a disk that takes nothing is tried for some seconds.

        Raises:
            OSError: all in vain.
        """
        deadline = time.monotonic() + LAST_WORDS_S
        while True:
            try:
                say()
                return
            except GaveUpError:
                self._is_patient = False
            except OSError as error:
                if trouble_of(error) is None or time.monotonic() >= deadline:
                    raise
            time.sleep(POLL_S)

    def _obey(self, order: Order) -> None:
        match order.name:
            case "stop" | "suspend":
                self._stop_reason = self._stop_reason or _STOPS[order.name]
                self._answer(order, "accepted")
                self._stops.append(order)
            case "save":
                self._save_wanted = True
                self._saves.append(order)
            case "sample":
                self._sample_wanted = True
                self._samples.append(order)
            case "pause" | "unpause":
                self._paused = order.name == "pause"
                self._answer(order, "done")
            case "kill" | "anyway":
                pass  # the host obeys these
            case _:
                self._answer(order, "refused", ErrorCode.PROTOCOL_NEWER)

    def _answer(
        self, order: Order, outcome: Literal["accepted", "done", "refused"], code: ErrorCode | None = None
    ) -> None:
        self.emit(
            CommandAnswered(
                id=order.id, command=order.name, outcome=outcome, code=code or "", reason=order.reason
            )
        )

    def _answer_all(self, orders: list[Order], outcome: Literal["done", "refused"]) -> None:
        code = ErrorCode.JOB_NOT_RUNNING if outcome == "refused" else None
        while orders:
            self._answer(orders[0], outcome, code)
            orders.pop(0)

    def _make_reserve(self) -> None:
        """Keep some room on the disk, so that "the disk is full" can still be written to a full disk."""
        try:
            self.run_dir.reserve.write_bytes(os.urandom(_RESERVE_BYTES))
        except OSError as error:
            if trouble_of(error) is None:
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
    with contextlib.suppress(GaveUpError), Session.open(run_dir, attempt) as session:
        try:
            ended = work(session)
        except GaveUpError:
            ended = Ended(state="stopped", reason=session.stop_reason or "user")
        except StartAgainError as error:
            traceback.print_exc(file=sys.stderr)
            if session.leave_to_host():
                return 1
            ended = failure(error.__cause__ or error, run_dir)
        except (Exception, SystemExit) as error:
            traceback.print_exc(file=sys.stderr)
            ended = failure(error, run_dir)
        session.finish(ended)
        return 1 if ended.state == "failed" else 0
    return 1  # ended before the disk took a word


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
        sign in text
        for sign in (
            "out of memory",
            "can't allocate memory",
            "cannot allocate memory",
            "not enough memory",
            "bad_alloc",
        )
    )
