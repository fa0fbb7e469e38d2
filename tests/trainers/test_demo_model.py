from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders

from tests.trainers.exporting.making import refusal
from tests.trainers.tiny_model import CHATML, write_tokenizer
from trainers import demo_model
from trainers.errors import ErrorCode
from trainers.exporting.gguf_tokenizer import pre_tokenizer_name
from trainers.exporting.gguf_vocabulary import Vocabulary
from trainers.rendering import Renderer


@pytest.mark.parametrize("content", [b"", b"GGUF", b"x" * 1000])
def test_a_file_that_is_not_the_demo_model_is_refused_before_it_is_read(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    seen: list[tuple[int, int, str]] = []
    with refusal(ErrorCode.MODEL_DAMAGED) as facts:
        demo_model.convert(tmp_path / "model.gguf", tmp_path / "made", lambda *step: seen.append(step))
    assert facts == {"path": str(tmp_path / "model.gguf"), "detail": "sha256"}
    assert seen == [(0, 4, "checking")]
    assert not (tmp_path / "made").exists()


@pytest.fixture
def rebuilt(tmp_path: Path) -> Path:
    """A tokenizer with the wrong trimmings that transformers gives one from a GGUF file."""
    write_tokenizer(tmp_path)
    path = tmp_path / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.save(str(path))
    raw = json.loads(path.read_text("utf-8"))
    raw["model"]["byte_fallback"] = True
    raw["pre_tokenizer"] = {
        "type": "ByteLevel",
        "add_prefix_space": True,
        "trim_offsets": True,
        "use_regex": True,
    }
    path.write_text(json.dumps(raw), "utf-8")
    settings = {"eos_token": "<|im_start|>", "bos_token": "<|im_start|>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    (tmp_path / "chat_template.jinja").write_text(CHATML, "utf-8")
    return tmp_path


def test_the_mended_tokenizer_ends_turns_and_can_be_exported(rebuilt: Path) -> None:
    before = Tokenizer.from_file(str(rebuilt / "tokenizer.json")).get_vocab()
    demo_model._mend_tokenizer(rebuilt)
    renderer = Renderer.load(rebuilt)
    assert renderer.special_tokens["eos_token"] == renderer.special_tokens["pad_token"] == "<|im_end|>"
    assert renderer.end_of_turn_ids == {before["<|im_end|>"]}
    assert Tokenizer.from_file(str(rebuilt / "tokenizer.json")).get_vocab() == before
    text = "Rome, 123 of course! naïve 🗼"
    assert renderer.decode(renderer.encode(text)) == text
    assert len(renderer.encode("123")) == 3
    raw = json.loads((rebuilt / "tokenizer.json").read_text("utf-8"))
    assert pre_tokenizer_name(raw) == "smollm"
    assert Vocabulary.load(rebuilt, len(before)).special_ids["eos"] == before["<|im_end|>"]


def test_a_tokenizer_that_is_not_the_demo_model_s_is_refused(rebuilt: Path) -> None:
    demo_model._mend_tokenizer(rebuilt)
    with refusal(ErrorCode.MODEL_DAMAGED) as facts:
        demo_model._check_tokenizer(rebuilt)
    assert facts["detail"].startswith("tokenizer: ")
