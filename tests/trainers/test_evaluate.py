from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trainers.exporting.making import export, refusal
from tests.trainers.tiny_model import (
    HELD_OUT,
    Tiny,
    events,
    order,
    payloads,
    train_recipe,
    write_dataset,
    write_run,
)
from trainers.__main__ import work
from trainers.errors import ErrorCode
from trainers.evaluate import normalized, run_evaluate
from trainers.evaluation import Evaluation
from trainers.events import Answered, Ended, Payload
from trainers.exporting.reference import TransformersModel
from trainers.layout import RunDir
from trainers.recipe import EvaluateRecipe
from trainers.rendering import Renderer
from trainers.session import run_job

GGUF = "gguf-f16.gguf"


def recipe_for(parent: RunDir, *targets: str, rows: int = 12, max_new_tokens: int = 10) -> EvaluateRecipe:
    return EvaluateRecipe(
        parent="parent",
        parent_dir=str(parent.path),
        targets=targets,
        rows=rows,
        max_new_tokens=max_new_tokens,
    )


def evaluate(parent: RunDir, *targets: str, rows: int = 12, max_new_tokens: int = 10) -> Evaluation:
    recipe = recipe_for(parent, *targets, rows=rows, max_new_tokens=max_new_tokens)
    run = write_run(parent.path.with_name(f"evaluation-{'-'.join(targets)}"), recipe)
    run_evaluate(recipe, run.path, lambda _: None, lambda: False)
    return Evaluation.model_validate_json(run.evaluation.read_bytes())


def test_base_trained_model_and_export_answer_the_same_rows(tiny: Tiny, parent: RunDir) -> None:
    export(parent, ("gguf", "f16"))
    found = evaluate(parent, "base", "tuned", GGUF)
    assert [(row.row, row.prompt, row.expected) for row in found.rows] == [
        (row["id"], row["messages"][0]["content"], row["messages"][1]["content"]) for row in HELD_OUT
    ]
    model = TransformersModel.load(tiny.model, parent.adapter)
    renderer = Renderer.load(tiny.model)
    prompts = [model.prompt_ids(row["messages"][:1]) for row in HELD_OUT]
    tuned = [renderer.decode(answer.ids) for answer in model.generate(prompts, 10)]
    with model.without_adapter():
        base = [renderer.decode(answer.ids) for answer in model.generate(prompts, 10)]
    assert [row.answers["tuned"] for row in found.rows] == tuned
    assert [row.answers[GGUF] for row in found.rows] == tuned
    assert [row.answers["base"] for row in found.rows] == base
    assert base != tuned
    right = sum(row.answers["tuned"] == row.expected for row in found.rows)
    assert right > 6
    assert found.targets["tuned"].exact_match == found.targets[GGUF].exact_match == right / 12
    assert found.targets["base"].exact_match == 0.0
    assert {name: score.rows for name, score in found.targets.items()} == {"base": 12, "tuned": 12, GGUF: 12}
    assert found.targets["tuned"].end_of_turn_rate == found.targets[GGUF].end_of_turn_rate == 1.0


def test_an_answer_is_greedy_whatever_the_model_s_folder_recommends(
    tiny: Tiny, parent: RunDir, tmp_path: Path
) -> None:
    """Many models ask for a penalty on repetitions, which no GGUF file knows of."""
    folder = Path(shutil.copytree(tiny.model, tmp_path / "model"))
    advice = {"do_sample": True, "temperature": 2.0, "repetition_penalty": 3.0, "no_repeat_ngram_size": 1}
    (folder / "generation_config.json").write_text(json.dumps(advice), "utf-8")
    plain, advised = (TransformersModel.load(model, parent.adapter) for model in (tiny.model, folder))
    prompts = [plain.prompt_ids(row["messages"][:1]) * 3 for row in HELD_OUT[:4]]
    assert advised.generate(prompts, 20) == plain.generate(prompts, 20)


def test_the_order_of_the_targets_does_not_matter(parent: RunDir) -> None:
    one, other = evaluate(parent, "base", "tuned", rows=4), evaluate(parent, "tuned", "base", rows=4)
    assert one.rows == other.rows
    assert len(one.rows) == 4


def test_answers_that_are_cut_count_as_such_for_every_target(parent: RunDir) -> None:
    export(parent, ("gguf", "f16"))
    found = evaluate(parent, "tuned", GGUF, rows=4, max_new_tokens=3)
    assert {name: score.end_of_turn_rate for name, score in found.targets.items()} == {
        "tuned": 0.0,
        GGUF: 0.0,
    }
    assert found.targets["tuned"].exact_match == 0.0


