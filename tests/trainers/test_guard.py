from __future__ import annotations

import contextlib
import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.chaos.nan_fault import fault
from tests.trainers.tiny_model import Tiny, payloads, train_recipe, write_run
from trainers.__main__ import work
from trainers.errors import AcademyError, ErrorCode
from trainers.events import Ended, Nonfinite, Resumed, Step, Warned
from trainers.guard import PLATEAU_STEPS, Guard, LossWatch
from trainers.layout import ExitRecord, Launch, RunDir, write_record
from trainers.session import run_job

#: Eight steps of one batch each, saved after every second one; dropout makes the random states count.
EIGHT: dict[str, Any] = {
    "lora": {"dropout": 0.1},
    "training": {"max_steps": 8, "num_epochs": 20, "warmup_steps": 2},
    "checkpoints": {"every_steps": 2},
    "hardware": {"engine": "peft"},
}


def trained(run: RunDir, attempt: int = 1) -> Ended:
    run_job(run.path, attempt, work)
    return payloads(run, Ended)[-1]


def run_of(folder: Path, tiny: Tiny, **sections: Any) -> RunDir:
    return write_run(folder, train_recipe(tiny, **(EIGHT | sections)))


def test_an_unstable_run_goes_back_with_half_the_rate(tiny: Tiny, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", tiny)
    with fault({6}):
        assert trained(run).state == "succeeded"
    assert payloads(run, Nonfinite) == [Nonfinite(step=6, what="loss")]
    (told,) = payloads(run, Warned)
    assert (told.code, told.facts) == (
        "rate_lowered", {"step": 6, "rate": "0.001", "tries": 1, "most": 3},
    )  # fmt: skip
    assert [(one.from_step, one.exact) for one in payloads(run, Resumed)] == [(4, False)]
    steps = payloads(run, Step)
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 5, 6, 7, 8]
    assert steps[5].learning_rate == pytest.approx(steps[4].learning_rate / 2)
    assert all(math.isfinite(step.loss) for step in steps)
    adapter = load_file(run.adapter / "adapter_model.safetensors")
    assert all(torch.isfinite(one).all() for one in adapter.values())


def test_a_lowered_rate_lasts_through_attempts_to_the_bit(tiny: Tiny, tmp_path: Path) -> None:
    with fault({6}):
        whole = run_of(tmp_path / "whole", tiny)
        assert trained(whole).state == "succeeded"
    with fault({6, 8}):  # the second one comes in step 6 again, and ends the first attempt
        broken = run_of(tmp_path / "broken", tiny, checkpoints={"every_steps": 2, "rollbacks": 1})
        assert trained(broken).reason == ErrorCode.NONFINITE_LOSS
    assert trained(broken, 2).state == "succeeded"
    again = payloads(broken, Step)[-4:]
    undisturbed = payloads(whole, Step)[-4:]
    assert [(one.step, one.loss, one.learning_rate) for one in again] == [
        (one.step, one.loss, one.learning_rate) for one in undisturbed
    ]
    assert (broken.adapter / "adapter_model.safetensors").read_bytes() == (
        whole.adapter / "adapter_model.safetensors"
    ).read_bytes()


