"""The engine for every model and every device: TRL's SFTTrainer around a PEFT model.

TRL gets rows that are rendered, labelled and ordered already; it never renders, masks, shuffles, saves or
resumes by itself. Refuses to know checkpoints' folders, commands and events.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import torch
from datasets import Dataset
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    prepare_model_for_kbit_training,
    set_peft_model_state_dict,
)
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    get_scheduler,
)
from transformers.trainer_utils import SchedulerType
from transformers.utils.logging import disable_progress_bar
from trl import SFTConfig, SFTTrainer

from trainers.choice import Choice
from trainers.disk import system_errors
from trainers.engines.objectives import Objective, Supervised, Tally, objective_of
from trainers.engines.protocol import NonfiniteError, Plan, Score, StepReport
from trainers.engines.training_state import load_state, restore_random, save_state
from trainers.errors import AcademyError, ErrorCode
from trainers.recipe import TrainRecipe
from trainers.rows import Example

#: Rows evaluated at once; no gradients are kept, so that this is cheap.
EVALUATION_ROWS = 8

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class PeftEngine:
    """LoRA on a Hugging Face model, trained by TRL."""

    def __init__(self, plan: Plan, scratch: Path) -> None:
        """Load the base model, put the adapter on, and go back to the plan's checkpoint if there is one.

        Args:
            plan: what to learn.
            scratch: a folder that TRL may call its output folder; nothing of worth is written there.
        """
        self._plan = plan
        recipe, choice = plan.recipe, plan.choice
        torch.set_num_threads(choice.threads)
        torch.manual_seed(recipe.training.seed)
        self._model = _adapted_model(recipe, choice)
        self._scratch = scratch
        self._begun = self._keep_beginning()
        parameters = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        self.trainable_parameters = sum(parameter.numel() for parameter in parameters)
        self._optimizer = _optimizer(parameters, recipe, choice)
        self._scheduler = get_scheduler(
            SchedulerType(_SCHEDULERS[recipe.training.lr_scheduler_type]),
            self._optimizer,
            num_warmup_steps=recipe.training.warmup(len(plan.steps)),
            num_training_steps=len(plan.steps),
            scheduler_specific_kwargs=(
                {"min_lr_rate": recipe.training.min_lr_ratio}
                if recipe.training.lr_scheduler_type == "cosine_with_min_lr"
                else None
            ),
        )
        if plan.checkpoint is not None:
            self.load_adapter(plan.checkpoint)
            load_state(plan.checkpoint, self._optimizer, self._scheduler)
        self._tokenizer = AutoTokenizer.from_pretrained(recipe.model.path)
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._objective = objective_of(recipe, self._tokenizer.pad_token_id)
        self._step = plan.first_step

    def train(self, after_step: Callable[[StepReport], bool]) -> None:
        """Take the plan's remaining steps (see `Engine`)."""
        plan = self._plan
        remaining = [row for step in plan.steps[plan.first_step :] for row in step]
        if not remaining:
            return
        loop = _Loop(
            plan,
            self._report(after_step),
            model=self._model,
            args=_config(plan.recipe, plan.choice, self._scratch),
            objective=self._objective,
            train_dataset=Dataset.from_dict({"row": remaining}),
            processing_class=self._tokenizer,
            optimizers=(self._optimizer, self._scheduler),
        )
        loop.remove_callback(PrinterCallback)
        loop.train()

    def evaluate(self, examples: tuple[Example, ...], *, plain: bool = False) -> Score:
        """Score examples without learning from them (see `Engine`)."""
        objective = Supervised(self._tokenizer.pad_token_id) if plain else self._objective
        was_training = self._model.training
        self._model.eval()
        total, count, tally = 0.0, 0, Tally()
        by_length = sorted(examples, key=lambda example: example.tokens)
        with torch.no_grad():
            for start in range(0, len(by_length), EVALUATION_ROWS):
                batch = objective.batch(by_length[start : start + EVALUATION_ROWS])
                batch = {name: tensor.to(self._model.device) for name, tensor in batch.items()}
                with _autocast(self._plan.choice):
                    loss, judged = objective.loss(self._model, batch)
                total += float(loss)
                count += objective.count(batch)
                tally += judged
        self._model.train(was_training)
        tokens = sum(example.supervised_tokens for example in examples)
        return Score(total / max(count, 1), tokens, tally.rewards)

    def answer(
        self, prompts: Sequence[Sequence[int]], ends: frozenset[int], max_new_tokens: int
    ) -> list[list[int]]:
        """Continue prompts greedily (see `Engine`)."""
        width, pad = max(map(len, prompts)), self._tokenizer.pad_token_id
        padding = [width - len(prompt) for prompt in prompts]
        rows = [[pad] * gap + list(prompt) for gap, prompt in zip(padding, prompts, strict=True)]
        masks = [[0] * gap + [1] * (width - gap) for gap in padding]
        # A fresh configuration: the folder's own may ask for sampling or penalties.
        settings = GenerationConfig(
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=sorted(ends) or None,
            pad_token_id=pad,
        )
        was_training = self._model.training
        self._model.eval()
        try:
            with torch.no_grad(), _autocast(self._plan.choice):
                made = self._model.generate(
                    input_ids=torch.tensor(rows, device=self._model.device),
                    attention_mask=torch.tensor(masks, device=self._model.device),
                    generation_config=settings,
                )
        finally:
            self._model.train(was_training)
        return [list(takewhile(lambda token: token not in ends, row[width:].tolist())) for row in made]

    @contextmanager
    def as_base(self) -> Iterator[None]:
        """Be the base for a while (see `Engine`); what PiSSA took of it is put back by its beginning."""
        if self._begun is None:
            with self._model.disable_adapter():
                yield
            return
        now = {name: value.clone() for name, value in get_peft_model_state_dict(self._model).items()}
        set_peft_model_state_dict(self._model, load_file(self._begun / "adapter_model.safetensors"))
        try:
            yield
        finally:
            set_peft_model_state_dict(self._model, now)

    def save_checkpoint(self, folder: Path) -> None:
        """Write the adapter and everything that an exact resume needs."""
        self._write_adapter(folder, None)
        with system_errors():
            save_state(folder, self._optimizer, self._scheduler, self._step)

    def load_adapter(self, folder: Path) -> None:
        """Take the adapter of a checkpoint (see `Engine`)."""
        set_peft_model_state_dict(self._model, load_file(folder / "adapter_model.safetensors"))

    def save_adapter(self, folder: Path) -> None:
        """Write `adapter_model.safetensors` and `adapter_config.json`, for the base as it is on disk."""
        self._write_adapter(folder, self._begun)

    def _write_adapter(self, folder: Path, begun: Path | None) -> None:
        """Write the adapter; one that began with part of the base less where it began (PEFT's conversion)."""
        with system_errors():
            self._model.save_pretrained(
                str(folder),
                safe_serialization=True,
                path_initial_model_for_weight_conversion=str(begun) if begun else None,
            )
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's blank model card says nothing true

    def _keep_beginning(self) -> Path | None:
        """Put aside where a PiSSA adapter begins, which its way back to a plain adapter needs."""
        if self._plan.recipe.lora.init != "pissa":
            return None
        config = self._model.peft_config["default"]
        assert isinstance(config, LoraConfig)
        config.init_lora_weights = True  # PEFT wants the beginning described as a plain adapter
        begun = self._scratch / "beginning"
        self._write_adapter(begun, None)
        return begun

    def _report(self, after_step: Callable[[StepReport], bool]) -> Callable[[StepReport], bool]:
        def remember(report: StepReport) -> bool:
            self._step = report.step
            return after_step(report)

        return remember


