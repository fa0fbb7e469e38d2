"""Writes resolved recipes as YAML; `trainers.recipe_file` reads them.

Owns the form of the file. Refuses to know what a recipe means.
"""

from __future__ import annotations

from io import BytesIO

from ruamel.yaml import YAML

from trainers.recipe import CertifyRecipe, EvaluateRecipe, ExportRecipe, TrainRecipe

AnyRecipe = TrainRecipe | ExportRecipe | CertifyRecipe | EvaluateRecipe

#: Wide enough that no path is ever folded over two lines.
_WIDTH = 8192


def dump_recipe(recipe: AnyRecipe) -> bytes:
    """A recipe as YAML with every value resolved, in the order of its declaration."""
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = _WIDTH
    stream = BytesIO()
    yaml.dump(recipe.model_dump(mode="json"), stream)
    return stream.getvalue()
