"""What can be asked the same questions as the model that was trained: the reference itself, and each export.

Owns the interface only. Refuses to know torch and llama.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainers.rendering import Message

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Answer:
    """A greedy answer: its token ids without the end token, and whether the model ended it by itself."""

    ids: tuple[int, ...]
    ended: bool


class Asked(Protocol):
    """What a row asks: a conversation, or a text to be continued."""

    @property
    def prompt(self) -> Sequence[Message]:
        """The conversation up to the answer; empty for a text."""

    @property
    def opening(self) -> str:
        """The beginning of a text; empty for a conversation."""


def ids_of(subject: Subject, asked: Asked) -> list[int]:
    """Return what a row asks as token ids, by the subject's own template and tokens."""
    return subject.text_ids(asked.opening) if asked.opening else subject.prompt_ids(asked.prompt)


class Subject(Protocol):
    """A model under test."""

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation up to where the answer begins, by its own template and tokens."""

    def text_ids(self, text: str) -> list[int]:
        """Token ids of a text that no template wraps, with what its tokens begin a text with."""

    def logits(self, ids: Sequence[int], positions: Sequence[int]) -> Logits:
        """Raw next-token scores after each of `positions` of `ids`, (positions, vocabulary)."""

    def generate(self, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[Answer]:
        """Answer each prompt greedily."""