class _Loop(SFTTrainer):
    """TRL's loop with our order, our loss at supervised positions, and a guard before every update."""

    def __init__(
        self,
        plan: Plan,
        report: Callable[[StepReport], bool],
        objective: Objective,
        **trl: Any,
    ) -> None:
        def collate(features: list[dict[str, int]]) -> dict[str, torch.Tensor]:
            return objective.batch([plan.examples[feature["row"]] for feature in features])

        super().__init__(data_collator=collate, **trl)
        self._objective = objective
        self._tally = Tally()
        # Families whose forward takes no loss arguments would get the mean of their batches' means.
        self.model_accepts_loss_kwargs = True
        self._rows: Dataset = trl["train_dataset"]
        self._checkpoint = plan.checkpoint
        self._first_step = plan.first_step
        self._choice = plan.choice
        self._loss_of_step = 0.0
        self._grad_norm = 0.0
        self.add_callback(_Watch(self, report))

    @property
    def step_in_progress(self) -> int:
        """Number of the update being prepared, from 1."""
        return self._first_step + self.state.global_step + 1

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(self._rows if train_dataset is None else train_dataset)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Return the batch's share of the step's mean loss over supervised tokens."""
        # The Trainer's own autocast wraps the model's forward, which the loss goes around.
        with _autocast(self._choice):
            total, judged = self._objective.loss(model, inputs)
        self._tally += judged
        return total / (self._objective.count(inputs) if num_items_in_batch is None else num_items_in_batch)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> int:
        return sum(self._objective.count(batch) for batch in batch_samples)

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Compute one batch, and stop before a loss that is not finite can reach the optimizer."""
        super_step: Callable[..., torch.Tensor] = super().training_step
        loss = super_step(*args, **kwargs)
        value = float(loss)
        if not math.isfinite(value):
            raise NonfiniteError(self.step_in_progress, "loss")
        self._loss_of_step += value
        return loss

    def _clip_grad_norm(self, model: torch.nn.Module) -> torch.Tensor:
        clip: Callable[..., torch.Tensor] = super()._clip_grad_norm
        norm = clip(model)
        self._grad_norm = float(norm)
        # fp16's loss scaler makes such gradients on purpose, and skips their update by itself.
        if not math.isfinite(self._grad_norm) and not self.args.fp16:
            raise NonfiniteError(self.step_in_progress, "gradient")
        return norm

    def begin_step(self) -> None:
        """Put the random states back at the first step after a checkpoint; forget the last step's loss."""
        if self._checkpoint is not None:
            restore_random(self._checkpoint)
            self._checkpoint = None
        self._loss_of_step = 0.0
        self._tally = Tally()

    def report_of_step(self, learning_rate: float) -> StepReport:
        """Return the report of the update just taken."""
        memory = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
        return StepReport(
            step=self._first_step + self.state.global_step,
            loss=self._loss_of_step,
            grad_norm=self._grad_norm,
            learning_rate=learning_rate,
            device_memory_bytes=memory,
            rewards=self._tally.rewards,
        )


