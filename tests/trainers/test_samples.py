"""What a run asks its model in between: the answers are those of the model, and change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.trainers.test_train import adapter_bytes, losses, run_of, trained
from tests.trainers.tiny_model import (
    CAPITALS,
    HELD_OUT,
    KNOWN,
    Tiny,
    conversation,
    events,
    order,
    payloads,
    train_recipe,
    write_dataset,
)
from trainers.engines.peft import PeftEngine
from trainers.events import CommandAnswered, Evaluated, Forgetting, Resumed, Sampled, Warned
from trainers.exporting.reference import TransformersModel
from trainers.general import GENERAL
from trainers.layout import RunDir
from trainers.questions import general_examples, questions_of
from trainers.recipe import TrainRecipe
from trainers.rendering import Renderer
from trainers.samples import MOST_CHARACTERS, cut

ASKING: dict[str, Any] = {
    "training": {"num_epochs": 2},
    "samples": {"count": 2, "max_new_tokens": 12},
    "evaluation": {"every_steps": 4, "forgetting": 10.0},
}


def answers_of(tiny: Tiny, adapter: Path | None, recipe: TrainRecipe) -> list[str]:
    """What a model says that was saved and loaded again."""
    renderer = Renderer.load(tiny.model)
    model = TransformersModel.load(tiny.model, adapter)
    prompts = [one.ids for one in questions_of(recipe, renderer)]
    return [
        renderer.decode(one.ids).strip() for one in model.generate(prompts, recipe.samples.max_new_tokens)
    ]


def said(run: RunDir, by: str, step: int) -> list[str]:
    return [one.answer for one in payloads(run, Sampled) if (one.by, one.step) == (by, step)]


@pytest.mark.parametrize("engine", ["peft", "cpu"])
def test_base_and_model_answer_as_they_are(tiny: Tiny, tmp_path: Path, engine: str) -> None:
    hardware = {"hardware": {"engine": engine, "device": "cpu", "threads": 1, "precision": "fp32"}}
    run = run_of(tmp_path / "run", tiny, **ASKING, **hardware)
    assert trained(run).state == "succeeded"
    recipe = train_recipe(tiny, **ASKING)
    assert said(run, "base", 0) == answers_of(tiny, None, recipe)
    assert said(run, "tuned", 12) == answers_of(tiny, run.adapter, recipe)
    assert said(run, "tuned", 12) != said(run, "base", 0)
    found = payloads(run, Sampled)
    assert [(one.step, one.by) for one in found[::2]] == [
        (0, "base"),
        (4, "tuned"),
        (8, "tuned"),
        (12, "tuned"),
    ]
    assert [(one.index, one.prompt, one.expected) for one in found[-2:]] == [
        (0, "The capital of France?", "Paris, of course!"),
        (1, "The capital of Italy?", "Rome, of course!"),
    ]
    scores = payloads(run, Forgetting)
    assert [one.step for one in scores] == [0, 4, 8, 12]
    assert {one.base_loss for one in scores} == {scores[0].loss}
    order_of = [event.type for event in events(run) if event.type in {"step", "sampled", "evaluation"}]
    assert order_of[:3] == ["step", "sampled", "sampled"]  # the first step does not wait for the base
    quiet = run_of(
        tmp_path / "quiet", tiny, training=ASKING["training"], evaluation={"max_rows": 0}, **hardware
    )
    assert trained(quiet).state == "succeeded"
    assert losses(run) == losses(quiet)
    assert adapter_bytes(run) == adapter_bytes(quiet)


def test_answers_can_be_asked_for_in_a_run_that_asks_nothing(tiny: Tiny, tmp_path: Path) -> None:
    run = run_of(
        tmp_path / "run", tiny, training={"max_steps": 3, "warmup_steps": 1}, evaluation={"max_rows": 0}
    )
    order(run, "sample")
    assert trained(run).state == "succeeded"
    assert [(one.command, one.outcome) for one in payloads(run, CommandAnswered)] == [("sample", "done")]
    found = [(one.by, one.step, one.index) for one in payloads(run, Sampled)]
    assert found == [("base", 0, n) for n in range(3)] + [("tuned", 1, n) for n in range(3)]
    assert payloads(run, Forgetting) == []


def test_a_model_that_forgets_is_told_once_over_all_attempts(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [tuple(turn["content"] for turn in row["messages"]) for row in KNOWN]
    monkeypatch.setattr("trainers.questions.GENERAL", known)  # all that the tiny base knows of the world
    wild = {"learning_rate": 0.01, "num_epochs": 20, "max_steps": 8, "warmup_steps": 1}
    run = run_of(
        tmp_path / "run",
        tiny,
        training={**wild, "lr_scheduler_type": "constant"},
        evaluation={"every_steps": 2, "forgetting": 0.1},
        checkpoints={"every_steps": 4},
    )
    assert trained(run).state == "succeeded"
    told = [one.facts for one in payloads(run, Warned) if one.code == "forgotten"]
    scores = payloads(run, Forgetting)
    first = next(one for one in scores if one.loss > 1.1 * one.base_loss)
    assert [one["step"] for one in told] == [first.step]
    assert told[0]["percent"] == round(100 * (first.loss / first.base_loss - 1))
    (run.checkpoints / "step-8" / "manifest.json").unlink()
    assert trained(run, 2).state == "succeeded"
    assert payloads(run, Resumed)[0].from_step == 4
    assert [one.step for one in payloads(run, Forgetting)] == [0, 2, 4, 6, 8, 6, 8]
    again = payloads(run, Forgetting)[-2:]
    assert [(one.loss, one.base_loss) for one in again] == [(one.loss, one.base_loss) for one in scores[-2:]]
    assert len([one for one in payloads(run, Warned) if one.code == "forgotten"]) == 1


def test_an_engine_that_cannot_answer_costs_no_run(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object) -> None:
        raise RuntimeError("no room for keys\nand values")

    monkeypatch.setattr(PeftEngine, "answer", break_off)
    run = run_of(tmp_path / "run", tiny, **ASKING)
    assert trained(run).state == "succeeded"
    assert [(one.code, one.facts) for one in payloads(run, Warned)] == [
        ("samples_failed", {"detail": "RuntimeError: no room for keys"})
    ]
    assert payloads(run, Sampled) == []
    assert len(payloads(run, Evaluated)) == 3


def test_the_questions_are_those_of_the_recipe_or_of_the_first_rows_that_fit(
    tiny: Tiny, tmp_path: Path
) -> None:
    renderer = Renderer.load(tiny.model)
    known = train_recipe(tiny, samples={"prompts": ("Hello, you!", "Who?")})
    assert [one.text for one in questions_of(known, renderer)] == ["Hello, you!", "Who?"]
    expected = renderer.prompt(conversation("Who?", "")[:1]).ids
    assert questions_of(known, renderer)[1].ids == tuple(expected)
    rows = [
        {"messages": conversation("Rome? " * 200, "Too long to be asked.")},
        {"messages": [{"role": "user", "content": "Nobody answers."}]},
        {"messages": [*conversation("One?", "1"), *conversation("Two?", "2")]},
    ]
    training = {"max_seq_length": 256}
    few = Tiny(tiny.model, write_dataset(tmp_path / "few", HELD_OUT, rows))
    asked = questions_of(train_recipe(few, training=training, samples={"count": 2}), renderer)
    assert [(one.text, one.expected) for one in asked] == [
        ("Two?", "2"),
        (f"The capital of {next(iter(CAPITALS))}?", "Paris, of course!"),  # too few are held out
    ]
    assert asked[0].ids == tuple(renderer.prompt(rows[2]["messages"][:3]).ids)


def test_plain_texts_are_continued_and_judged_answers_expected(tiny: Tiny, tmp_path: Path) -> None:
    renderer = Renderer.load(tiny.model)

    def first(method: str, row: dict[str, Any]) -> tuple[str, str]:
        data = Tiny(tiny.model, write_dataset(tmp_path / method, [row], [row]))
        made = train_recipe(data).model_copy(update={"method": method})
        (one, _) = questions_of(
            made.model_copy(update={"samples": made.samples.model_copy(update={"count": 2})}), renderer
        )
        return one.text, one.expected

    text = "Rome, of course, is the capital of Italy! " * 20
    beginning, rest = first("pretrain", {"text": text})
    assert text == beginning + rest
    assert beginning
    asked, good, bad = (
        conversation("Italy?", "")[:1],
        {"role": "assistant", "content": "Rome"},
        {"role": "assistant", "content": "Oslo"},
    )
    assert first("dpo", {"messages": asked, "chosen": [good], "rejected": [bad]}) == ("Italy?", "Rome")
    assert first("kto", {"messages": [*asked, bad], "label": False}) == ("Italy?", "")


def test_everyday_questions_are_many_short_and_all_learned_from(tiny: Tiny) -> None:
    assert 30 <= len(GENERAL) == len({question for question, _ in GENERAL})
    renderer = Renderer.load(tiny.model)
    assert len(general_examples(train_recipe(tiny), renderer)) == len(GENERAL)
    assert max(len(answer) for _, answer in GENERAL) < 120


def test_long_and_broken_texts_fit_into_an_event() -> None:
    assert cut("x" * 5000) == "x" * (MOST_CHARACTERS - 1) + "…"
    assert cut("half \ud800 a pair") == "half ? a pair"
