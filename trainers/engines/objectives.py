"""What a method learns from a batch: one loss per method, as TRL computes it.

Owns the way from examples to a batch and from a batch to a loss. The base model that DPO and KTO compare with
is the same model with its adapter off. Refuses to know steps, optimizers and events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.functional import logsigmoid, relu

from trainers.engines.likelihood import Batch, log_probabilities, supervised_loss
from trainers.engines.protocol import Rewards
from trainers.recipe import Preference, TrainRecipe
from trainers.rows import IGNORED, Example

#: Rows are padded to a multiple of this: matrix products like even numbers.
_MULTIPLE = 8


@dataclass(frozen=True)
class Tally:
    """Sums of rewards over rows; a tally of nothing is the neutral one."""

    chosen: float = 0.0
    chosen_rows: int = 0
    rejected: float = 0.0
    rejected_rows: int = 0
    right: int = 0
    pairs: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.chosen + other.chosen,
            self.chosen_rows + other.chosen_rows,
            self.rejected + other.rejected,
            self.rejected_rows + other.rejected_rows,
            self.right + other.right,
            self.pairs + other.pairs,
        )

    @property
    def rewards(self) -> Rewards | None:
        """The means, or None when nothing was judged."""
        if not self.chosen_rows + self.rejected_rows:
            return None
        return Rewards(
            chosen=self.chosen / self.chosen_rows if self.chosen_rows else None,
            rejected=self.rejected / self.rejected_rows if self.rejected_rows else None,
            accuracy=self.right / self.pairs if self.pairs else None,
        )


class Objective(Protocol):
    """What a method makes of rows."""

    def batch(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Put examples into tensors; `labels` is always among them."""

    def count(self, batch: Batch) -> int:
        """What the loss of a step is the mean over: supervised tokens, or rows."""

    def loss(self, model: torch.nn.Module, batch: Batch) -> tuple[Tensor, Tally]:
        """Return the sum of the losses over what `count` counts."""


def objective_of(recipe: TrainRecipe, pad_id: int) -> Objective:
    """Return what the recipe's method learns by."""
    match recipe.method:
        case "dpo":
            return Dpo(pad_id, recipe.preference)
        case "orpo":
            return Orpo(pad_id, recipe.preference)
        case "kto":
            return Kto(pad_id, recipe.preference, recipe.training.max_seq_length)
    return Supervised(pad_id)


