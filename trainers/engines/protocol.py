"""What a training engine is: one Protocol, so that the loop's owner knows none of them.

An engine takes a plan, calls back after every step, and can save itself into a folder. It decides nothing
about checkpoints, evaluation intervals or stopping: the callback's answer says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trainers.choice import Choice
from trainers.recipe import TrainRecipe
from trainers.rows import Example


@dataclass(frozen=True)
class Plan:
    """What is to be learned, in which order, and from where.

    Attributes:
        recipe: the resolved recipe.
        choice: device, number format, threads.
        examples: the rows.
        steps: for each optimizer update, the indices of its rows.
        first_step: updates already done (0 at the start).
        checkpoint: verified folder to go on from, or None.
        tokens_share: of the tokens that the engine for processors usually computes at once; 0: row by row.
    """

    recipe: TrainRecipe
    choice: Choice
    examples: tuple[Example, ...]
    steps: list[list[int]]
    first_step: int
    checkpoint: Path | None
    tokens_share: float = 1.0


@dataclass(frozen=True)
class Rewards:
    """How much better than its base the model likes the answers, in nats times beta; means over rows.

    Attributes:
        chosen: of the better (or good) answers; None without any.
        rejected: of the worse (or bad) answers; None without any.
        accuracy: share of the pairs whose better answer has the higher reward; None without pairs.
    """

    chosen: float | None
    rejected: float | None
    accuracy: float | None

    @property
    def margin(self) -> float | None:
        """How far the better answers are ahead."""
        return None if self.chosen is None or self.rejected is None else self.chosen - self.rejected


@dataclass(frozen=True)
class Score:
    """An evaluation.

    Attributes:
        loss: mean over supervised tokens in nats; for preferences over rows, as the method defines it.
        supervised_tokens: of all rows.
        rewards: for preferences.
    """

    loss: float
    supervised_tokens: int
    rewards: Rewards | None = None


@dataclass(frozen=True)
class StepReport:
    """One optimizer update that was taken.

    Attributes:
        step: number of the update, from 1.
        loss: mean over the step's supervised tokens, in nats; for preferences over its rows.
        grad_norm: before clipping.
        learning_rate: that the update was taken with.
        device_memory_bytes: peak on the GPU, None on the CPU.
        rewards: for preferences.
    """

    step: int
    loss: float
    grad_norm: float
    learning_rate: float
    device_memory_bytes: int | None
    rewards: Rewards | None = None


class NonfiniteError(Exception):
    """A loss or a gradient is not finite; no update was taken with it."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(f"{what} of step {step}")
        self.step = step
        self.what = what


class Engine(Protocol):
    """A model with an adapter, ready to learn."""

    @property
    def trainable_parameters(self) -> int:
        """Size of the adapter."""

    def train(self, after_step: Callable[[StepReport], bool]) -> None:
        """Take the plan's steps until they are done or `after_step` answers False.

        Raises:
            NonfiniteError: before the update that would have used it.
        """

    def evaluate(self, examples: tuple[Example, ...], *, plain: bool = False) -> Score:
        """Score examples without learning from them; `plain` ones by their tokens, whatever the method."""

    def answer(
        self, prompts: Sequence[Sequence[int]], ends: frozenset[int], max_new_tokens: int
    ) -> list[list[int]]:
        """Continue prompts (token ids) greedily, as they are after the last update.

        Returns:
            The token ids of each answer, without the one of `ends` that it ended with, if it did.
        """

    def as_base(self) -> AbstractContextManager[None]:
        """Be the base model for a while: evaluate and answer without the adapter."""

    def save_checkpoint(self, folder: Path) -> None:
        """Write adapter, optimizer, scheduler and random states; safetensors and JSON only."""

    def load_adapter(self, folder: Path) -> None:
        """Take the adapter of a checkpoint of this run; optimizer and position stay."""

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter in PEFT layout."""
