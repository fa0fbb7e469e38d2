"""What the Train page says of a run: what will happen, what was changed, what is on its way.

Owns these sentences. Refuses to know where the facts come from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.train_sources import DatasetFacts
from trainers.order import total_steps
from trainers.recipe import TrainRecipe

#: What is on its way.
Doing = Literal["", "starting", "saving", "opening"]

_DOING: Final = {
    "starting": N_("The run is being queued …"),
    "saving": N_("The recipe is being saved …"),
    "opening": N_("The recipe is being checked …"),
}


class TrainWords:
    """Words of the Train page, in one language."""

    def __init__(self, gettext: Callable[[str], str], formats: Formats) -> None:
        self._gettext = gettext
        self._formats = formats

    def summary(self, dataset: DatasetFacts, recipe: TrainRecipe) -> str:
        """What will happen: rows, epochs, steps."""
        training = recipe.training
        per_step = training.batch_size * training.gradient_accumulation_steps
        steps = total_steps(dataset.train_rows, training.num_epochs, per_step, training.max_steps)
        of_rows = self._gettext(N_("{steps} of {rows}"))
        parts = [
            self.rows(dataset.train_rows),
            self._count(training.num_epochs, N_("1 epoch"), N_("{count} epochs")),
            of_rows.format(
                steps=self._count(steps, N_("1 step"), N_("{count} steps")), rows=self.rows(per_step)
            ),
        ]
        held_out = min(dataset.eval_rows, recipe.evaluation.max_rows)
        if held_out:
            many = N_("checked on {count} held-out rows")
            parts.append(self._count(held_out, N_("checked on 1 held-out row"), many))
        return " · ".join(parts)

    def changes(self, count: int) -> str:
        """How many values were changed by hand: a sentence, or nothing."""
        many = N_("{count} values were changed by hand.")
        return self._count(count, N_("1 value was changed by hand."), many) if count else ""

    def doing(self, doing: Doing) -> str:
        """What is on its way: a sentence, or nothing."""
        return self._gettext(_DOING[doing]) if doing else ""

    def wrong(self, problems: tuple[str, ...]) -> str:
        """What keeps a run from beginning: the first problem, and how many there are; nothing without any."""
        if len(problems) < 2:
            return next(iter(problems), "")
        said = self._gettext(N_("{count} values cannot be right. {first}"))
        return said.format(count=self._formats.integer(len(problems)), first=problems[0])

    def rows(self, count: int) -> str:
        """A number of rows."""
        return self._count(count, N_("1 row"), N_("{count} rows"))

    def _count(self, count: int, one: str, many: str) -> str:
        return self._gettext(one if count == 1 else many).format(count=self._formats.integer(count))
