"""pip in the environment: each call writes a log, shows its last line, and fails with a sentence.

Owns the child processes of the set-up. Refuses to know what is installed and why.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from academy_setup.checkout import Checkout
from academy_setup.failures import SetupError, sentence_for
from academy_setup.locks import Pin, inspect, read_pins
from academy_setup.ties import hold, tied
from academy_setup.voice import Voice

# A user's pip configuration is honoured (index, proxy, certificate, find-links); what would send packages
# elsewhere, or let another Python's modules in, is not.
_DROPPED = (
    "PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_HASHES", "PIP_PYTHON",
    "PIP_NO_DEPS", "PIP_CONSTRAINT", "PIP_REQUIREMENT", "PIP_NO_BINARY", "PIP_ONLY_BINARY", "PIP_LOG",
    "PIP_QUIET", "PIP_VERBOSE", "PIP_DRY_RUN",
)  # fmt: skip
_SET = {
    "PIP_USER": "0",
    "PIP_NO_INPUT": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
}


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` for a child that must find the modules of `.venv` and no others."""
    return {name: value for name, value in environment.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


class Installer:
    """Runs pip and other children for one checkout while its set-up lock is held."""

    def __init__(self, checkout: Checkout, voice: Voice, lock: int | None = None) -> None:
        self._checkout = checkout
        self._voice = voice
        self._inherited = () if lock is None or sys.platform == "win32" else (lock,)

    def pip(self, step: str, *arguments: str, extra: Mapping[str, str] | None = None) -> None:
        """Runs `pip` with `arguments`; SetupError with a sentence if it fails."""
        code, output = self.try_pip(step, *arguments, extra=extra)
        if code:
            raise SetupError(sentence_for(output, self.log(step)))

    def try_pip(self, step: str, *arguments: str, extra: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Runs `pip`; its exit code and what it printed."""
        command = [str(self._checkout.python), "-P", "-m", "pip", *arguments]
        return self.call(step, command, {**_SET, **(extra or {})})

    def call(
        self, step: str, command: Sequence[str], extra: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Runs a child to its end, its output in the step's log; ends it if this process is stopped."""
        kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
        lines = []
        with (
            self.log(step).open("a", encoding="utf-8") as log,
            subprocess.Popen(
                tied(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**kept, **(extra or {})},
                cwd=self._checkout.root,
                pass_fds=self._inherited,
                encoding="utf-8",
                errors="replace",
            ) as child,
        ):
            log.write(f"$ {' '.join(command)}\n")
            _tie = hold(child)
            try:
                for line in child.stdout or ():
                    lines.append(line)
                    log.write(line)
                    log.flush()
                    self._voice.passing(line)
                code = child.wait()
            except BaseException:
                _end(child)
                raise
            log.write(f"exit code {code}\n")
        return code, "".join(lines)

    def log(self, step: str) -> Path:
        """Where the output of a step's children is kept."""
        return self._checkout.state / f"{step}.log"

    def lock(self, step: str, name: str, site_packages: Path) -> None:
        """Installs what a lock file names and checks it file by file; mends what was left in pieces."""
        path = self._checkout.lock(name)
        pins = read_pins(path.read_text(encoding="utf-8"))
        options = ("install", "--no-deps", "--require-hashes", "--only-binary", ":all:")
        damaged = inspect(site_packages, pins).damaged
        if damaged:
            # pip cannot uninstall a package without its RECORD, but it can install over it.
            self.pip(step, *options, "--ignore-installed", "-r", str(self._subset(step, damaged)))
        self.pip(step, *options, "-r", str(path))
        findings = inspect(site_packages, pins)
        for pin in (*findings.missing, *findings.damaged):
            raise SetupError(
                f"pip reported success, but {pin.name} {pin.version} is not wholly there. Start "
                f"`bootstrap.py repair`; the whole output is in {self.log(step)}."
            )

    def _subset(self, step: str, pins: Sequence[Pin]) -> Path:
        path = self._checkout.state / f"{step}-damaged.txt"
        path.write_text("\n".join(pin.text for pin in pins) + "\n", encoding="utf-8")
        return path


def _end(child: subprocess.Popen[str]) -> None:
    """Ends a child that is no longer wanted: politely, then for good."""
    child.terminate()
    try:
        child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
