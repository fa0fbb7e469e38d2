from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from tests.trainers.tiny_model import Tiny, train_recipe
from trainers.choice import Choice
from trainers.engines.peft import EVALUATION_ROWS, PeftEngine
from trainers.engines.protocol import NonfiniteError, Plan, StepReport
from trainers.errors import AcademyError, ErrorCode
from trainers.order import plan_steps
from trainers.rendering import Renderer
from trainers.rows import Example, render_rows

CPU = Choice(device="cpu", device_name="test", engine="peft", precision="fp32", threads=1, reason="")


def examples_of(tiny: Tiny) -> tuple[Example, ...]:
    rendered = render_rows(Renderer.load(tiny.model), tiny.dataset / "train.jsonl", 256)
    return rendered.examples


def uneven(tiny: Tiny) -> tuple[Example, ...]:
    """Rows that differ much in how many of their tokens are learned."""
    renderer = Renderer.load(tiny.model)
    talks = [
        [{"role": "user", "content": "Go"}, {"role": "assistant", "content": "la " * n}] for n in range(1, 14)
    ]
    rendered = [renderer.render(talk) for talk in talks]
    return tuple(Example(tuple(row.ids), tuple(row.labels)) for row in rendered)


def plan_of(
    tiny: Tiny, examples: tuple[Example, ...] | None = None, choice: Choice = CPU, **sections: dict[str, Any]
) -> Plan:
    recipe = train_recipe(tiny, **sections)
    examples = examples or examples_of(tiny)
    training = recipe.training
    steps = plan_steps(
        [len(example.ids) for example in examples],
        training.num_epochs,
        training.batch_size * training.gradient_accumulation_steps,
        training.seed,
        training.max_steps,
    )
    return Plan(recipe, choice, examples, steps, 0, None)


@dataclass
class Watched:
    """An engine's owner: keeps the reports, saves after chosen steps, stops after one."""

    engine: PeftEngine
    folder: Path
    save_at: tuple[int, ...] = ()
    stop_at: int | None = None
    evaluated: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        self.reports: list[StepReport] = []

    @property
    def losses(self) -> list[float]:
        return [report.loss for report in self.reports]

    def checkpoint(self, step: int) -> Path:
        return self.folder / f"step-{step}"

    def after_step(self, report: StepReport) -> bool:
        self.reports.append(report)
        if self.evaluated:
            self.engine.evaluate(self.evaluated)
        if report.step in self.save_at:
            self.checkpoint(report.step).mkdir(parents=True)
            self.engine.save_checkpoint(self.checkpoint(report.step))
        return report.step != self.stop_at

    def run(self) -> Watched:
        self.engine.train(self.after_step)
        return self


def watched(plan: Plan, folder: Path, **how: Any) -> Watched:
    return Watched(PeftEngine(plan, folder / "scratch"), folder, **how)


def adapter_of(engine: PeftEngine, folder: Path) -> dict[str, torch.Tensor]:
    folder.mkdir(parents=True, exist_ok=True)
    engine.save_adapter(folder)
    return load_file(folder / "adapter_model.safetensors")


class PlainLoop:
    """The same run in plain torch and PEFT: a step is one batch, the loss is transformers' own."""

    def __init__(self, plan: Plan, start: Path) -> None:
        self.plan = plan
        base = AutoModelForCausalLM.from_pretrained(plan.recipe.model.path, dtype=torch.float32)
        self.model = PeftModel.from_pretrained(base, start, is_trainable=True)
        self.parameters = [one for one in self.model.parameters() if one.requires_grad]
        training = plan.recipe.training
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=training.learning_rate, weight_decay=training.weight_decay
        )
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.first_gradients: list[torch.Tensor] = []

    def run(self) -> PlainLoop:
        training = self.plan.recipe.training
        for number, rows in enumerate(self.plan.steps):
            loss = self.model(**batch_of([self.plan.examples[row] for row in rows])).loss
            loss.backward()
            self.losses.append(float(loss.detach()))
            norm = torch.nn.utils.clip_grad_norm_(self.parameters, training.max_grad_norm)
            self.norms.append(float(norm))
            if number == 0:
                self.first_gradients = [one.grad.clone() for one in self.parameters if one.grad is not None]
            for group in self.optimizer.param_groups:
                group["lr"] = rate_of(self.plan, number)
            self.optimizer.step()
            self.optimizer.zero_grad()
        return self


def batch_of(examples: list[Example]) -> dict[str, torch.Tensor]:
    width = max(len(example.ids) for example in examples)
    padding = [width - len(example.ids) for example in examples]
    pairs = list(zip(examples, padding, strict=True))
    return {
        "input_ids": torch.tensor([[*one.ids, *[0] * rest] for one, rest in pairs]),
        "attention_mask": torch.tensor([[1] * len(one.ids) + [0] * rest for one, rest in pairs]),
        "labels": torch.tensor([[*one.labels, *[-100] * rest] for one, rest in pairs]),
    }


