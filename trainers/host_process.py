"""A trainer as a process: started in a group of its own, ended politely or not, nothing of it left behind.

Owns the differences between systems. Standard library only. Refuses to know why a trainer is started or
ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: Out of memory, the kernel takes the trainer before its host, so that the host lives to tell.
_OOM_SCORE_ADJ = 500


@dataclass(frozen=True)
class Outcome:
    """How a process ended: by an exit code or by a signal's name; peak memory where the system tells."""

    exit_code: int | None
    signal: str | None
    peak_rss_bytes: int | None


class TrainerProcess:
    """A running trainer. Its stdin is a pipe that stays open as long as this process lives.

    Attributes:
        pid: the process id, which is also the id of its group.
        output: the reading end of its stdout and stderr.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, argv: list[str], cwd: str, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            creationflags=_creation_flags(),
        )
        if self._process.stdout is None:
            raise OSError("no pipe")
        self.pid = self._process.pid
        self.output = self._process.stdout.fileno()
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.pid}/oom_score_adj").write_text(str(_OOM_SCORE_ADJ))

    def poll(self) -> Outcome | None:
        """How it ended, or None while it lives; at its end all that is left of its group is killed."""
        if sys.platform == "win32":
            code = self._process.poll()
            return None if code is None else Outcome(code, None, None)
        if sys.platform == "linux":
            # look before reaping: as long as the leader is a zombie, its group's number belongs to nobody
            # else
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return None
            self.kill()
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        if sys.platform != "linux":
            self.kill()
        code = os.waitstatus_to_exitcode(status)
        self._process.returncode = code
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        if code < 0:
            return Outcome(None, _signal_name(-code), peak)
        return Outcome(code, None, peak)

    def tell(self, line: bytes) -> bool:
        """Send a line, which only a trainer that was started ahead waits for; False when nobody reads it."""
        stdin = self._process.stdin
        assert stdin is not None
        try:
            while line:
                line = line[stdin.write(line) or 0 :]
        except OSError:
            return False
        return True

    def terminate(self) -> None:
        """Ask the whole group to end."""
        if sys.platform == "win32":
            with contextlib.suppress(OSError):
                self._process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            self._signal_group(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole group at once."""
        if sys.platform == "win32":
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(self.pid)], capture_output=True, check=False, timeout=30
            )
        else:
            self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        if sys.platform != "win32":
            # no such group: all gone. not permitted (macOS): only zombies are left
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)


def _creation_flags() -> int:
    if sys.platform == "win32":
        # a group of its own can be sent a Ctrl-Break, which is as polite as Windows gets
        return subprocess.CREATE_NEW_PROCESS_GROUP
    return 0


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
