"""Fault injection from the command line: one JSON line per figure, exit code 0 where all hold."""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.adopt import adopt
from tests.chaos.checkpoints import damaged
from tests.chaos.hostile import mutants, named
from tests.chaos.hostile_cases import CASES
from tests.chaos.index import killed_writer
from tests.chaos.instance import double_start, stale_lock
from tests.chaos.io_faults import failing, full, lacks_compiler, lacks_disk
from tests.chaos.kills import trainer_kill, watcher_kill
from tests.chaos.memory import capped
from tests.chaos.nan import healthy, injected
from tests.chaos.resume import resume
from tests.chaos.stalls import halted_and_continued, hung, slow
from tests.chaos.tree import tree
from tests.chaos.trials import Row, run_trials
from tests.chaos.venom import faults
from tests.chaos.venom_secrets import canaries
from tests.chaos.venom_strangers import BAD, certificates, redirects
from tests.chaos.venom_strangers import CASES as REDIRECTS
from tests.sources import sources_sha256

#: All that there is; a name before a dot stands for all that begin with it.
ROWS = {
    "trainer-kill": Row(trainer_kill, trials=100, short=10),
    "watcher-kill": Row(watcher_kill, trials=100, short=10),
    "resume": Row(resume, trials=200, short=1),
    "checkpoint": Row(damaged, trials=500, short=4),
    "store": Row(killed_writer, trials=1000, short=3),
    "hang.stuck": Row(hung, trials=100, short=3),
    "hang.continued": Row(halted_and_continued, trials=10, short=1),
    "hang.slow": Row(slow, trials=1000, short=50),
    "adopt": Row(adopt, trials=20, short=3),
    "tree": Row(tree, trials=300, short=3),
    "hostile.named": Row(named, trials=len(CASES), short=15),
    "hostile.mutants": Row(mutants, trials=10_000, short=100),
    "venom.faults": Row(faults, trials=500, short=6),
    "venom.redirects": Row(redirects, trials=len(REDIRECTS), short=30),
    "venom.certificates": Row(certificates, trials=len(BAD), short=len(BAD)),
    "venom.secrets": Row(canaries, trials=20, short=2),
    "nan.injected": Row(injected, trials=100, short=2),
    "nan.healthy": Row(healthy, trials=100, short=2),
    "io.write": Row(failing, trials=660, short=2, lacks=lacks_compiler),
    "io.full": Row(full, trials=30, short=1, lacks=lacks_disk),
    "memory": Row(capped, trials=50, short=1),
    "instance.double-start": Row(double_start, trials=200, short=4),
    "instance.stale-lock": Row(stale_lock, trials=100, short=2),
}


def main(arguments: list[str]) -> int:
    """Run what is named; returns the exit code: 0 where nothing failed, 2 for a name that there is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="one of: " + ", ".join(ROWS))
    parser.add_argument("--trials", type=int, help="instead of the row's own number")
    parser.add_argument("--seed", type=int, help="draws the same faults again")
    parser.add_argument("--short", action="store_true", help="few trials, and no time is judged")
    options = parser.parse_args(arguments)
    names = [one for one in ROWS if options.name and f"{one}.".startswith(f"{options.name}.")]
    if not names:
        sys.stderr.write("faults: " + ", ".join(ROWS) + "\n")
        return 2
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    failed = [
        failure for name in names for failure in inflict(name, options.trials, seed, short=options.short)
    ]
    return 1 if failed else 0


def inflict(name: str, trials: int | None, seed: int, *, short: bool) -> list[str]:
    """Run the trials of one row and print its line; returns what failed."""
    row = ROWS[name]
    if lacking := row.lacks():
        _say(f"{name} cannot be tried here: {lacking}")
        return [lacking]
    count = trials or (row.short if short else row.trials)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="academy-chaos-") as folder:
        came = run_trials(name, row, count, seed, Path(folder), patient=short, tell=_say)
    figure = {
        "name": name,
        "trials": count,
        "failures": len(came.failures),
        "seed": seed,
        "seconds": round(time.monotonic() - begun, 1),
        "measured": {
            what: {"median": round(statistics.median(values), 3), "most": round(max(values), 3)}
            for what, values in came.measured.items()
        },
        "sources_sha256": sources_sha256(),
    }
    sys.stdout.write(json.dumps(figure) + "\n")
    sys.stdout.flush()
    return came.failures


def _say(failure: str) -> None:
    sys.stderr.write(failure + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
