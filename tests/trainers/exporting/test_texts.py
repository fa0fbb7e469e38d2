"""A run that learned plain texts is exported, proven and asked as any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainers.exporting.making import certify, export
from tests.trainers.test_evaluate import evaluate
from tests.trainers.test_methods import TEXTS, recipe_of
from tests.trainers.tiny_model import Tiny, write_dataset, write_run
from trainers.__main__ import work
from trainers.exporting.comparison import TEXT_TOKENS, Question
from trainers.exporting.parent import HeldOutRow, Parent
from trainers.layout import RunDir
from trainers.recipe import ExportItem
from trainers.rendering import Renderer
from trainers.session import run_job


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    root = tmp_path_factory.mktemp("texts")
    short = {"id": 99, "text": "Lima"}
    data = Tiny(tiny.model, write_dataset(root / "rows", TEXTS, [short, *TEXTS[:6]]))
    training = {"max_steps": 6, "num_epochs": 6, "warmup_steps": 1, "max_seq_length": 256}
    made = write_run(root / "parent", recipe_of(data, "pretrain", training=training))
    assert run_job(made.path, 1, work) == 0
    return made


def test_its_exports_are_proven_to_go_on_as_the_trained_model_does(run: RunDir) -> None:
    weighed = ExportItem(format="gguf", quant="q6_k", importance=True)
    paths = export(run, ("gguf", "f16"), ("lora-gguf", "f16"), weighed)
    assert all(path.is_file() for path in paths)
    for name, verdict in certify(run, *(path.name for path in paths), rows=4).items():
        assert verdict.passed, (name, [check for check in verdict.checks if not check.passed])
        assert verdict.rows == 4
    modelfile = (run.exports / "gguf-f16.gguf.Modelfile").read_text("utf-8")
    assert "SYSTEM" not in modelfile


def test_each_text_is_continued_from_its_middle(run: RunDir) -> None:
    found = evaluate(run, "tuned", "gguf-f16.gguf", rows=3)
    assert [row.row for row in found.rows] == [1, 2, 3]  # the single word gives nothing to go on with
    for row, text in zip(found.rows, TEXTS, strict=False):
        assert row.prompt + row.expected == text["text"]
        assert row.answers["tuned"] == row.answers["gguf-f16.gguf"] != ""


def test_the_whole_of_a_text_is_scored_as_far_as_it_is_looked_at(tiny: Tiny) -> None:
    renderer = Renderer.load(tiny.model)
    row = HeldOutRow(1, (), "Lima, of course, is the capital of Peru! " * 200)
    question = Question.ask(renderer, row)
    assert question.ids == tuple(renderer.encode(row.text))[:TEXT_TOKENS]
    assert question.targets == question.ids[1:]
    assert len(question.positions) == len(question.targets)


def test_a_system_prompt_is_none_of_them(run: RunDir) -> None:
    assert Parent.open(run.job, Path(run.path)).system_prompt() == ""
