from __future__ import annotations

import random
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from tests.trainers.engines.cpu.families import FAMILIES, write_family
from trainers.choice import Choice
from trainers.engines.cpu.engine import CpuEngine
from trainers.engines.protocol import Plan
from trainers.recipe import DatasetRef, Hardware, Lora, ModelRef, Training, TrainRecipe
from trainers.rows import IGNORED, Example

FP32 = Choice(device="cpu", device_name="test", engine="cpu", precision="fp32", threads=1, reason="")

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="Numba is not installed")
FORMS = [pytest.param(True, marks=needs_numba, id="compiled"), pytest.param(False, id="plain")]


def uneven(lengths: tuple[int, ...] = (5, 40, 23, 70)) -> tuple[Example, ...]:
    """Rows of very different lengths, of which some tokens are learned."""
    chance = random.Random(3)
    examples = []
    for length in lengths:
        ids = tuple(chance.randrange(3, 300) for _ in range(length))
        labels = tuple(one if chance.random() < 0.6 else IGNORED for one in ids[:-1])
        examples.append(Example(ids, (*labels, ids[-1])))
    return tuple(examples)


def plan_of(folder: Path, examples: tuple[Example, ...], choice: Choice = FP32, **lora: Any) -> Plan:
    recipe = TrainRecipe(
        model=ModelRef(id="m", path=str(folder)),
        dataset=DatasetRef(id="d", path=".", sha256="0" * 64),
        lora=Lora(**({"rank": 4, "alpha": 12} | lora)),
        training=Training(warmup_steps=0),
        hardware=Hardware(device="cpu", threads=1),
    )
    return Plan(recipe, choice, examples, [list(range(len(examples)))], 0, None)


def engine_of(plan: Plan, compiled: bool) -> CpuEngine:
    return CpuEngine(replace(plan, choice=replace(plan.choice, kernels="compiled" if compiled else "plain")))


def taught(engine: CpuEngine) -> CpuEngine:
    """Put something into lora_B, which begins as zero and would hide half of the gradients."""
    torch.manual_seed(8)
    engine._adapter.values.normal_(0.0, 0.05)
    engine._model.refresh()
    return engine


def reference(
    base: Path, adapter: Path, examples: tuple[Example, ...]
) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients as transformers and PEFT have them, row by row."""
    model = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager"),
        adapter,
        is_trainable=True,
    )
    tokens = sum(example.supervised_tokens for example in examples)
    total = 0.0
    for example in examples:
        logits = model(input_ids=torch.tensor([example.ids])).logits[0, :-1]
        targets = torch.tensor(example.labels[1:])
        loss = cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum") / tokens
        loss.backward()
        total += float(loss.detach())
    gradients = {
        name.replace(".default", ""): parameter.grad
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    return total, gradients


def ours(engine: CpuEngine) -> dict[str, torch.Tensor]:
    found = {}
    for name, pair in engine._adapter.pairs.items():
        found[f"base_model.model.{name}.lora_A.weight"] = pair.down_grad
        found[f"base_model.model.{name}.lora_B.weight"] = pair.up_grad
    return found


def compare(folder: Path, plan: Plan, *, compiled: bool) -> None:
    engine = taught(engine_of(plan, compiled))
    (adapter := folder / "adapter").mkdir(exist_ok=True)
    engine.save_adapter(adapter)
    loss = engine._gradients(list(plan.examples))
    expected_loss, expected = reference(Path(plan.recipe.model.path), adapter, plan.examples)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert engine.evaluate(plan.examples).loss == pytest.approx(expected_loss, rel=1e-5)
    found = ours(engine)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        size = float(gradient.norm())
        assert size > 0
        assert float((found[name] - gradient).norm()) < 2e-4 * size, name


@pytest.mark.parametrize("compiled", FORMS)
@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_those_of_peft(tmp_path: Path, family: str, compiled: bool) -> None:
    folder = write_family(tmp_path / "model", family)
    compare(tmp_path, plan_of(folder, uneven()), compiled=compiled)
