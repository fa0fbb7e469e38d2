"""Seeded defects of all kinds, for several templates: the audit has to find each, and blame no clean row."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.bench.figure import Figure, Setting, alone
from tests.trainers.defective import MAX_LENGTH, SEEDS, seeded, write_model, write_rows
from trainers.xray import scan

LEAST_SEEDS = 300


def measure(setting: Setting) -> Iterator[Figure]:
    """Seeded defects that the audit misses, and clean rows that it blames."""
    seeds = missed = blamed = clean = 0
    for number, template in enumerate(SEEDS):
        folder = setting.folder / f"audit-{number}"
        model = write_model(folder / "model", template)
        for every in (5, 0):
            made = list(seeded(template, 2_000, every, seed=11))
            rows = write_rows(folder / f"rows-{every}.jsonl", (turns for turns, _ in made))
            out = folder / f"out-{every}"
            request = {"model": str(model), "files": [str(rows)], "max_length": MAX_LENGTH, "out": str(out)}
            scan(request, lambda *_: None)
            lines = (out / "defects.jsonl").read_text("utf-8").splitlines()
            found = {(one["row"], one["code"]) for one in map(json.loads, lines)}
            wanted = {(row, code.value) for row, (_, code) in enumerate(made) if code}
            sound = {row for row, (_, code) in enumerate(made) if code is None}
            seeds += len(wanted)
            missed += len(wanted - found)
            clean += len(sound)
            blamed += len({row for row, _ in found} & sound)
    enough = seeds >= LEAST_SEEDS
    yield alone("data.audit.missed", missed, "defects", at_most=0, holds=enough, seeds=seeds)
    yield alone("data.audit.blamed", blamed, "rows", at_most=0, clean_rows=clean)
