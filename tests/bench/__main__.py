"""Benchmarks from the command line: one JSON line per figure, exit code 0 where all hold."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from tests.bench.figure import Bench, Setting
from tests.bench.machine import machine, versions
from tests.sources import sources_sha256

#: Name → module that has `measure(Setting)`; brought only when it is asked for. A name before a dot stands
#: for all that begin with it.
BENCHES = {
    "data.import": "tests.bench.data_import",
    "data.near": "tests.bench.data_near",
    "data.render": "tests.bench.data_render",
    "data.browse": "tests.bench.data_browse",
    "data.audit": "tests.bench.data_audit",
    "data.hostile": "tests.bench.data_hostile",
    "estimate": "tests.bench.estimate",
    "train.grid": "tests.bench.train",
    "train.overhead": "tests.bench.train_overhead",
    "train.vocabulary": "tests.bench.train_vocabulary",
    "window.start": "tests.bench.window_start",
    "window.gap": "tests.bench.window_gap",
    "export.oracle": "tests.bench.export_oracle",
    "export.faults": "tests.bench.export_faults",
    "export.merge": "tests.bench.export_merge",
    "export.large": "tests.bench.export_large",
    "export.importance": "tests.bench.export_importance",
}


def main(arguments: list[str]) -> int:
    """Run what is named; returns the exit code: 0 where all figures hold, 2 for a name that there is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="one of: " + ", ".join(BENCHES))
    parser.add_argument("--short", action="store_true", help="a smaller form, a minute or less")
    options = parser.parse_args(arguments)
    names = chosen(options.name)
    if not names:
        sys.stderr.write("benchmarks: " + ", ".join(BENCHES) + "\n")
        return 2
    holds = True
    for line in lines(names, short=options.short):
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        holds = holds and bool(line["holds"])
    return 0 if holds else 1


def chosen(name: str) -> list[str]:
    """Return the benches that a name stands for."""
    return [one for one in BENCHES if name and f"{one}.".startswith(f"{name}.")]


def lines(names: list[str], *, short: bool) -> Iterator[dict[str, object]]:
    """Run benches one after the other and yield each figure with all that it was measured on."""
    around = {
        "short": short,
        "machine": machine(short=short),
        "versions": versions(),
        "sources_sha256": sources_sha256(),
    }
    for name in names:
        measure: Bench = import_module(BENCHES[name]).measure
        with tempfile.TemporaryDirectory(prefix="academy-bench-") as folder:
            for figure in measure(Setting(short, Path(folder))):
                yield figure.as_fields() | around


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
