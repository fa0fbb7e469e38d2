"""Chats and a tokenizer of a usual size for benchmarks, made from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer

from tests.trainers.defective import CHATML

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SYLLABLES = (
    "ba",
    "ren",
    "to",
    "mi",
    "shul",
    "ka",
    "ner",
    "pro",
    "ti",
    "ven",
    "lo",
    "gra",
    "est",
    "un",
    "ly",
    "ing",
)


def words(count: int = 20_000) -> list[str]:
    """Invented words, the first ones the commonest."""
    chance = random.Random(1)
    return ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(count)]


def conversations(rows: int, seed: int = 2) -> Iterator[list[dict[str, str]]]:
    """Chats of one to three turns, about 600 letters each."""
    chance, known = random.Random(seed), words()
    for _ in range(rows):
        turns = (
            [{"role": "system", "content": "You are a helpful assistant."}] if chance.random() < 0.3 else []
        )
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            turns.append({"role": "user", "content": _sentence(chance, known, 20)})
            turns.append({"role": "assistant", "content": _sentence(chance, known, 45)})
        yield turns


def _sentence(chance: random.Random, known: list[str], length: int) -> str:
    count = chance.randint(length // 2, 3 * length // 2)
    return " ".join(known[int(len(known) * chance.random() ** 3)] for _ in range(count)).capitalize() + "."


def write_bench_model(folder: Path) -> None:
    """A folder with a byte-level tokenizer of 16,384 tokens and a ChatML template."""
    folder.mkdir(parents=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=16_384,
        show_progress=False,
        special_tokens=[AddedToken(text, special=True) for text in SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator((" ".join(words()) for _ in range(2)), trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|endoftext|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": CHATML,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
