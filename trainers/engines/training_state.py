"""Everything but weights that an exact resume needs, as JSON and safetensors: no pickle.

Owns `optimizer.safetensors` and `state.json` of a checkpoint for torch optimizers.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy
import torch
from safetensors.torch import load_file, save_file

OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"


def save_state(
    folder: Path,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    step: int,
) -> None:
    """Write optimizer, scheduler and random states after `step` updates."""
    tensors: dict[str, torch.Tensor] = {}
    scalars: dict[str, float] = {}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in _flat(values):
            if isinstance(value, torch.Tensor):
                # bitsandbytes' parameters share a table, which safetensors would refuse.
                tensors[f"{index}.{name}"] = value.detach().cpu().clone().contiguous()
            else:
                scalars[f"{index}.{name}"] = value
    tensors["random.torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    save_file(tensors, folder / OPTIMIZER)
    groups = [
        {key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups
    ]
    kept = {key: value for key, value in scheduler.state_dict().items() if key != "lr_lambdas"}
    state = {
        "v": 1,
        "step": step,
        "optimizer": {
            "kind": type(optimizer).__name__,
            "scalars": dict(sorted(scalars.items())),
            "groups": groups,
        },
        "scheduler": kept,
        "random": {"python": random.getstate(), "numpy": _numpy_state()},
    }
    (folder / STATE).write_text(json.dumps(state) + "\n", "utf-8")


def load_state(
    folder: Path, optimizer: torch.optim.Optimizer, scheduler: torch.optim.lr_scheduler.LRScheduler
) -> None:
    """Put optimizer and scheduler into the saved state; random states are left to `restore_random`.

    The learning rate before the schedule stays the one that they were made with: a guard may have lowered it
    since the state was saved.
    """
    rates = [group["initial_lr"] for group in optimizer.param_groups]
    state = _read(folder)
    merged: dict[int, dict[str, Any]] = {}
    for key, tensor in load_file(folder / OPTIMIZER).items():
        index, _, name = key.partition(".")
        if index != "random":
            _put(merged.setdefault(int(index), {}), name, tensor)
    for key, value in state["optimizer"]["scalars"].items():
        index, _, name = key.partition(".")
        _put(merged.setdefault(int(index), {}), name, value)
    if state["optimizer"].get("kind", "AdamW") != type(optimizer).__name__:
        merged.clear()  # another optimizer's moments mean nothing to it, and it would miss its own
    groups = optimizer.state_dict()["param_groups"]
    for group, saved in zip(groups, state["optimizer"]["groups"], strict=True):
        # JSON has no tuples, and torch wants its betas back as one.
        group.update(
            {key: tuple(value) if isinstance(value, list) else value for key, value in saved.items()}
        )
    optimizer.load_state_dict({"state": merged, "param_groups": groups})
    scheduler.load_state_dict({**scheduler.state_dict(), **state["scheduler"]})
    if scheduler.base_lrs != rates:
        _set_rates(optimizer, scheduler, rates)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is in a parameter's state; bitsandbytes keeps a part of it one level down."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _put(values: dict[str, Any], name: str, value: object) -> None:
    """Put one of the values that `_flat` yields back into its place."""
    *above, last = name.split(".")
    for part in above:
        values = values.setdefault(part, {})
    values[last] = value


def _set_rates(
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    rates: list[float],
) -> None:
    """Go on at the same place of the schedule with other rates."""
    for group, rate, before in zip(optimizer.param_groups, rates, scheduler.base_lrs, strict=True):
        group["initial_lr"] = rate
        group["lr"] *= rate / before
    scheduler.base_lrs = list(rates)


def restore_random(folder: Path) -> None:
    """Put the random states of Python, NumPy and torch back to where the checkpoint was taken."""
    state = _read(folder)["random"]
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    numpy.random.set_state((name, numpy.array(keys, dtype=numpy.uint32), position, has_gauss, cached))
    tensors = load_file(folder / OPTIMIZER)
    torch.set_rng_state(tensors["random.torch"])
    if torch.cuda.is_available() and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"])


def _numpy_state() -> list[Any]:
    name, keys, position, has_gauss, cached = numpy.random.get_state(legacy=True)
    return [name, [int(key) for key in keys], int(position), int(has_gauss), float(cached)]


def _read(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((folder / STATE).read_text("utf-8"))
    return state
