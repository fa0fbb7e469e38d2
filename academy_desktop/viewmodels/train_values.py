"""Where the values in the form come from: a preset or an earlier recipe, for a method and a model.

Owns what was filled in, and what fills it in again. Refuses to know datasets, and to touch what was typed.
"""

from __future__ import annotations

from academy_desktop.core.estimate.budget import SHORTEST
from academy_desktop.viewmodels.recipe_form import RecipeForm
from academy_desktop.viewmodels.train_sources import Presets
from trainers.recipe import Method, TrainRecipe


class Filling:
    """Fills in a form; `presets`, and how long a text the model reads (`longest`), may change at any time."""

    def __init__(self, form: RecipeForm) -> None:
        self._form = form
        self.presets: Presets = {}
        self.longest: int | None = None
        self._preset = ""
        self._given: TrainRecipe | None = None
        self._basis: TrainRecipe | None = None

    @property
    def preset(self) -> str:
        """The preset that the values were filled in from, or nothing."""
        return self._preset

    @property
    def basis(self) -> TrainRecipe | None:
        """All that was filled in, whatever was typed since."""
        return self._basis

    def from_preset(self, preset: str) -> None:
        """Fill in the values of a preset; what was typed gives way."""
        if preset in self.presets:
            self._preset = preset
            self._given = self.presets[preset][self._form.method]
            self._basis = self._readable(self._given)
            self._form.take(self._basis)

    def from_recipe(self, recipe: TrainRecipe) -> None:
        """Fill in the values of a recipe; what was typed gives way. It may be one of a preset."""
        self._form.take(recipe)
        self._given = self._basis = recipe
        held = (name for name, of in self.presets.items() if self._form.holds(of[recipe.method]))
        self._preset = next(held, "")

    def follow(self, method: Method, usual: str) -> bool:
        """Fill in what a method and the model need, but for what was typed; nothing where both are as before.

        Returns whether values of an earlier recipe, of another method, gave way to the preset `usual`.
        """
        before, learned = self._basis, self._form.method
        replaced = method != learned and not self._preset and usual in self.presets
        if replaced:
            self._preset = usual
        if self._preset:
            self._given = self.presets[self._preset][method]
        if self._given is not None:
            self._basis = self._readable(self._given)  # from what was given: the next model may read more
            # the same values again would stand where those are that were fitted into a time
            if self._basis != before or method != learned:
                self._form.refill(self._basis)
        return replaced

    def _readable(self, recipe: TrainRecipe) -> TrainRecipe:
        """A recipe with no limit above what the model reads."""
        most = self.longest
        if most is None or not SHORTEST <= most < recipe.training.max_seq_length:
            return recipe
        training = recipe.training.model_copy(update={"max_seq_length": most})
        return recipe.model_copy(update={"training": training})
