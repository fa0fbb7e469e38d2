from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainers import arithmetic
from trainers.arithmetic import Arithmetic, arithmetic_of, difference, kept, plan_hash, recorded
from trainers.choice import Choice
from trainers.device import processor
from trainers.packages import versions_of
from trainers.recipe import Hardware
from trainers.rows import Example

NEW = Choice("cpu", "1 cores", "cpu", "fp32", 1, "because", "compiled")
BEFORE = arithmetic_of(replace(NEW, precision="bf16"), "plan")


def test_what_a_run_computes_with_is_recorded_and_read_again(tmp_path: Path) -> None:
    assert BEFORE.torch == versions_of(["torch"])["torch"]
    assert BEFORE.processor == processor()
    arithmetic.save(tmp_path, BEFORE)
    assert recorded(tmp_path, None) == BEFORE
    assert arithmetic_of(replace(NEW, kernels="plain"), "plan").numba == ""


def test_without_a_record_the_attempt_before_tells_a_part(tmp_path: Path) -> None:
    environment = tmp_path / "environment.json"
    assert recorded(tmp_path, environment) is None
    environment.write_text("{torn", "utf-8")
    assert recorded(tmp_path, environment) is None
    said: dict[str, Any] = {
        "v": 1, "engine": "peft", "device": "cpu", "precision": "fp32", "threads": 2, "seed": 4,
        "packages": {"torch": "2.13.0", "trl": "1.14.2"},
    }  # fmt: skip
    environment.write_text(json.dumps(said), "utf-8")
    found = recorded(None, environment)
    assert found == Arithmetic(engine="peft", device="cpu", precision="fp32", threads=2, torch="2.13.0")


@pytest.mark.parametrize(
    ("before", "hardware", "unknown", "expected"),
    [
        ({}, {}, None, ("cpu", "bf16", 1, "compiled")),
        ({}, {"precision": "fp32"}, None, ("cpu", "fp32", 1, "compiled")),
        ({"kernels": "plain"}, {}, None, ("cpu", "bf16", 1, "plain")),
        ({"engine": "peft", "precision": "fp32"}, {}, None, ("peft", "fp32", 1, "plain")),
        ({"engine": "peft"}, {"engine": "cpu"}, None, ("cpu", "bf16", 1, "compiled")),
        ({"threads": 10**4}, {}, None, ("cpu", "bf16", 1, "compiled")),
        ({"device": "cuda"}, {}, None, ("cpu", "fp32", 1, "compiled")),
    ],
)
def test_a_run_goes_on_as_it_began_where_the_recipe_leaves_it_open(
    before: dict[str, Any], hardware: dict[str, Any], unknown: str | None, expected: tuple[str, str, int, str]
) -> None:
    found = kept(NEW, BEFORE.model_copy(update=before), Hardware(**hardware), unknown)
    assert (found.engine, found.precision, found.threads, found.kernels) == expected


def test_a_new_run_takes_what_was_chosen() -> None:
    assert kept(NEW, None, Hardware(), None) is NEW


def test_what_could_not_be_kept_is_told() -> None:
    assert difference(BEFORE, BEFORE, from_start=False) == ""
    now = BEFORE.model_copy(update={"threads": 3, "processor": "another", "plan": "other"})
    said = difference(BEFORE, now, from_start=False)
    assert said.startswith("threads: 3, not 1, processor: another, not ")
    assert said.endswith("the rows or their order are not as they were")
    assert "rows" not in difference(BEFORE, now, from_start=True)
    assert difference(None, now, from_start=False)


def test_every_token_label_and_place_counts() -> None:
    rows = (Example((1, 2), (-100, 2)), Example((3,), (3,)))
    known = plan_hash(rows, [[0], [1]])
    assert known == plan_hash(rows, [[0], [1]])
    others = [
        plan_hash(rows, [[1], [0]]),
        plan_hash(rows, [[0, 1]]),
        plan_hash((rows[0], Example((3,), (-100,))), [[0], [1]]),
        plan_hash((rows[0], replace(rows[1], rejected=rows[0])), [[0], [1]]),
        plan_hash((rows[0], replace(rows[1], desirable=True)), [[0], [1]]),
    ]
    assert len({known, *others}) == 6
