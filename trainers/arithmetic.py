"""What decides a run's numbers to the last bit, kept beside each checkpoint: a run goes on as it began.

Owns the record, what of it a later attempt keeps, and the words for what it could not keep. Refuses to know
engines.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from trainers.choice import Choice
from trainers.device import processor, usable_cores
from trainers.layout import Record, write_record
from trainers.packages import versions_of
from trainers.recipe import Hardware
from trainers.rows import Example

FILE = "arithmetic.json"
_NAMES = {"cpu": "the engine for processors", "peft": "TRL and PEFT"}


class Arithmetic(Record):
    """Engine, device, number format, threads, kernels, optimizer, versions, processor, hash of all rows."""

    engine: str
    device: str
    precision: Literal["fp32", "bf16", "fp16"]
    threads: int
    kernels: str = ""
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw"
    torch: str = ""
    numba: str = ""
    processor: str = ""
    plan: str = ""
    at_once: str = ""


def arithmetic_of(choice: Choice, plan: str, at_once: str = "") -> Arithmetic:
    """Return what a run computes with here and now."""
    versions = versions_of(("torch", "numba"))
    return Arithmetic(
        engine=choice.engine,
        device=choice.device,
        precision=choice.precision,
        threads=choice.threads,
        kernels=choice.kernels,
        optimizer=choice.optimizer,
        torch=versions.get("torch", ""),
        numba=versions.get("numba", "") if choice.kernels == "compiled" else "",
        processor=processor(),
        plan=plan,
        at_once=at_once,
    )


def plan_hash(examples: Sequence[Example], steps: Sequence[Sequence[int]]) -> str:
    """Return a hash of the rows' tokens and labels, and of the order in which they are learned."""
    digest = hashlib.sha256()
    for example in examples:
        one: Example | None = example
        while one is not None:
            digest.update(f"{len(one.ids)} {one.desirable} {one.rejected is not None}".encode())
            digest.update(array("q", one.ids).tobytes() + array("q", one.labels).tobytes())
            one = one.rejected
    for step in steps:
        digest.update(len(step).to_bytes(8, "little"))
        digest.update(array("q", step).tobytes())
    return digest.hexdigest()


def save(folder: Path, arithmetic: Arithmetic) -> None:
    """Write `arithmetic.json` into a checkpoint that is being made."""
    write_record(folder / FILE, arithmetic)


def recorded(checkpoint: Path | None, environment: Path | None) -> Arithmetic | None:
    """Return what a checkpoint was computed with, else what the attempt before this one began with.

    Checkpoints of earlier versions hold no such record, and their attempts' `environment.json` a part of it.
    """
    for path in (checkpoint / FILE if checkpoint else None, environment):
        if path is None:
            continue
        try:
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
            found.setdefault("torch", found.get("packages", {}).get("torch", ""))
            return Arithmetic.model_validate(found)
        except (OSError, ValueError, ValidationError, AttributeError):
            continue
    return None


def kept(choice: Choice, before: Arithmetic | None, hardware: Hardware, unknown: str | None) -> Choice:
    """Return the choice with what the run began with, where the recipe leaves it open and it can be had.

    Args:
        choice: what would be taken for a new run.
        before: what the run computed with, if that is known.
        hardware: what the recipe wishes.
        unknown: why the engine for processors cannot train the recipe; None where it can.
    """
    if before is None or before.device != choice.device:
        return choice
    new = choice
    if hardware.engine == "auto" and before.engine == "peft":
        new = replace(new, engine="peft", kernels="plain")
    elif hardware.engine == "auto" and before.engine == "cpu" and unknown is None:
        new = replace(new, engine="cpu")
    if hardware.precision == "auto":
        new = replace(new, precision=before.precision)
    if hardware.threads is None and before.threads <= usable_cores():
        new = replace(new, threads=before.threads)
    if hardware.optimizer == "auto":
        new = replace(new, optimizer=before.optimizer)
    if before.kernels == "plain":
        new = replace(new, kernels="plain")
    return replace(new, reason=f"{_NAMES[new.engine]}, as the run began")


def difference(before: Arithmetic | None, now: Arithmetic, *, from_start: bool) -> str:
    """Return what is no longer as it was, in a few words; empty when the run is the same to the last bit."""
    if before is None:
        return "it is not recorded what the run began with"
    ignored = {"v", "plan"} if from_start else {"v"}
    old, new = before.model_dump(exclude=ignored), now.model_dump(exclude=ignored)
    return ", ".join(_told(name, old[name], new[name]) for name in new if old[name] != new[name])


def _told(name: str, old: object, new: object) -> str:
    if name == "plan":
        return "the rows or their order are not as they were"
    if name == "at_once":
        return "fewer rows are computed at once" if new else "as many rows as usual are computed at once"
    return f"{name}: {new or 'none'}, not {old or 'recorded'}"
