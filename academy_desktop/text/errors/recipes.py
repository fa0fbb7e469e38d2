"""Recipes: what can fail there, in words.

Owns the English originals, marked for translation; `templates` says how facts enter them.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.errors.error_text import ErrorText
from academy_desktop.text.marking import N_
from trainers.errors import ErrorCode

#: For `recipe_invalid` with a problem of `text.recipes`, which enters as `said`, a sentence of its own.
RECIPE_PROBLEM: Final = ErrorText(
    N_("The recipe has a mistake"),
    N_("[{path}: ][line {line}: ]{said}"),
    N_("Mend the recipe. “academy recipe check” names every problem."),
)

RECIPES: Final = {
    ErrorCode.RECIPE_INVALID: ErrorText(
        N_("The recipe has a mistake"),
        N_("[{path}: ][line {line}: ][“{key}” |One setting ]does not fit[: {detail}][. It is {value}]."),
        N_("Mend the recipe[: perhaps “{nearest}” was meant]. “academy recipe check” names every problem."),
    ),
    ErrorCode.RECIPE_UNREADABLE: ErrorText(
        N_("The recipe cannot be read"),
        N_("The recipe[ {path}] cannot be read as YAML[ at line {line}][: {detail}]."),
        N_("Mend what is named, or make a new recipe with “academy recipe init”."),
    ),
}
