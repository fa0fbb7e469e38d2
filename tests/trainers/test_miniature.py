from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.trainers.exporting.families import KINDS, write_random
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.gguf_model import GgufModel
from trainers.exporting.reference import TransformersModel
from trainers.miniature import KNOWN, TEXT_FILES, make_miniature
from trainers.rendering import Renderer


def told(_done: int, _total: int, _detail: str) -> None:
    """Nobody listens."""


@pytest.mark.parametrize(("kind", "layers"), [("llama3", 2), ("qwen3-wide-heads", 2), ("gemma3", 6)])
def test_a_miniature_has_the_model_s_format_and_few_layers(tmp_path: Path, kind: str, layers: int) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    write_random(large, KINDS[kind])
    found = make_miniature(large, small, told)
    assert found["layers"] == layers
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (large, small))
    assert (after["architectures"], after["vocab_size"]) == (before["architectures"], before["vocab_size"])
    assert after.get("rope_parameters") == before.get("rope_parameters")
    assert (
        GgufModel("small", small, None, "f16").arch_name == GgufModel("large", large, None, "f16").arch_name
    )
    for name in TEXT_FILES:
        assert (large / name).is_file() == (small / name).is_file()
        assert not (large / name).is_file() or (large / name).read_bytes() == (small / name).read_bytes()


def test_what_a_miniature_says_ends_by_itself(tiny_model_dir: Path, tmp_path: Path) -> None:
    make_miniature(tiny_model_dir, tmp_path / "small", told)
    renderer = Renderer.load(tmp_path / "small")
    model = TransformersModel.load(tmp_path / "small", None)
    asked = [renderer.prompt([{"role": "user", "content": question}]).ids for question, _ in KNOWN[:4]]
    answers = model.generate(asked, 40)
    assert all(answer.ended for answer in answers)


def test_two_miniatures_of_a_model_are_the_same(tiny_model_dir: Path, tmp_path: Path) -> None:
    weights = []
    for name in ("one", "other"):
        make_miniature(tiny_model_dir, tmp_path / name, told)
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_a_model_that_nobody_knows_gets_a_sentence(tiny_model_dir: Path, tmp_path: Path) -> None:
    config = tmp_path / "strange" / "config.json"
    config.parent.mkdir()
    for name in TEXT_FILES:
        if (tiny_model_dir / name).is_file():
            (config.parent / name).write_bytes((tiny_model_dir / name).read_bytes())
    config.write_text('{"model_type": "nothing-known", "architectures": ["Nothing"]}')
    with pytest.raises(AcademyError) as error:
        make_miniature(config.parent, tmp_path / "small", told)
    assert error.value.code is ErrorCode.MINIATURE_FAILED


@pytest.fixture(scope="module")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model of two layers that was taught nothing."""
    from tests.trainers.tiny_model import write_model

    return write_model(tmp_path_factory.mktemp("models") / "tiny", lessons=0)
