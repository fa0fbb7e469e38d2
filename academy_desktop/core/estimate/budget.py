"""A recipe that fits into the time that somebody has, and into the memory: chosen by the forecast.

Owns the order in which values give way: rows are not cut where they need not be, passes go before rows, and
the recipe's own number of passes is the most. Refuses to know how a forecast is made, and sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

from academy_desktop.core.estimate.forecast import Forecast, Subject
from academy_desktop.core.estimate.nearest import changed_recipe
from academy_desktop.core.estimate.pace import START_S
from academy_desktop.core.estimate.service import Estimate
from trainers.errors import Fact
from trainers.recipe import TrainRecipe

#: Shortest and longest limit that a recipe may name, and the steps in which one is offered.
SHORTEST, LONGEST, LENGTH_STEP = 256, 8192, 256
#: Share of the rows that may be cut before the limit is raised.
MAY_BE_CUT = 0.05
#: The fields that decide how long a run takes, and where rows are cut.
EPOCHS, STEPS, LENGTH = "training.num_epochs", "training.max_steps", "training.max_seq_length"
#: The field that must be less than the steps.
WARM_UP = "training.warmup_steps"
#: Fewer steps teach nothing that is worth having.
LEAST_STEPS = 10
#: How often a number of steps is forecast again, until it is in time.
TRIES = 4

#: How it came out: all passes, fewer passes, a part of one, not even the least of that; or too long, because
#: the values that decide were set by somebody.
Outcome = Literal["whole", "fewer", "part", "too_little", "own"]
Value = int | str | None


@dataclass(frozen=True)
class Fitted:
    """A recipe that fits as well as can be, and why it is as it is.

    Attributes:
        recipe: with the values below.
        fields: what was chosen: each field's path and its value.
        outcome: how it came out.
        facts: for the sentence: `epochs`, `wanted`, `steps`, `percent` (of the rows), `seconds`.
    """

    recipe: TrainRecipe
    fields: tuple[tuple[str, Value], ...]
    outcome: Outcome
    facts: Mapping[str, Fact] = field(default_factory=dict)


def fit_budget(
    recipe: TrainRecipe,
    budget_s: float,
    forecast: Callable[[TrainRecipe], Estimate],
    subject: Subject,
    pinned: Collection[str] = (),
) -> Fitted:
    """Fit a recipe into a time, by its passes and then its steps, and into the memory.

    Args:
        recipe: its passes are the most that are worth it.
        budget_s: seconds that there are.
        forecast: answers for any recipe.
        subject: its model and rows.
        pinned: fields that stay as they are.

    Raises:
        AcademyError: what `forecast` raises.
    """
    chosen: dict[str, Value] = {} if LENGTH in pinned else dict(_length(recipe, subject))
    recipe = _into_memory(_with(recipe, chosen), forecast, chosen, pinned)
    if STEPS in pinned:
        made = forecast(recipe).forecast
        outcome: Outcome = "whole" if made.seconds <= budget_s else "own"
        return _fitted(recipe, chosen, outcome, made, recipe.training.num_epochs)
    wanted = recipe.training.num_epochs
    for epochs in range(wanted, 0, -1):
        values: dict[str, Value] = {EPOCHS: epochs, STEPS: None}
        tried = _with(recipe, values)
        made = forecast(tried).forecast
        if made.seconds <= budget_s:
            outcome = "whole" if epochs == wanted else "fewer"
            return _fitted(tried, chosen | values, outcome, made, wanted)
        if EPOCHS in pinned:
            return _fitted(tried, chosen | values, "own", made, wanted)
    return _by_steps(tried, made, budget_s, forecast, chosen, wanted, pinned)


def fitting_length(tokens: int, most: int) -> int:
    """The least limit, in steps, that holds so many tokens, as far as the model (`most`) and a recipe go."""
    wanted = ceil(tokens / LENGTH_STEP) * LENGTH_STEP
    return max(min(wanted, most, LONGEST), SHORTEST)


def _length(recipe: TrainRecipe, subject: Subject) -> Iterator[tuple[str, Value]]:
    """A limit that holds nearly all rows, where the recipe's would cut more of them."""
    rows = sorted(row.tokens for row in subject.train.known)
    if recipe.method == "pretrain" or not rows:
        return
    needed = rows[int((len(rows) - 1) * (1 - MAY_BE_CUT))]
    limit = recipe.training.max_seq_length
    if limit > subject.shape.longest >= SHORTEST:
        yield LENGTH, subject.shape.longest
    elif needed > limit and (nearest := fitting_length(needed, subject.shape.longest)) > limit:
        yield LENGTH, nearest


def _by_steps(
    recipe: TrainRecipe,
    once: Forecast,
    budget_s: float,
    forecast: Callable[[TrainRecipe], Estimate],
    chosen: dict[str, Value],
    wanted: int,
    pinned: Collection[str],
) -> Fitted:
    """End one pass after so many steps as there is time for; what comes beside them is told by forecasts."""
    warm_up = recipe.training.warmup_steps
    least = max(LEAST_STEPS, warm_up + 1) if WARM_UP in pinned else LEAST_STEPS
    values: dict[str, Value] = {}
    ended, made = recipe, once
    for _ in range(TRIES):
        share = max(budget_s - START_S, 1.0) / max(made.seconds - START_S, 1.0)
        steps = max(int(made.steps * min(share, 1.0)), least)
        values = {STEPS: steps}
        if WARM_UP not in pinned:
            values[WARM_UP] = min(warm_up, max(steps // 10, 1))
        ended = _with(recipe, values)
        made = forecast(ended).forecast
        if made.seconds <= budget_s or steps == least:
            break
    outcome: Outcome = "own" if least > LEAST_STEPS else "too_little"
    if made.seconds <= budget_s:
        outcome = "part"
    values = chosen | {EPOCHS: 1} | values
    return _fitted(ended, values, outcome, made, wanted, share=made.steps / max(once.steps, 1))


def _into_memory(
    recipe: TrainRecipe,
    forecast: Callable[[TrainRecipe], Estimate],
    chosen: dict[str, Value],
    pinned: Collection[str],
) -> TrainRecipe:
    """Take the nearest recipe that fits, where this one does not and nothing in it was set by somebody."""
    made = forecast(recipe)
    if made.forecast.fits_memory or made.nearest is None:
        return recipe
    if any(path in pinned for path, _ in made.nearest.fields):
        return recipe
    chosen |= dict(made.nearest.fields)
    return made.nearest.recipe


def _with(recipe: TrainRecipe, values: Mapping[str, Value]) -> TrainRecipe:
    changed = changed_recipe(recipe, tuple(values.items()))
    return recipe if changed is None else changed


def _fitted(
    recipe: TrainRecipe,
    chosen: Mapping[str, Value],
    outcome: Outcome,
    made: Forecast,
    wanted: int,
    share: float = 1.0,
) -> Fitted:
    facts: dict[str, Fact] = {
        "epochs": recipe.training.num_epochs,
        "wanted": wanted,
        "steps": made.steps,
        "percent": min(ceil(share * 100), 100),
        "seconds": made.seconds,
    }
    return Fitted(recipe, tuple(chosen.items()), outcome, facts)
