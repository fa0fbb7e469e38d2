"""Which of llama.cpp's tokenizers a tokenizer.json is: byte-level with a splitting rule, or SentencePiece.

llama.cpp does not read tokenizer.json: it has its own rules, chosen by name. Owns the tables from the rules
in tokenizer.json to those names, and refuses a tokenizer whose rules are not in them, because a wrong name
gives a file that loads and tokenises differently. Refuses to know tokens and weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from trainers.errors import AcademyError, ErrorCode

SpacePrefix = Literal["always", "first", "never"]

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

#: SentencePiece writes a space as this.
SPACE = "▁"


def pre_tokenizer_name(tokenizer: Mapping[str, Any]) -> str:
    """Return llama.cpp's name for the rules of a byte-level tokenizer.json.

    Raises:
        AcademyError: `tokenizer_unsupported`.
    """
    model = tokenizer["model"]
    decoder = (tokenizer["decoder"] or {}).get("type")
    if model["type"] != "BPE" or model.get("byte_fallback") or decoder != "ByteLevel":
        raise unsupported(f"{model['type']}, decoder {decoder}")
    if (tokenizer.get("normalizer") or {"type": "NFC"})["type"] != "NFC":
        raise unsupported(f"normalizer {tokenizer['normalizer']['type']}")
    rules = _rules(tokenizer["pre_tokenizer"] or {"type": "none"})
    name = PRE_TOKENIZERS.get((rules, bool(model.get("ignore_merges", False))))
    if name is None:
        raise unsupported(f"pre-tokenizer {' + '.join(rules)}")
    return name


def is_sentencepiece(tokenizer: Mapping[str, Any]) -> bool:
    """Whether a tokenizer.json was made from a SentencePiece model of the BPE kind."""
    model = tokenizer["model"]
    return model["type"] == "BPE" and bool(model.get("byte_fallback"))


def space_prefix(tokenizer: Mapping[str, Any]) -> SpacePrefix:
    """Return where a SentencePiece tokenizer.json puts a space that the text does not have.

    `always`: before each part between special tokens, as llama.cpp does; `first`: before a text that does not
    begin with a special token.

    Raises:
        AcademyError: `tokenizer_unsupported`.
    """
    normalizers, splitter = _parts(tokenizer.get("normalizer")), tokenizer.get("pre_tokenizer")
    if normalizers in ([{"prepend": SPACE}, {"replace": " "}], [{"replace": " "}]) and _is_idle(splitter):
        return "always" if len(normalizers) == 2 else "never"
    match dict(splitter or {}):
        case {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first" | "never" as scheme} if (
            not normalizers and not (splitter or {}).get("split", True)
        ):
            return "first" if scheme == "first" else "never"
    raise unsupported(f"SentencePiece, {json.dumps([tokenizer.get('normalizer'), splitter])}")


def unsupported(detail: str) -> AcademyError:
    """Return the refusal of a tokenizer with its reason."""
    return AcademyError(ErrorCode.TOKENIZER_UNSUPPORTED, detail=detail)


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


def _parts(normalizer: Mapping[str, Any] | None) -> list[dict[str, str]]:
    if normalizer is None:
        return []
    match dict(normalizer):
        case {"type": "Sequence", "normalizers": parts}:
            return [found for part in parts for found in _parts(part)]
        case {"type": "Prepend", "prepend": text}:
            return [{"prepend": text}]
        case {"type": "Replace", "pattern": {"String": text}, "content": "▁"}:
            return [{"replace": text}]
    raise unsupported(f"normalizer {normalizer['type']}")


def _is_idle(pre_tokenizer: Mapping[str, Any] | None) -> bool:
    """Whether it splits nothing: none, or at spaces where none are left."""
    if pre_tokenizer is None:
        return True
    return pre_tokenizer["type"] == "Split" and pre_tokenizer.get("pattern") == {"String": " "}
