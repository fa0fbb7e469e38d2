from __future__ import annotations

from pathlib import Path

import pytest

from academy_desktop.core.datasets.xray import Preview, preview
from tests.trainers.defective import CHATML, write_model
from trainers.rendering import IGNORED, Renderer

TALK = [
    {"role": "user", "content": "Capital of France?"},
    {"role": "assistant", "content": "Paris."},
    {"role": "user", "content": "And?"},
    {"role": "assistant", "content": "Rome."},
]


@pytest.fixture
def renderer(tmp_path: Path) -> Renderer:
    return Renderer.load(write_model(tmp_path / "model", CHATML))


def texts(shown: Preview, *, trained: bool) -> list[str]:
    return [shown.text[one.start : one.end] for one in shown.stretches if one.trained is trained]


def test_a_preview_parts_the_text_into_trained_and_read(renderer: Renderer) -> None:
    shown = preview(renderer, TALK)
    assert "".join(shown.text[one.start : one.end] for one in shown.stretches) == shown.text
    assert texts(shown, trained=True) == ["Paris.<|im_end|>", "Rome.<|im_end|>"]
    assert texts(shown, trained=False)[0].startswith("<|im_start|>user")


def test_a_preview_has_the_tokens_that_training_has(renderer: Renderer) -> None:
    rendered, shown = renderer.render(TALK), preview(renderer, TALK)
    assert [one.id for one in shown.tokens] == rendered.ids
    assert [one.trained for one in shown.tokens] == [label != IGNORED for label in rendered.labels]
    assert "".join(shown.text[one.start : one.end] for one in shown.tokens) == shown.text
    assert shown.supervised_tokens == sum(one.trained for one in shown.tokens)
