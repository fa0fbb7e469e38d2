from __future__ import annotations

import json

import pytest

from tests.bench.figure import against, alone, percentile


def test_the_nearest_rank_is_a_sample() -> None:
    samples = [float(number) for number in range(1, 101)]
    assert percentile(samples, 0.99) == 99
    assert percentile(samples, 0.95) == 95
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2
    assert percentile([3.0, 1.0, 2.0], 1.0) == 3
    assert percentile([7.0], 0.01) == 7


@pytest.mark.parametrize(("ours", "holds"), [(0.9, True), (1.0, True), (1.1, False)])
def test_a_figure_alone_is_held_against_its_bar(ours: float, holds: bool) -> None:
    figure = alone("start", ours, "s", at_most=1.0, samples=[0.5, ours], jobs=3)
    assert figure.holds is holds
    assert (figure.rival, figure.rival_name, figure.ratio) == (None, None, None)
    assert figure.as_fields()["pairs"] == [[0.5], [ours]]
    assert figure.as_fields()["details"] == {"jobs": 3}


def test_more_may_be_better() -> None:
    assert alone("share", 0.3, "of the peak", at_least=0.25).holds
    assert not alone("share", 0.2, "of the peak", at_least=0.25).holds


def test_what_failed_beside_the_bar_does_not_hold() -> None:
    assert not alone("start", 0.1, "s", at_most=1.0, holds=False).holds
    assert not against("import", [(1.0, 9.0)], "rival 1", "s", better="less", bar=2.0, holds=False).holds


def test_a_figure_without_a_bar_is_reported_and_not_judged() -> None:
    assert alone("size", 12.0, "bytes").holds
    assert against("speed", [(1.0, 9.0)], "rival 1", "tokens/s", better="more").holds


def test_the_ratio_says_how_many_times_better_ours_is() -> None:
    faster = against("import", [(2.0, 8.0), (1.0, 3.0), (1.0, 5.0)], "rival 1", "s", better="less", bar=4.0)
    assert faster.ratio == 4
    assert faster.holds
    assert (faster.ours, faster.rival) == (1, 5)
    slower = against("train", [(10.0, 40.0)], "rival 1", "tokens/s", better="more", bar=1.0)
    assert slower.ratio == 0.25
    assert not slower.holds


def test_the_fields_are_those_of_the_contract() -> None:
    fields = against("import", [(2.0, 8.0)], "rival 1", "s", better="less", bar=4.0).as_fields()
    contract = {"name", "ours", "rival", "rival_name", "ratio", "pairs", "bar", "holds"}
    assert contract <= fields.keys()
    assert json.loads(json.dumps(fields))["pairs"] == [[2.0, 8.0]]
