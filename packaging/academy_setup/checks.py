"""The test command: every check of the project, one after the other, the first failure ends it.

Owns the list. The checks themselves are configured in pyproject.toml.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from academy_setup.checkout import Checkout
from academy_setup.installer import clean_environment
from academy_setup.voice import Voice


@dataclass(frozen=True)
class Check:
    """One check: a name to show and a command to run in the checkout."""

    name: str
    command: tuple[str, ...]


def checks(checkout: Checkout, pytest_arguments: Sequence[str]) -> list[Check]:
    """The checks in their order: the quick ones first."""
    python = (str(checkout.python), "-P", "-m")
    return [
        Check("ruff", (*python, "ruff", "check", ".")),
        Check("mypy", (*python, "mypy")),
        Check("import-linter", (str(checkout.script("lint-imports")),)),
        Check("pytest", (*python, "pytest", *pytest_arguments)),
    ]


def run_checks(checkout: Checkout, voice: Voice, wanted: Sequence[Check]) -> int:
    """Runs them; 0, or the exit code of the first that fails."""
    # Tests of the window need no display; a developer who wants to watch sets the variable.
    environment = {"QT_QPA_PLATFORM": "offscreen", **clean_environment(os.environ)}
    for check in wanted:
        voice.say(f"== {check.name}")
        began = time.monotonic()
        code = subprocess.call(check.command, cwd=checkout.root, env=environment)
        if code:
            voice.say(f"== {check.name} failed (exit code {code})")
            return code if code > 0 else 128 - code
        voice.say(f"== {check.name} passed in {time.monotonic() - began:.0f} s")
    return 0
