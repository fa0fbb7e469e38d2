"""The job host: waits for its turn on the device, runs one trainer, and records how it ended.

    python -P -S -m trainers.host RUN_DIR ATTEMPT

One process per queued or running job; it outlives whatever started it and ends with its job. Owns the
trainer's process, the log and the attempt's `host.json` and `exit.json`. Standard library only (`-S` keeps
all else out), and refuses to know what a trainer does: all that it needs stands in `launch.json`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from trainers.foreign import way_out
from trainers.heartbeat import make_heartbeat
from trainers.host_awake import Wakefulness
from trainers.host_battery import SUPPLIES
from trainers.host_holding import Holding, begin_next, was_suspended
from trainers.host_log import SegmentedLog
from trainers.host_memory import MemoryWatch, computes_rows, has_ended
from trainers.host_prepared import PreparedTrainer
from trainers.host_process import Outcome, TrainerProcess
from trainers.host_queue import Turn
from trainers.host_records import Records, read_json
from trainers.host_rules import Hold, Judge
from trainers.host_sensors import Sensors
from trainers.host_shutdown import shut_down_if_wanted
from trainers.host_tidy import make_temporary, tidy_before, tidy_behind
from trainers.host_watch import Sign, Watch, look_at
from trainers.inbox import HOST, Inbox
from trainers.inbox import Order as Command
from trainers.locks import FileLock
from trainers.space import trouble_of

#: A probe of the lock by a reader lasts microseconds; whoever holds it for this long is another host.
LOCK_WAIT_S = 2.0
#: What the process returns when another host already has this job.
BUSY_EXIT_CODE = 3
#: What the process returns when something in the run directory leads out of it; nothing was written.
FOREIGN_EXIT_CODE = 4
_POLL_S = 0.2
#: Seconds between two looks at whether the trainer still gets somewhere.
_LOOK_S = 1.0
#: How long the output of a dead trainer is waited for: a grandchild in a session of its own may hold the
#: pipe.
_LAST_OUTPUT_S = 2.0
#: A trainer that a lack of memory ended is started again this often, each time with fewer rows at once.
MOST_MEMORY_RETRIES = 3


@dataclass(frozen=True)
class Order:
    """What `launch.json` says, as far as the host has to understand it."""

    job: str
    argv: list[str]
    cwd: str
    environment: dict[str, str]
    queue_dir: str | None
    queue_entry: str | None
    log_segment_bytes: int
    log_segments: int
    stop_grace_s: float
    patience_s: float = 60.0
    rules: str | None = None

    @classmethod
    def read(cls, path: Path) -> Order:
        """Read a launch order.

        Raises:
            OSError, ValueError, KeyError, TypeError: it is missing or not a launch order.
        """
        raw = read_json(path)
        if raw.get("v", 1) != 1:
            raise ValueError(f"written by a later version ({raw['v']})")
        newer = {"patience_s", "rules"}
        known = {name: raw[name] for name in cls.__dataclass_fields__ if name not in newer}
        return cls(**known, patience_s=float(raw.get("patience_s", cls.patience_s)), rules=raw.get("rules"))


class Host:
    """One attempt of one job, from the queue to the record of its end, and those that it begins by itself."""

    def __init__(
        self,
        run_dir: Path,
        attempt: int,
        supplies: Path = SUPPLIES,
        prepared: PreparedTrainer | None = None,
    ) -> None:
        """`supplies`: where Linux says which battery and which plug gives power."""
        self._run_dir = run_dir
        self._prepared = prepared
        self._supplies = supplies
        self._told_to_end = False
        self._memory_retries = 0
        self._next: int | None = None
        self._begin(attempt)

    def _begin(self, attempt: int) -> None:
        """Turn to an attempt."""
        self._attempt = attempt
        self._folder = self._run_dir / "attempts" / str(attempt)
        self._records = Records(self._folder)
        self._inbox = Inbox(self._run_dir / "commands", attempt)
        self._holding = Holding(self._run_dir, attempt)
        self._is_to_end = False

    def run(self) -> None:
        """Do all of it; the caller holds `host.lock`."""
        self._mind_signals()
        self._records.host("waiting")
        order = self._read_order()
        if order is None:
            return
        turn = Turn(self._run_dir, order.queue_dir, order.queue_entry)
        self._rules = Judge(Path(order.rules) if order.rules else None)
        self._sensors = Sensors(Path(order.queue_dir or "").name, self._supplies)
        if order.rules:
            self._sensors.start()
        try:
            while order is not None and self._wait(turn) and self._wait_for_room():
                self._train(order)
                order = self._try_again(turn) or self._go_on_later(turn)
            turn.leave()
        finally:
            self._records.host("ended")
            turn.release()
            self._settle()

    def _read_order(self) -> Order | None:
        try:
            return Order.read(self._folder / "launch.json")
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._records.exit("not_started", message=f"launch.json: {type(error).__name__}: {error}")
            self._records.host("ended")
            return None

    def _try_again(self, turn: Turn) -> Order | None:
        """Begin the next attempt where this one was ended by a lack of memory and another is ordered."""
        number, self._next = self._next, None
        return None if number is None else self._turn_to(number, turn)

    def _turn_to(self, number: int, turn: Turn) -> Order | None:
        """Leave an attempt for the next one, which waits in the same place."""
        late = self._hear()
        self._records.host("ended")
        turn.release()  # its entry stays: it keeps its place before those behind it
        self._settle()
        self._begin(number)
        self._records.host("waiting")
        return None if self._is_told_to_stop(late) else self._read_order()

    def _go_on_later(self, turn: Turn) -> Order | None:
        """Begin the next attempt where a rule had the trainer save and give its memory back."""
        self._hear()
        suspended = self._holding.goes_on_later and was_suspended(self._run_dir, self._attempt)
        if self._told_to_end or not suspended:
            return None
        try:
            number = begin_next(self._run_dir, self._attempt)
        except (OSError, ValueError, KeyError):  # it stays suspended, and the user can resume it
            return None
        return self._turn_to(number, turn)

    def _mind_signals(self) -> None:
        """Outlive terminals; take SIGTERM (a shutdown) as an order to end the trainer politely."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._on_terminate)
        if sys.platform != "win32":
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def _on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        self._told_to_end = True

    def _wait(self, turn: Turn) -> bool:
        """Wait for the device; False when the job was stopped, or the machine goes down, before its turn."""
        hold, look_at_next = Hold(), 0.0
        while True:
            orders = self._hear()
            if self._is_told_to_stop(orders) or self._told_to_end:
                return False
            if orders or time.monotonic() >= look_at_next:
                hold, look_at_next = self._rules.look(self._sensors.reading), time.monotonic() + _LOOK_S
                self._records.held(hold.reason, hold.until)
            if not hold and turn.take():
                return True
            if self._prepared is not None:  # it waits: so long no memory is held
                self._prepared.give_back()
                self._prepared = None
            time.sleep(_POLL_S)

    def _is_told_to_stop(self, orders: list[Command]) -> bool:
        """Obey what ends a job that waits."""
        told = any(order.name in {"stop", "suspend", "kill"} for order in orders)
        if told:
            self._records.exit("stopped_in_queue")
        return told

    def _wait_for_room(self) -> bool:
        """Wait until the disk takes the trainer's heartbeat, which is then there to tell of a full one.

        False when the job was stopped, or the machine goes down, before that.
        """
        while True:
            try:
                make_heartbeat(self._run_dir / "heartbeat")
            except OSError as error:
                if (trouble := trouble_of(error)) is None:
                    return True  # the trainer finds its own words for it
                self._records.stalled(trouble)
            else:
                self._records.stalled("")
                return True
            if self._is_told_to_stop(self._hear()) or self._told_to_end:
                return False
            time.sleep(_LOOK_S)

    def _settle(self) -> None:
        """Write the records that a full disk did not take; waits until it does, or the machine goes down."""
        while not self._records.settle() and not self._told_to_end:
            time.sleep(_LOOK_S)

    def _hear(self) -> list[Command]:
        """The new commands; those that concern the rules are obeyed."""
        orders = self._inbox.new()
        ends = {"stop", "suspend", "kill"}
        self._is_to_end |= any(order.name in ends and order.by != HOST for order in orders)
        if self._holding.hear(orders):
            self._rules.waive()
        return orders

    def _mind_rules(self) -> Hold:
        """Have the trainer wait while a rule holds its job; returns what makes it wait."""
        reading = self._sensors.reading
        hold = self._rules.look(reading)
        acts = Hold() if self._holding.paused_by_user else hold
        if not self._holding.goes_on_later:  # before the command: who sees that knows why
            self._records.held(acts.reason, acts.until)
        self._records.gpu(reading.gpu)
        self._holding.keep(hold)
        return acts

    def _train(self, order: Order) -> None:
        log = SegmentedLog(self._run_dir / "log", order.log_segment_bytes, order.log_segments)
        log.write(f"--- attempt {self._attempt} ---\n".encode())
        tidy_before(self._run_dir, self._attempt)
        environment = {
            **order.environment,
            **make_temporary(self._run_dir),
            "ACADEMY_HOST_PID": str(os.getpid()),
        }
        try:
            trainer = self._start(order, environment)
        except OSError as error:
            log.close()
            self._records.exit("not_started", message=str(error))
            return
        self._records.host("running", trainer_pid=trainer.pid)
        silent = threading.Event()
        pump = threading.Thread(target=_pump, args=(trainer.output, log, silent), name="log", daemon=True)
        pump.start()
        memory = MemoryWatch(trainer.pid)
        with Wakefulness() as wakefulness:
            outcome = self._watch(trainer, order, silent, wakefulness, memory)
        pump.join(_LAST_OUTPUT_S)
        lacked = self._lacked_memory(outcome, memory, log)
        log.close()
        tidy_behind(self._run_dir, trainer.pid)
        self._records.exit(
            "exited" if outcome.signal is None else "signalled",
            exit_code=outcome.exit_code,
            signal=outcome.signal,
            peak_rss_bytes=outcome.peak_rss_bytes,
            out_of_memory=lacked,
        )

    def _start(self, order: Order, environment: dict[str, str]) -> TrainerProcess:
        """Start the job's trainer, or give the job to the one that was started ahead.

        Raises:
            OSError: it cannot be started.
        """
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            if prepared.suits(order.argv, order.environment) and (
                found := prepared.begin(order.argv, order.cwd, environment)
            ):
                return found
            prepared.give_back()
        return TrainerProcess(order.argv, order.cwd, environment)

    def _lacked_memory(self, outcome: Outcome, memory: MemoryWatch, log: SegmentedLog) -> bool:
        """Whether a lack of memory ended the trainer; if fewer rows may help, the next attempt is ordered.

        Ordered before the end is recorded: nobody is to take the job for over.
        """
        self._hear()
        if self._is_to_end or self._told_to_end or has_ended(self._run_dir, self._attempt):
            return False
        if not memory.is_to_blame(outcome, log.last_words):
            return False
        log.write(b"--- memory ran out: the trainer was ended ---\n")
        worth = computes_rows(self._run_dir, self._records.trainer_started_at)
        if worth and self._memory_retries < MOST_MEMORY_RETRIES:
            self._memory_retries += 1
            with contextlib.suppress(OSError, ValueError, KeyError):  # then the user can resume it
                self._next = begin_next(self._run_dir, self._attempt, memory_retries=self._memory_retries)
        return True

    def _watch(
        self,
        trainer: TrainerProcess,
        order: Order,
        silent: threading.Event,
        wakefulness: Wakefulness,
        memory: MemoryWatch,
    ) -> Outcome:
        """Wait for the trainer's end; on `kill`, SIGTERM to its group and, after the grace, SIGKILL."""
        kill_at: float | None = None
        watch, look_at_next = Watch(order.patience_s), time.monotonic()
        while (outcome := trainer.poll()) is None:
            memory.look()
            if time.monotonic() >= look_at_next:
                self._records.settle()
                self._records.stalled(watch.look(self._sign(trainer)))
                wakefulness.want(not self._mind_rules())
                look_at_next = time.monotonic() + _LOOK_S
            wanted = self._told_to_end or any(order.name == "kill" for order in self._hear())
            if kill_at is None and wanted:
                trainer.terminate()
                kill_at = time.monotonic() + order.stop_grace_s
            if kill_at is not None and time.monotonic() >= kill_at:
                trainer.kill()
            # the end of its output is mostly its end: woken by it, the host does not sleep a job's last
            # moment
            if silent.wait(_POLL_S):
                time.sleep(_POLL_S / 20)
        return outcome

    def _sign(self, trainer: TrainerProcess) -> Sign:
        return look_at(trainer.pid, self._run_dir / "heartbeat", self._records.trainer_started_at)


