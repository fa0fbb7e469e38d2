"""Measurements in interpreters of their own: what one leaves behind slows no other down.

Owns starting them and reading their last line. Refuses to know what is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]

Told = dict[str, Any]


def run_code(code: str, *arguments: Path | str) -> Told:
    """Run code and return the JSON object on its last line."""
    return _told([sys.executable, "-c", code, *map(str, arguments)])


def run_module(module: str, *arguments: Path | str) -> Told:
    """Run a module of this checkout and return the JSON object on its last line."""
    return _told([sys.executable, "-m", module, *map(str, arguments)])


def version_of(rival: str) -> str | None:
    """A rival's version; None where it is not installed."""
    try:
        return version(rival)
    except PackageNotFoundError:
        return None


def _told(command: list[str]) -> Told:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told
