"""The command line: the other composition root, over the same core as the window.

One module per group of commands; `main` builds each object once. Owns options and output. What a command does
stands in `core`, what it says in `text`.
"""

from __future__ import annotations

from academy_desktop.cli.main import main

__all__ = ["main"]