@dataclass(frozen=True)
class Supervised:
    """Cross-entropy at the labelled positions: answers (sft) or all of a text (pretrain)."""

    pad_id: int

    def batch(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Put examples into tensors of shape (rows, tokens)."""
        return _padded(examples, self.pad_id)

    def count(self, batch: Batch) -> int:
        """Supervised tokens."""
        return int((batch["labels"][:, 1:] != IGNORED).sum())

    def loss(self, model: torch.nn.Module, batch: Batch) -> tuple[Tensor, Tally]:
        """Return the sum over supervised tokens, in nats."""
        return supervised_loss(model, batch)[0], Tally()


@dataclass(frozen=True)
class _Pairs:
    """Batches of pairs: the better answers first, then the worse ones to the same questions."""

    pad_id: int
    preference: Preference

    def batch(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Put pairs into tensors of shape (2 * rows, tokens)."""
        worse = [example.rejected for example in examples if example.rejected is not None]
        assert len(worse) == len(examples)
        return _padded([*examples, *worse], self.pad_id)

    def count(self, batch: Batch) -> int:
        """Pairs."""
        return len(batch["labels"]) // 2


class Dpo(_Pairs):
    """Direct preference optimization (Rafailov et al. 2023), with the hinge and IPO forms as TRL has them."""

    def loss(self, model: torch.nn.Module, batch: Batch) -> tuple[Tensor, Tally]:
        """Return the sum over pairs."""
        answered = batch["labels"][:, 1:] != IGNORED
        ratios = log_probabilities(model, batch, answered).sum(1) - _of_base(model, batch, answered).sum(1)
        chosen, rejected = ratios.chunk(2)
        beta = self.preference.beta
        ahead = chosen - rejected
        match self.preference.loss_type:
            case "sigmoid":
                losses = -logsigmoid(beta * ahead)
            case "hinge":
                losses = relu(1 - beta * ahead)
            case "ipo":
                # Azar et al. 2023, equation 17, with means over tokens.
                better, worse = (ratios / answered.sum(1).clamp(min=1)).chunk(2)
                losses = (better - worse - 1 / (2 * beta)) ** 2
        return losses.sum(), _tally_of_pairs(beta * chosen, beta * rejected)


class Orpo(_Pairs):
    """Odds ratio preference optimization (Hong et al. 2024): no base to compare with.

    The likelihood of the better row counts its question too, as in TRL.
    """

    def loss(self, model: torch.nn.Module, batch: Batch) -> tuple[Tensor, Tally]:
        """Return the sum over pairs."""
        answered = batch["labels"][:, 1:] != IGNORED
        rows = len(answered) // 2
        whole = batch["attention_mask"][:rows, 1:].bool()
        wanted = torch.cat([whole, answered[rows:]])
        found = log_probabilities(model, batch, wanted)
        means = (found * answered).sum(1) / answered.sum(1).clamp(min=1)
        chosen, rejected = means.chunk(2)
        odds = chosen - rejected - (_log1mexp(chosen) - _log1mexp(rejected))
        beta = self.preference.beta
        likelihood = -found[:rows].sum() / whole.sum()
        loss = rows * likelihood - beta * logsigmoid(odds).sum()
        return loss, _tally_of_pairs(beta * chosen, beta * rejected)


@dataclass(frozen=True)
class Kto:
    """Kahneman-Tversky optimization (Ethayarajh et al. 2024), equation 7.

    How far the model is from its base is estimated at answers to other questions of the batch.
    """

    pad_id: int
    preference: Preference
    max_length: int

    def batch(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Put judged answers into tensors, and each question with its neighbour's answer beside them."""
        strange = _padded([self._strange(*pair) for pair in _neighbours(examples)], self.pad_id)
        return {
            **_padded(examples, self.pad_id),
            "desirable": torch.tensor([bool(example.desirable) for example in examples]),
            **{f"strange_{name}": tensor for name, tensor in strange.items()},
        }

    def count(self, batch: Batch) -> int:
        """Rows."""
        return len(batch["labels"])

    def loss(self, model: torch.nn.Module, batch: Batch) -> tuple[Tensor, Tally]:
        """Return the weighted sum over rows."""
        answered = batch["labels"][:, 1:] != IGNORED
        distance = self._distance(model, batch)
        ratios = log_probabilities(model, batch, answered).sum(1) - _of_base(model, batch, answered).sum(1)
        beta, good = self.preference.beta, batch["desirable"]
        gain = torch.where(good, ratios - distance, distance - ratios)
        weights = torch.where(good, self.preference.desirable_weight, self.preference.undesirable_weight)
        losses = weights * (1 - torch.sigmoid(beta * gain))
        rewards = beta * ratios.detach()
        tally = Tally(
            chosen=float(rewards[good].sum()),
            chosen_rows=int(good.sum()),
            rejected=float(rewards[~good].sum()),
            rejected_rows=int((~good).sum()),
        )
        return losses.sum(), tally

    def _distance(self, model: torch.nn.Module, batch: Batch) -> Tensor:
        strange = {name: batch[f"strange_{name}"] for name in ("input_ids", "attention_mask", "labels")}
        answered = strange["labels"][:, 1:] != IGNORED
        with torch.no_grad():
            own = log_probabilities(model, strange, answered).sum(1)
        return (own - _of_base(model, strange, answered).sum(1)).mean().clamp(min=0)

    def _strange(self, asked: Example, other: Example) -> Example:
        """A question with the answer to another one."""
        own, foreign = _answer_begin(asked), _answer_begin(other)
        ids = asked.ids[:own] + other.ids[foreign:]
        labels = (IGNORED,) * own + other.labels[foreign:]
        return replace(asked, ids=ids[: self.max_length], labels=labels[: self.max_length])


def _neighbours(examples: Sequence[Example]) -> list[tuple[Example, Example]]:
    return [(example, examples[place - 1]) for place, example in enumerate(examples)]


def _answer_begin(example: Example) -> int:
    return next((place for place, label in enumerate(example.labels) if label != IGNORED), len(example.ids))


def _padded(examples: Sequence[Example], pad_id: int) -> dict[str, Tensor]:
    longest = max(len(example.ids) for example in examples)
    width = -(-longest // _MULTIPLE) * _MULTIPLE
    ids = torch.full((len(examples), width), pad_id)
    labels = torch.full((len(examples), width), IGNORED)
    mask = torch.zeros((len(examples), width), dtype=torch.long)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        labels[row, : len(example.ids)] = torch.tensor(example.labels)
        mask[row, : len(example.ids)] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def _of_base(model: torch.nn.Module, batch: Batch, wanted: Tensor) -> Tensor:
    """Log-probabilities of the base, nothing dropped; the adapter is on again afterwards."""
    assert isinstance(model, PeftModel)
    with torch.no_grad(), model.disable_adapter():
        return log_probabilities(model, batch, wanted)


def _tally_of_pairs(chosen: Tensor, rejected: Tensor) -> Tally:
    return Tally(
        chosen=float(chosen.detach().sum()),
        chosen_rows=len(chosen),
        rejected=float(rejected.detach().sum()),
        rejected_rows=len(rejected),
        right=int((chosen > rejected).sum()),
        pairs=len(chosen),
    )


def _log1mexp(x: Tensor) -> Tensor:
    """Return log(1 - exp(x)) for x < 0 without cancellation (Mächler 2012)."""
    return torch.where(x < -0.6931471805599453, torch.log1p(-torch.exp(x)), torch.log(-torch.expm1(x)))
