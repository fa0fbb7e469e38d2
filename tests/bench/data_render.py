"""Rendering and tokenizing beside TRL's own preparation.

Ours is timed from the file to ids and trained positions on the disk, worker processes included; TRL from its
loaded dataset to prepared rows, with two processes of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.children import run_module
from tests.bench.figure import Figure, Setting, against

PROBE = "tests.bench.data_xray_probe"
#: How many times as fast as TRL rendering has to be.
RENDER_BAR = 4.0


def measure(setting: Setting) -> Iterator[Figure]:
    """Chats rendered and tokenized, ours and TRL's in turn; the token streams have to be equal."""
    rows, rounds = (4_000, 1) if setting.short else (100_000, 5)
    folder = setting.folder / "render"
    folder.mkdir()
    run_module(PROBE, "prepare", str(folder), str(rows))
    pairs, hashes, name = [], set(), ""
    for number in range(rounds):
        ours = run_module(PROBE, "ours", str(folder), str(number))
        theirs = run_module(PROBE, "trl", str(folder), str(number))
        pairs.append((float(ours["seconds"]), float(theirs["seconds"])))
        hashes |= {str(ours["sha256"]), str(theirs["sha256"])}
        name = str(theirs["name"])
    yield against(
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
