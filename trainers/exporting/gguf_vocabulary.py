"""A byte-level BPE tokenizer as GGUF metadata, with the chat template and the tokens that end an answer.

llama.cpp does not read tokenizer.json: it has its own splitting rules, chosen by name. Owns the table from
the rules in tokenizer.json to that name, and refuses a tokenizer whose rules are not in it, because a wrong
name gives a file that loads and tokenises differently. Refuses to know weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGUFWriter, TokenType
from tokenizers import Tokenizer

from trainers.errors import AcademyError, ErrorCode
from trainers.rendering import Renderer

_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

#: (rules of tokenizer.json, whether whole words skip the merges) → llama.cpp's name.
#: From llama.cpp, src/llama-vocab.cpp, LLAMA_VOCAB_PRE_TYPE_*.
PRE_TOKENIZERS: dict[tuple[tuple[str, ...], bool], str] = {
    (("digits", "bytes:regex"), False): "smollm",
    (("bytes:regex",), False): "gpt-2",
    ((f"split:{_LETTERS}\\p{{N}}{_REST}", "bytes"), False): "qwen2",
    ((f"split:{_LETTERS}\\p{{N}}{{1,3}}{_REST}", "bytes"), True): "llama-bpe",
}

_GENERATION_TAG = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")


@dataclass(frozen=True)
class Vocabulary:
    """Everything about text that a GGUF file holds."""

    tokens: tuple[str, ...]
    types: tuple[TokenType, ...]
    merges: tuple[str, ...]
    pre_tokenizer: str
    chat_template: str
    special_ids: Mapping[str, int]
    adds_bos: bool

    @classmethod
    def load(cls, model_dir: Path, size: int) -> Vocabulary:
        """Read the tokenizer of a model whose embedding has `size` rows.

        Raises:
            AcademyError: `tokenizer_unsupported`, `model_damaged`, or as `Renderer.load`.
        """
        renderer = Renderer.load(model_dir)
        path = model_dir / "tokenizer.json"
        try:
            raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
            name = pre_tokenizer_name(raw)
            tokens, types = _tokens(raw, size)
            merges = tuple(_merge(entry) for entry in raw["model"]["merges"])
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(path), detail=repr(error)) from error
        return cls(
            tokens=tokens,
            types=types,
            merges=merges,
            pre_tokenizer=name,
            chat_template=_GENERATION_TAG.sub("", renderer.chat_template),
            special_ids=_special_ids(renderer),
            adds_bos=_adds_bos(path, renderer.bos_token_id),
        )

    def describe(self, writer: GGUFWriter) -> None:
        """Write the vocabulary into the header."""
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(self.pre_tokenizer)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        writer.add_token_merges(self.merges)
        writer.add_add_bos_token(self.adds_bos)
        writer.add_add_space_prefix(False)
        for name, token in self.special_ids.items():
            writer.add_uint32(f"tokenizer.ggml.{name}_token_id", token)
        writer.add_chat_template(self.chat_template)


def pre_tokenizer_name(tokenizer: Mapping[str, Any]) -> str:
    """Return llama.cpp's name for the rules of a tokenizer.json.

    Raises:
        AcademyError: `tokenizer_unsupported`.
    """
    model = tokenizer["model"]
    decoder = (tokenizer["decoder"] or {}).get("type")
    if model["type"] != "BPE" or model.get("byte_fallback") or decoder != "ByteLevel":
        raise _unsupported(f"{model['type']}, decoder {decoder}")
    if (tokenizer.get("normalizer") or {"type": "NFC"})["type"] != "NFC":
        raise _unsupported(f"normalizer {tokenizer['normalizer']['type']}")
    rules = _rules(tokenizer["pre_tokenizer"] or {"type": "none"})
    name = PRE_TOKENIZERS.get((rules, bool(model.get("ignore_merges", False))))
    if name is None:
        raise _unsupported(f"pre-tokenizer {' + '.join(rules)}")
    return name


def _rules(pre_tokenizer: Mapping[str, Any]) -> tuple[str, ...]:
    if pre_tokenizer["type"] == "Sequence":
        return tuple(rule for part in pre_tokenizer["pretokenizers"] for rule in _rules(part))
    match dict(pre_tokenizer):
        case {"type": "Digits", "individual_digits": True}:
            return ("digits",)
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}:
            return ("bytes",)
        case {"type": "ByteLevel", "add_prefix_space": False}:
            return ("bytes:regex",)
        case {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}:
            return (f"split:{regex}",)
    return (json.dumps(pre_tokenizer),)


def _tokens(tokenizer: Mapping[str, Any], size: int) -> tuple[tuple[str, ...], tuple[TokenType, ...]]:
    """Return text and type of every id; rows of the embedding without a token get a made-up name."""
    tokens = [f"[PAD{index}]" for index in range(size)]
    types = [TokenType.UNUSED] * size
    for text, index in tokenizer["model"]["vocab"].items():
        tokens[index], types[index] = text, TokenType.NORMAL
    for added in tokenizer["added_tokens"]:
        index = added["id"]
        tokens[index] = added["content"]
        types[index] = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
    return tuple(tokens), tuple(types)


def _merge(entry: str | list[str]) -> str:
    return entry if isinstance(entry, str) else " ".join(entry)


def _special_ids(renderer: Renderer) -> dict[str, int]:
    """Return ids by GGUF's names; all that end an answer are declared, else llama.cpp would run on."""
    ends = sorted(renderer.end_of_turn_ids)
    eos = renderer.eos_token_id if renderer.eos_token_id is not None else ends[0] if ends else None
    others = [token for token in ends if token != eos]
    ids = {
        "bos": renderer.bos_token_id,
        "eos": eos,
        "padding": renderer.pad_token_id,
        **dict(zip(("eot", "eom"), others, strict=False)),
    }
    return {name: token for name, token in ids.items() if token is not None}


def _adds_bos(path: Path, bos: int | None) -> bool:
    ids: list[int] = Tokenizer.from_file(str(path)).encode("a").ids
    return bos is not None and ids[0] == bos


def _unsupported(detail: str) -> AcademyError:
    return AcademyError(ErrorCode.TOKENIZER_UNSUPPORTED, detail=detail)
