"""Refuses what would lead out of a run directory: a link in it, or a recipe that names no run of ours.

Owns the refusal in the app, which writes there first. Refuses to follow anything.
"""

from __future__ import annotations

import os
from pathlib import Path

from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipe_yaml import AnyRecipe
from trainers.errors import AcademyError, ErrorCode
from trainers.foreign import way_out
from trainers.layout import RunDir
from trainers.recipe import TrainRecipe


def stay_inside(run: RunDir) -> None:
    """Refuse to write into a run directory that leads out of itself.

    Raises:
        AcademyError: `job_foreign`.
    """
    if (name := way_out(run.path)) is not None:
        target = os.path.realpath(run.path / name)
        raise AcademyError(ErrorCode.JOB_FOREIGN, job=run.job, name=name, path=target)


def stay_here(data: DataDir, run: RunDir, recipe: AnyRecipe) -> None:
    """Refuse a job whose recipe, which may come from anywhere, works in what is no run of ours.

    Raises:
        AcademyError: `job_foreign`.
    """
    if isinstance(recipe, TrainRecipe):
        return
    parent = data.run(recipe.parent)
    is_ours = parent.path.parent == data.runs and parent.path.name == recipe.parent
    if not is_ours or Path(recipe.parent_dir).resolve() != parent.path.resolve():
        raise AcademyError(ErrorCode.JOB_FOREIGN, job=run.job, name=run.recipe.name, path=recipe.parent_dir)
    stay_inside(parent)
