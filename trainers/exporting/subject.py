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


class Subject(Protocol):
    """A model under test."""

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation up to where the answer begins, by its own template and tokens."""

    def logits(self, ids: Sequence[int], positions: Sequence[int]) -> Logits:
        """Raw next-token scores after each of `positions` of `ids`, (positions, vocabulary)."""

    def generate(self, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[Answer]:
        """Answer each prompt greedily."""
