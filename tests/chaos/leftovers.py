"""What is left of a trial that must leave nothing: processes of its own, files that were in the making.

Linux tells of processes by its /proc.
"""

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


def unfinished(folder: Path) -> list[str]:
    """Return the names of files below a folder that only ever exist while something is being made."""
    found = (path.name for path in folder.rglob(".*"))
    return sorted(
        name for name in found if name.endswith(".tmp") or name.startswith((".scratch-", ".reserve"))
    )


def marked(name: str, value: str) -> list[int]:
    """Return the ids of all living processes that were started with this variable in their environment."""
    wanted = f"{name}={value}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if wanted in environment.split(b"\0") and is_running(int(folder.name)):
            found.append(int(folder.name))
    return found


def command_of(pid: int) -> str:
    """Return what a process was started with, for a sentence."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return "gone by now"
