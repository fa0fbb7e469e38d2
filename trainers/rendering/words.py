"""Tokenization word by word: what was tokenized once comes from memory.

A byte-level tokenizer parts a text at its added tokens and then into words, and no word knows of another. So
words can be tokenized one by one, and most have been before. The words are found here by the tokenizer's own
pattern, in ASCII, where letters and digits are beyond doubt; anything else goes to the tokenizer as it is.
Owns that memory. Refuses to tokenize by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import BPE

#: Token ids, and the range of characters that each stands for.
Tokens = tuple[list[int], list[tuple[int, int]]]
#: Ids of a word, and how many characters each stands for.
_Word = tuple[Sequence[int], Sequence[int]]

#: Words that are kept, and the longest of them in characters.
_MOST_WORDS, _LONGEST_WORD = 1 << 16, 64
#: What patterns may read differently from one library to another.
_UNUSUAL = re.compile(r"[^\t\n\r -~]")
#: The words of GPT-2, which a byte-level tokenizer finds unless it has a pattern of its own.
_BYTE_LEVEL = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CLASSES = {r"\p{L}": "A-Za-z", r"\p{N}": "0-9"}


class WordMemory:
    """Tokenizes exactly as its tokenizer does, without special tokens of its own."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Remember words where the tokenizer parts texts in a way that is known here."""
        self._tokenizer = tokenizer
        added = _added_ids(tokenizer)
        self._patterns = () if added is None else _patterns(tokenizer)
        self._known = _Known(tokenizer, added or {})
        names = sorted(added or (), key=len, reverse=True)
        self._parting = re.compile(f"({'|'.join(map(re.escape, names))})") if names else None

    @property
    def remembers(self) -> bool:
        """Whether words are remembered; otherwise the tokenizer does it all."""
        return bool(self._patterns)

    def tokens(self, text: str) -> Tokens:
        """Tokenize a text as it stands: ids, and ranges of characters."""
        if not self._patterns:
            return _asked(self._tokenizer, text)
        parts = self._parting.split(text) if self._parting else [text]
        if _UNUSUAL.search(text) is None:
            return self._remembered(parts)
        ids: list[int] = []
        ranges: list[tuple[int, int]] = []
        place = 0
        for part in parts:
            if _UNUSUAL.search(part) is None:
                some, at = self._remembered(["", part] if part in self._known.added else [part])
            else:
                some, at = _asked(self._tokenizer, part)
            ids += some
            ranges += [(place + start, place + end) for start, end in at] if place else at
            place += len(part)
        return ids, ranges

    def _remembered(self, parts: Sequence[str]) -> Tokens:
        """Tokenize parts of which each second is an added token."""
        words: list[str] = []
        for number, part in enumerate(parts):
            if number % 2:
                words.append(part)
            elif part:
                words += self._words(part)
        known = self._known
        found = [known[word] for word in words]
        ids = list(chain.from_iterable([ids for ids, _ in found]))
        ends = list(accumulate(chain.from_iterable([lengths for _, lengths in found]), initial=0))
        if ends[-1] != sum(map(len, parts)):  # something is between the words, or is no character of its own
            return _asked(self._tokenizer, "".join(parts))
        return ids, list(pairwise(ends))

    def _words(self, part: str) -> list[str]:
        first, *others = self._patterns
        words: list[str] = first.findall(part)
        for pattern in others:
            words = [word for outer in words for word in pattern.findall(outer)]
        return words


class _Known(dict[str, _Word]):
    """Words by their texts; one that is not there yet is tokenized."""

    def __init__(self, tokenizer: Tokenizer, added: Mapping[str, int]) -> None:
        self.added = {text: ((number,), (len(text),)) for text, number in added.items()}
        self._tokenizer = tokenizer
        self.update(self.added)

    def __missing__(self, word: str) -> _Word:
        ids, ranges = _asked(self._tokenizer, word)
        lengths = tuple(end - start for start, end in ranges)
        begins = [0, *accumulate(lengths)]
        if [start for start, _ in ranges] != begins[:-1]:
            lengths = (-1,) * len(ids)  # no sum comes out right then
        if len(word) > _LONGEST_WORD:
            return tuple(ids), lengths
        if len(self) >= _MOST_WORDS:
            self.clear()
            self.update(self.added)
        self[word] = tuple(ids), lengths
        return self[word]


def _asked(tokenizer: Tokenizer, text: str) -> Tokens:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    return encoding.ids, encoding.offsets


def _added_ids(tokenizer: Tokenizer) -> dict[str, int] | None:
    """Texts of the added tokens; None where one is more than a text, or they are looked for in turns."""
    added = tokenizer.get_added_tokens_decoder()
    plain = all(
        token.content and not (token.lstrip or token.rstrip or token.single_word) for token in added.values()
    )
    if not plain or len({token.normalized for token in added.values()}) > 1:
        return None
    return {token.content: number for number, token in added.items()}


def _patterns(tokenizer: Tokenizer) -> tuple[re.Pattern[str], ...]:
    """What finds the words, one pattern within the words of the one before; none where that is not known."""
    model, splitter = tokenizer.model, tokenizer.pre_tokenizer
    if tokenizer.normalizer is not None or not isinstance(model, BPE) or model.dropout or splitter is None:
        return ()
    described = json.loads(splitter.__getstate__())
    steps = described["pretokenizers"] if described["type"] == "Sequence" else [described]
    try:
        found = [re.compile(_in_ascii(pattern), re.ASCII) for pattern in _described(steps)]
    except (ValueError, re.error):
        return ()
    return tuple(found) if steps[-1]["type"] == "ByteLevel" else ()


def _described(steps: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The patterns of a tokenizer's steps.

    Raises:
        ValueError: there is a step that is not known.
    """
    for step in steps:
        match step:
            case {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}:
                yield pattern
            case {"type": "Digits", "individual_digits": True}:
                yield r"[0-9]|[^0-9]+"
            case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}:
                yield _BYTE_LEVEL
            case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}:
                pass
            case _:
                raise ValueError(step["type"])


def _in_ascii(pattern: str) -> str:
    """A pattern with the classes of letters and digits as they are in ASCII.

    Raises:
        ValueError: it names something else.
    """
    made, is_inside = [], False
    for piece in re.findall(r"\\p\{L\}|\\p\{N\}|\\[^pPXRKGA]|[^\\]|\\.", pattern, re.DOTALL):
        if piece in _CLASSES:
            piece = _CLASSES[piece] if is_inside else f"[{_CLASSES[piece]}]"
        elif piece.startswith("\\") and piece[1] in "pPXRKGA":
            raise ValueError(piece)
        elif piece in "[]":
            if piece == "[" and is_inside:  # sets within sets are read differently
                raise ValueError(piece)
            is_inside = piece == "["
        made.append(piece)
    return "".join(made)