def _pump(output: int, log: SegmentedLog, silent: threading.Event) -> None:
    """Carry the trainer's output into the log until its end."""
    with contextlib.suppress(OSError):
        while chunk := os.read(output, 65536):
            log.write(chunk)
    silent.set()


def detach() -> bool:
    """Leave the process that was started: True in the child that goes on, adopted by the system.

    The starter has made us the leader of a new session; the child of a leader can never get a terminal again,
    and the starter, which waits for the leader only, keeps no zombie. The lock goes over with the open file.
    Windows has no such tie between processes.
    """
    if sys.platform == "win32":
        return True
    return os.fork() == 0


def main(arguments: list[str]) -> int:
    """Start the host; returns the exit code of the process."""
    parser = argparse.ArgumentParser(prog="trainers.host")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("attempt", type=int)
    parser.add_argument("--stay", action="store_true", help="do not detach from the starter")
    options = parser.parse_args(arguments)
    if (name := way_out(options.run_dir)) is not None:
        sys.stderr.write(f"{name} is a link and leads out of the run directory\n")
        return FOREIGN_EXIT_CODE
    return hold(options.run_dir.resolve(), options.attempt, lambda: options.stay or detach())


def hold(
    run_dir: Path, attempt: int, goes_on: Callable[[], bool], prepared: PreparedTrainer | None = None
) -> int:
    """Take a job's lock and host it to its end; returns the exit code of the process.

    `goes_on` is called once the lock is held; where it says no, another process goes on in this one's place.
    """
    lock = FileLock(run_dir / "host.lock")
    if not lock.acquire(LOCK_WAIT_S):
        return BUSY_EXIT_CODE
    if (run_dir / "attempts" / str(attempt) / "exit.json").exists():
        return 0
    if not goes_on():
        os._exit(0)
    Host(run_dir, attempt, prepared=prepared).run()
    lock.release()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    shut_down_if_wanted(run_dir.parents[1])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
