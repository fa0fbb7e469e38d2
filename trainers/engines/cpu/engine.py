"""The engine for dense decoders on the processor: packed rows, LoRA inside the products, compiled kernels.

Owns steps: portions, gradient, clipping, AdamW in fp32, and what an exact resume needs. It writes what the
PEFT engine writes, parameter for parameter. Refuses to know checkpoints' folders, commands and events.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from trainers.disk import system_errors
from trainers.engines.cpu.adapter import Adapter
from trainers.engines.cpu.architecture import read
from trainers.engines.cpu.generation import answers
from trainers.engines.cpu.kernels import kernels
from trainers.engines.cpu.memory import keep_freed_memory
from trainers.engines.cpu.model import Model
from trainers.engines.cpu.packing import TOKENS_AT_ONCE, pack, portions, room_for
from trainers.engines.cpu.workspace import Workspace
from trainers.engines.protocol import NonfiniteError, Plan, Score, StepReport
from trainers.engines.training_state import load_state, restore_random, save_state
from trainers.recipe import Training
from trainers.rows import Example

#: Of rows that are no part of the run: no step is so small that they would take more memory than it.
PLAIN_TOKENS_AT_ONCE = 512
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class CpuEngine:
    """LoRA on a dense decoder of a known family."""

    def __init__(self, plan: Plan) -> None:
        """Load the base model, put the adapter on, and go back to the plan's checkpoint if there is one."""
        self._plan = plan
        recipe, choice = plan.recipe, plan.choice
        torch.set_num_threads(choice.threads)
        torch.manual_seed(recipe.training.seed)
        folder = Path(recipe.model.path)
        architecture = read(folder)
        self._adapter = Adapter(architecture, recipe.lora, recipe.training.seed)
        self.trainable_parameters = self._adapter.values.numel()
        self._optimizer = torch.optim.AdamW(
            self._adapter.parameters(),
            lr=recipe.training.learning_rate,
            weight_decay=recipe.training.weight_decay,
            fused=True,
        )
        self._scheduler = LambdaLR(self._optimizer, _schedule(recipe.training, len(plan.steps)))
        if plan.checkpoint is not None:
            self._adapter.load(plan.checkpoint)
            load_state(plan.checkpoint, self._optimizer, self._scheduler)
        self._at_once = int(TOKENS_AT_ONCE * plan.tokens_share)
        workspace = Workspace()
        for rows in plan.steps:
            workspace.fit(*room_for((plan.examples[row] for row in rows), self._at_once))
        chosen = kernels(choice.threads, workspace, compiled=choice.kernels == "compiled")
        self._model = Model(folder, architecture, self._adapter, _DTYPES[choice.precision], chosen)
        self._model.refresh()
        keep_freed_memory()  # not before: what reading leaves behind is given back
        self._step = plan.first_step

    def train(self, after_step: Callable[[StepReport], bool]) -> None:
        """Take the plan's remaining steps (see `Engine`)."""
        plan = self._plan
        if plan.checkpoint is not None and plan.first_step < len(plan.steps):
            restore_random(plan.checkpoint)
        for rows in plan.steps[plan.first_step :]:
            report = self._take_step([plan.examples[row] for row in rows])
            if not after_step(report):
                return

    def evaluate(self, examples: tuple[Example, ...], *, plain: bool = False) -> Score:
        """Score examples by the mean loss over their supervised tokens."""
        tokens = sum(example.supervised_tokens for example in examples)
        if not tokens:
            return Score(0.0, 0)
        at_once = min(self._at_once, PLAIN_TOKENS_AT_ONCE) if plain else self._at_once
        with torch.no_grad():
            loss = math.fsum(
                float(self._model.loss(pack(rows), tokens)) for rows in portions(examples, at_once)
            )
        return Score(loss, tokens)

    def answer(
        self, prompts: Sequence[Sequence[int]], ends: frozenset[int], max_new_tokens: int
    ) -> list[list[int]]:
        """Continue prompts greedily (see `Engine`)."""
        return answers(self._model.network, prompts, ends, max_new_tokens)

    @contextmanager
    def as_base(self) -> Iterator[None]:
        """Be the base for a while (see `Engine`)."""
        self._model.leave_out()
        try:
            yield
        finally:
            self._model.refresh()

    def save_checkpoint(self, folder: Path) -> None:
        """Write the adapter and everything that an exact resume needs."""
        self.save_adapter(folder)
        with system_errors():
            save_state(folder, self._optimizer, self._scheduler, self._step)

    def load_adapter(self, folder: Path) -> None:
        """Take the adapter of a checkpoint (see `Engine`)."""
        self._adapter.load(folder)
        self._model.refresh()

    def save_adapter(self, folder: Path) -> None:
        """Write `adapter_model.safetensors` and `adapter_config.json`."""
        with system_errors():
            self._adapter.save(folder, self._plan.recipe.model.path)

    def _take_step(self, examples: list[Example]) -> StepReport:
        """Take one update.

        Raises:
            NonfiniteError: before the update.
        """
        number = self._step + 1
        loss = self._gradients(examples)
        if not math.isfinite(loss):
            raise NonfiniteError(number, "loss")
        gradients = self._adapter.gradients
        norm = float(torch.linalg.vector_norm(gradients))
        if not math.isfinite(norm):
            raise NonfiniteError(number, "gradient")
        longest = self._plan.recipe.training.max_grad_norm
        gradients.mul_(min(1.0, longest / (norm + 1e-6)))
        rate = float(self._optimizer.param_groups[0]["lr"])
        self._optimizer.step()
        self._scheduler.step()
        self._model.refresh()
        self._step = number
        return StepReport(number, loss, norm, rate, device_memory_bytes=None)

    def _gradients(self, examples: list[Example]) -> float:
        """Fill the gradients' buffer; return the mean loss over the step's supervised tokens."""
        self._adapter.gradients.zero_()
        tokens = max(sum(example.supervised_tokens for example in examples), 1)
        losses = []
        for rows in portions(examples, self._at_once):
            loss: Tensor = self._model.loss(pack(rows), tokens)
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                break
            loss.backward()
        return sum(losses)


def _schedule(training: Training, total: int) -> Callable[[int], float]:
    """Return the share of the learning rate by updates done: up through the warm-up, then as named."""
    warmup = training.warmup(total)

    def share(done: int) -> float:
        if done < warmup:
            return done / warmup
        progress = min((done - warmup) / max(1, total - warmup), 1.0)
        match training.lr_scheduler_type:
            case "linear":
                return 1.0 - progress
            case "cosine":
                return (1.0 + math.cos(math.pi * progress)) / 2
            case "cosine_with_min_lr":
                lowest = training.min_lr_ratio
                return lowest + (1.0 - lowest) * (1.0 + math.cos(math.pi * progress)) / 2
        return 1.0

    return share
