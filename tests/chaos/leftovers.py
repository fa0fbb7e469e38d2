"""Which processes work on a data directory: after a trial there must be none. Linux tells by its /proc."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.driving import is_running


def at_work(root: Path) -> list[int]:
    """Return the process ids whose command line names something below `root`."""
    found = []
    wanted = str(root).encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if any(part.startswith(wanted) for part in command.split(b"\0")) and is_running(int(folder.name)):
            found.append(int(folder.name))
    return found
