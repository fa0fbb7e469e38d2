from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from academy_desktop.core import samples
from academy_desktop.core.datasets.library import Library

FOLDER = Path(__file__).parents[3] / "resources" / "samples"


def test_the_checked_in_rows_are_those_of_the_default_seed() -> None:
    drawn = samples.generate()
    assert (FOLDER / "requests.jsonl").read_bytes() == samples.as_json_lines(drawn.train)
    assert (FOLDER / "requests-held-out.jsonl").read_bytes() == samples.as_json_lines(drawn.eval)
    assert len(drawn.train) >= 200


@pytest.mark.parametrize("seed", [0, 1, 2, 3407, 99991])
def test_held_out_rows_are_unseen_but_their_words_are_not(seed: int) -> None:
    drawn = samples.generate(seed)
    assert (len(drawn.train), len(drawn.eval)) == (samples.TRAIN_ROWS, samples.EVAL_ROWS)
    assert not {row.request for row in drawn.train} & {row.request for row in drawn.eval}
    assert not {row.command for row in drawn.train} & {row.command for row in drawn.eval}
    commands = [row.command for row in (*drawn.train, *drawn.eval)]
    assert len(set(commands)) == len(commands)
    learnt = {word for row in drawn.train for word in row.command.split()}
    words = {word for row in drawn.eval for word in row.command.split()}
    assert all(word[0].isdigit() for word in words - learnt)


@pytest.mark.parametrize("seed", [0, 3407])
def test_every_verb_is_taught_and_tested(seed: int) -> None:
    drawn = samples.generate(seed)
    for rows, least in ((drawn.train, 20), (drawn.eval, 4)):
        verbs = [row.command.split()[0] for row in rows]
        assert all(verbs.count(verb) >= least for verb in set(verbs))
        assert len(set(verbs)) == 9


def test_another_seed_draws_other_rows() -> None:
    assert samples.generate(1) == samples.generate(1)
    assert set(samples.generate(1).train) != set(samples.generate(2).train)


def test_rows_are_short() -> None:
    for row in samples.generate().train:
        assert len(row.request.split()) <= 12
        assert len(row.command.split()) <= 3


def test_more_rows_than_the_language_has_are_refused() -> None:
    with pytest.raises(ValueError, match="only"):
        samples.generate(1, 5000, 50)
    with pytest.raises(ValueError, match="at least one"):
        samples.generate(1, 10, 0)


def test_commands_are_read_back_as_written() -> None:
    drawn = samples.generate()
    for row in (*drawn.train, *drawn.eval):
        command = samples.parse(row.command)
        assert command is not None
        assert samples.parse(str(command)) == command


@pytest.mark.parametrize("answer", ["lux kitchen +", " LUX   Kitchen\n+ "])
def test_spacing_and_letter_case_do_not_matter(answer: str) -> None:
    assert samples.score(answer, "lux kitchen +")


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "lux",
        "lux kitchen -",
        "lux kitchen + +",
        "kitchen lux +",
        "lux moon +",
        "The command is: lux kitchen +",
    ],
)
def test_any_other_answer_is_wrong(answer: str) -> None:
    assert not samples.score(answer, "lux kitchen +")


def test_an_expected_text_must_be_a_command() -> None:
    with pytest.raises(ValueError, match="not a command"):
        samples.score("lux kitchen +", "hello")


@given(st.text())
def test_parsing_never_fails(text: str) -> None:
    command = samples.parse(text)
    assert command is None or samples.parse(str(command)) == command


def test_the_checked_in_rows_import_without_a_drop(tmp_path: Path) -> None:
    manifest = Library(tmp_path / "datasets").import_files(
        [FOLDER / "requests.jsonl"], "requests", eval_files=[FOLDER / "requests-held-out.jsonl"]
    )
    assert (manifest.train_rows, manifest.eval_rows, dict(manifest.dropped)) == (200, 50, {})
    first = json.loads((FOLDER / "requests.jsonl").read_text("utf-8").splitlines()[0])
    row = next(Library(tmp_path / "datasets").rows(manifest.id))
    assert row.messages == [
        {"role": "user", "content": first["instruction"]},
        {"role": "assistant", "content": first["output"]},
    ]
