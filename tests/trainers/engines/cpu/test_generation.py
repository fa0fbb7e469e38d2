from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import pytest
import torch

from tests.trainers.engines.cpu.families import write_family
from tests.trainers.engines.cpu.test_gradients import FORMS, FP32, engine_of, plan_of, taught, uneven
from tests.trainers.tiny_model import write_tokenizer
from trainers.engines.cpu.engine import CpuEngine
from trainers.engines.peft import PeftEngine

#: Of different lengths, one of them longer than the windows of the families that have some.
PROMPTS = [[5, 9, 13], [7, 8, 9, 11, 200, 17, 23, 42, 99, 3, 58, 61, 77], [250]]
MOST = 14


#: Among them: biases, windows, norms of queries and keys, stretched positions, a head of its own.
@pytest.mark.parametrize("family", ["llama-linear", "mistral", "qwen3", "gemma3"])
def test_answers_are_those_of_transformers_with_and_without_the_adapter(tmp_path: Path, family: str) -> None:
    folder = write_family(tmp_path / "model", family)
    write_tokenizer(folder)
    plan = plan_of(folder, uneven())
    own = taught(CpuEngine(plan))
    own.save_adapter(tmp_path)
    peft = PeftEngine(replace(plan, choice=replace(FP32, engine="peft")), tmp_path / "scratch")
    peft.load_adapter(tmp_path)
    tuned = own.answer(PROMPTS, frozenset(), MOST)
    assert tuned == peft.answer(PROMPTS, frozenset(), MOST)
    assert [len(answer) for answer in tuned] == [MOST] * 3
    with own.as_base(), peft.as_base():
        base = own.answer(PROMPTS, frozenset(), MOST)
        assert base == peft.answer(PROMPTS, frozenset(), MOST)
    assert base != tuned
    assert own.answer(PROMPTS, frozenset(), MOST) == peft.answer(PROMPTS, frozenset(), MOST) == tuned
    ends = frozenset({tuned[1][4]})
    expected = [list(takewhile(lambda token: token not in ends, answer)) for answer in tuned]
    assert own.answer(PROMPTS, ends, MOST) == peft.answer(PROMPTS, ends, MOST) == expected


@pytest.mark.parametrize("compiled", FORMS)
def test_answering_leaves_no_trace_in_what_is_learned(tmp_path: Path, compiled: bool) -> None:
    folder = write_family(tmp_path / "model", "gemma3")
    plan = plan_of(folder, uneven())
    plan = replace(plan, choice=replace(plan.choice, precision="bf16"), steps=[[0, 1], [2], [3, 0]])
    quiet, asked = engine_of(plan, compiled), engine_of(plan, compiled)
    quiet.train(lambda _: True)

    def ask(_: object) -> bool:
        with asked.as_base():
            asked.answer(PROMPTS, frozenset(), 3)
            asked.evaluate(plan.examples, plain=True)
        asked.answer(PROMPTS, frozenset(), 3)
        return True

    asked.train(ask)
    assert torch.equal(quiet._adapter.values, asked._adapter.values)
