from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from academy_desktop.core.estimate.model_shape import read_shape
from academy_desktop.core.estimate.packed import envelope, extra_columns, matrices_bytes, widened_bytes
from academy_desktop.core.estimate.workload import Batch
from tests.trainers.engines.cpu.families import write_family
from tests.trainers.engines.cpu.test_gradients import needs_numba, plan_of, uneven
from trainers.engines.cpu.engine import CpuEngine
from trainers.engines.cpu.packing import pack
from trainers.recipe import LINEAR_LAYERS


@needs_numba
@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma3"])
def test_what_is_foreseen_is_what_the_engine_takes(tmp_path: Path, family: str) -> None:
    folder, examples = write_family(tmp_path / "model", family), uneven((60, 90, 120, 110))
    plan = plan_of(folder, examples)
    engine = CpuEngine(replace(plan, choice=replace(plan.choice, kernels="compiled")))
    engine.train(lambda report: True)
    gc.collect()
    packed = pack(examples)
    batch = Batch(
        rows=1,
        width=packed.ids.shape[0],
        tokens=380,
        supervised=len(packed.labels),
        room=packed.block_rows,
        longest=packed.room[1],
    )
    shape, extra = read_shape(folder), extra_columns(LINEAR_LAYERS, plan.recipe.lora.rank)
    foreseen = matrices_bytes(shape, envelope([batch]), extra, number_bytes=4)
    logits = 4 * 256 * shape.vocabulary
    taken = engine._model._kernels.workspace.size_bytes
    assert taken == pytest.approx(foreseen + logits, rel=0.05)
    groups = [group for layer in engine._model._layers for group in layer.groups]
    wider = sum(group.extra * (group.weight.shape[0] + group.inner) for group in groups)
    assert widened_bytes(shape, extra, number_bytes=torch.float32.itemsize) == 4 * wider