def test_a_recipe_may_forbid_to_go_back(tiny: Tiny, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", tiny, checkpoints={"every_steps": 2, "rollbacks": 0})
    with fault({6}):
        assert trained(run).reason == ErrorCode.NONFINITE_LOSS
    assert payloads(run, Resumed) == []
    assert not run.adjusted.exists()


def test_out_of_memory_takes_fewer_rows_at_once_and_the_same_steps(tiny: Tiny, tmp_path: Path) -> None:
    sections = EIGHT | {"lora": {"dropout": 0.0}}
    undisturbed = run_of(tmp_path / "undisturbed", tiny, **sections)
    assert trained(undisturbed).state == "succeeded"
    run = run_of(tmp_path / "run", tiny, **sections)
    with fault({4}, MemoryError("std::bad_alloc")):
        assert trained(run).state == "succeeded"
    (told,) = payloads(run, Warned)
    assert (told.code, told.facts) == ("fewer_rows_at_once", {"rows": 2, "batches": 2})
    assert [one.from_step for one in payloads(run, Resumed)] == [3]
    ours, theirs = payloads(run, Step), payloads(undisturbed, Step)
    assert [one.step for one in ours] == list(range(1, 9))
    for one, other in zip(ours, theirs, strict=True):
        assert (one.tokens, one.supervised_tokens) == (other.tokens, other.supervised_tokens)
        assert one.loss == pytest.approx(other.loss, rel=1e-3)


def test_what_does_not_fit_by_single_rows_is_told(tiny: Tiny, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", tiny)
    with fault(set(range(3, 100)), RuntimeError("DefaultCPUAllocator: can't allocate memory")):
        assert trained(run).reason == ErrorCode.OUT_OF_MEMORY
    assert [one.facts["rows"] for one in payloads(run, Warned)] == [2, 1]
    assert [step.step for step in payloads(run, Step)] == [1, 2]


def test_our_own_engine_computes_fewer_tokens_at_once(tiny: Tiny, tmp_path: Path) -> None:
    hardware = {"engine": "cpu", "precision": "fp32"}
    sections = EIGHT | {"lora": {"dropout": 0.0}, "hardware": hardware}
    undisturbed = run_of(tmp_path / "undisturbed", tiny, **sections)
    assert trained(undisturbed).state == "succeeded"
    run = run_of(tmp_path / "run", tiny, **sections)
    with fault({4, 5, 6}, MemoryError("std::bad_alloc")) as seen:
        assert trained(run).state == "succeeded"
    assert [one.facts["tries"] for one in payloads(run, Warned)] == [1, 2, 3]
    resumed = payloads(run, Resumed)
    assert [(one.from_step, one.exact) for one in resumed] == [(3, False)] * 3
    assert seen.passes == 3 + 3 + 5 * 4  # at last row by row
    for one, other in zip(payloads(run, Step), payloads(undisturbed, Step), strict=True):
        assert (one.step, one.tokens, one.supervised_tokens) == (
            other.step, other.tokens, other.supervised_tokens,
        )  # fmt: skip
        assert one.loss == pytest.approx(other.loss, rel=1e-3)


def test_an_attempt_after_a_lack_of_memory_takes_less_until_nothing_is_left(
    tiny: Tiny, tmp_path: Path
) -> None:
    run = RunDir(tmp_path)
    recipe = train_recipe(tiny, training={"batch_size": 2})
    lacked = ExitRecord(reason="signalled", signal="SIGKILL", out_of_memory=True, ended_at=0.0)
    write_record(run.attempt(1).exit, lacked)
    assert Guard(run, recipe).mind_last_attempt(1) is None  # there was none before
    told = Guard(run, recipe).mind_last_attempt(2)
    assert told is not None
    assert Guard(run, recipe).recipe.training.batch_size == 1
    write_record(run.attempt(2).exit, lacked)
    assert Guard(run, recipe).mind_last_attempt(3) is None  # the user began it
    launch = Launch(job="a", attempt=3, argv=(), cwd="", environment={}, queue_dir=None, queue_entry=None)
    write_record(run.attempt(3).launch, launch.model_copy(update={"memory_retries": 2}))
    with pytest.raises(AcademyError) as caught:
        Guard(run, recipe).mind_last_attempt(3)
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY


def test_our_own_engine_goes_back_alike(tiny: Tiny, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", tiny, lora={"dropout": 0.0}, hardware={"engine": "cpu"})
    with fault({6}):
        assert trained(run).state == "succeeded"
    assert [one.step for one in payloads(run, Nonfinite)] == [6]
    steps = payloads(run, Step)
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 5, 6, 7, 8]
    assert steps[5].learning_rate == pytest.approx(steps[4].learning_rate / 2)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 6, 7, 12, 32])
def test_a_step_keeps_its_rows_whatever_is_computed_at_once(rows: int, tiny: Tiny, tmp_path: Path) -> None:
    recipe = train_recipe(tiny, training={"batch_size": rows, "gradient_accumulation_steps": 3})
    run = RunDir(tmp_path)
    for _ in range(3):
        with contextlib.suppress(AcademyError):  # a single row is the least
            Guard(run, recipe).fewer_rows("")
        training = Guard(run, recipe).recipe.training
        assert training.batch_size * training.gradient_accumulation_steps == 3 * rows
    assert training.batch_size == 1


def test_a_loss_that_runs_away_is_named_once() -> None:
    watch = LossWatch()
    told = [watch.look(loss) for loss in [2.0] * 40 + [9.0] * 40]
    (named,) = [one for one in told if one is not None]
    assert named.code == "loss_diverging"


def test_a_loss_that_stands_still_is_named_once() -> None:
    watch = LossWatch()
    told = [watch.look(2.0) for _ in range(3 * PLATEAU_STEPS)]
    (named,) = [one for one in told if one is not None]
    assert named.code == "loss_plateau"


def test_noise_about_a_falling_loss_is_not_named() -> None:
    chance = random.Random(3)
    for _ in range(100):
        watch = LossWatch()
        losses = (3.0 * math.exp(-step / 150) + 0.3 + chance.gauss(0, 0.25) ** 2 for step in range(300))
        assert [watch.look(loss) for loss in losses] == [None] * 300
