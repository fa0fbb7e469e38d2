"""Every method and option through a real run: the loss goes where it should, and a break changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from tests.trainers.test_train import adapter_bytes, losses, trained
from tests.trainers.tiny_model import (
    CAPITALS,
    Tiny,
    order,
    payloads,
    train_recipe,
    write_dataset,
    write_run,
)
from trainers import checkpoint
from trainers.best import Best
from trainers.errors import ErrorCode
from trainers.events import Evaluated, Forgetting, Sampled, Step, Warned
from trainers.layout import RunDir
from trainers.recipe import TrainRecipe

Row = dict[str, Any]


def asked(country: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Capital of {country}?"}]


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


PAIRS: list[Row] = [
    {"id": n, "messages": asked(country), "chosen": said(f"{city}, of course!"), "rejected": said(f"{city}.")}
    for n, (country, city) in enumerate(CAPITALS.items(), start=1)
]
JUDGED: list[Row] = [
    {
        "id": n,
        "messages": asked(country) + said(f"{city}, of course!" if n % 2 else f"{city}."),
        "label": bool(n % 2),
    }
    for n, (country, city) in enumerate(CAPITALS.items(), start=1)
]
TEXTS: list[Row] = [
    {"id": n, "text": f"{city}, of course, is the capital of {country}! " * 6}
    for n, (country, city) in enumerate(CAPITALS.items(), start=1)
]
ROWS = {"pretrain": TEXTS, "dpo": PAIRS, "orpo": PAIRS, "kto": JUDGED}
SHORT: dict[str, Any] = {
    "lora": {"dropout": 0.1},
    "training": {"max_steps": 6, "num_epochs": 6, "warmup_steps": 1, "batch_size": 2, "max_seq_length": 256},
    "checkpoints": {"every_steps": 100},
}
#: Asked in between, a run learns the same.
ASKED: dict[str, Any] = {
    "samples": {"count": 2, "max_new_tokens": 4}, "evaluation": {"every_steps": 2, "forgetting": 0.1},
}  # fmt: skip


def recipe_of(tiny: Tiny, method: str, **sections: Any) -> TrainRecipe:
    made = train_recipe(tiny, **sections)
    return TrainRecipe.model_validate(made.model_dump() | {"method": method})


def asked_and_scored(run: RunDir) -> bool:
    """Whether base and model answered and were scored, each once at each of its steps."""
    answered = [(one.by, one.step, one.index) for one in payloads(run, Sampled)]
    scored = [one.step for one in payloads(run, Forgetting)]
    at = [("base", 0), ("tuned", 2), ("tuned", 4), ("tuned", 6)]
    return answered == [(*one, index) for one in at for index in range(2)] and scored == [0, 2, 4, 6]


def rows_of(tiny: Tiny, folder: Path, method: str) -> Tiny:
    return Tiny(tiny.model, write_dataset(folder, ROWS[method], ROWS[method][:6]))


@pytest.mark.parametrize("method", sorted(ROWS))
def test_a_method_learns_and_goes_on_as_if_nothing_had_been(tiny: Tiny, tmp_path: Path, method: str) -> None:
    data = rows_of(tiny, tmp_path / "rows", method)
    whole = write_run(tmp_path / "whole", recipe_of(data, method, **SHORT))
    assert trained(whole).state == "succeeded"
    evaluations = payloads(whole, Evaluated)
    assert evaluations[-1].loss < evaluations[0].loss
    broken = write_run(tmp_path / "broken", recipe_of(data, method, **SHORT, **ASKED))
    order(broken, "stop")
    assert trained(broken, 1).state == "stopped"
    assert trained(broken, 2).state == "succeeded"
    assert asked_and_scored(broken)
    assert losses(broken) == losses(whole)
    assert adapter_bytes(broken) == adapter_bytes(whole)
    steps = payloads(whole, Step)
    rewards = [one.reward_chosen if one.reward_chosen is not None else one.reward_rejected for one in steps]
    assert [reward is None for reward in rewards] == [method == "pretrain"] * len(steps)
    if method != "pretrain":
        assert evaluations[-1].reward_margin is not None
        assert evaluations[0].reward_margin is not None
        assert evaluations[-1].reward_margin > evaluations[0].reward_margin


@pytest.mark.parametrize("method", ["sft", "pretrain", "kto"])
def test_rows_of_another_kind_end_the_run(tiny: Tiny, tmp_path: Path, method: str) -> None:
    data = rows_of(tiny, tmp_path / "rows", "dpo")
    ended = trained(write_run(tmp_path / "run", recipe_of(data, method, **SHORT)))
    assert (ended.state, ended.reason) == ("failed", ErrorCode.DATASET_KIND)


OPTIONS: list[dict[str, Any]] = [
    {"lora": {"use_dora": True}},
    {"lora": {"init": "pissa"}, "training": {"learning_rate": 2e-4}},
    {"training": {"neftune_noise_alpha": 5.0}},
    {"training": {"lr_scheduler_type": "cosine_with_min_lr", "warmup_ratio": 0.2, "weight_decay": 0.1}},
]


@pytest.mark.parametrize("option", OPTIONS, ids=["dora", "pissa", "neftune", "min_lr"])
def test_an_option_learns_and_goes_on_as_if_nothing_had_been(
    tiny: Tiny, tmp_path: Path, option: dict[str, Any]
) -> None:
    sections = {name: values | option.get(name, {}) for name, values in SHORT.items()}
    whole = write_run(tmp_path / "whole", train_recipe(tiny, **sections))
    assert trained(whole).state == "succeeded"
    found = losses(whole)
    evaluations = payloads(whole, Evaluated)
    assert evaluations[-1].loss < evaluations[0].loss
    broken = write_run(tmp_path / "broken", train_recipe(tiny, **sections, **ASKED))
    order(broken, "stop")
    assert trained(broken, 1).state == "stopped"
    assert trained(broken, 2).state == "succeeded"
    assert asked_and_scored(broken)
    assert losses(broken) == found
    assert adapter_bytes(broken) == adapter_bytes(whole)
    assert loss_with_adapter(whole, tiny) == pytest.approx(payloads(whole, Evaluated)[-1].loss, rel=1e-3)


def loss_with_adapter(run: RunDir, tiny: Tiny) -> float:
    """Loss over the held-out rows of the base as it is on disk with the adapter as it is on disk."""
    from trainers.engines.objectives import Supervised
    from trainers.rendering import Renderer
    from trainers.rows import render_rows

    base = AutoModelForCausalLM.from_pretrained(tiny.model, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, str(run.adapter)).eval()
    rows = render_rows(Renderer.load(tiny.model), tiny.dataset / "eval.jsonl", 256).examples
    objective = Supervised(0)
    batch = objective.batch(rows)
    with torch.no_grad():
        return float(objective.loss(model, batch)[0]) / objective.count(batch)


#: A rate that spoils the model after a while: the best evaluation is not the last.
WILD: dict[str, Any] = {
    "training": {"learning_rate": 0.01, "num_epochs": 20, "max_steps": 24, "warmup_steps": 4, "batch_size": 2,
                 "lr_scheduler_type": "constant"},
    "evaluation": {"every_steps": 2, "keep_best": True, "patience": 3},
    "checkpoints": {"keep": 1},
}  # fmt: skip


def test_the_best_adapter_is_kept_over_a_break(tiny: Tiny, tmp_path: Path) -> None:
    settings = WILD | {"evaluation": {"every_steps": 2, "keep_best": True}}
    whole = write_run(tmp_path / "whole", train_recipe(tiny, **settings))
    assert trained(whole).state == "succeeded"
    scores = {one.step: one.loss for one in payloads(whole, Evaluated)}
    best = min(scores, key=lambda step: (scores[step], step))
    assert loss_with_adapter(whole, tiny) == pytest.approx(scores[best], rel=1e-3)
    broken = write_run(tmp_path / "broken", train_recipe(tiny, **settings))
    order(broken, "stop")
    assert trained(broken, 1).state == "stopped"
    assert trained(broken, 2).state == "succeeded"
    assert adapter_bytes(broken) == adapter_bytes(whole)
    assert checkpoint.verify(whole.checkpoints / f"step-{best}").step == best


def test_a_run_that_gets_no_better_ends_early(tiny: Tiny, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", train_recipe(tiny, **WILD))
    ended = trained(run)
    scores = payloads(run, Evaluated)
    best = min(scores, key=lambda one: one.loss)
    assert (ended.state, ended.reason) == ("succeeded", "stopped_early")
    assert ended.step == best.step + 3 * 2 < 24
    assert [one.code for one in payloads(run, Warned)] == ["stopped_early", "best_kept"]
    assert Best.recorded(run.events, ended.step).waited == 3
    again = trained(run, 2)
    assert (again.state, again.reason, again.step) == ("succeeded", "stopped_early", ended.step)
