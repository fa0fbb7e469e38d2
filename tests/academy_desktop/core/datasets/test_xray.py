from __future__ import annotations

import pytest

from academy_desktop.core.datasets.library import Row
from academy_desktop.core.datasets.xray import audit, lengths, preview
from trainers.rendering import Renderer


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    from tests.trainers.tiny_model import write_tokenizer  # brings torch

    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return Renderer.load(folder)


def row(number: int, *turns: tuple[str, str]) -> Row:
    return Row(number, "made.jsonl", number, [{"role": role, "content": text} for role, text in turns])


TALK = row(
    1, ("user", "Capital of France?"), ("assistant", "Paris."), ("user", "And?"), ("assistant", "Rome.")
)


def test_a_preview_parts_the_text_into_trained_and_read(renderer: Renderer) -> None:
    shown = preview(renderer, TALK)
    parts = [shown.text[one.start : one.end] for one in shown.stretches]
    assert "".join(parts) == shown.text
    trained = [shown.text[one.start : one.end] for one in shown.stretches if one.trained]
    assert trained == ["Paris.<|im_end|>", "Rome.<|im_end|>"]


def test_a_preview_counts_what_training_would_learn(renderer: Renderer) -> None:
    rendered = renderer.render(TALK.messages)
    shown = preview(renderer, TALK)
    assert (shown.tokens, shown.supervised_tokens) == (len(rendered.ids), rendered.supervised_tokens)


def test_a_clean_set_has_no_problems(renderer: Renderer) -> None:
    found = audit(renderer, [TALK], 512)
    assert (found.rows, found.problems) == (1, ())
    assert found.supervised_tokens == renderer.render(TALK.messages).supervised_tokens


def test_every_defect_is_named_with_its_row(renderer: Renderer) -> None:
    rows = [
        TALK,
        row(2, ("user", "x " * 600), ("assistant", "lost")),
        row(3, ("user", "Only a question")),
    ]
    found = audit(renderer, rows, 256)
    assert [(one.row, one.code) for one in found.problems] == [
        (2, "answer_truncated"),
        (2, "nothing_supervised"),
        (3, "nothing_supervised"),
        (3, "no_assistant_turn"),
    ]
    assert (found.truncated, found.zero_label) == (1, 2)


def test_progress_is_told_row_by_row(renderer: Renderer) -> None:
    told: list[int] = []
    audit(renderer, [TALK, TALK], 512, told.append)
    lengths(renderer, [TALK, TALK], told.append)
    assert told == [1, 2, 1, 2]


def test_lengths_are_those_of_the_rendered_rows(renderer: Renderer) -> None:
    short = row(2, ("user", "Hi"), ("assistant", "Hi."))
    long = row(3, ("user", "much " * 60), ("assistant", "Hi."))
    tokens = sorted(len(renderer.render(one.messages).ids) for one in (TALK, short, long))
    found = lengths(renderer, [TALK, short, long])
    assert (found.count, found.p50, found.longest) == (3, tokens[1], tokens[2])
    assert found.mean == pytest.approx(sum(tokens) / 3)
    assert sum(found.histogram.values()) == 3
    assert all(start % 64 == 0 for start in found.histogram)


def test_lengths_of_nothing_are_refused(renderer: Renderer) -> None:
    with pytest.raises(ValueError, match="no rows"):
        lengths(renderer, [])
