"""`academy-desktop`: opens the window, or says in a sentence why not even Qt can be loaded here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from academy_desktop.display import has_display, library_in, refuse
from academy_desktop.text.language import Words
from trainers.errors import AcademyError, ErrorCode

LOCALE = Path(__file__).resolve().parents[1] / "resources" / "locale"


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and stay until it is closed; returns the process's exit code."""
    try:
        from academy_desktop.app import main as open_window  # brings Qt
    except ImportError as error:
        library = library_in(str(error))
        if not library:
            raise
        why = AcademyError(ErrorCode.NO_DISPLAY)  # a server mostly lacks both, and needs neither
        if has_display(os.environ, sys.platform):
            why = AcademyError(ErrorCode.SYSTEM_LIBRARY_MISSING, library=library)
        return refuse(Words.load(LOCALE).messages.describe(why.code, why.facts))
    return open_window(argv)


if __name__ == "__main__":
    sys.exit(main())
