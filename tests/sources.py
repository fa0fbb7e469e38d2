"""Which code a figure is about: a benchmark's and a chaos trial's line stay true while it is unchanged."""

from __future__ import annotations

import hashlib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = ("academy_desktop", "trainers")


def sources_sha256() -> str:
    """Return one hash over names and contents of both packages' modules."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((CHECKOUT / package).rglob("*.py")):
            digest.update(path.relative_to(CHECKOUT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
