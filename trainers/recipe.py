"""What a job is: one strict, frozen model per kind of job, and the only declaration of each option.

A field carries its default, its bounds, its unit and its help; the form, the command line, the YAML file and
the documentation derive from it. Owns meaning, not files: reading and writing YAML belongs to the app and to
the trainer's start. Refuses to know torch, Qt and the app.
"""

from __future__ import annotations

from math import ceil
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator
from pydantic.config import JsonDict

RECIPE_VERSION: Final = 1

#: The linear layers that LoRA adapts in the dense decoder families (PEFT's names).
LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

Device = Literal["auto", "cpu", "cuda"]
Engine = Literal["auto", "unsloth", "peft", "cpu"]
ExportFormat = Literal["adapter", "merged", "gguf", "lora-gguf"]
Method = Literal["sft", "pretrain", "dpo", "orpo", "kto"]
Quant = Literal["f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m"]
#: The mixtures of number formats that llama.cpp makes.
MIXED_QUANTS: Final[tuple[Quant, ...]] = ("q6_k", "q5_k_m", "q4_k_m")
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SamplePrompt = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "translate later"
    """Mark `text` for extraction into the translation catalogs; returns it unchanged."""
    return text


def option(
    default: Any,
    help_text: str,
    *,
    title: str | None = None,
    unit: str | None = None,
    separator: str | None = None,
    **bounds: Any,
) -> Any:
    """Declare one option: default, help, title (what a form calls it), unit (beside the value) and bounds.

    `separator` stands between the parts of a list where it is written in one line.
    """
    extra: JsonDict = {name: said for name, said in (("unit", unit), ("separator", separator)) if said}
    return Field(default, title=title, description=help_text, json_schema_extra=extra or None, **bounds)


class ContradictionError(ValueError):
    """Values that do not go together: the field to change, why, and what would do there (None: nothing)."""

    def __init__(self, path: str, said: str, nearest: str | int | None) -> None:
        super().__init__(f"{path}: {said}")
        self.nearest = nearest