def rate_of(plan: Plan, number: int) -> float:
    """The rate of update `number`, from 0: up through the warm-up, then as the schedule says."""
    training, total = plan.recipe.training, len(plan.steps)
    if number < training.warmup_steps:
        return training.learning_rate * number / training.warmup_steps
    done = (number - training.warmup_steps) / (total - training.warmup_steps)
    share = {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}
    return training.learning_rate * share[training.lr_scheduler_type]


@pytest.mark.parametrize(("batch_size", "accumulated"), [(6, 1), (2, 3), (1, 6)])
def test_a_run_equals_a_plain_loop_whatever_way_its_steps_are_cut(
    tiny: Tiny, tmp_path: Path, batch_size: int, accumulated: int
) -> None:
    training = {"batch_size": batch_size, "gradient_accumulation_steps": accumulated, "num_epochs": 2}
    plan = plan_of(tiny, uneven(tiny), training=training | {"warmup_steps": 1, "weight_decay": 0.1})
    ours = watched(plan, tmp_path, save_at=(1,))
    start = adapter_of(ours.engine, tmp_path / "start")
    ours.run()
    plain = PlainLoop(plan, tmp_path / "start").run()
    assert len(plan.steps[-1]) < batch_size * accumulated  # the last step is a smaller one
    assert ours.losses == pytest.approx(plain.losses, rel=1e-4)
    assert [report.grad_norm for report in ours.reports] == pytest.approx(plain.norms, rel=1e-3)
    assert [report.step for report in ours.reports] == list(range(1, len(plan.steps) + 1))
    # Adam's first moment after one update is a tenth of the gradient.
    state = load_file(ours.checkpoint(1) / "optimizer.safetensors")
    gradients = [state[f"{index}.exp_avg"] * 10 for index in range(len(plain.first_gradients))]
    assert distance(gradients, plain.first_gradients) < 1e-4
    learned = list(adapter_of(ours.engine, tmp_path / "end").values())
    plain.model.save_pretrained(str(tmp_path / "plain"))
    expected = list(load_file(tmp_path / "plain" / "adapter_model.safetensors").values())
    assert distance(expected, list(start.values())) > 0.1
    assert distance(learned, expected) < 1e-3


