"""The small model of a rehearsal: a smaller one of the same make that is there already, or a miniature.

Owns the choice. What a miniature is, `trainers.miniature` knows; it is made in a child process.
"""

from __future__ import annotations

from pathlib import Path

from academy_desktop.core.models import Model, Models
from academy_desktop.core.rehearsal_record import SmallModel
from academy_desktop.core.tasks import Progress, Tasks
from trainers.digest import sha256_of_file
from trainers.errors import AcademyError
from trainers.exporting.base_model import fingerprint
from trainers.recipe import ModelRef, TrainRecipe
from trainers.rendering import Renderer

#: A larger one takes more than a minute or two on a few cores.
MOST_PARAMETERS = 200_000_000
#: A sibling is smaller than this share of the model.
CLEARLY_SMALLER = 0.6


def small_model(
    models: Models, tasks: Tasks, recipe: TrainRecipe, folder: Path, progress: Progress
) -> tuple[ModelRef, SmallModel]:
    """Find a sibling of a recipe's model, or make a miniature of it in `folder`.

    Raises:
        AcademyError: what keeps the model from being read; `miniature_failed`, `disk_full`, `task_failed`.
    """
    base = models.get(recipe.model.path)
    sibling = _sibling(models, base)
    if sibling is not None:
        path = Path(sibling.path)
        small = SmallModel(id=sibling.id, kind="sibling", parameters=sibling.parameters)
        return ModelRef(id=sibling.id, path=str(path), sha256=fingerprint(path)), small
    path = folder / f"{base.id}-miniature"
    made = tasks.run("miniature", {"model": base.path, "folder": str(path)}, progress)
    small = SmallModel(id=path.name, kind="miniature", parameters=made["parameters"])
    return ModelRef(id=path.name, path=str(path), sha256=fingerprint(path)), small


def _sibling(models: Models, base: Model) -> Model | None:
    """The largest of the small models with the same architecture, tokenizer and template."""
    fitting = [
        one
        for one in models.list()
        if one.trainable
        and one.architecture == base.architecture
        and one.parameters <= min(MOST_PARAMETERS, CLEARLY_SMALLER * base.parameters)
    ]
    for one in sorted(fitting, key=lambda one: -one.parameters):
        if _speaks_alike(Path(one.path), Path(base.path)):
            return one
    return None


def _speaks_alike(one: Path, other: Path) -> bool:
    """Whether two models have the same tokens and write conversations alike."""
    try:
        if sha256_of_file(one / "tokenizer.json") != sha256_of_file(other / "tokenizer.json"):
            return False
        first, second = Renderer.load(one), Renderer.load(other)
    except (AcademyError, OSError):
        return False
    return (first.chat_template, first.special_tokens) == (second.chat_template, second.special_tokens)