class _Watch(TrainerCallback):
    """Carries the Trainer's moments to the loop and its reports to the engine's owner."""

    def __init__(self, loop: _Loop, report: Callable[[StepReport], bool]) -> None:
        self._loop = loop
        self._report = report
        self._learning_rate = 0.0

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """A step's first batch is next."""
        self._loop.begin_step()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Read the rate that the update will use, before the scheduler moves on."""
        assert self._loop.optimizer is not None
        self._learning_rate = float(self._loop.optimizer.param_groups[0]["lr"])

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> TrainerControl:
        """Report, and end the loop when the owner says so."""
        if not self._report(self._loop.report_of_step(self._learning_rate)):
            control.should_training_stop = True
        return control


_SCHEDULERS = {
    "linear": "linear",
    "cosine": "cosine",
    "cosine_with_min_lr": "cosine_with_min_lr",
    "constant": "constant_with_warmup",
}
#: With the number of iterations of the fast singular value decomposition, as PEFT recommends them.
_PISSA: Final = "pissa_niter_16"


def _adapted_model(recipe: TrainRecipe, choice: Choice) -> PeftModel:
    disable_progress_bar()  # the log is for people to read
    quantized = recipe.hardware.quantization == "nf4"
    compute = DTYPES[choice.precision]
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )
    base = AutoModelForCausalLM.from_pretrained(
        recipe.model.path,
        # On the CPU the weights stay in fp32: bf16 there is an autocast around them.
        dtype=compute if choice.device == "cuda" else torch.float32,
        quantization_config=quantization if quantized else None,
        device_map={"": choice.device},
        local_files_only=True,
        trust_remote_code=False,
    )
    # What a call leaves open is taken from here: the folder's own may ask for sampling or penalties.
    base.generation_config = GenerationConfig()
    if quantized:
        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=choice.device == "cuda")
    elif choice.device == "cuda":
        base.enable_input_require_grads()
    _refuse_unknown_layers(base, recipe)
    lora = recipe.lora
    start: Any = _PISSA if lora.init == "pissa" else True  # PEFT's type has no numbers of iterations
    try:
        model = get_peft_model(
            base,
            LoraConfig(
                r=lora.rank,
                lora_alpha=lora.alpha,
                lora_dropout=lora.dropout,
                target_modules=list(lora.layers()),
                use_rslora=lora.use_rslora,
                use_dora=lora.use_dora,
                init_lora_weights=start,
                task_type="CAUSAL_LM",
            ),
        )
    except ValueError as error:
        raise AcademyError(ErrorCode.ADAPTER_UNSUPPORTED, detail=str(error), model=recipe.model.id) from error
    assert isinstance(model, PeftModel)
    return model


def _optimizer(
    parameters: list[torch.nn.Parameter], recipe: TrainRecipe, choice: Choice
) -> torch.optim.Optimizer:
    """Return AdamW; in 8 bit bitsandbytes' (Dettmers et al., 2021), for tensors that are large enough."""
    rate, decay = recipe.training.learning_rate, recipe.training.weight_decay
    if choice.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    from bitsandbytes.optim import AdamW8bit  # most runs do without

    made: torch.optim.Optimizer = AdamW8bit(parameters, lr=rate, weight_decay=decay)
    return made


def _refuse_unknown_layers(base: torch.nn.Module, recipe: TrainRecipe) -> None:
    """Refuse a layer that the user named and the model does not have: PEFT leaves it out in silence."""
    if recipe.lora.target_modules == "all-linear":
        return
    known = [name for name, _ in base.named_modules()]
    for layer in recipe.lora.layers():
        if not any(name == layer or name.endswith(f".{layer}") for name in known):
            raise AcademyError(ErrorCode.ADAPTER_UNSUPPORTED, detail=layer, model=recipe.model.id)


def _config(recipe: TrainRecipe, choice: Choice, scratch: Path) -> SFTConfig:
    training = recipe.training
    return SFTConfig(
        output_dir=str(scratch),
        num_train_epochs=1,  # the plan's order holds all epochs
        per_device_train_batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        max_grad_norm=training.max_grad_norm,
        neftune_noise_alpha=training.neftune_noise_alpha,
        remove_unused_columns=False,
        seed=training.seed,
        bf16=choice.precision == "bf16",
        fp16=choice.precision == "fp16",
        use_cpu=choice.device == "cpu",
        gradient_checkpointing=choice.device == "cuda",
        dataset_kwargs={"skip_prepare_dataset": True},
        loss_type="nll",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=choice.device == "cuda",
    )


def _autocast(choice: Choice) -> torch.autocast:
    return torch.autocast(choice.device, DTYPES[choice.precision], enabled=choice.precision != "fp32")
