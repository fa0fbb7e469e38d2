"""Shuts the computer down once no job is left, where the user asked for that.

    queue/shutdown.json        the request: made by the app; gone: cancelled; removed by the host at the end
    queue/shutdown.state.json  written by the one host that carries it out
    queue/shutdown.lock        held by that host

Owns the wait for the last job, the countdown, and each system's own command. Standard library only. Refuses
to do it when a job did not end well: its owner will want to see that, and what is not saved may still be
there.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainers.files import replace_whole
from trainers.host_awake import awake
from trainers.host_records import boot_id, read_json
from trainers.locks import FileLock, is_held

COUNTDOWN_S = 60.0
REQUEST, STATE, LOCK = "shutdown.json", "shutdown.state.json", "shutdown.lock"
_POLL_S = 0.5
_LOCK_WAIT_S = 2.0
#: How long the system's command may take to answer.
_COMMAND_S = 30.0
#: What a job may leave that ended as it was meant to.
_STOPPED_IN_QUEUE = "stopped_in_queue"


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    asked_at: float
    jobs: Sequence[str]
    countdown_s: float

    @classmethod
    def read(cls, queue: Path) -> Request | None:
        """The request, if there is one and this is still the start of the machine that it was made in."""
        try:
            raw = read_json(queue / REQUEST)
            if raw.get("v", 1) != 1 or raw.get("boot_id", "") != boot_id():
                return None
            jobs = [str(job) for job in raw.get("jobs", ())]
            return cls(float(raw["asked_at"]), jobs, float(raw.get("countdown_s", COUNTDOWN_S)))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None


def shut_down_if_wanted(data: Path) -> None:
    """Called by a host that is done; one of them stays until no job is left, and carries the request out."""
    queue = data / "queue"
    if Request.read(queue) is None:
        return
    lock = FileLock(queue / LOCK)
    with contextlib.suppress(OSError):
        if lock.acquire(_LOCK_WAIT_S):  # the window probes it; who holds it for longer carries it out
            try:
                _Shutdown(data).carry_out()
            finally:
                lock.release()


def command(platform: str) -> Sequence[str]:
    """How a system is told to shut down."""
    if platform == "win32":
        return ("shutdown", "/s", "/t", "0")
    if platform == "darwin":
        return ("osascript", "-e", 'tell application "System Events" to shut down')
    return ("systemctl", "poweroff")


class _Shutdown:
    """The wait, the countdown, the end."""

    def __init__(self, data: Path) -> None:
        self._runs = data / "runs"
        self._queue = data / "queue"
        self._asked_at = 0.0

    def carry_out(self) -> None:
        with awake():
            while (request := Request.read(self._queue)) is not None:
                self._asked_at = request.asked_at
                if self._somebody_is_left():
                    self._say("waiting")
                    time.sleep(_POLL_S)
                elif (job := self._ended_badly(request)) is not None:
                    self._finish("called_off", job=job)
                    return
                elif self._count_down(request):
                    self._shut_down()
                    return
        (self._queue / STATE).unlink(missing_ok=True)

    def _count_down(self, request: Request) -> bool:
        """Give everybody the time to cancel; False when somebody did, or a new job came."""
        ends = time.monotonic() + request.countdown_s
        self._say("counting", at=time.time() + request.countdown_s)
        while (left_s := ends - time.monotonic()) > 0:
            time.sleep(min(_POLL_S, left_s))
            if Request.read(self._queue) != request or self._somebody_is_left():
                return False
        return True

    def _shut_down(self) -> None:
        self._finish("now")
        try:
            asked = subprocess.run(
                command(sys.platform),
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_COMMAND_S,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            self._say("failed", detail=str(error))
            return
        if asked.returncode != 0:
            said = (asked.stderr or asked.stdout).strip().splitlines()
            self._say("failed", detail=said[-1] if said else f"exit code {asked.returncode}")

    def _somebody_is_left(self) -> bool:
        return any(is_held(run / "host.lock") for run in self._runs.iterdir())

    def _ended_badly(self, request: Request) -> str | None:
        """A job that was in progress since the request, and did not end as it was meant to."""
        for run in self._runs.iterdir():
            end = _End.read(run)
            concerned = run.name in request.jobs or end.at >= request.asked_at
            if concerned and not end.well:
                return run.name
        return None

    def _finish(self, state: str, job: str = "") -> None:
        """The request is done with, whatever comes of it."""
        (self._queue / REQUEST).unlink(missing_ok=True)
        self._say(state, job=job)

    def _say(self, state: str, at: float | None = None, job: str = "", detail: str = "") -> None:
        record = {
            "v": 1,
            "state": state,
            "asked_at": self._asked_at,
            "at": at,
            "job": job,
            "detail": detail,
        }
        content = json.dumps(record, indent=1).encode() + b"\n"
        path = self._queue / STATE
        with contextlib.suppress(OSError):
            if not path.exists() or path.read_bytes() != content:
                replace_whole(path, content)


@dataclass(frozen=True)
class _End:
    """How the newest attempt of a job ended: when (seconds since 1970), and whether it saved what it had."""

    at: float
    well: bool

    @classmethod
    def read(cls, run: Path) -> _End:
        attempts = run / "attempts"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            number = max(int(path.name) for path in attempts.iterdir() if path.name.isdecimal())
            try:
                raw: dict[str, Any] = read_json(attempts / str(number) / "exit.json")
            except FileNotFoundError:  # its host was killed, or never started
                return cls(float(read_json(attempts / str(number) / "host.json")["started_at"]), well=False)
            saved = raw["reason"] == "exited" and raw["exit_code"] == 0
            return cls(float(raw["ended_at"]), saved or raw["reason"] == _STOPPED_IN_QUEUE)
        return cls(0.0, well=False)
