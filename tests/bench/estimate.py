"""How right the forecast is: peak memory of real runs, published peaks on a GPU, and how soon it is there.

Every configuration is trained by the real engine in a process of its own and forecast without any step of it:
what was learned comes from the other configurations alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from academy_desktop.core.estimate.calibration import Observation
from academy_desktop.core.estimate.capacity import usual_shape
from academy_desktop.core.estimate.engines import traits_of
from academy_desktop.core.estimate.forecast import Subject, add_up, forecast
from academy_desktop.core.estimate.machine import look
from academy_desktop.core.estimate.model_shape import ModelShape, read_shape
from academy_desktop.core.estimate.row_lengths import measure as measure_rows
from academy_desktop.core.estimate.service import Estimates
from academy_desktop.core.estimate.terms import adapter_of, memory_terms
from academy_desktop.core.estimate.workload import Batch, Workload
from academy_desktop.core.paths import DataDir
from tests.bench.estimate_cases import Case, Stage, cases
from tests.bench.figure import Figure, Setting, alone, percentile
from trainers.recipe import LINEAR_LAYERS, TrainRecipe
from trainers.rendering import Renderer

#: Relative errors: the median, the 95th percentile, and the least of all.
MEDIAN_BAR, P95_BAR, LOW_BAR = 0.05, 0.12, 0.05
PUBLISHED_BAR = 0.20
ANSWER_BAR_S = 0.3
ANSWERS = 7
GIB = 1024**3


@dataclass(frozen=True)
class Trained:
    """A configuration that was trained: its recipe, model and rows, and the memory that it took."""

    case: Case
    recipe: TrainRecipe
    subject: Subject
    peak_bytes: int


@dataclass(frozen=True)
class Published:
    """A row of torchtune's table: batch, tokens of a row, 4 bit or not, peak in GiB without the context."""

    name: str
    shape: ModelShape
    batch: int
    length: int
    nf4: bool
    peak_gib: float


_LLAMA_8B = usual_shape("llama", 32, 4096, 14_336, 32, 8, 128_256, tied=False)
_LLAMA_3B = usual_shape("llama", 28, 3072, 8192, 24, 8, 128_256, tied=True)
#: torchtune's README: single-device recipes with activation checkpointing and a chunked loss.
TORCHTUNE = (
    Published("Llama 3.1 8B QLoRA", _LLAMA_8B, 2, 2048, True, 7.4),
    Published("Llama 3.1 8B LoRA", _LLAMA_8B, 2, 2048, False, 16.2),
    Published("Llama 3.2 3B QLoRA", _LLAMA_3B, 2, 4096, True, 4.6),
    Published("Llama 3.2 3B LoRA", _LLAMA_3B, 2, 4096, False, 8.5),
)
#: torchtune's default.
TORCHTUNE_RANK = 8


def measure(setting: Setting) -> Iterator[Figure]:
    """Train all configurations, then forecast each from the others."""
    yield _published()
    _make_models(setting.folder / "models")
    stage = Stage(setting.folder)
    todo = list(cases(short=setting.short))
    _make_kernels(stage, todo)
    trained = [train(stage, case) for case in todo]
    yield _answer_time(setting.folder, trained[0].recipe)
    engines = sorted({one.case.engine for one in trained}, reverse=True)
    for engine in engines:
        yield from _memory(engine, [one for one in trained if one.case.engine == engine])


