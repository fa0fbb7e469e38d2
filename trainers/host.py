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
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from trainers.host_awake import awake
from trainers.host_log import SegmentedLog
from trainers.host_process import Outcome, TrainerProcess
from trainers.host_queue import Turn
from trainers.host_records import Records, read_json
from trainers.host_tidy import make_temporary, tidy_before, tidy_behind
from trainers.host_watch import Sign, Watch, look_at
from trainers.inbox import Inbox
from trainers.locks import FileLock

#: A probe of the lock by a reader lasts microseconds; whoever holds it for this long is another host.
LOCK_WAIT_S = 2.0
#: What the process returns when another host already has this job.
BUSY_EXIT_CODE = 3
_POLL_S = 0.2
#: Seconds between two looks at whether the trainer still gets somewhere.
_LOOK_S = 1.0
#: How long the output of a dead trainer is waited for: a grandchild in a session of its own may hold the
#: pipe.
_LAST_OUTPUT_S = 2.0


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

    @classmethod
    def read(cls, path: Path) -> Order:
        """Read a launch order.

        Raises:
            OSError, ValueError, KeyError, TypeError: it is missing or not a launch order.
        """
        raw = read_json(path)
        if raw.get("v", 1) != 1:
            raise ValueError(f"written by a later version ({raw['v']})")
        known = {name: raw[name] for name in cls.__dataclass_fields__ if name != "patience_s"}
        return cls(**known, patience_s=float(raw.get("patience_s", cls.patience_s)))


class Host:
    """One attempt of one job, from the queue to the record of its end."""

    def __init__(self, run_dir: Path, attempt: int) -> None:
        self._run_dir = run_dir
        self._attempt = attempt
        self._folder = run_dir / "attempts" / str(attempt)
        self._records = Records(self._folder)
        self._inbox = Inbox(run_dir / "commands", attempt)
        self._told_to_end = False

    def run(self) -> None:
        """Do all of it; the caller holds `host.lock`."""
        self._mind_signals()
        self._records.host("waiting")
        try:
            order = Order.read(self._folder / "launch.json")
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._records.exit("not_started", message=f"launch.json: {type(error).__name__}: {error}")
            self._records.host("ended")
            return
        turn = Turn(self._run_dir, order.queue_dir, order.queue_entry)
        try:
            if self._wait(turn):
                self._train(order)
            turn.leave()
        finally:
            self._records.host("ended")
            turn.release()

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
        while True:
            if any(order.name in {"stop", "suspend", "kill"} for order in self._inbox.new()):
                self._records.exit("stopped_in_queue")
                return False
            if self._told_to_end:
                return False
            if turn.take():
                return True
            time.sleep(_POLL_S)

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
            trainer = TrainerProcess(order.argv, order.cwd, environment)
        except OSError as error:
            log.close()
            self._records.exit("not_started", message=str(error))
            return
        self._records.host("running", trainer_pid=trainer.pid)
        silent = threading.Event()
        pump = threading.Thread(target=_pump, args=(trainer.output, log, silent), name="log", daemon=True)
        pump.start()
        with awake():
            outcome = self._watch(trainer, order, silent)
        pump.join(_LAST_OUTPUT_S)
        log.close()
        tidy_behind(self._run_dir, trainer.pid)
        self._records.exit(
            "exited" if outcome.signal is None else "signalled",
            exit_code=outcome.exit_code,
            signal=outcome.signal,
            peak_rss_bytes=outcome.peak_rss_bytes,
        )

    def _watch(self, trainer: TrainerProcess, order: Order, silent: threading.Event) -> Outcome:
        """Wait for the trainer's end; on `kill`, SIGTERM to its group and, after the grace, SIGKILL."""
        kill_at: float | None = None
        watch, look_at_next = Watch(order.patience_s), time.monotonic()
        while (outcome := trainer.poll()) is None:
            if time.monotonic() >= look_at_next:
                self._records.stalled(watch.look(self._sign(trainer)))
                look_at_next = time.monotonic() + _LOOK_S
            wanted = self._told_to_end or any(order.name == "kill" for order in self._inbox.new())
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


def _detach() -> bool:
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
    run_dir: Path = options.run_dir.resolve()
    lock = FileLock(run_dir / "host.lock")
    if not lock.acquire(LOCK_WAIT_S):
        return BUSY_EXIT_CODE
    if (run_dir / "attempts" / str(options.attempt) / "exit.json").exists():
        return 0
    if not options.stay and not _detach():
        os._exit(0)
    Host(run_dir, options.attempt).run()
    lock.release()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
