"""What a training engine is: one Protocol, so that the loop's owner knows none of them.

An engine takes a plan, calls back after every step, and can save itself into a folder. It decides nothing
about checkpoints, evaluation intervals or stopping: the callback's answer says what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trainers.device import Choice
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
    """

    recipe: TrainRecipe
    choice: Choice
    examples: tuple[Example, ...]
    steps: list[list[int]]
    first_step: int
    checkpoint: Path | None


@dataclass(frozen=True)
class StepReport:
    """One optimizer update that was taken.

    Attributes:
        step: number of the update, from 1.
        loss: mean over the step's supervised tokens, in nats.
        grad_norm: before clipping.
        learning_rate: that the update was taken with.
        device_memory_bytes: peak on the GPU, None on the CPU.
    """

    step: int
    loss: float
    grad_norm: float
    learning_rate: float
    device_memory_bytes: int | None


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

    def evaluate(self, examples: tuple[Example, ...]) -> tuple[float, int]:
        """Return the mean loss over the supervised tokens of `examples`, in nats, and their number."""

    def save_checkpoint(self, folder: Path) -> None:
        """Write adapter, optimizer, scheduler and random states; safetensors and JSON only."""

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter in PEFT layout."""
