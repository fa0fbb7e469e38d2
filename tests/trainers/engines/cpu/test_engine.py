from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftConfig
from safetensors.torch import load_file

from tests.trainers.engines.cpu.families import write_family
from tests.trainers.engines.cpu.test_gradients import FORMS, FP32, compare, engine_of, plan_of, taught, uneven
from tests.trainers.tiny_model import write_tokenizer
from trainers.engines.cpu.architecture import refusal
from trainers.engines.cpu.engine import CpuEngine
from trainers.engines.cpu.packing import pack, portions
from trainers.engines.peft import PeftEngine
from trainers.engines.protocol import NonfiniteError, Plan, StepReport

STEPS = [[0, 1], [2], [3, 0], [1, 2, 3], [0], [3]]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_family(tmp_path_factory.mktemp("families") / "llama", "llama")


def with_tokenizer(folder: Path) -> Path:
    write_tokenizer(folder)
    return folder


def steps_plan(folder: Path, precision: str = "fp32") -> Plan:
    choice = replace(FP32, precision="bf16" if precision == "bf16" else "fp32")
    return replace(plan_of(folder, uneven(), choice), steps=STEPS)


def saver(engine: CpuEngine, folder: Path, reports: list[StepReport]) -> Callable[[StepReport], bool]:
    def after(report: StepReport) -> bool:
        reports.append(report)
        if report.step in {3, 6}:
            (folder / str(report.step)).mkdir(parents=True)
            engine.save_checkpoint(folder / str(report.step))
        return True

    return after


