from __future__ import annotations

from pathlib import Path

import pytest

from academy_desktop.core.estimate.calibration import (
    LEAST_SPREAD,
    MOST_KEPT,
    Fit,
    Kind,
    Observation,
    fit,
    read_observations,
    speed,
    write_observations,
)
from academy_desktop.core.estimate.engines import MIB, traits_of

KIND = Kind("peft", "cpu", "fp32", False)
TRAITS = traits_of("peft", "cpu", "fp32")


def run(
    number: int, *, program: float = 700, reserve: float = 0.5, engine: str = "peft", nf4: bool = False
) -> Observation:
    """A run of a machine whose program and reserve are those (program in MiB)."""
    fixed, activations = (300 + 40 * number) * MIB, (100 + 150 * (number % 7)) * MIB
    return Observation(
        job=f"job-{number:04}",
        engine=engine,
        device="cpu",
        precision="fp32",
        nf4=nf4,
        threads=2,
        fixed_bytes=fixed,
        activation_bytes=activations,
        peak_bytes=program * MIB + fixed + (1 + reserve) * activations,
        flops_per_s=1e11 + number * 1e9,
    )


def fitted(seen: list[Observation]) -> Fit:
    return fit(KIND, TRAITS, TRAITS.program_bytes, seen)


def off(made: Fit, one: Observation) -> float:
    """How far a fit is off a run, in bytes."""
    told = made.program_bytes + one.fixed_bytes + (1 + made.reserve) * one.activation_bytes
    return abs(told - one.peak_bytes)


def test_without_runs_the_table_stands_and_the_range_is_wide() -> None:
    made = fitted([])
    assert made.program_bytes == pytest.approx(TRAITS.program_bytes)
    assert made.reserve == pytest.approx(TRAITS.reserve)
    assert (made.spread, made.runs) == (TRAITS.doubt, 0)


def test_runs_of_this_machine_move_the_forecast_to_what_it_really_takes() -> None:
    seen = [run(number, program=640, reserve=1.1) for number in range(30)]
    few, many = fitted(seen[1:3]), fitted(seen)
    assert many.program_bytes == pytest.approx(640 * MIB, rel=0.05)
    assert many.reserve == pytest.approx(1.1, abs=0.06)
    assert off(many, seen[3]) < off(few, seen[3]) < off(fitted([]), seen[3])
    assert LEAST_SPREAD <= many.spread < few.spread < TRAITS.doubt


def test_a_single_strange_run_does_not_decide() -> None:
    usual = [run(number) for number in range(20)]
    strange = usual[3].model_copy(update={"job": "job-x", "peak_bytes": 2 * usual[3].peak_bytes})
    assert fitted([*usual, strange]).reserve == pytest.approx(fitted(usual).reserve, abs=0.35)


def test_other_engines_teach_nothing_and_other_weights_little() -> None:
    assert fitted([run(number, engine="cpu") for number in range(9)]) == fitted([])
    other = fitted([run(number, nf4=True) for number in range(9)])
    assert other.runs == 0
    assert other.reserve < TRAITS.reserve


def test_the_speed_is_that_of_runs_of_the_kind_with_as_many_threads() -> None:
    seen = [run(1), run(2), run(3), run(90, engine="cpu")]
    assert speed(KIND, 2, seen) == (1.02e11, 3)
    assert speed(KIND, 8, seen) == (0.0, 0)


def test_observations_are_kept_and_the_newest_stay(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    seen = [run(number) for number in range(MOST_KEPT + 5)]
    write_observations(path, seen)
    assert read_observations(path) == tuple(seen[5:])


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b'{"v": 1, "formulas": 999, "runs": []}', b'{"v": 1, "formulas": 2, "runs": [{}]}'],
)
def test_a_file_that_cannot_be_used_holds_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    assert read_observations(path) == ()