def distance(found: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    """Length of the difference in lengths of what is expected."""
    difference = sum(float((a - b).square().sum()) for a, b in zip(found, expected, strict=True))
    return math.sqrt(difference / sum(float(one.square().sum()) for one in expected))


def test_a_family_that_takes_no_loss_arguments_is_averaged_over_tokens_too(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The Trainer would take the mean of the batches' means for such a family.
    monkeypatch.setattr(LlamaForCausalLM, "accepts_loss_kwargs", False, raising=False)
    plan = plan_of(
        tiny, uneven(tiny), training={"batch_size": 1, "gradient_accumulation_steps": 6, "warmup_steps": 1}
    )
    ours = watched(plan, tmp_path)
    adapter_of(ours.engine, tmp_path / "start")
    ours.run()
    assert ours.losses == pytest.approx(PlainLoop(plan, tmp_path / "start").run().losses, rel=1e-4)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_the_learning_rate_rises_and_falls_as_the_recipe_says(
    tiny: Tiny, tmp_path: Path, schedule: str
) -> None:
    training = {
        "lr_scheduler_type": schedule,
        "warmup_steps": 3,
        "max_steps": 12,
        "num_epochs": 2,
        "batch_size": 1,
    }
    plan = plan_of(tiny, training=training)
    ours = watched(plan, tmp_path).run()
    expected = [rate_of(plan, number) for number in range(12)]
    assert [report.learning_rate for report in ours.reports] == pytest.approx(expected, abs=1e-12)


def test_the_loss_falls(tiny: Tiny, tmp_path: Path) -> None:
    ours = watched(plan_of(tiny, training={"num_epochs": 3}), tmp_path).run()
    assert ours.losses[-1] < 0.3 * ours.losses[0]


DROPOUT: dict[str, Any] = {
    "lora": {"dropout": 0.1},
    "training": {"num_epochs": 2, "warmup_steps": 1, "gradient_accumulation_steps": 2},
}


@pytest.mark.parametrize("choice", [CPU, replace(CPU, optimizer="adamw_8bit")], ids=["32 bit", "8 bit"])
def test_a_run_that_goes_on_from_a_checkpoint_is_the_same_to_the_bit(
    tiny: Tiny, tmp_path: Path, choice: Choice
) -> None:
    plan = plan_of(tiny, choice=choice, **(DROPOUT | {"lora": {"dropout": 0.1, "rank": 64}}))
    whole = watched(plan, tmp_path / "whole", save_at=(6,)).run()
    first = watched(plan, tmp_path / "first", save_at=(3,), stop_at=3).run()
    torch.manual_seed(99)  # another process begins elsewhere
    again = replace(plan, first_step=3, checkpoint=first.checkpoint(3))
    second = watched(again, tmp_path / "second", save_at=(6,)).run()
    assert [report.step for report in second.reports] == [4, 5, 6]
    assert first.losses + second.losses == whole.losses
    assert [report.learning_rate for report in second.reports] == [
        report.learning_rate for report in whole.reports[3:]
    ]
    for name in ("adapter_model.safetensors", "optimizer.safetensors", "state.json"):
        assert (second.checkpoint(6) / name).read_bytes() == (whole.checkpoint(6) / name).read_bytes()


def test_the_optimizer_in_eight_bit_learns_as_well_and_keeps_less(tiny: Tiny, tmp_path: Path) -> None:
    # Tensors of fewer than 4096 values stay as they are.
    plan = plan_of(tiny, lora={"rank": 64}, training={"num_epochs": 3})
    plain = watched(plan, tmp_path / "plain", save_at=(4,)).run()
    small = replace(plan, choice=replace(CPU, optimizer="adamw_8bit"))
    spared = watched(small, tmp_path / "spared", save_at=(4,)).run()
    assert spared.losses[-1] == pytest.approx(plain.losses[-1], rel=0.2)
    assert spared.losses != plain.losses
    sizes = [(run.checkpoint(4) / "optimizer.safetensors").stat().st_size for run in (spared, plain)]
    assert sizes[0] < 0.6 * sizes[1]


@pytest.mark.parametrize("kinds", [("adamw", "adamw_8bit"), ("adamw_8bit", "adamw")])
def test_a_run_goes_on_with_another_optimizer_which_begins_anew(
    tiny: Tiny, tmp_path: Path, kinds: tuple[Literal["adamw", "adamw_8bit"], ...]
) -> None:
    one, other = (replace(CPU, optimizer=kind) for kind in kinds)
    plan = plan_of(tiny, choice=one, lora={"rank": 64})
    first = watched(plan, tmp_path / "first", save_at=(3,), stop_at=3).run()
    again = replace(plan, choice=other, first_step=3, checkpoint=first.checkpoint(3))
    second = watched(again, tmp_path / "second").run()
    assert second.reports[0].step == 4
    assert second.losses[-1] < first.losses[0]


def test_dropout_is_really_drawn(tiny: Tiny, tmp_path: Path) -> None:
    # Without it the test above would say less.
    plan = plan_of(tiny, **DROPOUT)
    settled = plan_of(tiny, **(DROPOUT | {"lora": {"dropout": 0.0}}))
    assert watched(plan, tmp_path).run().losses[1:] != watched(settled, tmp_path).run().losses[1:]


def test_saves_and_evaluations_change_nothing(tiny: Tiny, tmp_path: Path) -> None:
    plan = plan_of(tiny, **DROPOUT)
    plain = watched(plan, tmp_path / "plain").run()
    busy = watched(plan, tmp_path / "busy", save_at=(2, 4), evaluated=plan.examples[:3]).run()
    assert busy.losses == plain.losses


def test_a_run_whose_steps_are_all_done_has_nothing_to_do(tiny: Tiny, tmp_path: Path) -> None:
    plan = plan_of(tiny, **DROPOUT)
    whole = watched(plan, tmp_path, save_at=(6,)).run()
    again = watched(replace(plan, first_step=6, checkpoint=whole.checkpoint(6)), tmp_path / "again").run()
    assert again.reports == []
    before, after = (adapter_of(one.engine, tmp_path / str(one.folder.name)) for one in (whole, again))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_checkpoint_holds_no_pickle(tiny: Tiny, tmp_path: Path) -> None:
    ours = watched(plan_of(tiny, training={"max_steps": 1, "warmup_steps": 0}), tmp_path, save_at=(1,)).run()
    names = {path.name for path in ours.checkpoint(1).iterdir()}
    assert names == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "optimizer.safetensors",
        "state.json",
    }
    for name in names:
        path = ours.checkpoint(1) / name
        assert load_file(path) if name.endswith(".safetensors") else json.loads(path.read_text("utf-8"))


def poison_weight(model: torch.nn.Module) -> None:
    with torch.no_grad():
        next(one for name, one in model.named_parameters() if "lora_B" in name).fill_(math.nan)


def poison_gradient(model: torch.nn.Module) -> None:
    last = [one for name, one in model.named_parameters() if "lora_B" in name][-1]
    last.register_hook(lambda gradient: gradient * math.inf)


@pytest.mark.parametrize(("poison", "what"), [(poison_weight, "loss"), (poison_gradient, "gradient")])
def test_no_update_is_taken_with_what_is_not_finite(
    tiny: Tiny, tmp_path: Path, poison: Callable[[torch.nn.Module], None], what: str
) -> None:
    ours = watched(plan_of(tiny, training={"warmup_steps": 0}), tmp_path, save_at=(2,))

    def after_step(report: StepReport) -> bool:
        ours.after_step(report)
        if report.step == 2:
            poison(ours.engine._model)
        return True

    with pytest.raises(NonfiniteError) as caught:
        ours.engine.train(after_step)
    assert (caught.value.step, caught.value.what) == (3, what)
    before = load_file(ours.checkpoint(2) / "adapter_model.safetensors")
    after = adapter_of(ours.engine, tmp_path / "after")
    untouched = [name for name in before if torch.isfinite(after[name]).all()]
    assert len(untouched) >= len(before) - 1
    assert all(torch.equal(before[name], after[name]) for name in untouched)


def test_bf16_trains_weights_that_stay_in_fp32(tiny: Tiny, tmp_path: Path) -> None:
    training = {"num_epochs": 2}
    half = watched(plan_of(tiny, choice=replace(CPU, precision="bf16"), training=training), tmp_path).run()
    full = watched(plan_of(tiny, training=training), tmp_path).run()
    assert half.losses[0] != full.losses[0]
    assert half.losses[0] == pytest.approx(full.losses[0], rel=0.05)
    assert half.losses[-1] < 0.4 * half.losses[0]
    assert {one.dtype for one in adapter_of(half.engine, tmp_path / "adapter").values()} == {torch.float32}


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
def test_a_base_in_four_bit_trains(tiny: Tiny, tmp_path: Path) -> None:
    plan = plan_of(tiny, hardware={"quantization": "nf4"}, training={"num_epochs": 4})
    ours = watched(plan, tmp_path)
    kinds = {type(module).__name__ for module in ours.engine._model.modules()}
    assert "Linear4bit" in kinds
    ours.run()
    assert ours.losses[-1] < 0.5 * ours.losses[0]


@pytest.mark.parametrize("layers", [("c_attn",), ("q_proj", "c_attn")])
def test_layers_that_the_model_does_not_have_are_refused(
    tiny: Tiny, tmp_path: Path, layers: tuple[str, ...]
) -> None:
    plan = plan_of(tiny, lora={"target_modules": layers})
    with pytest.raises(AcademyError) as caught:
        PeftEngine(plan, tmp_path)
    assert caught.value.code is ErrorCode.ADAPTER_UNSUPPORTED
    assert "c_attn" in str(caught.value.facts["detail"])


def test_only_the_named_layers_are_trained(tiny: Tiny, tmp_path: Path) -> None:
    engine = PeftEngine(plan_of(tiny, lora={"target_modules": ("q_proj", "v_proj")}), tmp_path)
    tensors = adapter_of(engine, tmp_path / "adapter")
    assert {name.split(".")[-3] for name in tensors} == {"q_proj", "v_proj"}
    assert engine.trainable_parameters == sum(tensor.numel() for tensor in tensors.values())
    # width 256, two key and value heads of 64, rank 8, two layers
    assert engine.trainable_parameters == 2 * 8 * ((256 + 256) + (256 + 128))


@pytest.mark.parametrize("choice", [CPU, replace(CPU, precision="bf16")])
def test_an_evaluation_is_the_mean_over_all_supervised_tokens(
    tiny: Tiny, tmp_path: Path, choice: Choice
) -> None:
    examples = uneven(tiny)
    assert len(examples) > EVALUATION_ROWS
    plan = plan_of(tiny, examples, choice=choice, lora={"dropout": 0.5})
    engine = PeftEngine(plan, tmp_path)
    score = engine.evaluate(examples)
    base = AutoModelForCausalLM.from_pretrained(tiny.model, dtype=torch.float32)
    total = 0.0
    with torch.no_grad():
        for example in examples:
            scores = base(input_ids=torch.tensor([example.ids])).logits[0, :-1]
            labels = torch.tensor(example.labels[1:])
            total += float(cross_entropy(scores, labels, ignore_index=-100, reduction="sum"))
    assert score.supervised_tokens == sum(example.supervised_tokens for example in examples)
    # A new adapter adds nothing yet, and nothing is dropped while evaluating.
    assert score.loss == pytest.approx(
        total / score.supervised_tokens, rel=1e-5 if choice.precision == "fp32" else 0.05
    )
    assert engine._model.training