@pytest.mark.parametrize(
    ("text", "same"), [(" Paris,\n of  course! ", True), ("paris, of course!", False), ("", False)]
)
def test_only_white_space_does_not_count(text: str, same: bool) -> None:
    assert (normalized(text) == normalized("Paris, of course!")) is same


def test_an_evaluation_job_says_what_it_does(parent: RunDir) -> None:
    export(parent, ("gguf", "f16"))
    run = write_run(parent.path.with_name("job"), recipe_for(parent, "tuned", GGUF, rows=3))
    assert run_job(run.path, 1, work) == 0
    said = [getattr(event.payload, "name", event.type) for event in events(run)]
    assert [one for one in said if one != "progress"] == [
        *["loading", "evaluating", "answered"] * 2, "ended",
    ]  # fmt: skip
    assert [(one.target, one.rows) for one in payloads(run, Answered)] == [("tuned", 3), (GGUF, 3)]
    assert [one.state for one in payloads(run, Ended)] == ["succeeded"]
    assert run.evaluation.is_file()


def test_a_stopped_evaluation_leaves_no_result(parent: RunDir) -> None:
    run = write_run(parent.path.with_name("job"), recipe_for(parent, "base", "tuned"))
    order(run, "stop")
    assert run_job(run.path, 1, work) == 0
    assert [(one.state, one.reason) for one in payloads(run, Ended)] == [("stopped", "user")]
    assert not run.evaluation.exists()


def test_an_evaluation_can_be_cancelled_between_and_within_targets(parent: RunDir) -> None:
    recipe = recipe_for(parent, "base", "tuned", rows=3)
    run = write_run(parent.path.with_name("job"), recipe)
    for moment in range(6):
        looks = iter(range(10**6))
        said: list[Payload] = []
        run_evaluate(recipe, run.path, said.append, lambda: next(looks) >= moment)  # noqa: B023
        assert len([one for one in said if isinstance(one, Answered)]) < 2
        assert not run.evaluation.exists()


@pytest.mark.parametrize(
    ("targets", "facts"),
    [
        (("base", "gguf-q8_0.gguf"), {"export": "gguf-q8_0.gguf", "known": f"adapter, {GGUF}"}),
        (("adapter",), {"export": "adapter", "known": "gguf"}),
    ],
)
def test_what_cannot_be_asked_is_told_before_anything_is_loaded(
    parent: RunDir, targets: tuple[str, ...], facts: dict[str, str]
) -> None:
    export(parent, ("gguf", "f16"), ("adapter", "f16"))
    said: list[Payload] = []
    recipe = recipe_for(parent, *targets)
    run = write_run(parent.path.with_name("job"), recipe)
    with refusal(ErrorCode.EXPORT_UNKNOWN) as told:
        run_evaluate(recipe, run.path, said.append, lambda: False)
    assert told == facts
    assert said == []


def damage(path: Path) -> None:
    path.write_bytes(b"GGUF" + b"\xff" * 100)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("harm", "code"), [(damage, ErrorCode.LLAMA_CPP_FAILED), (remove, ErrorCode.EXPORT_UNKNOWN)]
)
def test_a_damaged_file_fails_the_job_and_crashes_nothing(
    parent: RunDir, harm: Callable[[Path], None], code: ErrorCode
) -> None:
    [path] = export(parent, ("gguf", "f16"))
    harm(path)
    run = write_run(parent.path.with_name("job"), recipe_for(parent, GGUF))
    assert run_job(run.path, 1, work) == 1
    [ended] = payloads(run, Ended)
    assert (ended.state, ended.reason) == ("failed", code)
    assert not run.evaluation.exists()


def test_rows_without_an_answer_are_not_asked(tiny: Tiny, parent: RunDir, tmp_path: Path) -> None:
    rows = [
        {"messages": [{"role": "user", "content": "Nobody answers."}]},
        {"messages": [*HELD_OUT[0]["messages"], {"role": "user", "content": "And?"}]},
    ]
    some = Tiny(tiny.model, write_dataset(tmp_path / "some", held_out=rows))
    shutil.rmtree(parent.commands)
    write_run(parent.path, train_recipe(some))
    found = evaluate(parent, "tuned")
    assert [(row.row, row.expected) for row in found.rows] == [(2, "Paris, of course!")]
    none = Tiny(tiny.model, write_dataset(tmp_path / "none", held_out=rows[:1]))
    shutil.rmtree(parent.commands)
    write_run(parent.path, train_recipe(none))
    with refusal(ErrorCode.NO_HELD_OUT_ROWS):
        evaluate(parent, "base")
