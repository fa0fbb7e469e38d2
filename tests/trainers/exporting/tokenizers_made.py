"""Tokenizers of every kind that the GGUF writer knows, trained in the test, in Hugging Face layout."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Literal

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.trainers import BpeTrainer

from tests.trainers.tiny_model import HELD_OUT, KNOWN, LEARNED, VOCABULARY, write_tokenizer

BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def split(digits: str) -> pre_tokenizers.PreTokenizer:
    pattern = Regex(_LETTERS + digits + _REST)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(pattern, "isolated"), BYTES])


#: llama.cpp's name → the same rules in `tokenizers`.
RULES = {
    "smollm": pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    ),
    "gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "qwen2": split(r"\p{N}"),
    "llama-bpe": split(r"\p{N}{1,3}"),
}

#: Where a SentencePiece tokenizer puts a space of its own, as the families' files say it.
Spaces = Literal["prepend", "none", "first", "phi3"]

GEMMA = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message.role == 'assistant' else message.role }}\n"
    "{{ message.content | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
PHI3 = (
    "{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'assistant' %}"
    " {{ message.content }}{{ eos_token }}{% else %}[INST] {{ message.content }} [/INST]{% endif %}"
    "{% endfor %}"
)
SPECIALS: dict[Spaces, tuple[str, ...]] = {
    "prepend": (),
    "first": ("[INST]", "[/INST]"),
    "none": ("<start_of_turn>", "<end_of_turn>"),
    "phi3": ("<|endoftext|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"),
}
TEMPLATES: dict[Spaces, str] = {"prepend": MISTRAL, "first": MISTRAL, "none": GEMMA, "phi3": PHI3}
#: Added tokens that are text, as Gemma has them.
LONGEST_RUN = 16
PLAIN = ("\n\n", *("▁" * size for size in range(2, LONGEST_RUN + 1)))

#: How they come about by merges as well.
RUNS = [["▁" * first, "▁" * (size - first)] for size in range(2, LONGEST_RUN + 1) for first in range(1, size)]

SAID = [turn["content"] for row in (*KNOWN, *LEARNED, *HELD_OUT) for turn in row["messages"]] * 2


def change(folder: Path, file: str, **changes: Any) -> None:
    path = folder / file
    raw = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.write_text(json.dumps(raw | changes), "utf-8")


def write_tokenizer_of(folder: Path, kind: str) -> None:
    """The tokenizer that is named: by llama.cpp's name of its rules, or by its way with spaces."""
    if kind in RULES:
        write_byte_level(folder, kind)
    for spaces in SPECIALS:
        if spaces == kind:
            write_sentencepiece(folder, spaces)


def write_byte_level(folder: Path, rules: str) -> None:
    """A byte-level BPE tokenizer that llama.cpp calls `rules`."""
    write_tokenizer(folder, pre_tokenizer=RULES[rules])
    if rules == "llama-bpe":
        raw = json.loads((folder / "tokenizer.json").read_text("utf-8"))
        change(folder, "tokenizer.json", model=raw["model"] | {"ignore_merges": True})


def write_sentencepiece(folder: Path, spaces: Spaces) -> None:
    """A tokenizer.json as made from a SentencePiece model of the BPE kind, and that model beside it."""
    raw = _trained(spaces)
    specials = ("<unk>", "<s>", "</s>")
    pieces = [piece for piece in raw["model"]["vocab"] if piece not in specials]
    order = [*specials, *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    later = [*SPECIALS[spaces], *(PLAIN if spaces == "none" else ())]
    if spaces == "none":
        order += ["▁", *PLAIN[1:]]
        later = [one for one in later if one not in order]
        raw["model"]["merges"] = [*RUNS, *raw["model"]["merges"]]
    ids = {text: place for place, text in enumerate([*order, *later])}
    assert len(ids) <= VOCABULARY
    raw["model"].update(
        vocab={text: ids[text] for text in order}, byte_fallback=True, fuse_unk=True, unk_token="<unk>"
    )
    raw["added_tokens"] = [
        _added(text, ids[text], spaces) for text in ids if text in {*specials, *later, *PLAIN}
    ]
    (folder / "tokenizer.json").write_text(json.dumps(raw, ensure_ascii=False), "utf-8")
    (folder / "tokenizer.model").write_bytes(_sentencepiece_model(order, raw["model"]["merges"]))
    _write_settings(folder, spaces, raw["added_tokens"])


def _trained(spaces: Spaces) -> dict[str, Any]:
    tokenizer = Tokenizer(models.BPE())
    replace = normalizers.Replace(" ", "▁")
    prepend = normalizers.Sequence([normalizers.Prepend("▁"), replace])
    tokenizer.normalizer = prepend if spaces in {"prepend", "phi3"} else replace if spaces == "none" else None
    if spaces == "first":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    elif spaces == "none":
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    trainer = BpeTrainer(
        vocab_size=150, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"], max_token_length=12
    )
    tokenizer.train_from_iterator([word for text in SAID for word in text.split(" ")], trainer)
    raw: dict[str, Any] = json.loads(tokenizer.to_str())
    raw["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]}  # fmt: skip
    return raw


def _added(text: str, index: int, spaces: Spaces) -> dict[str, Any]:
    strips = spaces == "phi3" and text not in {"<unk>", "<s>", "<|endoftext|>"}
    return {
        "id": index, "content": text, "special": text not in PLAIN, "normalized": False,
        "lstrip": False, "rstrip": strips, "single_word": False,
    }  # fmt: skip


def _write_settings(folder: Path, spaces: Spaces, added: list[dict[str, Any]]) -> None:
    ends = {"none": "<end_of_turn>", "phi3": "<|end|>"}
    decoder = {str(one["id"]): {key: value for key, value in one.items() if key != "id"} for one in added}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": ends.get(spaces, "</s>"),
        "unk_token": "<unk>",
        "pad_token": "<unk>",
        "model_max_length": 512,
        "added_tokens_decoder": decoder,
        "chat_template": TEMPLATES[spaces],
    }
    if spaces == "first":
        settings["add_prefix_space"] = False
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), "utf-8")


def _sentencepiece_model(pieces: list[str], merges: list[list[str]]) -> bytes:
    """A `sentencepiece.ModelProto`: pieces with score and type, the kind of model, no normalization."""
    ranks: dict[str, int] = {}
    for pair in merges:
        ranks.setdefault("".join(pair), len(ranks))
    kinds = {"<unk>": 2, "<s>": 3, "</s>": 3} | {f"<0x{byte:02X}>": 6 for byte in range(256)}
    made = b""
    for piece in pieces:
        text, score = piece.encode(), float(-ranks.get(piece, len(ranks)))
        body = (
            b"\x0a" + _length(text) + b"\x15" + struct.pack("<f", score) + bytes([0x18, kinds.get(piece, 1)])
        )
        made += b"\x0a" + _length(body)
    bpe = b"\x18\x02" + b"\x98\x02\x01"  # model_type: BPE, byte_fallback
    return made + b"\x12" + _length(bpe) + b"\x1a" + _length(b"\x0a" + _length(b"identity"))


def _length(body: bytes) -> bytes:
    size, head = len(body), b""
    while size > 127:
        head += bytes([size & 127 | 128])
        size >>= 7
    return head + bytes([size]) + body
