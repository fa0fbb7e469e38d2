"""What an attempt ran with: versions, device, threads, seed. Written once, for whoever repeats the run."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from trainers.choice import Choice
from trainers.device import processor
from trainers.layout import PROTOCOL_VERSION, write_atomically
from trainers.packages import versions_of
from trainers.recipe import TrainRecipe

PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "bitsandbytes",
    "datasets",
    "tokenizers",
    "numpy",
    "numba",
)


def record_environment(path: Path, recipe: TrainRecipe, choice: Choice) -> None:
    """Write `environment.json` of an attempt."""
    record = {
        "v": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": package_versions(),
        "device": choice.device,
        "device_name": choice.device_name,
        "engine": choice.engine,
        "precision": choice.precision,
        "threads": choice.threads,
        "kernels": choice.kernels,
        "processor": processor(),
        "seed": recipe.training.seed,
    }
    write_atomically(path, json.dumps(record, indent=1).encode() + b"\n")


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that decide a run's arithmetic, those that are there."""
    return versions_of(PACKAGES)
