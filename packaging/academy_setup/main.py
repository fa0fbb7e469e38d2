"""The commands of the bootstrap: what is set up for each, and what is started afterwards.

Owns the command line, the exit codes and the hand-over. From there on the process is the started one: its
signals and exit codes are nobody else's business.
"""

from __future__ import annotations

import errno
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from academy_setup.checkout import Checkout
from academy_setup.checks import checks, run_checks
from academy_setup.failures import DISK_FULL, NO_PERMISSION, SetupError
from academy_setup.installer import clean_environment
from academy_setup.runner import set_up
from academy_setup.stamps import Stamps
from academy_setup.steps import steps
from academy_setup.voice import Voice

USAGE = """\
usage: python3 packaging/bootstrap.py COMMAND …

  run …      set up what is missing, then open the window
  cli …      set up what is missing, then run `academy …`
  test …     set up what is missing, then run every check; what follows `--` goes to pytest
  repair     check every installed file, and mend what is damaged or missing

Everything is installed into .venv in this folder; the compiled llama.cpp is kept in your cache folder.
ACADEMY_TORCH=cpu takes the CPU build of PyTorch on a computer with an NVIDIA GPU.
"""


def main(arguments: Sequence[str]) -> int:
    """Runs one command; exit code 1: the set-up failed, 2: wrong usage, 130: interrupted."""
    if not arguments or arguments[0] not in ("run", "cli", "test", "repair"):
        asked = bool(arguments) and arguments[0] in ("-h", "--help", "help")
        (sys.stdout if asked else sys.stderr).write(USAGE)
        return 0 if asked else 2
    command, rest = arguments[0], list(arguments[1:])
    checkout = Checkout(Path(__file__).resolve().parents[2])
    voice = Voice(sys.stderr)
    try:
        _set_up(command, checkout, voice)
        if command == "test":
            return _test(checkout, voice, rest)
    except KeyboardInterrupt:
        voice.say("Interrupted. Start the same command again to go on.")
        return 130
    except SetupError as error:
        voice.say(f"Academy Desktop could not be set up. {error}")
        return 1
    if command == "repair":
        voice.say("Everything is in place.")
        return 0
    module = "academy_desktop.start" if command == "run" else "academy_desktop"
    return start([str(checkout.python), "-P", "-m", module, *rest])


def _set_up(command: str, checkout: Checkout, voice: Voice) -> None:
    """Turns what the operating system may say on the way into sentences."""
    if struct.calcsize("P") != 8:
        raise SetupError(
            "This is a 32-bit Python; PyTorch needs a 64-bit one: install that and start again with it."
        )
    signal.signal(signal.SIGTERM, _terminated)
    try:
        tests = command == "test" or (command == "repair" and Stamps(checkout.state).read("test") is not None)
        set_up(checkout, voice, steps(with_tests=tests), afresh=command == "repair")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SetupError(DISK_FULL) from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise SetupError(f"{NO_PERMISSION} ({error.filename})") from error
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminated(number: int, _frame: FrameType | None) -> NoReturn:
    """Ends like an interruption, so that a pip that is running is ended too."""
    raise SystemExit(128 + number)


def _test(checkout: Checkout, voice: Voice, rest: list[str]) -> int:
    arguments = rest[1:] if rest[:1] == ["--"] else rest
    return run_checks(checkout, voice, checks(checkout, arguments))


def start(command: list[str]) -> int:
    """Becomes the command where the system can do that, and waits for it where it cannot."""
    environment = clean_environment(os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.platform == "win32":
        # Windows' exec returns to the shell at once; and Ctrl-C reaches the child by itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return subprocess.call(command, env=environment)
    return os.execve(command[0], command, environment)
