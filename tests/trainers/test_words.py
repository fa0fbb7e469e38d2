from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.trainers import BpeTrainer

from trainers.rendering.words import WordMemory

#: Of Llama 3 and of Qwen 2: they differ in how many digits stand together.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIALS = ("<|im_start|>", "<|im_end|>", "<|im|>", "<tool>")
PIECES = st.sampled_from(
    [
        *SPECIALS, "<|im", "user\n", "\n", "\n\n", " ", "  ", "\t", "\r\n", "Hello", "hello", " world", "'s",
        "'LL", "'", "12", "3456", ".", "...", " !?", "<", "_", "naïve", "漢字", "é", "\u00a0", "\u2019s",
        "\x0b", "\x1c", "\x00", "😀", "٣", "ſ",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join)


def split(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def digits() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )


SPLITTERS: dict[str, Callable[[], pre_tokenizers.PreTokenizer]] = {
    "gpt2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False),
    "llama3": lambda: split(PATTERN),
    "qwen2": lambda: split(PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")),
    "smollm2": digits,
    "holes": lambda: split(r"\p{L}+"),
}


def made(splitter: pre_tokenizers.PreTokenizer) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = splitter
    trainer = BpeTrainer(
        vocab_size=400,
        show_progress=False,
        special_tokens=[AddedToken(text, special=True, normalized=False) for text in SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(["Hello world, hello user: 12 + 345... isn't it? naïve"] * 3, trainer)
    return tokenizer


@cache
def memory(name: str) -> tuple[Tokenizer, WordMemory]:
    tokenizer = made(SPLITTERS[name]())
    return tokenizer, WordMemory(tokenizer)


@pytest.mark.parametrize("name", SPLITTERS)
@given(text=TEXTS)
def test_words_from_memory_are_what_the_tokenizer_says(name: str, text: str) -> None:
    tokenizer, words = memory(name)
    assert words.remembers
    encoding = tokenizer.encode(text, add_special_tokens=False)
    assert words.tokens(text) == (encoding.ids, encoding.offsets)
    assert words.tokens(text) == (encoding.ids, encoding.offsets)


def unknown_step() -> Tokenizer:
    return made(pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel()]))


def with_prefix_space() -> Tokenizer:
    return made(pre_tokenizers.ByteLevel(add_prefix_space=True))


def other_classes() -> Tokenizer:
    return made(split(r"\p{Lu}+|\P{Lu}+"))


def normalized() -> Tokenizer:
    tokenizer = made(SPLITTERS["gpt2"]())
    tokenizer.normalizer = normalizers.Lowercase()
    return tokenizer


def greedy_token() -> Tokenizer:
    tokenizer = made(SPLITTERS["gpt2"]())
    tokenizer.add_tokens([AddedToken("<x>", lstrip=True, normalized=False)])
    return tokenizer


def tokens_in_turns() -> Tokenizer:
    tokenizer = made(SPLITTERS["gpt2"]())
    tokenizer.add_tokens([AddedToken("user<|im", normalized=True)])
    return tokenizer


@cache
def not_understood(make: Callable[[], Tokenizer]) -> tuple[Tokenizer, WordMemory]:
    tokenizer = make()
    return tokenizer, WordMemory(tokenizer)


@pytest.mark.parametrize(
    "make", [unknown_step, with_prefix_space, other_classes, normalized, greedy_token, tokens_in_turns]
)
@given(text=TEXTS)
def test_a_tokenizer_that_is_not_understood_does_it_all(make: Callable[[], Tokenizer], text: str) -> None:
    tokenizer, words = not_understood(make)
    assert not words.remembers
    encoding = tokenizer.encode(text, add_special_tokens=False)
    assert words.tokens(text) == (encoding.ids, encoding.offsets)


def test_memory_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainers.rendering.words._MOST_WORDS", 20)
    tokenizer = made(SPLITTERS["gpt2"]())
    words = WordMemory(tokenizer)
    for number in range(100):
        text = f"<|im_start|>{number} {'long' * number}"
        assert words.tokens(text)[0] == tokenizer.encode(text, add_special_tokens=False).ids
    assert len(words._known) <= 20
