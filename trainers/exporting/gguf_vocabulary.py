"""A tokenizer as GGUF metadata, with the chat template and the tokens that end an answer.

Owns the tokens, their types, and the order in which they are merged. Which tokenizer it is to llama.cpp
stands in `gguf_tokenizer`. Refuses to know weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGUFWriter, TokenType
from tokenizers import Tokenizer

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.gguf_tokenizer import (
    SPACE,
    is_sentencepiece,
    pre_tokenizer_name,
    space_prefix,
    unsupported,
)
from trainers.rendering import Renderer

_GENERATION_TAG = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
#: Plain by their file, and never meant as text: llama.cpp's converter takes them for special as well.
_LOOKS_SPECIAL = re.compile(r"<\|.*\|>|<｜.*｜>|<unused.*>|<pad>|<mask>|<2mass>|\[@BOS@\]", re.DOTALL)

#: Scores of what no merge leads to; llama.cpp's converter writes the same.
_ADDED_SCORE, _UNUSED_SCORE = -1000.0, -10000.0

#: llama.cpp drops white space after special tokens where the model's name says Phi-3, and except after these.
_STRIPPING_NAMES, _NEVER_STRIPPING = ("phi-3", "phi3"), frozenset({"<unk>", "<s>", "<|endoftext|>"})

_ASKED = [{"role": "user", "content": "ask"}]


@dataclass(frozen=True)
class Vocabulary:
    """Everything about text that a GGUF file holds.

    `merges` and `pre_tokenizer` are for byte-level BPE, `scores` and `space_prefix` for SentencePiece.
    """

    tokens: tuple[str, ...]
    types: tuple[TokenType, ...]
    merges: tuple[str, ...]
    scores: tuple[float, ...]
    pre_tokenizer: str
    space_prefix: bool
    chat_template: str
    special_ids: Mapping[str, int]
    adds_bos: bool
    strips_after_special: bool

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
            pieces = is_sentencepiece(raw)
            name = "default" if pieces else pre_tokenizer_name(raw)
            tokens, types = _tokens(raw, size)
            merges = [_merge(entry) for entry in raw["model"]["merges"]]
            return cls(
                tokens=tokens,
                types=types,
                merges=() if pieces else tuple(" ".join(pair) for pair in merges),
                scores=_scores(tokens, types, merges) if pieces else (),
                pre_tokenizer=name,
                space_prefix=pieces and _adds_space(raw, renderer),
                chat_template=without_generation_tags(renderer.chat_template),
                special_ids=_special_ids(renderer, _unknown_id(raw, renderer)),
                adds_bos=_adds_bos(path, renderer),
                strips_after_special=_strips(raw["added_tokens"]),
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(path), detail=repr(error)) from error

    def describe(self, writer: GGUFWriter) -> None:
        """Write the vocabulary into the header."""
        writer.add_tokenizer_model("llama" if self.scores else "gpt2")
        writer.add_tokenizer_pre(self.pre_tokenizer)
        writer.add_token_list(self.tokens)
        if self.scores:
            writer.add_token_scores(self.scores)
        writer.add_token_types(self.types)
        if self.merges:
            writer.add_token_merges(self.merges)
        writer.add_add_bos_token(self.adds_bos)
        # Whatever the tokenizer does: an end token before the answer would be an answer.
        writer.add_add_eos_token(False)
        writer.add_add_space_prefix(self.space_prefix)
        for name, token in self.special_ids.items():
            writer.add_uint32(f"tokenizer.ggml.{name}_token_id", token)
        writer.add_chat_template(self.chat_template)

    def model_name(self, name: str) -> str:
        """Return the name under which llama.cpp treats space after special tokens as the tokenizer does."""
        is_stripping = any(text in name.lower() for text in _STRIPPING_NAMES)
        if self.strips_after_special:
            return name if is_stripping else f"{name} (phi-3)"
        return re.sub("phi-?3", "phi 3", name, flags=re.IGNORECASE) if is_stripping else name


def without_generation_tags(template: str) -> str:
    """Return a chat template without the marks around what is learned, which llama.cpp does not know."""
    return _GENERATION_TAG.sub("", template)


def _tokens(tokenizer: Mapping[str, Any], size: int) -> tuple[tuple[str, ...], tuple[TokenType, ...]]:
    """Return text and type of every id; rows of the embedding without a token get a made-up name."""
    pieces = is_sentencepiece(tokenizer)
    tokens = [f"[PAD{index}]" for index in range(size)]
    types = [TokenType.UNUSED] * size
    for text, index in tokenizer["model"]["vocab"].items():
        is_byte = pieces and _BYTE.fullmatch(text)
        tokens[index], types[index] = text, TokenType.BYTE if is_byte else TokenType.NORMAL
    unknown = tokenizer["model"].get("unk_token")
    if pieces and unknown is not None:
        types[tokenizer["model"]["vocab"][unknown]] = TokenType.UNKNOWN
    for added in tokenizer["added_tokens"]:
        index, text = added["id"], added["content"]
        if added["special"] or _LOOKS_SPECIAL.fullmatch(text):
            tokens[index], types[index] = text, TokenType.CONTROL
        else:
            # llama.cpp looks for them in the text as it is written.
            tokens[index], types[index] = text.replace(SPACE, " "), TokenType.USER_DEFINED
    return tuple(tokens), tuple(types)


def _merge(entry: str | list[str]) -> list[str]:
    return entry.split(" ") if isinstance(entry, str) else entry


def _scores(
    tokens: Sequence[str], types: Sequence[TokenType], merges: Sequence[Sequence[str]]
) -> tuple[float, ...]:
    """Return scores that have llama.cpp merge in the order of the merges: the sooner, the higher."""
    ranks: dict[str, int] = {}
    for pair in merges:
        ranks.setdefault("".join(pair), len(ranks))
    fixed = {
        TokenType.UNUSED: _UNUSED_SCORE,
        TokenType.CONTROL: _ADDED_SCORE,
        TokenType.USER_DEFINED: _ADDED_SCORE,
    }
    # What no merge leads to comes last: single characters, which are never a result.
    return tuple(
        fixed.get(kind, float(-ranks.get(text, len(ranks)))) for text, kind in zip(tokens, types, strict=True)
    )


def _adds_space(tokenizer: Mapping[str, Any], renderer: Renderer) -> bool:
    """Whether llama.cpp shall put a space before each part of a text that is no special token.

    Raises:
        AcademyError: `tokenizer_unsupported`.
    """
    where = space_prefix(tokenizer)
    if where == "first":
        text = renderer.prompt(_ASKED).text
        if not any(text.startswith(added["content"]) for added in tokenizer["added_tokens"]):
            raise unsupported("SentencePiece, prepend_scheme first and a template without a begin token")
    return where == "always"


def _unknown_id(tokenizer: Mapping[str, Any], renderer: Renderer) -> int | None:
    text = renderer.special_tokens.get("unk_token", tokenizer["model"].get("unk_token"))
    ids = {**tokenizer["model"]["vocab"], **{one["content"]: one["id"] for one in tokenizer["added_tokens"]}}
    return None if text is None else ids.get(text)


def _special_ids(renderer: Renderer, unknown: int | None) -> dict[str, int]:
    """Return ids by GGUF's names; all that end an answer are declared, else llama.cpp would run on."""
    ends = sorted(renderer.end_of_turn_ids)
    eos = renderer.eos_token_id if renderer.eos_token_id is not None else ends[0] if ends else None
    others = [token for token in ends if token != eos]
    ids = {
        "bos": renderer.bos_token_id,
        "eos": eos,
        "padding": renderer.pad_token_id,
        "unknown": unknown,
        **dict(zip(("eot", "eom"), others, strict=False)),
    }
    return {name: token for name, token in ids.items() if token is not None}


def _adds_bos(path: Path, renderer: Renderer) -> bool:
    """Whether llama.cpp shall put the begin token before every text: it drops the template's own then.

    Not where the tokenizer would and the chat template does not: training never saw it there.
    """
    bos = renderer.bos_token_id
    added: list[int] = Tokenizer.from_file(str(path)).encode("a").ids
    return bos is not None and added[0] == bos and renderer.prompt(_ASKED).ids[0] == bos


def _strips(added_tokens: Sequence[Mapping[str, Any]]) -> bool:
    """Whether white space after special tokens is dropped, as llama.cpp does for Phi-3.

    Raises:
        AcademyError: `tokenizer_unsupported` for a way that llama.cpp does not have.
    """
    stripping = {added["content"] for added in added_tokens if added.get("rstrip")}
    others = {added["content"] for added in added_tokens} - stripping
    for added in added_tokens:
        if added.get("lstrip") or added.get("single_word"):
            raise unsupported(f"{added['content']}: lstrip, single_word")
    if stripping and (stripping & _NEVER_STRIPPING or others - _NEVER_STRIPPING):
        raise unsupported(f"rstrip of {', '.join(sorted(stripping))} alone")
    return bool(stripping)