class Section(BaseModel):
    """A part of a recipe: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelRef(Section):
    """The base model: a folder in Hugging Face layout."""

    id: str = Field(description=N_("Name of the model in this data directory."))
    path: str = Field(description=N_("Folder that holds config.json, the weights and the tokenizer."))
    sha256: Sha256 | None = option(
        None, N_("Hash of the weights' names, sizes and headers, checked at the start.")
    )


class DatasetRef(Section):
    """The dataset: an immutable import in this data directory."""

    id: str = Field(description=N_("Id of the dataset."))
    path: str = Field(description=N_("Folder that holds dataset.json and the rows."))
    sha256: Sha256 = Field(description=N_("Content hash of the dataset, checked at the start."))


class Lora(Section):
    """The shape of the adapter (PEFT's LoraConfig)."""

    rank: int = option(
        16, N_("Width of the adapter: more learns more and costs more memory."), title=N_("Rank"), ge=4, le=64
    )
    alpha: int = option(
        32,
        N_("Strength of the adapter; the update is scaled by alpha / rank."),
        title=N_("Alpha"),
        ge=1,
        le=256,
    )
    dropout: float = option(
        0.0, N_("Share of adapter inputs dropped while training."), title=N_("Dropout"), ge=0.0, le=0.5
    )
    target_modules: Literal["all-linear"] | tuple[str, ...] = option(
        "all-linear",
        N_("Layers that get an adapter: all-linear, or a list of layer names."),
        title=N_("Layers with an adapter"),
    )
    use_rslora: bool = option(
        False,
        N_("Scale by alpha / sqrt(rank) instead: steadier at high ranks."),
        title=N_("Rank-stabilized (rsLoRA)"),
    )
    use_dora: bool = option(
        False,
        N_("Learn the length and the direction of the weights apart: better at low ranks, slower."),
        title=N_("Weight-decomposed (DoRA)"),
    )
    init: Literal["default", "pissa"] = option(
        "default",
        N_("Where the adapter begins: default at nothing, pissa at the model's strongest directions."),
        title=N_("Beginning"),
    )

    def layers(self) -> tuple[str, ...]:
        """The names of the adapted layers."""
        return LINEAR_LAYERS if self.target_modules == "all-linear" else tuple(self.target_modules)


class Training(Section):
    """How long, how fast and in which order."""

    learning_rate: float = option(
        2e-4, N_("Size of each update."), title=N_("Learning rate"), gt=0.0, le=0.01
    )
    num_epochs: int = option(2, N_("How often every row is seen."), title=N_("Epochs"), ge=1, le=20)
    max_steps: int | None = option(
        None, N_("End after this many steps, whatever the epochs say."), title=N_("Most steps"), ge=1
    )
    batch_size: int = option(
        1, N_("Rows computed at once."), title=N_("Batch size"), unit="rows", ge=1, le=32
    )
    gradient_accumulation_steps: int = option(
        4, N_("Batches summed into one step."), title=N_("Batches per step"), ge=1, le=128
    )
    max_seq_length: int = option(
        1024, N_("Longer rows are cut here."), title=N_("Longest row"), unit="tokens", ge=256, le=8192
    )
    lr_scheduler_type: Literal["linear", "cosine", "cosine_with_min_lr", "constant"] = option(
        "linear", N_("How the learning rate falls after the warm-up."), title=N_("Schedule")
    )
    min_lr_ratio: float = option(
        0.1,
        N_("Share of the learning rate that cosine_with_min_lr ends with."),
        title=N_("Lowest rate"),
        ge=0.0,
        le=1.0,
    )
    warmup_steps: int = option(
        5, N_("Steps over which the learning rate rises from zero."), title=N_("Warm-up"), unit="steps", ge=0
    )
    warmup_ratio: float | None = option(
        None,
        N_("Warm-up as a share of all steps; empty: as many steps as given."),
        title=N_("Warm-up share"),
        ge=0.0,
        le=0.5,
    )
    weight_decay: float = option(
        0.0, N_("Pull of the adapter's weights towards zero."), title=N_("Weight decay"), ge=0.0, le=1.0
    )
    max_grad_norm: float = option(
        1.0, N_("Longer gradients are shortened to this norm."), title=N_("Gradient norm"), gt=0.0, le=100.0
    )
    neftune_noise_alpha: float | None = option(
        None,
        N_("Strength of the noise on the input while training (NEFTune), usually 5; empty: none."),
        title=N_("Noise (NEFTune)"),
        gt=0.0,
        le=100.0,
    )
    seed: int = option(
        3407,
        N_("Start of every random choice; the same seed gives the same run."),
        title=N_("Seed"),
        ge=0,
        lt=2**32,
    )

    def warmup(self, total_steps: int) -> int:
        """Steps of warm-up in a run of `total_steps`."""
        return self.warmup_steps if self.warmup_ratio is None else ceil(total_steps * self.warmup_ratio)


class Preference(Section):
    """How strongly the better and the worse answers pull (dpo, orpo and kto only)."""

    beta: float = option(
        0.1,
        N_("dpo, kto: how close the model stays to its base; orpo: weight of the preference."),
        title=N_("Beta"),
        gt=0.0,
        le=10.0,
    )
    loss_type: Literal["sigmoid", "hinge", "ipo"] = option(
        "sigmoid", N_("dpo: form of the loss, as TRL names it."), title=N_("Loss")
    )
    desirable_weight: float = option(
        1.0, N_("kto: weight of the good answers."), title=N_("Weight of good answers"), gt=0.0, le=100.0
    )
    undesirable_weight: float = option(
        1.0, N_("kto: weight of the bad answers."), title=N_("Weight of bad answers"), gt=0.0, le=100.0
    )


class Evaluation(Section):
    """How often the held-out rows are scored."""

    every_steps: int | None = option(
        None,
        N_("Steps between evaluations; empty: once per epoch."),
        title=N_("Evaluate every"),
        unit="steps",
        ge=1,
    )
    max_rows: int = option(
        200,
        N_("Held-out rows scored each time; 0 turns evaluation off."),
        title=N_("Held-out rows"),
        unit="rows",
        ge=0,
    )
    keep_best: bool = option(
        False,
        N_("Keep the adapter of the evaluation with the lowest loss, not the last one."),
        title=N_("Keep the best"),
    )
    patience: int | None = option(
        None,
        N_("End after this many evaluations in a row without a lower loss; empty: never."),
        title=N_("Patience"),
        unit="evaluations",
        ge=1,
        le=100,
    )
    # On SmolLM2-135M a sound rate (2e-4) moved that loss by -9 to +2 % in 40 steps, a tenfold rate by +101 %
    # in ten; a tenth of the 2 nats that it begins with makes each right token 1.2 times as unlikely.
    forgetting: float | None = option(
        0.1,
        N_(
            "Warn when the loss on everyday questions, scored with the held-out rows, is higher than the "
            "base's by this share; empty: they are not scored."
        ),
        title=N_("Forgetting alarm"),
        gt=0.0,
        le=10.0,
    )


class Samples(Section):
    """Which questions the model is asked at every evaluation, beside the base's answers."""

    prompts: tuple[SamplePrompt, ...] = option(
        (),
        N_("Questions to ask, | between them; empty: those of the first held-out rows."),
        title=N_("Questions"),
        separator="|",
        max_length=16,
    )
    count: int = option(
        3,
        N_(
            "How many questions are taken from the held-out rows; 0: none are asked. Answering takes some "
            "seconds of every evaluation, more with a large model on a processor."
        ),
        title=N_("Questions from the rows"),
        unit="questions",
        ge=0,
        le=16,
    )
    max_new_tokens: int = option(
        48, N_("Longer answers are cut here."), title=N_("Longest answer"), unit="tokens", ge=1, le=200
    )


class Checkpoints(Section):
    """How often the run is saved, and how many saves are kept."""

    every_steps: int | None = option(
        None,
        N_("Steps between checkpoints; empty: by time only."),
        title=N_("Save every"),
        unit="steps",
        ge=1,
    )
    every_minutes: float = option(
        10.0,
        N_("Minutes between checkpoints at most."),
        title=N_("Save at least every"),
        unit="min",
        gt=0.0,
        le=1440.0,
    )
    keep: int = option(2, N_("Checkpoints kept; older ones are removed."), title=N_("Keep"), ge=1, le=100)
    rollbacks: int = option(
        3,
        N_(
            "How often an unstable run goes back to its last checkpoint with half the learning rate; 0: it "
            "ends instead."
        ),
        title=N_("Go back when unstable"),
        unit="times",
        ge=0,
        le=20,
    )


class Hardware(Section):
    """Where and how the arithmetic is done; everything is chosen by itself unless named."""

    device: Device = option("auto", N_("cpu, cuda, or auto: the GPU if there is one."), title=N_("Device"))
    engine: Engine = option(
        "auto",
        N_("auto: on a processor our own (cpu) where it knows the model; else TRL with PEFT."),
        title=N_("Engine"),
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = option(
        "auto", N_("Number format of the arithmetic."), title=N_("Precision")
    )
    quantization: Literal["none", "nf4"] = option(
        "none", N_("nf4 keeps the base model in 4 bit (QLoRA)."), title=N_("Quantization")
    )
    optimizer: Literal["auto", "adamw", "adamw_8bit"] = option(
        "auto",
        N_("adamw_8bit keeps the optimizer's state in 8 bit, which auto does on a GPU with bitsandbytes."),
        title=N_("Optimizer"),
    )
    threads: int | None = option(
        None, N_("Processor threads; empty: one per core."), title=N_("Threads"), ge=1, le=256
    )


class TrainRecipe(Section):
    """Everything that a training run needs."""

    version: Literal[1] = RECIPE_VERSION
    kind: Literal["train"] = "train"
    name: str = option("", N_("Name shown in the job list."), max_length=200)
    method: Method = option(
        "sft",
        N_(
            "What is learned: sft the answers, pretrain plain text, dpo and orpo the better of two answers, "
            "kto answers judged good or bad."
        ),
        title=N_("Method"),
    )
    model: ModelRef
    dataset: DatasetRef
    lora: Lora = Lora()
    training: Training = Training()
    preference: Preference = Preference()
    evaluation: Evaluation = Evaluation()
    samples: Samples = Samples()
    checkpoints: Checkpoints = Checkpoints()
    hardware: Hardware = Hardware()

    @model_validator(mode="after")
    def _no_contradictions(self) -> TrainRecipe:
        training, hardware, evaluation = self.training, self.hardware, self.evaluation
        if hardware.precision == "fp16" and hardware.device == "cpu":
            said = "fp16 needs a GPU; use bf16, fp32 or auto on the CPU"
            raise ContradictionError("hardware.precision", said, "auto")
        if training.max_steps is not None and training.warmup_steps >= training.max_steps:
            said = "the warm-up must be shorter than max_steps"
            raise ContradictionError("training.warmup_steps", said, training.max_steps - 1)
        if self.lora.init == "pissa":
            self._check_pissa()
        if self.method == "kto" and training.batch_size < 2:
            said = "kto compares the rows of a batch; use 2 or more"
            raise ContradictionError("training.batch_size", said, 2)
        if training.neftune_noise_alpha is not None and self.method not in {"sft", "pretrain"}:
            said = "only for the methods sft and pretrain; leave it empty"
            raise ContradictionError("training.neftune_noise_alpha", said, None)
        if evaluation.max_rows == 0 and (evaluation.keep_best or evaluation.patience):
            said = "keep_best and patience need held-out rows; use 1 or more"
            raise ContradictionError("evaluation.max_rows", said, Evaluation().max_rows)
        return self

    def _check_pissa(self) -> None:
        """Refuse what the way back from PiSSA to a plain adapter does not know."""
        said = ""
        if self.hardware.quantization != "none":
            said = "pissa changes the base's weights, which 4 bit cannot; use default"
        elif self.method in {"dpo", "kto"}:
            said = f"{self.method} compares with the base, which pissa changes; use default"
        elif self.lora.use_rslora:
            said = "pissa does not go with use_rslora; use default"
        elif self.lora.use_dora:
            said = "pissa does not go with use_dora; use default"
        if said:
            raise ContradictionError("lora.init", said, "default")


class ExportItem(Section):
    """One file or folder to make from an adapter."""

    format: ExportFormat
    quant: Quant = "f16"
    importance: bool = option(
        False,
        N_("Round K-quants most carefully where your rows use the model most (importance matrix)."),
        title=N_("Weigh by your rows"),
    )

    @model_validator(mode="after")
    def _no_contradictions(self) -> ExportItem:
        if self.importance and not self.can_weigh:
            known = ", ".join(MIXED_QUANTS)
            raise ValueError(f"importance: only for the format gguf in one of {known}")
        return self

    @property
    def can_weigh(self) -> bool:
        """Whether rounding can be weighed by importance in this format."""
        return self.format == "gguf" and self.quant in MIXED_QUANTS

    @property
    def name(self) -> str:
        """File or folder name of the result (`gguf-q8_0.gguf`, `adapter`), without the run's name."""
        match self.format:
            case "adapter":
                return "adapter"
            case "merged":
                return f"merged-{self.quant}"
            case _:
                weighed = "-imatrix" if self.importance else ""
                return f"{self.format}-{self.quant}{weighed}.gguf"


class ExportRecipe(Section):
    """An export of a finished run; the results enter the parent's `exports/` by a rename."""

    version: Literal[1] = RECIPE_VERSION
    kind: Literal["export"] = "export"
    name: str = ""
    parent: str = Field(description=N_("Id of the training job."))
    parent_dir: str = Field(description=N_("Run directory of the training job."))
    items: tuple[ExportItem, ...] = Field(min_length=1)


class CertifyRecipe(Section):
    """A proof that exports behave like the model that was trained."""

    version: Literal[1] = RECIPE_VERSION
    kind: Literal["certify"] = "certify"
    name: str = ""
    parent: str
    parent_dir: str
    exports: tuple[str, ...] = Field(
        (), description=N_("Names below the parent's exports/; empty: all of them.")
    )
    rows: int = option(24, N_("Held-out rows compared token by token."), ge=1, le=1000)
    generated_rows: int = option(12, N_("Held-out rows answered greedily on both sides."), ge=1, le=1000)
    max_new_tokens: int = option(64, N_("Longest answer generated."), unit="tokens", ge=1, le=4096)


class EvaluateRecipe(Section):
    """Answers of base, trained model and exports over held-out rows."""

    version: Literal[1] = RECIPE_VERSION
    kind: Literal["evaluate"] = "evaluate"
    name: str = ""
    parent: str
    parent_dir: str
    targets: tuple[str, ...] = Field(
        ("base", "tuned"), description=N_("base, tuned, or names of GGUF files below the parent's exports/.")
    )
    rows: int = option(50, N_("Held-out rows answered."), ge=1, le=10_000)
    max_new_tokens: int = option(64, N_("Longest answer generated."), unit="tokens", ge=1, le=4096)


Recipe = Annotated[TrainRecipe | ExportRecipe | CertifyRecipe | EvaluateRecipe, Field(discriminator="kind")]
RECIPE: TypeAdapter[TrainRecipe | ExportRecipe | CertifyRecipe | EvaluateRecipe] = TypeAdapter(Recipe)
