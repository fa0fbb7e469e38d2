"""Starts job hosts so that they outlive whoever started them.

Owns detachment and the environment that hosts and trainers get. Refuses to know jobs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from trainers.errors import AcademyError, ErrorCode

#: The host leaves its first process within moments; a disk that sleeps may take a while.
_START_TIMEOUT_S = 60.0
_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASS|CREDENTIAL|AUTH|COOKIE|_PWD|_PAT$", re.IGNORECASE)
#: Also without a colon: a token alone may stand before the `@`.
_PASSWORD_IN_URL = re.compile(r"://[^/\s]*@")
#: These would change which code a trainer runs.
_DROPPED = frozenset({"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONSAFEPATH"})


def trainer_environment(base: Mapping[str, str], runtime: Path) -> dict[str, str]:
    """The whole environment of a trainer: the user's, without secrets, offline, with our code first.

    It is written to `launch.json`, so nothing in it may be a secret; what only looks like one is dropped too.
    """
    kept = {
        name: value
        for name, value in base.items()
        if name not in _DROPPED and not _SECRET.search(name) and not _PASSWORD_IN_URL.search(value)
    }
    return kept | {
        "PYTHONPATH": str(runtime),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "PYTHONFAULTHANDLER": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "NUMBA_CACHE_DIR": str(runtime.parent.parent / "cache" / "kernels"),
    }


def start_host(python: Path, run_dir: Path, attempt: int, environment: Mapping[str, str]) -> None:
    """Start the host of an attempt, detached; when this returns, it holds the job's `host.lock`.

    POSIX: `start_new_session` makes the started process the leader of a session without terminal; it takes
    the lock, forks the real host and ends, and is reaped here. So the host is the system's child, not ours:
    no zombie under a living window, and no signal meant for our terminal or our group reaches it. Windows has
    no such ties, but consoles and job objects: a console of its own, hidden, and a breakaway from our job
    object where that is allowed; where it is not, the host ends with the job object (a terminal's, say).

    Raises:
        AcademyError: `host_failed` when it cannot be started or gives up at once.
    """
    # -S: no site-packages, so the host cannot come to depend on them, and starts faster
    command = [str(python), "-P", "-S", "-m", "trainers.host", str(run_dir), str(attempt)]
    log = run_dir / "attempts" / str(attempt) / "host.log"
    try:
        with log.open("ab") as output:
            if sys.platform == "win32":
                _start_on_windows(command, run_dir, output.fileno(), environment)
                return
            started = subprocess.run(
                command,
                cwd=run_dir.parent,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                timeout=_START_TIMEOUT_S,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AcademyError(ErrorCode.HOST_FAILED, job=run_dir.name, detail=str(error)) from error
    if started.returncode != 0:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        detail = lines[-1] if lines else f"exit code {started.returncode}"
        raise AcademyError(ErrorCode.HOST_FAILED, job=run_dir.name, detail=detail)


if sys.platform == "win32":

    def _start_on_windows(
        command: list[str], run_dir: Path, output: int, environment: Mapping[str, str]
    ) -> None:
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        for breakaway in (subprocess.CREATE_BREAKAWAY_FROM_JOB, 0):
            try:
                subprocess.Popen(
                    command,
                    cwd=run_dir.parent,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    creationflags=flags | breakaway,
                )
            except PermissionError:
                if not breakaway:
                    raise
            else:
                return
