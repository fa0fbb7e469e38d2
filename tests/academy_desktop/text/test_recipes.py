from __future__ import annotations

import ast
import gettext
import inspect
from pathlib import Path

import pytest

from academy_desktop.core import judge, recipe_problems, recipes
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipe_problems import Problem
from academy_desktop.core.recipes import Recipes
from academy_desktop.text.messages import Messages
from academy_desktop.text.recipes import PROBLEMS
from trainers.errors import ErrorCode, Fact

MESSAGES = Messages(gettext.NullTranslations())
MODEL_AND_DATASET = f"""\
model: {{id: tiny, path: /nowhere}}
dataset: {{id: replies, path: /nowhere, sha256: {"f" * 64}}}
"""


def problems(tmp_path: Path, text: str) -> tuple[Problem, ...]:
    data = DataDir(tmp_path / "data").open()
    (tmp_path / "recipe.yaml").write_text(text, "utf-8")
    checker = Recipes(tmp_path, Library(data.datasets), Models(data, tmp_path / "no-hub"))
    return checker.check(tmp_path / "recipe.yaml")


def said(tmp_path: Path, text: str) -> list[str]:
    return [MESSAGES.problem(problem.code, problem.facts) for problem in problems(tmp_path, text)]


SENTENCES = {
    "training: {lerning_rate: 1}": "“training.lerning_rate” is not a key of a recipe; "
    "did you mean “learning_rate”?",
    "purple: blue": "“purple” is not a key of a recipe.",
    "training: {learning_rate: 5}": "“training.learning_rate” is 5, but must be at most 0.01.",
    "training: {learning_rate: 0.0}": "“training.learning_rate” is 0, but must be more than 0.",
    "training: {seed: 4294967296}": "“training.seed” is 4,294,967,296, but must be less than 4,294,967,296.",
    "lora: {rank: 2}": "“lora.rank” is 2, but must be at least 4.",
    "hardware: {device: gpu}": "“hardware.device” cannot be “gpu”: it must be 'auto', 'cpu' or 'cuda'.",
    "lora: {rank: wide}": "“lora.rank” cannot be “wide”: "
    "Input should be a valid integer, unable to parse string as an integer.",
    "lora: {rank: }": "“lora.rank” cannot be “nothing”: Input should be a valid integer.",
    "lora: {target_modules: 5}": "“lora.target_modules” cannot be “5”: "
    "Layers that get an adapter: all-linear, or a list of layer names.",
    "hardware: {device: cpu, precision: fp16}": "Two values do not go together: "
    "hardware.precision: fp16 needs a GPU; use bf16, fp32 or auto on the CPU.",
}


@pytest.mark.parametrize(("text", "sentence"), SENTENCES.items(), ids=SENTENCES)
def test_a_hobbyist_reads_what_is_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    assert said(tmp_path, f"{MODEL_AND_DATASET}{text}\n") == [sentence]


def test_what_is_missing_or_unreadable_is_said(tmp_path: Path) -> None:
    assert said(tmp_path, "version: 1") == ["“model” is missing.", "“dataset” is missing."]
    assert said(tmp_path, "") == ["This line cannot be read as YAML: the file has no keys."]
    (sentence,) = said(tmp_path, "a: [1")
    assert sentence.startswith("This line cannot be read as YAML: ")


def test_places_that_are_wrong_are_said_with_a_next_step(tmp_path: Path) -> None:
    model, dataset = said(tmp_path, MODEL_AND_DATASET)
    assert model.startswith("No model here is called “/nowhere”.")
    assert "academy models" in model
    assert dataset.startswith("No dataset here is called “replies”.")
    assert "academy data list" in dataset
    relative, _ = said(tmp_path, MODEL_AND_DATASET.replace("path: /nowhere}\nd", "path: tiny}\nd"))
    assert relative == "“tiny” is not a whole path: a recipe names folders from the root."


def test_every_code_that_a_check_gives_has_words() -> None:
    codes = set()
    for module in (recipes, recipe_problems, judge):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            match node:
                case ast.Call(func=ast.Name(id="Problem"), args=[_, _, ast.Constant(value=str(code)), *_]):
                    codes.add(code)
                case ast.Call(func=ast.Name(id="Misfit"), args=[_, ast.Constant(value=str(code)), *_]):
                    codes.add(code)
    assert codes >= {"unknown_key", "missing_key", "out_of_range", "wrong_value", "contradiction", "not_yaml"}
    sides = {f"out_of_range_{side}" for side in ("gt", "ge", "lt", "le")}
    assert (codes - {"out_of_range"}) | sides == set(PROBLEMS)
    assert not set(PROBLEMS) & set(ErrorCode)


HOSTILE = "{key} [x|y]\nsecond line \x1b[2J"


@pytest.mark.parametrize("code", [*PROBLEMS, *ErrorCode, "from_the_future"])
def test_every_problem_is_a_sentence_whatever_the_facts(code: str) -> None:
    names = ("key", "value", "bound", "nearest", "expected", "detail", "path")
    cases: list[dict[str, Fact]] = [{}, dict.fromkeys(names), dict.fromkeys(names, HOSTILE)]
    for facts in cases:
        sentence = MESSAGES.problem(code, facts)
        assert sentence.endswith((".", "?"))
        assert "\n" not in sentence
        assert "\x1b" not in sentence
