from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path

from tests.trainers.golden.protocol import GOLDEN
from trainers.choice import Choice
from trainers.device import processor
from trainers.environment import PACKAGES, package_versions, record_environment
from trainers.recipe import TrainRecipe
from trainers.recipe_file import read_recipe


def test_an_attempt_records_what_it_ran_with(tmp_path: Path) -> None:
    recipe = read_recipe(GOLDEN / "recipe.train.yaml")
    assert isinstance(recipe, TrainRecipe)
    path = tmp_path / "attempts" / "1" / "environment.json"
    record_environment(path, recipe, Choice("cuda", "A GPU", "peft", "fp16", 3, "because"))
    assert json.loads(path.read_bytes()) == {
        "v": 1,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": package_versions(),
        "device": "cuda",
        "device_name": "A GPU",
        "engine": "peft",
        "precision": "fp16",
        "threads": 3,
        "kernels": "plain",
        "processor": processor(),
        "seed": 11,
    }


def test_versions_are_those_of_the_installed_packages() -> None:
    found = package_versions()
    assert set(found) <= set(PACKAGES)
    assert found["torch"] == version("torch")
    assert found["tokenizers"] == version("tokenizers")