def train(stage: Stage, case: Case) -> Trained:
    """Train a configuration in a process of its own."""
    recipe = stage.recipe(case)
    run = stage.run(case, recipe)
    command = [sys.executable, "-m", "tests.bench.estimate_probe", str(run.path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_CACHE_DIR": str(stage.folder / "kernels")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    said = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    if said.get("exit_code") != 0:
        raise AssertionError(f"{case.name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return Trained(case, recipe, subject_of(recipe), int(said["peak_rss_bytes"]))


def subject_of(recipe: TrainRecipe) -> Subject:
    """Read the model's shape and the lengths of the rows, as the forecast does."""
    renderer = Renderer.load(Path(recipe.model.path))
    rows = Path(recipe.dataset.path)
    return Subject(
        read_shape(Path(recipe.model.path)),
        measure_rows(renderer, rows / "train.jsonl"),
        measure_rows(renderer, rows / "eval.jsonl"),
    )


def observation(one: Trained) -> Observation:
    """What a finished run teaches."""
    sums = add_up(one.recipe, one.subject, look(Path.cwd()))
    return Observation(
        job=one.case.name,
        engine=sums.kind.engine,
        device=sums.kind.device,
        precision=sums.kind.precision,
        nf4=sums.kind.nf4,
        threads=sums.threads,
        fixed_bytes=sums.memory.fixed,
        activation_bytes=sums.memory.activations,
        peak_bytes=one.peak_bytes,
    )


def errors_of(trained: Sequence[Trained]) -> list[float]:
    """The relative error of each forecast that has learned from all the others; below 0: too low."""
    seen = [observation(one) for one in trained]
    machine = look(Path.cwd())
    return [
        forecast(one.recipe, one.subject, machine, [*seen[:place], *seen[place + 1 :]]).memory_bytes
        / one.peak_bytes
        - 1
        for place, one in enumerate(trained)
    ]


def _memory(engine: str, trained: Sequence[Trained]) -> Iterator[Figure]:
    errors = errors_of(trained)
    sizes = [abs(error) for error in errors]
    rows = {one.case.name: round(error, 4) for one, error in zip(trained, errors, strict=True)}
    name = f"estimate.memory.{engine}"
    count = len(trained)
    yield alone(
        f"{name}.median",
        statistics.median(sizes),
        "relative error",
        at_most=MEDIAN_BAR,
        samples=errors,
        configurations=count,
        errors=rows,
    )
    yield alone(
        f"{name}.p95", percentile(sizes, 0.95), "relative error", at_most=P95_BAR, configurations=count
    )
    yield alone(f"{name}.too_low", -min(errors), "relative error", at_most=LOW_BAR, configurations=count)


def _published() -> Figure:
    """torchtune's measured peaks beside ours, without the driver's context, which they leave out."""
    ours = {row.name: _forecast_published(row) / GIB for row in TORCHTUNE}
    errors = [ours[row.name] / row.peak_gib - 1 for row in TORCHTUNE]
    return alone(
        "estimate.published",
        max(abs(error) for error in errors),
        "relative error",
        at_most=PUBLISHED_BAR,
        samples=errors,
        ours_gib={name: round(value, 2) for name, value in ours.items()},
        published_gib={row.name: row.peak_gib for row in TORCHTUNE},
    )


def _forecast_published(row: Published) -> float:
    tokens = row.batch * row.length
    terms = memory_terms(
        row.shape,
        adapter_of(row.shape, LINEAR_LAYERS, TORCHTUNE_RANK),
        traits_of("unsloth", "cuda", "bf16"),
        Workload((Batch(row.batch, row.length, tokens, tokens),), (), steps=1, passes=1.0, evaluated=0),
        nf4=row.nf4,
        on_gpu=True,
    )
    return terms.total - terms.program


def _answer_time(folder: Path, recipe: TrainRecipe) -> Figure:
    """Seconds from the question to the answer, with nothing read before."""
    data = DataDir(folder / "data").open()
    samples = []
    for _ in range(ANSWERS):
        begun = time.perf_counter()
        Estimates(data).estimate(recipe)
        samples.append(time.perf_counter() - begun)
    return alone(
        "estimate.answer",
        percentile(samples, 0.95),
        "s",
        at_most=ANSWER_BAR_S,
        samples=samples,
        holds="torch" not in sys.modules,
    )


def _make_kernels(stage: Stage, todo: Sequence[Case]) -> None:
    """Let machine code be made by runs that do not count: it takes memory of its own, once per machine."""
    first = {case.precision: case for case in reversed(todo) if case.engine == "cpu"}
    for case in first.values():
        train(stage, replace(case, accumulation=case.accumulation + 1))


def _make_models(folder: Path) -> None:
    command = [sys.executable, "-m", "tests.bench.estimate_models", str(folder)]
    subprocess.run(command, capture_output=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
