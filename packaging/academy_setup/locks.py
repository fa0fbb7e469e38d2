"""The lock files, and whether what they name is really there, file by file.

Owns the reading of both. An installer that was killed leaves packages that look installed and are not; pip
trusts their looks, this module does not. Refuses to know how they are installed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from academy_setup.checkout import normalized


@dataclass(frozen=True)
class Pin:
    """One entry of a lock: `marker` is "" where it holds everywhere, `text` is the entry with its hashes."""

    name: str
    version: str
    marker: str
    text: str


@dataclass(frozen=True)
class Findings:
    """What of a lock is not there, and what is there in part."""

    missing: tuple[Pin, ...]
    damaged: tuple[Pin, ...]


def read_pins(text: str) -> list[Pin]:
    """The entries of a lock file's text."""
    pins = []
    for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE):
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\\n]*))?", entry)
        if match:
            body = "\n".join(line for line in entry.splitlines() if not line.lstrip().startswith("#"))
            pins.append(Pin(normalized(match[1]), match[2], (match[3] or "").strip(), body))
    return pins


def constraints(pins: Iterable[Pin]) -> str:
    """The same pins without hashes, so that pip may resolve around them."""
    lines = (f"{pin.name}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else "") for pin in pins)
    return "\n".join(lines) + "\n"


def inspect(site_packages: Path, pins: Iterable[Pin]) -> Findings:
    """Compares the pins with the packages in `site_packages`.

    A pin with a marker is never missing: pip decides about markers, and fails where it cannot serve one.
    """
    installed = {folder.name: folder for folder in site_packages.glob("*.dist-info")}
    by_name = {_key(name): folder for name, folder in installed.items()}
    missing, damaged = [], []
    for pin in pins:
        folder = by_name.get((pin.name, pin.version))
        if folder is None:
            if not pin.marker:
                missing.append(pin)
        elif not is_complete(folder):
            damaged.append(pin)
    return Findings(tuple(missing), tuple(damaged))


def installed_version(site_packages: Path, name: str) -> str | None:
    """The version of `name` that is wholly installed, with its local part ("2.13.0+cpu")."""
    for folder in site_packages.glob("*.dist-info"):
        found, version = _key(folder.name)
        if found == normalized(name) and is_complete(folder):
            return version
    return None


def is_complete(dist_info: Path) -> bool:
    """Whether every file that a package's RECORD, written last, names is there in its full size."""
    try:
        with (dist_info / "RECORD").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except OSError:
        return False
    return bool(rows) and all(_is_there(dist_info.parent, row) for row in rows if row)


def _is_there(base: Path, row: list[str]) -> bool:
    path = base / row[0]
    if path.suffix == ".pyc":
        return True
    size = row[2] if len(row) > 2 else ""
    try:
        return not size or path.stat().st_size == int(size)
    except OSError:
        return False


def _key(folder: str) -> tuple[str, str]:
    name, _, version = folder.removesuffix(".dist-info").rpartition("-")
    return normalized(name), version
