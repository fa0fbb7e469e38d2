"""Keeps the computer from falling asleep by itself while a trainer runs; a closed lid still counts.

Owns each system's way of asking. Standard library only. Refuses to insist: where there is no such way, or the
user's session does not grant it, training goes on all the same and the computer may sleep.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence

_WHO = "Academy Desktop"
_WHY = "A model is being trained"
#: How long the helper may take to end.
_END_S = 2.0
#: SetThreadExecutionState: keep the setting, and the system, until told otherwise.
_ES_CONTINUOUS = 0x80000000
_ES_SYSTEM_REQUIRED = 0x00000001


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """Ask the system not to sleep, until the end; should this process be killed, the wish ends with it."""
    if sys.platform == "win32":
        set_state = ctypes.windll.kernel32.SetThreadExecutionState
        set_state(_ES_CONTINUOUS | _ES_SYSTEM_REQUIRED)
        try:
            yield
        finally:
            set_state(_ES_CONTINUOUS)
        return
    helper = _start(_command(sys.platform, os.getpid()))
    try:
        yield
    finally:
        if helper is not None:
            _end(helper)


class Wakefulness:
    """Asks the system not to sleep, and takes it back, as often as wanted; at its end nothing is asked."""

    def __init__(self) -> None:
        self._wish = contextlib.ExitStack()
        self._held = False

    def want(self, wanted: bool) -> None:
        """From now on the computer shall stay awake, or may sleep."""
        if wanted and not self._held:
            self._wish.enter_context(awake())
        elif self._held and not wanted:
            self._wish.close()
        self._held = wanted

    def __enter__(self) -> Wakefulness:
        return self

    def __exit__(self, *_error: object) -> None:
        self.want(False)


def _command(platform: str, host: int) -> Sequence[str]:
    """The helper that holds the wish: it ends when its input does, or with the host."""
    if platform == "darwin":
        return ("caffeinate", "-i", "-w", str(host))
    options = ("--what=sleep:idle", f"--who={_WHO}", f"--why={_WHY}", "--mode=block")
    return ("systemd-inhibit", *options, "cat")


def _start(command: Sequence[str]) -> subprocess.Popen[bytes] | None:
    if shutil.which(command[0]) is None:
        return None
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None


def _end(helper: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        helper.terminate()
    if helper.stdin is not None:
        with contextlib.suppress(OSError):  # it may have ended by itself
            helper.stdin.close()
    try:
        helper.wait(_END_S)
    except subprocess.TimeoutExpired:
        helper.kill()
        helper.wait()
