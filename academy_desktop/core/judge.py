"""What keeps a recipe from being run, told before anything is started: by the model, the rows, this computer.

Owns these judgements and the nearest values that would do. Loads no torch: files are read, the forecast is
asked, and where only a trial can tell, the trial steps are. Refuses to know recipe files and sentences.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from academy_desktop.core.environment import Gpu, gpu_lack, nvidia_gpus
from academy_desktop.core.estimate.budget import SHORTEST, fitting_length
from academy_desktop.core.estimate.choice import BF16_FLAGS, processor_flags
from academy_desktop.core.estimate.forecast import Forecast, Subject
from academy_desktop.core.estimate.machine import Machine
from academy_desktop.core.estimate.model_shape import ModelShape
from academy_desktop.core.estimate.service import Estimate, Estimates
from academy_desktop.core.trials import WORKS, Trials, lacked_memory
from trainers import choice
from trainers.engines.cpu.architecture import refusal
from trainers.errors import AcademyError, ErrorCode, Fact
from trainers.exporting.base_model import read_header, weight_files
from trainers.recipe import Training, TrainRecipe

#: A field of a recipe and the value that would do there.
Change = tuple[str, int | str]

#: What `choice.choose` cannot have → the field that asks for it, and what can always be had.
_ASKED: Mapping[str, Change] = {
    "unsloth": ("hardware.engine", "auto"),
    "cpu": ("hardware.engine", "auto"),
    "cuda": ("hardware.device", "cpu"),
    "nf4": ("hardware.quantization", "none"),
    "adamw_8bit": ("hardware.optimizer", "auto"),
    "fp16": ("hardware.precision", "auto"),
    "bf16": ("hardware.precision", "auto"),
}
#: What bitsandbytes is needed for.
_BITSANDBYTES = frozenset({"nf4", "adamw_8bit"})


@dataclass(frozen=True)
class Misfit:
    """One thing that cannot be: the field to change, what is wrong (`text.recipes`), and what would do."""

    path: str
    code: str
    facts: dict[str, Fact] = field(default_factory=dict)
    nearest: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Equipment:
    """What a judge looks at on a computer; each may be replaced by what somebody else has seen."""

    gpus: Callable[[], Sequence[Gpu]] = nvidia_gpus
    lack: Callable[[Gpu], str] = gpu_lack
    flags: Callable[[], frozenset[str]] = processor_flags


class Judge:
    """Judges recipes for one data directory; every call may read files, and belongs into a thread."""

    def __init__(self, estimates: Estimates, trials: Trials, equipment: Equipment | None = None) -> None:
        self.estimates = estimates
        self._trials = trials
        self._equipment = equipment or Equipment()

    def judge(self, recipe: TrainRecipe) -> tuple[Misfit, ...]:
        """Everything that keeps a recipe from being run; nothing where it can be."""
        found = [*self._machine_misfits(recipe)]
        try:
            subject = self.estimates.subject(recipe)
        except AcademyError as error:
            return (*found, *_as_misfit(error))
        found += [*layer_misfits(recipe, subject.shape), *length_misfits(recipe, subject)]
        return tuple(found or self._forecast_misfits(recipe))

    def _machine_misfits(self, recipe: TrainRecipe) -> Iterator[Misfit]:
        """What this computer does not have: asked of `trainers.choice`, which decides when the run starts."""
        no_bitsandbytes = self._no_bitsandbytes(recipe)
        there = self._there(bitsandbytes=not no_bitsandbytes)
        try:
            unknown = refusal(recipe) if choice.may_be_own(recipe.hardware, there) else None
            chosen = choice.choose(recipe.hardware, there, unknown)
        except AcademyError as error:
            if error.code is not ErrorCode.ENGINE_UNAVAILABLE:
                raise
            asked, detail = str(error.facts["engine"]), str(error.facts["detail"])
            yield self._refused(recipe, asked, no_bitsandbytes if asked in _BITSANDBYTES else detail)
            return
        if chosen.device == "cpu" and recipe.hardware.precision == "bf16":
            flags = self._equipment.flags()
            if flags and not flags & BF16_FLAGS:
                yield self._refused(recipe, "bf16", "this processor has no bf16, and is faster in fp32")

    def _there(self, *, bitsandbytes: bool) -> choice.Machine:
        """What there is; whether bitsandbytes works is only known where somebody asks for it."""
        usable = [gpu for gpu in self._equipment.gpus() if not self._equipment.lack(gpu)]
        return choice.Machine(
            cuda=bool(usable),
            cuda_name=usable[0].name if usable else "",
            cuda_bf16=all(gpu.has_bf16 for gpu in usable[:1]),
            cores=self.estimates.machine().cores,
            bitsandbytes=bitsandbytes,
        )

    def _no_bitsandbytes(self, recipe: TrainRecipe) -> str:
        """Why bitsandbytes does not work here: a few words, or nothing, as where nobody asks or can tell."""
        hardware = recipe.hardware
        if hardware.quantization != "nf4" and hardware.optimizer != "adamw_8bit":
            return ""
        try:
            outcome = self._trials.ask().four_bit
        except AcademyError as error:
            outcome = str(error.facts.get("detail") or error.code.replace("_", " "))
        return "" if outcome == WORKS or lacked_memory(outcome) else outcome

    def _refused(self, recipe: TrainRecipe, asked: str, detail: str) -> Misfit:
        path, nearest = _ASKED.get(asked, ("hardware.engine", "auto"))
        if asked == "cuda":
            lacks = [lack for gpu in self._equipment.gpus() if (lack := self._equipment.lack(gpu))]
            detail = lacks[0] if lacks else detail
        section, _, name = path.partition(".")
        facts: dict[str, Fact] = {
            "key": path,
            "value": str(getattr(getattr(recipe, section), name)),
            "detail": detail,
            "nearest": nearest,
        }
        return Misfit(path, "not_here", facts, ((path, nearest),))

    def _forecast_misfits(self, recipe: TrainRecipe) -> Iterator[Misfit]:
        try:
            made = self.estimates.estimate(recipe)
        except AcademyError as error:
            yield from _as_misfit(error)
            return
        yield from memory_misfits(made, self.estimates.machine())


def layer_misfits(recipe: TrainRecipe, shape: ModelShape) -> Iterator[Misfit]:
    """Layers for an adapter that the model does not have."""
    modules = _modules(Path(recipe.model.path))
    known = sorted({linear.name for linear in shape.linears})
    wanted = recipe.lora.layers()
    missing = [layer for layer in wanted if not _is_there(layer, modules)]
    if recipe.lora.target_modules == "all-linear" and len(missing) < len(wanted):
        return  # of these each model has some
    if not missing:
        return
    near = {layer: difflib.get_close_matches(layer, known, n=1) for layer in missing}
    kept = [name for layer in wanted for name in near.get(layer, [layer])]
    nearest = ", ".join(dict.fromkeys(kept)) or "all-linear"
    facts: dict[str, Fact] = {"value": missing[0], "nearest": nearest, "known": ", ".join(known)}
    yield Misfit("lora.target_modules", "unknown_layer", facts, (("lora.target_modules", nearest),))


def length_misfits(recipe: TrainRecipe, subject: Subject) -> Iterator[Misfit]:
    """A limit above what the model reads, or below every row."""
    path, limit, most = "training.max_seq_length", recipe.training.max_seq_length, subject.shape.longest
    rows = [row.tokens for row in subject.train.known]
    if limit > most and (most >= SHORTEST or max(rows, default=0) > most):
        facts: dict[str, Fact] = {"key": path, "value": limit, "bound": most}
        if most >= SHORTEST:
            facts["nearest"] = most
        yield Misfit(path, "model_shorter", facts, ((path, most),) if most >= SHORTEST else ())
        return
    if recipe.method == "pretrain" or not rows or min(rows) <= limit:
        return  # texts are laid end to end, and cut in any case
    nearest = fitting_length(max(rows), most)
    facts = {"key": path, "value": limit, "shortest": min(rows), "longest": max(rows)}
    if nearest > limit:
        facts["nearest"] = nearest
    yield Misfit(path, "rows_too_long", facts, ((path, nearest),) if nearest > limit else ())


def memory_misfits(made: Estimate, machine: Machine) -> Iterator[Misfit]:
    """More memory than the GPU has at all; on the processor, than there is with nothing else at work."""
    found = made.forecast
    needed, has = _needed(found, machine)
    if needed <= has:
        return
    nearest = made.nearest.fields if made.nearest else ()
    path = nearest[0][0] if nearest else "model.path"
    facts: dict[str, Fact] = {
        "key": path,
        "needed_bytes": round(found.memory_bytes),
        "limit_bytes": has,
        "nearest": ", ".join(f"{name}: {value}" for name, value in nearest),
    }
    if found.device == "cuda":
        yield Misfit(path, "gpu_too_small", facts, tuple(nearest))
    else:
        yield Misfit(path, "memory_too_small", facts, tuple(nearest))


def _needed(found: Forecast, machine: Machine) -> tuple[float, int]:
    if found.device == "cuda":
        return found.memory_bytes, machine.gpu_bytes
    return found.memory_range.low, machine.ram_bytes


def _modules(folder: Path) -> frozenset[str]:
    """Names of the matrices of a model, as PEFT counts them."""
    try:
        headers: Iterable[Mapping[str, Mapping[str, object]]] = map(read_header, weight_files(folder))
        return frozenset(
            name.removesuffix(".weight")
            for header in headers
            for name, entry in header.items()
            if name.endswith(".weight") and len(_shape(entry)) == 2
        )
    except (AcademyError, OSError):
        return frozenset()


def _shape(entry: Mapping[str, object]) -> Sequence[object]:
    shape = entry.get("shape")
    return shape if isinstance(shape, list | tuple) else ()


def _is_there(layer: str, modules: Iterable[str]) -> bool:
    """Whether a name means a layer of the model: its whole name, or the end of one (as PEFT has it)."""
    return any(name == layer or name.endswith(f".{layer}") for name in modules)


def _as_misfit(error: AcademyError) -> Iterator[Misfit]:
    """What keeps a forecast from being made, where it keeps the run from being made, too."""
    match error.code:
        case ErrorCode.NOTHING_SUPERVISED:
            nearest = (("training.max_seq_length", Training().max_seq_length),)
            yield Misfit("training.max_seq_length", error.code, dict(error.facts), nearest)
        case ErrorCode.DATASET_DAMAGED | ErrorCode.TEMPLATE_FAILED:
            yield Misfit("dataset.id", error.code, dict(error.facts))
