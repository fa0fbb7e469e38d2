from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gguf import TokenType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from tests.trainers.exporting.making import QUIET, Gguf, refusal
from tests.trainers.exporting.tokenizers_made import RULES, SPECIALS, change, write_tokenizer_of
from tests.trainers.tiny_model import CHATML, VOCABULARY, write_model, write_tokenizer
from trainers.errors import ErrorCode
from trainers.exporting.gguf_model import GgufModel
from trainers.exporting.gguf_vocabulary import Vocabulary
from trainers.llama_client import LlamaClient
from trainers.rendering import Renderer

TEXTS = (
    "",
    " ",
    "The capital of France? Paris, of course!",
    "  two  spaces   and\ttabs\t\t \n\n  lines \r\n end  ",
    "1 22 333 4444 55555 x1y22z333 3.14 1,000,000",
    "I'm you're they'll we've he'd it's CAN'T don't 'tis",
    "naïve café 🗼 👩‍👩‍👧 漢字 العربية हिन्दी ÅÄÖ ﬁ ½ ² ٣",
    "!!! ... --- ?!? (a[b]{c}) <tag/> `code` $x_1^2$ C:\\path\\file",
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    "<|im_end|><|im_end|> <|im_end|>x<|endoftext|>",
    "<s>[INST] Hi [/INST] you</s><|user|>\n Hi<|end|>\n<|assistant|>\nyou<|end|>",
    "<start_of_turn>user\n  Hi<end_of_turn>\n\n\n    and<start_of_turn>model\n",
    "a\u00a0b\u2003c\u3000d\u200be\ufeff",
    "\x00\x01\x7f",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tokenizer(tmp_path)
    return tmp_path


def model_with(folder: Path, kind: str) -> Path:
    write_model(folder, lessons=0, hidden_size=64, intermediate_size=64)
    write_tokenizer_of(folder, kind)
    return folder


@pytest.fixture(scope="module", params=[*RULES, *SPECIALS])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tokenizer in both programs, for each splitting rule and each way with spaces that is known."""
    root = tmp_path_factory.mktemp("rules")
    folder = model_with(root / "model", request.param)
    GgufModel("rules", folder, None, "f16").write(root / "model.gguf", QUIET)
    with LlamaClient(root / "model.gguf") as client:
        expected = request.param if request.param in RULES else "default"
        assert client.metadata["tokenizer.ggml.pre"] == expected
        yield Renderer.load(folder), client, "<s>" if request.param == "first" else ""


def test_texts_become_the_same_tokens_in_llama_cpp(opened: tuple[Renderer, LlamaClient, str]) -> None:
    renderer, client, begin = opened
    for text in TEXTS:
        assert client.tokenize(begin + text) == renderer.encode(begin + text), text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=30))
def test_whatever_is_written_becomes_the_same_tokens(
    opened: tuple[Renderer, LlamaClient, str], text: str
) -> None:
    renderer, client, begin = opened
    assert client.tokenize(begin + text) == renderer.encode(begin + text)


def test_every_row_of_the_embedding_has_a_token(folder: Path) -> None:
    vocabulary = Vocabulary.load(folder, VOCABULARY)
    known = Tokenizer.from_file(str(folder / "tokenizer.json"))
    size = known.get_vocab_size()
    assert vocabulary.tokens[:size] == tuple(known.id_to_token(index) for index in range(size))
    assert vocabulary.tokens[size:] == tuple(f"[PAD{index}]" for index in range(size, VOCABULARY))
    assert vocabulary.types[:3] == (TokenType.CONTROL,) * 3
    assert set(vocabulary.types[3:size]) == {TokenType.NORMAL}
    assert set(vocabulary.types[size:]) == {TokenType.UNUSED}
    raw = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    assert [tuple(merge.split(" ")) for merge in vocabulary.merges] == [
        tuple(merge) for merge in raw["model"]["merges"]
    ]


def test_tokens_that_the_embedding_has_no_row_for_are_damage(folder: Path) -> None:
    with refusal(ErrorCode.MODEL_DAMAGED):
        Vocabulary.load(folder, 100)


def test_an_added_token_that_is_plain_text_stays_text(folder: Path) -> None:
    known = Tokenizer.from_file(str(folder / "tokenizer.json"))
    known.add_tokens(["<think>"])
    known.save(str(folder / "tokenizer.json"))
    vocabulary = Vocabulary.load(folder, VOCABULARY)
    assert vocabulary.types[vocabulary.tokens.index("<think>")] is TokenType.USER_DEFINED


def test_all_ends_of_an_answer_are_declared(folder: Path) -> None:
    (folder / "generation_config.json").write_text('{"eos_token_id": [2, 7, 9]}', "utf-8")
    ids = Vocabulary.load(folder, VOCABULARY).special_ids
    assert ids == {"bos": 1, "eos": 2, "padding": 0, "eot": 7, "eom": 9}


def test_the_end_that_the_template_writes_is_declared_beside_another_eos(folder: Path) -> None:
    change(folder, "tokenizer_config.json", eos_token="<|endoftext|>")
    ids = Vocabulary.load(folder, VOCABULARY).special_ids
    assert (ids["eos"], ids["eot"]) == (0, 2)


def test_markers_for_training_are_left_out_of_the_template(folder: Path) -> None:
    marked = CHATML.replace(
        "{{ message.content }}", "{% generation %}{{ message.content }}{%- endgeneration -%}"
    )
    change(folder, "tokenizer_config.json", chat_template=marked)
    assert Vocabulary.load(folder, VOCABULARY).chat_template == CHATML


@pytest.mark.parametrize("adds", [False, True])
def test_a_begin_token_is_declared_as_the_tokenizer_adds_it(folder: Path, adds: bool) -> None:
    known = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if adds:
        known.post_processor = processors.TemplateProcessing(
            single="<|im_start|> $A", special_tokens=[("<|im_start|>", 1)]
        )
    known.save(str(folder / "tokenizer.json"))
    assert Vocabulary.load(folder, VOCABULARY).adds_bos is adds


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pre_tokenizer": {"type": "Whitespace"}}, "Whitespace"),
        ({"pre_tokenizer": None}, "pre-tokenizer"),
        ({"decoder": None}, "decoder"),
        ({"decoder": {"type": "Fuse"}}, "Fuse"),
        ({"normalizer": {"type": "Lowercase"}}, "Lowercase"),
        (
            {
                "pre_tokenizer": {
                    "type": "ByteLevel",
                    "add_prefix_space": True,
                    "trim_offsets": True,
                    "use_regex": True,
                }
            },
            "add_prefix_space",
        ),
        (
            {
                "pre_tokenizer": {
                    "type": "Split",
                    "pattern": {"Regex": "a+"},
                    "behavior": "Isolated",
                    "invert": False,
                }
            },
            "a+",
        ),
    ],
)
def test_rules_that_llama_cpp_is_not_known_to_have_are_refused(
    folder: Path, changes: dict[str, Any], said: str
) -> None:
    change(folder, "tokenizer.json", **changes)
    with refusal(ErrorCode.TOKENIZER_UNSUPPORTED) as facts:
        Vocabulary.load(folder, VOCABULARY)
    assert said in facts["detail"]


def test_merges_that_are_skipped_by_another_rule_are_refused(folder: Path) -> None:
    raw = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    change(folder, "tokenizer.json", model=raw["model"] | {"ignore_merges": True})
    with refusal(ErrorCode.TOKENIZER_UNSUPPORTED):
        Vocabulary.load(folder, VOCABULARY)


def test_tokenizers_of_other_kinds_are_refused(folder: Path) -> None:
    other = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    other.normalizer = normalizers.NFC()
    other.pre_tokenizer = pre_tokenizers.Whitespace()
    other.save(str(folder / "tokenizer.json"))
    with refusal(ErrorCode.TOKENIZER_UNSUPPORTED) as facts:
        Vocabulary.load(folder, VOCABULARY)
    assert "WordLevel" in facts["detail"]


def test_an_older_file_s_merges_are_read_too(folder: Path) -> None:
    before = Vocabulary.load(folder, VOCABULARY)
    raw = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    joined = [" ".join(merge) for merge in raw["model"]["merges"]]
    change(folder, "tokenizer.json", model=raw["model"] | {"merges": joined})
    assert Vocabulary.load(folder, VOCABULARY) == before


def test_a_file_holds_the_vocabulary(tmp_path: Path) -> None:
    folder = model_with(tmp_path / "model", "gpt-2")
    GgufModel("v", folder, None, "f16").write(tmp_path / "v.gguf", QUIET)
    file, vocabulary = Gguf.read(tmp_path / "v.gguf"), Vocabulary.load(folder, VOCABULARY)
    assert file.value("tokenizer.ggml.tokens") == list(vocabulary.tokens)
    assert file.value("tokenizer.ggml.token_type") == [int(kind) for kind in vocabulary.types]
    assert file.value("tokenizer.ggml.merges") == list(vocabulary.merges)
    assert file.value("tokenizer.ggml.model") == "gpt2"
