"""What is wrong in a recipe file, in words: one template per problem code.

Owns the English originals. A code that is not here is an error code and has its words in `errors`.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.marking import N_

PROBLEMS: Final = {
    "unknown_key": N_("“{key}” is not a key of a recipe[; did you mean “{nearest}”?|.]"),
    "missing_key": N_("“{key}” is missing."),
    "out_of_range_gt": N_("“{key}” is {value}, but must be more than {bound}."),
    "out_of_range_ge": N_("“{key}” is {value}, but must be at least {bound}."),
    "out_of_range_lt": N_("“{key}” is {value}, but must be less than {bound}."),
    "out_of_range_le": N_("“{key}” is {value}, but must be at most {bound}."),
    "wrong_value": N_("“{key}” cannot be “{value}”[: it must be {expected}|: {detail}]."),
    "contradiction": N_("Two values do not go together[: {detail}]."),
    "not_yaml": N_("This line cannot be read as YAML[: {detail}]."),
    "path_not_absolute": N_("“{value}” is not a whole path: a recipe names folders from the root."),
    "path_outside": N_("“{value}” is not the dataset's own folder[, which is {expected}]."),
    "unknown_layer": N_("The model has no layer “{value}”[. It has {known}].[ This works: {nearest}.]"),
    "model_shorter": N_("“{key}” is {value}, but the model reads at most {bound} tokens."),
    "rows_too_long": N_(
        "Every row is longer than “{key}”, {value} tokens, and would be cut: the shortest has {shortest}, "
        "the longest {longest}.[ This works: {nearest}.| Make the rows shorter.]"
    ),
    "not_here": N_("“{key}” cannot be “{value}” here[: {detail}][. This works: {nearest}]."),
    "gpu_too_small": N_(
        "This needs about {needed_bytes}, and the graphics card has {limit_bytes}."
        "[ This works: {nearest}.| Choose a smaller model.]"
    ),
    "memory_too_small": N_(
        "This needs about {needed_bytes}, and this computer has {limit_bytes} of memory."
        "[ This works: {nearest}.| Choose a smaller model.]"
    ),
    "hash_differs": N_("The files on the disk are not those that this recipe was made for."),
}
