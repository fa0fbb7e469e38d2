"""The short forms of the window's benches: that they measure what they say. No time is judged here."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.bench.__main__ import main
from tests.bench.window_gap import at_a_random_moment
from tests.bench.window_start import SHORT_JOBS, SHORT_STARTS

FIELDS = {
    "name", "ours", "rival", "rival_name", "ratio", "pairs", "bar", "holds", "machine", "versions",
    "sources_sha256",
}  # fmt: skip


def test_the_start_is_measured_over_stored_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    (figure,) = run("window.start", capsys)
    assert (figure["unit"], figure["bar"], figure["rival"]) == ("s", 1.0, None)
    details = figure["details"]
    assert (details["jobs"], details["heavy_modules"]) == (SHORT_JOBS, [])
    samples = [sample for (sample,) in figure["pairs"]]
    assert len(samples) == details["starts"] == SHORT_STARTS
    assert figure["ours"] == max(samples)
    assert 0 < details["first_paint_p95_s"] <= figure["ours"]


def test_the_gaps_are_measured_on_both_pages_while_the_demo_trains(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = run("window.gap", capsys)
    assert figures
    for figure, name in zip(figures, ("window.gap", "window.gap.runs"), strict=False):
        details = figure["details"]
        assert (figure["name"], figure["unit"], figure["bar"]) == (name, "ms", 50.0)
        assert details["heavy_modules"] == []
        assert details["turns"] > 10
        assert 0 < details["median_ms"] <= figure["ours"] <= details["longest_ms"]


def test_long_gaps_count_by_their_length() -> None:
    gaps = [5.0] * 98 + [200.0, 310.0]
    assert at_a_random_moment(gaps, 0.4) == 5
    assert at_a_random_moment(gaps, 0.6) == 200
    assert at_a_random_moment(gaps, 0.99) == 310


def run(name: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The figures of a bench's short form, as it prints them."""
    code = main([name, "--short"])
    figures = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == (0 if all(figure["holds"] for figure in figures) else 1)
    for figure in figures:
        assert figure.keys() >= FIELDS
        assert figure["short"] is True
        assert re.fullmatch(r"[0-9a-f]{64}", figure["sources_sha256"])
    return figures
