"""The X-ray: rendering beside TRL's own preparation, browsing ten million rows, finding seeded defects.

Rendering is timed from the file to ids and trained positions on the disk, worker processes included; TRL from
its loaded dataset to prepared rows, with two processes of its own. Browsing and rendering run in children,
so that memory is theirs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.figure import Figure, Setting, against, alone
from tests.trainers.defective import MAX_LENGTH, SEEDS, seeded, write_model, write_rows
from trainers.xray import scan

#: How many times as fast as TRL rendering has to be.
RENDER_BAR = 4.0
PAGE_BAR_S, JUMP_BAR_S, GROWTH_BAR_BYTES = 0.2, 0.03, 250_000_000
LEAST_SEEDS = 300


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield all figures."""
    yield render(setting)
    yield from browse(setting)
    yield from audit(setting)


def render(setting: Setting) -> Figure:
    """Chats rendered and tokenized, ours and TRL's in turn; the token streams have to be equal."""
    rows, rounds = (4_000, 1) if setting.short else (100_000, 5)
    folder = setting.folder / "render"
    folder.mkdir()
    _probe("prepare", str(folder), str(rows))
    pairs, hashes, name = [], set(), ""
    for number in range(rounds):
        ours = _probe("ours", str(folder), str(number))
        theirs = _probe("trl", str(folder), str(number))
        pairs.append((float(ours["seconds"]), float(theirs["seconds"])))
        hashes |= {str(ours["sha256"]), str(theirs["sha256"])}
        name = str(theirs["name"])
    return against(
        "data.render",
        pairs,
        name,
        "s",
        better="less",
        bar=None if setting.short else RENDER_BAR,
        holds=len(hashes) == 1,
        rows=rows,
        token_streams=len(hashes),
    )


def browse(setting: Setting) -> Iterator[Figure]:
    """The first page, random jumps, and what memory that takes, without and with an index beside the rows."""
    rows = 200_000 if setting.short else 10_000_000
    folder = setting.folder / "browse"
    told = _probe("browse", str(folder), str(rows))
    jumps = sorted(told["jumps_s"])
    p99 = jumps[int(0.99 * len(jumps))]
    yield alone("data.browse.first_page", told["page_s"], "s", at_most=PAGE_BAR_S, rows=rows)
    yield alone("data.browse.jump_p99", p99, "s", at_most=JUMP_BAR_S, rows=rows, jumps=len(jumps))
    yield alone("data.browse.growth", told["growth_bytes"], "bytes", at_most=GROWTH_BAR_BYTES, rows=rows)
    yield alone("data.browse.index", told["index_s"], "s", rows=rows)


def audit(setting: Setting) -> Iterator[Figure]:
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


def _probe(*arguments: str) -> dict[str, Any]:
    """Run one measurement in a child and return what it tells on its last line."""
    command = [sys.executable, "-m", "tests.bench.data_xray_probe", *arguments]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
