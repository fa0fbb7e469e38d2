"""A fault inside a real model while it trains: numbers that are none, or memory that is lacking.

Owns where it strikes: the last norm's output, or the loss of our own engine, at forward passes counted
through all engines of a run.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import torch
from transformers import PreTrainedModel

from trainers import train
from trainers.engines.cpu.engine import CpuEngine
from trainers.engines.peft import PeftEngine
from trainers.engines.protocol import Engine, Plan


class Watched:
    """What was seen in the engines of a run: forward passes in training, updates, and poisoned updates."""

    def __init__(self) -> None:
        self.passes = 0
        self.updates = 0
        self.poisoned = 0

    def watch(self, optimizer: torch.optim.Optimizer) -> None:
        """Look at all weights after every update."""
        optimizer.register_step_post_hook(self._look)

    def _look(self, optimizer: torch.optim.Optimizer, _args: object, _kwargs: object) -> None:
        self.updates += 1
        weights = [one for group in optimizer.param_groups for one in group["params"]]
        self.poisoned += not all(bool(torch.isfinite(one).all()) for one in weights)


@contextmanager
def fault(passes: Container[int], error: Exception | None = None) -> Iterator[Watched]:
    """Strike at the given passes (from 1), with an error or else with NaN, in every run inside the block."""
    seen = Watched()
    make = train._engine

    def strike(output: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():
            return output
        seen.passes += 1
        if seen.passes not in passes:
            return output
        if error is not None:
            raise error
        return output * math.nan

    def with_fault(plan: Plan, scratch: Path) -> Engine:
        engine = make(plan, scratch)
        assert isinstance(engine, CpuEngine | PeftEngine)
        if isinstance(engine, PeftEngine):
            base = engine._model.get_base_model()
            assert isinstance(base, PreTrainedModel)
            norm = base.base_model.get_submodule("norm")
            norm.register_forward_hook(lambda _module, _inputs, output: strike(output))
        else:
            loss = engine._model.loss
            poisoned = mock.patch.object(engine._model, "loss", lambda *batch: strike(loss(*batch)))
            patches.enter_context(poisoned)
        seen.watch(engine._optimizer)
        return engine

    with ExitStack() as patches, mock.patch.object(train, "_engine", with_fault):
        yield seen
