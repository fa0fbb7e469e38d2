"""From a recipe to the recipe of its rehearsal: a small model, a few rows, some steps, on the processor.

Owns what is otherwise than in the real run, and says so. Refuses to know where model and rows lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from academy_desktop.core.rehearsal_record import Change
from trainers.recipe import DatasetRef, Hardware, ModelRef, Training, TrainRecipe

#: Enough for the loss to show where it goes, and for a minute.
STEPS = 24
#: Steps of the warm-up, at most.
WARM_UP = 3
#: Epochs that the few rows are gone through, at most; ends with the steps.
EPOCHS = 20
#: Tokens that a usual step and the longest batch may have: a processor needs seconds for more.
STEP_TOKENS, BATCH_TOKENS = 4096, 16384
#: A narrow model of random weights learns nothing at the rate of a wide one that knows much.
MINIATURE_RATE = 3e-3
#: Held-out rows that are scored, and how often.
EVALUATED_ROWS, EVALUATE_EVERY = 8, STEPS // 2


@dataclass(frozen=True)
class FewRows:
    """The few rows: how many examples they make, and the tokens of the longest and of a usual one."""

    dataset: DatasetRef
    rows: int
    longest: int
    typical: int


@dataclass(frozen=True)
class Stage:
    """What is rehearsed with, and whether the real run would have a GPU."""

    model: ModelRef
    is_miniature: bool
    few: FewRows
    has_gpu: bool


def rehearsal_of(recipe: TrainRecipe, stage: Stage) -> tuple[TrainRecipe, tuple[Change, ...]]:
    """Return the recipe of the rehearsal, and what in it is not as in the real one."""
    training = _training(recipe, stage)
    hardware = _hardware(recipe.hardware)
    is_text = recipe.method == "pretrain"
    evaluation = recipe.evaluation.model_copy(
        update={
            "every_steps": EVALUATE_EVERY,
            "max_rows": 0 if is_text else min(recipe.evaluation.max_rows, EVALUATED_ROWS),
            "patience": None,
            # what a miniature says of everyday things is nothing to be forgotten
            "forgetting": None,
            **({"keep_best": False} if is_text or not recipe.evaluation.max_rows else {}),
        }
    )
    made = recipe.model_copy(
        update={
            "model": stage.model,
            "dataset": stage.few.dataset,
            "training": training,
            "evaluation": evaluation,
            "samples": recipe.samples.model_copy(update={"prompts": (), "count": 0}),
            "hardware": hardware,
        }
    )
    return TrainRecipe.model_validate(made.model_dump()), tuple(_changes(recipe, made, stage))


def _training(recipe: TrainRecipe, stage: Stage) -> Training:
    real, few = recipe.training, stage.few
    least = 2 if recipe.method == "kto" else 1
    most = max(few.rows * EPOCHS // STEPS, least)  # in a step, for there to be enough steps
    batch = min(real.batch_size, most, max(BATCH_TOKENS // max(few.longest, 1), least))
    batches = max(min(STEP_TOKENS // max(batch * few.typical, 1), most // batch), 1)
    return real.model_copy(
        update={
            "max_steps": STEPS,
            "num_epochs": EPOCHS,
            "batch_size": batch,
            "gradient_accumulation_steps": min(real.gradient_accumulation_steps, batches),
            "warmup_steps": min(real.warmup(STEPS), WARM_UP),
            "warmup_ratio": None,
            "learning_rate": max(real.learning_rate, MINIATURE_RATE)
            if stage.is_miniature
            else real.learning_rate,
        }
    )


def _hardware(real: Hardware) -> Hardware:
    """What this processor has; what it has not gives way to what is chosen by itself."""
    return Hardware(
        device="cpu",
        engine="auto" if real.engine == "unsloth" else real.engine,
        precision="auto" if real.precision == "fp16" else real.precision,
        quantization="none",
        optimizer="auto" if real.optimizer == "adamw_8bit" else real.optimizer,
        threads=None if real.device == "cuda" else real.threads,
    )


def _changes(real: TrainRecipe, made: TrainRecipe, stage: Stage) -> Iterator[Change]:
    if real.hardware.device == "cuda" or (real.hardware.device == "auto" and stage.has_gpu):
        yield Change(code="device")
    for name in ("engine", "precision", "quantization", "optimizer"):
        was = getattr(real.hardware, name)
        if was != getattr(made.hardware, name):
            yield Change(code=name, facts={"value": was})
    before, after = real.training, made.training
    if after.batch_size != before.batch_size:
        yield Change(code="batch_size", facts={"before": before.batch_size, "after": after.batch_size})
    if after.gradient_accumulation_steps != before.gradient_accumulation_steps:
        yield Change(
            code="batches",
            facts={"before": before.gradient_accumulation_steps, "after": after.gradient_accumulation_steps},
        )
    if after.learning_rate != before.learning_rate:
        yield Change(
            code="learning_rate", facts={"before": before.learning_rate, "after": after.learning_rate}
        )
