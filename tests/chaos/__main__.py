"""Fault injection from the command line: one JSON line per figure, exit code 0 where all hold."""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.kills import run_trials

NAMES = ("trainer-kill", "watcher-kill")
TRIALS, SHORT_TRIALS = 100, 20
_CHECKOUT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--short", action="store_true", help=f"{SHORT_TRIALS} trials instead of {TRIALS}")
    options = parser.parse_args(arguments)
    trials = options.trials or (SHORT_TRIALS if options.short else TRIALS)
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="academy-chaos-") as folder:
        failures = run_trials(options.name, trials, seed, Path(folder))
    for failure in failures:
        sys.stderr.write(failure + "\n")
    figure = {
        "name": options.name,
        "trials": trials,
        "failures": len(failures),
        "seed": seed,
        "seconds": round(time.monotonic() - begun, 1),
        "sources_sha256": sources_sha256(),
    }
    sys.stdout.write(json.dumps(figure) + "\n")
    return 1 if failures else 0


def sources_sha256() -> str:
    """Which code the figure is about: over names and contents of both packages."""
    digest = hashlib.sha256()
    for package in ("academy_desktop", "trainers"):
        for path in sorted((_CHECKOUT / package).rglob("*.py")):
            digest.update(path.relative_to(_CHECKOUT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
