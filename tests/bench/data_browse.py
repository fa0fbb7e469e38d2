"""Browsing ten million rows through what the window looks through, in a child, so that memory is its own."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.children import run_module
from tests.bench.figure import Figure, Setting, alone, percentile

PROBE = "tests.bench.data_xray_probe"
PAGE_BAR_S, JUMP_BAR_S, GROWTH_BAR_BYTES = 0.2, 0.03, 250_000_000


def measure(setting: Setting) -> Iterator[Figure]:
    """The first page, random jumps, and what memory that takes, without and with an index beside the rows."""
    rows = 200_000 if setting.short else 10_000_000
    folder = setting.folder / "browse"
    told = run_module(PROBE, "browse", str(folder), str(rows))
    jumps = told["jumps_s"]
    p99 = percentile(jumps, 0.99)
    yield alone("data.browse.first_page", told["page_s"], "s", at_most=PAGE_BAR_S, rows=rows)
    yield alone("data.browse.jump_p99", p99, "s", at_most=JUMP_BAR_S, rows=rows, jumps=len(jumps))
    yield alone("data.browse.growth", told["growth_bytes"], "bytes", at_most=GROWTH_BAR_BYTES, rows=rows)
    yield alone("data.browse.index", told["index_s"], "s", rows=rows)
