"""Asks for a short task, as the window does, and waits for its end: `… ROOT NAME REQUEST`. To be killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from academy_desktop.core.paths import DataDir
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks


def main(root: str, name: str, request: str) -> None:
    Tasks(Path(sys.executable), Runtimes(DataDir(Path(root)).runtimes)).run(name, json.loads(request))


if __name__ == "__main__":
    main(*sys.argv[1:])
