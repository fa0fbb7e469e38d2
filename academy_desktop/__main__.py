"""`python -m academy_desktop` is the command `academy`."""

from __future__ import annotations

import sys

from academy_desktop.cli import main

if __name__ == "__main__":
    sys.exit(main())
