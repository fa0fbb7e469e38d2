"""K-quants weighed by an importance matrix from the training rows, beside those without: held-out divergence.

`ACADEMY_BENCH_RUN` names the folder of a finished run of a real model (the demo's, say) to measure as well:
it is judged, the made one with its random weights is only told.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure, Setting, against
from tests.trainers.exporting.faults import scaled_run
from tests.trainers.exporting.making import certify, export
from tests.trainers.tiny_model import write_dataset
from trainers.layout import RunDir
from trainers.recipe import MIXED_QUANTS, ExportItem, Quant

RUN_VARIABLE = "ACADEMY_BENCH_RUN"
ROWS = 50
SHORT_QUANTS: tuple[Quant, ...] = ("q4_k_m",)


def measure(setting: Setting) -> Iterator[Figure]:
    """Export with and without, and compare both with the model that was trained."""
    dataset = write_dataset(setting.folder / "capitals-00000000")
    run, _ = scaled_run(setting.folder / "made", dataset)
    yield from _figures("made", run, SHORT_QUANTS if setting.short else MIXED_QUANTS)
    real = os.environ.get(RUN_VARIABLE)
    if real:
        source = Path(real)
        # The run itself stays as it is.
        copied = shutil.copytree(
            source, setting.folder / source.name, ignore=shutil.ignore_patterns("exports", "checkpoints")
        )
        yield from _figures("real", RunDir(Path(copied)), MIXED_QUANTS)


def _figures(name: str, run: RunDir, quants: tuple[Quant, ...]) -> Iterator[Figure]:
    for quant in quants:
        plain, weighed = (
            ExportItem(format="gguf", quant=quant, importance=importance) for importance in (False, True)
        )
        export(run, plain, weighed)
        found = certify(run, plain.name, weighed.name, rows=ROWS)
        ours, rival = found[weighed.name], found[plain.name]
        assert ours.mean_kl is not None
        assert rival.mean_kl is not None
        yield against(
            f"export.importance.{name}.{quant}",
            [(ours.mean_kl, rival.mean_kl)],
            f"{quant} without",
            "nats per token",
            better="less",
            bar=1.0 if name == "real" else None,  # random weights have no inputs that matter more
            holds=ours.passed and rival.passed,
            top1=[ours.top1_agreement, rival.top1_agreement],
            max_kl=[ours.max_kl, rival.max_kl],
        )
