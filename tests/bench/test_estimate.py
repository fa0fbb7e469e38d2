from __future__ import annotations

from pathlib import Path

from tests.bench.estimate import P95_BAR, measure
from tests.bench.estimate_cases import SHORT_SHAPES, SHORT_SPREAD, cases
from tests.bench.estimate_models import SHAPES
from tests.bench.figure import Setting


def test_the_full_form_has_as_many_configurations_as_it_promises() -> None:
    full = list(cases(short=False))
    assert len([case for case in full if case.engine == "peft"]) >= 40
    assert {case.shape for case in full} == set(SHAPES)
    assert {case.quantization for case in full} == {"none", "nf4"}
    assert len({case.name for case in full}) == len(full)


def test_real_runs_take_what_was_forecast(tmp_path: Path) -> None:
    figures = {figure.name: figure for figure in measure(Setting(short=True, folder=tmp_path))}
    assert figures.keys() == {
        "estimate.published",
        "estimate.answer",
        "estimate.memory.peft.median",
        "estimate.memory.peft.p95",
        "estimate.memory.peft.too_low",
    }
    assert figures["estimate.published"].holds
    errors = figures["estimate.memory.peft.median"].pairs
    assert len(errors) == len(SHORT_SPREAD) * len(SHORT_SHAPES)
    assert figures["estimate.memory.peft.p95"].ours <= P95_BAR
