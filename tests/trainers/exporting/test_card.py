from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainers.exporting.making import certify, export
from tests.trainers.tiny_model import Tiny
from trainers.exporting.card import license_of
from trainers.exporting.record import card_path
from trainers.layout import RunDir


def test_a_card_says_what_a_model_hub_asks_for(parent: RunDir, tiny: Tiny) -> None:
    [path] = export(parent, ("merged", "f16"))
    card = card_path(path).read_text("utf-8")
    assert card.startswith("---\nbase_model: tied\nlicense: unknown\n---\n")
    for said in ("| Dataset | capitals-00000000 |", "| training.learning_rate | 0.002 |", "nats per token"):
        assert said in card
    assert "| Compared with the trained model | not yet |" in card
    assert str(tiny.model.parent) not in card


def test_a_proof_enters_the_card(parent: RunDir) -> None:
    [path] = export(parent, ("gguf", "q8_0"))
    verdict = certify(parent, path.name)[path.name]
    card = card_path(path).read_text("utf-8")
    assert "| Behaves like the trained model | yes |" in card
    assert f"| Perplexity | {verdict.perplexity:.4g} |" in card


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("README.md", "---\ntags: x\nlicense: apache-2.0\n---\n# A", "apache-2.0"),
        ("README.md", "# no head, license: mit", ""),
        ("LICENSE", "\nGemma Terms of Use\nmore", "Gemma Terms of Use"),
        ("LICENSE.txt", "", ""),
    ],
)
def test_the_licence_is_read_from_the_base_model_s_folder(
    tmp_path: Path, file: str, content: str, expected: str
) -> None:
    (tmp_path / file).write_text(content, "utf-8")
    assert license_of(tmp_path) == expected
