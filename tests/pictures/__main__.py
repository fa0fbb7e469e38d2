"""Draws every page of the window in both themes and two sizes, for a person to look at.

python -m tests.pictures OUT [PART …]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync
from PySide6.QtWidgets import QApplication

from tests.pictures import considerate, data, export, guards, rehearsal, samples, train, venom, window

#: What can be drawn by itself.
PARTS: Mapping[str, Callable[[QApplication, asyncio.Runner, Path], Iterator[Path]]] = {
    "window": window.draw_all,
    "considerate": considerate.draw_all,
    "guards": guards.draw_all,
    "samples": samples.draw_all,
    "data": data.draw_all,
    "train": train.draw_all,
    "rehearsal": rehearsal.draw_all,
    "export": export.draw_all,
    "venom": venom.draw_all,
}


def main(arguments: list[str]) -> int:
    """Draw into the folder that is named; prints the pictures' paths."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("out", type=Path, help="a folder, made if it is not there")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"draw these only: {', '.join(PARTS)}")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    options.out.mkdir(parents=True, exist_ok=True)
    app = QApplication([])
    app.setQuitOnLastWindowClosed(False)
    with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(app)) as runner:
        for part in options.parts or PARTS:
            for path in PARTS[part](app, runner, options.out):
                sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
