"""How long the window's event loop is away while the guided demo trains beside it, on every core there is."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.models import DEMO_ID
from academy_desktop.core.paths import DataDir
from tests.bench.figure import Figure, Setting, alone, percentile
from tests.windows import WindowProcess

#: Seconds of training that are watched at most; the demo model is fetched before that.
WATCHED_S, SHORT_WATCHED_S = 180.0, 6.0
#: Longest wait for the end of what is watched; reached only when something is broken.
DEADLINE_S = 1200.0
#: Milliseconds at p99.
BAR_MS = 50.0
PROBE = "tests.bench.gap_probe"
FIGURES = {"demo": "window.gap", "runs": "window.gap.runs"}


def measure(setting: Setting) -> Iterator[Figure]:
    """Run the real demo in the real window; the short form teaches a model of two layers."""
    data = DataDir(setting.folder / "data").open()
    if setting.short:
        from tests.trainers.tiny_model import write_model  # brings torch

        write_model(data.models / DEMO_ID)
    try:
        gaps, heavy = watch_demo(data.root, SHORT_WATCHED_S if setting.short else WATCHED_S)
    finally:
        end_jobs(data)
    for page, name in FIGURES.items():
        if gaps[page]:
            yield figure(name, gaps[page], heavy)


def figure(name: str, gaps: Sequence[float], heavy: Sequence[str]) -> Figure:
    """Return the figure of one page; `gaps` in milliseconds."""
    return alone(
        name,
        percentile(gaps, 0.99),
        "ms",
        at_most=BAR_MS,
        holds=not heavy,
        turns=len(gaps),
        median_ms=round(statistics.median(gaps), 2),
        p999_ms=round(percentile(gaps, 0.999), 1),
        longest_ms=round(max(gaps), 1),
        over_bar=sum(gap > BAR_MS for gap in gaps),
        at_a_random_moment_p99_ms=round(at_a_random_moment(gaps, 0.99), 1),
        watched_s=round(sum(gaps) / 1000, 1),
        heavy_modules=list(heavy),
    )


def at_a_random_moment(gaps: Sequence[float], share: float) -> float:
    """Return the gap that `share` of all moments lie in at most: long gaps count by their length."""
    left = share * sum(gaps)
    for gap in sorted(gaps):
        left -= gap
        if left <= 0:
            return gap
    return max(gaps)


def watch_demo(root: Path, seconds: float) -> tuple[dict[str, list[float]], list[str]]:
    """Open the window with the demo; returns gaps by page, and what only a trainer may bring."""
    with WindowProcess(PROBE, str(root), str(seconds)) as window:
        seen = window.hear("gaps", DEADLINE_S)
        heavy: list[str] = window.hear("modules", DEADLINE_S)["heavy"]
        if seen["failure"] or window.ended() != 0:
            raise AssertionError(f"the demo failed: {seen['failure']} {window.words}")
    gaps: dict[str, list[float]] = seen["pages"]
    return gaps, heavy


def end_jobs(data: DataDir) -> None:
    """Leave no process behind: what a cancelled demo still saves, or a window that died has left at work."""
    jobs = Jobs(data, Path(sys.executable))
    for job in jobs.list():
        if not jobs.wait(job.id, 30).state.is_over:
            jobs.kill(job.id)
            jobs.wait(job.id)