@pytest.mark.parametrize("compiled", FORMS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_by_bit(
    llama: Path, tmp_path: Path, precision: str, compiled: bool
) -> None:
    plan, whole, rest = steps_plan(llama, precision), list[StepReport](), list[StepReport]()
    engine = engine_of(plan, compiled)
    engine.train(saver(engine, tmp_path / "a", whole))
    again = engine_of(replace(plan, first_step=3, checkpoint=tmp_path / "a" / "3"), compiled)
    again.train(saver(again, tmp_path / "b", rest))
    assert rest == whole[3:]
    for name in ("adapter_model.safetensors", "optimizer.safetensors"):
        one, other = (load_file(tmp_path / run / "6" / name) for run in "ab")
        assert all(torch.equal(one[key], other[key]) for key in one)
        assert {value.dtype for key, value in one.items() if "random" not in key} == {torch.float32}


def test_either_engine_goes_on_where_the_other_stopped(llama: Path, tmp_path: Path) -> None:
    write_tokenizer(llama)
    plan, ours, theirs = steps_plan(llama), list[StepReport](), list[StepReport]()
    engine = CpuEngine(plan)
    engine.train(saver(engine, tmp_path / "a", ours))
    later = replace(plan, first_step=3, checkpoint=tmp_path / "a" / "3", steps=[*STEPS[:3], [3, 0, 1, 2]])
    peft = PeftEngine(replace(later, choice=replace(FP32, engine="peft")), tmp_path / "scratch")
    theirs_score = peft.evaluate(plan.examples)
    own = CpuEngine(later)
    own_score = own.evaluate(plan.examples)
    assert own_score.loss == pytest.approx(theirs_score.loss, rel=1e-5)
    assert own_score.supervised_tokens == theirs_score.supervised_tokens
    assert own.trainable_parameters == peft.trainable_parameters

    def after(report: StepReport) -> bool:
        theirs.append(report)
        return True

    own.train(after)
    (tmp_path / "config").mkdir()
    peft.save_adapter(tmp_path / "config")
    saved, known = (
        PeftConfig.from_pretrained(str(path)) for path in (tmp_path / "a" / "3", tmp_path / "config")
    )
    assert isinstance(saved, LoraConfig)
    for field in ("r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "bias", "task_type"):
        assert getattr(saved, field) == getattr(known, field)
    assert theirs[0].step == 4


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma3"])
def test_a_new_adapter_is_number_for_number_that_of_peft(tmp_path: Path, family: str) -> None:
    plan = plan_of(with_tokenizer(write_family(tmp_path / "model", family)), uneven())
    found = []
    for engine in (
        CpuEngine(plan),
        PeftEngine(replace(plan, choice=replace(FP32, engine="peft")), tmp_path / "scratch"),
    ):
        (folder := tmp_path / type(engine).__name__).mkdir()
        engine.save_adapter(folder)
        found.append(load_file(folder / "adapter_model.safetensors"))
    one, other = found
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "lora",
    [
        {"target_modules": ("q_proj", "v_proj")},
        {"target_modules": ("k_proj", "down_proj", "up_proj")},
        {"use_rslora": True, "rank": 8, "alpha": 4},
    ],
)
def test_gradients_of_any_part_of_the_layers(llama: Path, tmp_path: Path, lora: dict[str, Any]) -> None:
    compare(tmp_path, plan_of(llama, uneven(), **lora), compiled=False)


def test_long_rows_are_looked_at_in_strips(tmp_path: Path) -> None:
    folder = write_family(tmp_path / "model", "mistral")
    examples = uneven((11, 600))
    engine = taught(CpuEngine(plan_of(folder, examples)))
    from trainers.engines.cpu import attention

    assert max(length for _, length in pack(list(examples)).blocks) > attention.STRIP
    compare(tmp_path, plan_of(folder, examples), compiled=False)
    learned = sum(example.supervised_tokens for example in examples)
    assert engine.evaluate(examples).supervised_tokens == learned


def test_the_number_of_portions_does_not_change_a_step(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(llama, uneven())
    whole, cut = (taught(CpuEngine(plan)) for _ in range(2))
    loss = whole._gradients(list(plan.examples))
    monkeypatch.setattr("trainers.engines.cpu.engine.portions", lambda rows, _: portions(rows, 30))
    assert cut._gradients(list(plan.examples)) == pytest.approx(loss, rel=1e-6)
    assert torch.allclose(whole._adapter.gradients, cut._adapter.gradients, rtol=1e-4, atol=1e-7)


def test_bf16_loses_no_update_to_its_format(llama: Path) -> None:
    losses: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for precision, found in losses.items():

        def after(report: StepReport, found: list[float] = found) -> bool:
            found.append(report.loss)
            return True

        CpuEngine(steps_plan(llama, precision)).train(after)
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=5e-3)


@pytest.mark.parametrize("layer", ["q_proj", "down_proj"])
@pytest.mark.parametrize("compiled", FORMS)
def test_no_update_is_taken_with_what_is_not_finite(llama: Path, layer: str, compiled: bool) -> None:
    engine = engine_of(steps_plan(llama), compiled)
    pair = next(pair for name, pair in engine._adapter.pairs.items() if name.endswith(layer))
    pair.up.fill_(torch.nan)
    engine._model.refresh()
    before = engine._adapter.values.clone()
    with pytest.raises(NonfiniteError) as caught:
        engine.train(lambda _: True)
    assert caught.value.step == 1
    assert torch.equal(engine._adapter.values.nan_to_num(), before.nan_to_num())


def test_what_the_engine_does_not_know_is_refused_with_a_reason(llama: Path, tmp_path: Path) -> None:
    known = plan_of(llama, uneven()).recipe
    assert refusal(known) is None
    for lora in ({"dropout": 0.1}, {"target_modules": ("lm_head",)}):
        assert refusal(plan_of(llama, uneven(), **lora).recipe)
    config = (llama / "config.json").read_text("utf-8")
    for found, other in (
        ('"llama"', '"gpt2"'),
        ('"silu"', '"relu"'),
        ('"num_hidden_layers": 3', '"num_hidden_layers": 2'),
        ('"num_hidden_layers": 3', '"final_logit_softcapping": 30.0, "num_hidden_layers": 3'),
        ('"num_hidden_layers": 3', '"attn_logit_softcapping": 50.0, "num_hidden_layers": 3'),
    ):
        assert found in config
        (tmp_path / "config.json").write_text(config.replace(found, other), "utf-8")
        if not (tmp_path / "model.safetensors").exists():
            (tmp_path / "model.safetensors").write_bytes((llama / "model.safetensors").read_bytes())
        assert refusal(plan_of(tmp_path, uneven()).recipe)
