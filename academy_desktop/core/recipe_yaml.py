"""Writes resolved recipes as YAML; `trainers.recipe_file` reads them.

Owns the form of the file. Refuses to know what a recipe means.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

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
    yaml.dump(_without_line_breaks(recipe.model_dump(mode="json")), stream)
    return stream.getvalue()


def _without_line_breaks(value: Any) -> Any:
    """Quote text with a "next line" character: ruamel writes it bare and then reads it as a line break."""
    if isinstance(value, dict):
        return {name: _without_line_breaks(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_line_breaks(one) for one in value]
    return DoubleQuotedScalarString(value) if isinstance(value, str) and "\x85" in value else value
