"""LoRA on the processor: our engine beside TRL's defaults and the best of a grid of TRL's options.

SmolLM2-135M on GSM8K: same weights, initial adapter, rows, order, rank and optimizer. The data's folder is
ACADEMY_BENCH_DATA or `shared/data` beside the checkout, the model's ACADEMY_BENCH_MODEL or the demo model of
this user; without them the full form is skipped, saying so. The short form learns a tiny model.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.figure import Figure, Setting, against, alone
from tests.bench.machine import machine
from tests.bench.train_child import ROWS_PER_STEP
from tests.trainers.tiny_model import LEARNED, write_model
from trainers.engines.cpu.architecture import read
from trainers.rendering import Renderer
from trainers.rows import Example, render_rows

ROOT = Path(__file__).parents[2]
LENGTH, STEPS, TRIAL_STEPS, HELD_OUT, FULL_RUNS, PAIRS = 1024, 24, 2, 64, 3, 3
BARS = {"defaults": 5.0, "grid": 2.5, "plain": 2.0, "peak": 0.25, "start": 6.0, "loss": 1.005}
DEFAULTS: Mapping[str, Any] = {
    "dtype": "float32", "options": {"per_device_train_batch_size": ROWS_PER_STEP},
}  # fmt: skip
FP32: Mapping[str, Any] = {
    "dtype": "float32",
    "options": {
        "per_device_train_batch_size": ROWS_PER_STEP, "bf16": False, "gradient_checkpointing": False,
    },
}  # fmt: skip
_FORMATS = {"fp32": ("float32", False), "autocast": ("float32", True), "bf16": ("bfloat16", False)}
_LAYOUTS: Mapping[str, dict[str, Any]] = {
    "padded": {},
    "grouped": {"train_sampling_strategy": "group_by_length"},
    "packed": {"packing": True},
    "padding-free": {"padding_free": True},
}


@dataclass(frozen=True)
class Task:
    """What all runs learn; `supervised` tokens are in `train`, `trial` is its beginning."""

    model: Path
    folder: Path
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    steps: int
    counter: Iterator[int] = field(default_factory=itertools.count)

    @property
    def trial(self) -> tuple[Example, ...]:
        """The rows of a short run."""
        return self.train[: TRIAL_STEPS * ROWS_PER_STEP]


def measure(setting: Setting) -> Iterator[Figure]:
    """Train again and again."""
    task = tiny_task(setting.folder) if setting.short else real_task(setting.folder)
    if task is None:
        return
    judged = "amx_bf16" in features()
    pairs = [
        (ours(task, task.train), rival(task, DEFAULTS, task.train))
        for _ in range(1 if setting.short else PAIRS)
    ]
    first, default = pairs[0]
    bar = None if setting.short or not judged else BARS["defaults"]
    yield _speeds("train.defaults", task, pairs, "TRL's defaults", bar, judged=judged)
    plain = ours(task, task.train, compiled=False)
    bar = None if setting.short or not judged else BARS["plain"]
    yield _speeds("train.plain", task, [(plain, default)], "TRL's defaults", bar, judged=judged)
    memory = [(float(one["peak_bytes"]), float(other["peak_bytes"])) for one, other in pairs]
    # A tiny model's memory is that of the libraries, which TRL has more of.
    yield against("train.memory", memory, trl("TRL's defaults"), "bytes", better="less", bar=1.0)
    starts = [one["first_step_s"] for one, _ in pairs]
    yield alone("train.start", sorted(starts)[len(starts) // 2], "s", at_most=BARS["start"], samples=starts)
    yield from _loss(task, first, rival(task, FP32, task.train), judged=not setting.short)
    yield _peak(task, first, judged=judged and not setting.short, short=setting.short)
    yield _grid(task, first, small=setting.short, judged=judged)


def _grid(task: Task, first: Mapping[str, Any], *, small: bool, judged: bool) -> Figure:
    """Try all options briefly, and the best in full."""
    tried: dict[str, float] = {}
    failed: dict[str, str] = {}
    options = dict(itertools.islice(grid(), 1) if small else grid())
    for name, option in options.items():
        try:
            tried[name] = speed(task.trial, rival(task, option, task.trial))
        except RuntimeError as error:
            failed[name] = str(error)[-300:]
        sys.stderr.write(f"{name}: {tried.get(name, 0.0):.0f} tokens/s\n")
    best = sorted(tried, key=lambda name: -tried[name])[: 1 if small else FULL_RUNS]
    runs = {name: rival(task, options[name], task.train) for name in best}
    fastest = max(runs, key=lambda name: speed(task.train, runs[name]))
    again = first if small else ours(task, task.train)
    return _speeds(
        "train.grid",
        task,
        [(again, runs[fastest])],
        fastest,
        None if small or not judged else BARS["grid"],
        judged=judged,
        tried=tried,
        failed=failed,
        losses={} if small else {name: fp32_loss(task, run) for name, run in runs.items()},
    )


def grid() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and options: checkpointing x number format x layout x batch, 8 rows to a step."""
    for layout, form, kept, batch in itertools.product(_LAYOUTS, _FORMATS, (False, True), (8, 4, 2, 1)):
        dtype, autocast = _FORMATS[form]
        options = {
            "per_device_train_batch_size": batch,
            "gradient_accumulation_steps": ROWS_PER_STEP // batch,
            "gradient_checkpointing": kept,
            "bf16": autocast,
            **_LAYOUTS[layout],
        }
        name = f"{form}, {layout}, batch {batch}{', checkpointing' if kept else ''}"
        yield name, {"dtype": dtype, "options": options}


def _loss(
    task: Task, run: Mapping[str, Any], in_fp32: Mapping[str, Any], *, judged: bool
) -> Iterator[Figure]:
    """Compare what was learned: TRL in fp32 is the measure."""
    mine, theirs = fp32_loss(task, run), fp32_loss(task, in_fp32)
    yield alone(
        "train.loss", mine / theirs, "of TRL's in fp32", at_most=BARS["loss"] if judged else None,
        our_loss=mine, trl_fp32_loss=theirs, precision=run["precision"],
    )  # fmt: skip


def _peak(task: Task, run: Mapping[str, Any], *, judged: bool, short: bool) -> Figure:
    """Share of the processor's bf16 matrix peak: 4 FLOP per weight and real token, head where supervised."""
    shape = read(task.model)
    tokens = sum(len(one.ids) for one in task.train)
    flop = 4 * (shape.linear_parameters * tokens + shape.hidden * shape.vocabulary * _supervised(task.train))
    rates = machine(short=short)["matrix_flops"]
    assert isinstance(rates, dict)
    share = flop / run["seconds"] / rates["bfloat16"]
    return alone(
        "train.peak", share, "of bf16 peak", at_least=BARS["peak"] if judged else None, judged=judged
    )


def _speeds(
    name: str,
    task: Task,
    pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    rival_name: str,
    bar: float | None,
    **details: Any,
) -> Figure:
    figures = [(speed(task.train, one), speed(task.train, other)) for one, other in pairs]
    first = pairs[0][0]
    return against(
        name,
        figures,
        trl(rival_name),
        "supervised tokens/s",
        better="more",
        bar=bar,
        precision=first["precision"],
        kernels=first["kernels"],
        steps=task.steps,
        **details,
    )


def ours(task: Task, rows: tuple[Example, ...], *, compiled: bool = True) -> dict[str, Any]:
    """Train with our engine; the machine code is made by a run that does not count."""
    return _run(task, rows, {"what": "ours", "compiled": compiled})


def rival(task: Task, option: Mapping[str, Any], rows: tuple[Example, ...]) -> dict[str, Any]:
    """Train with TRL.

    Raises:
        RuntimeError: the options do not work here.
    """
    return _run(task, rows, {"what": "trl", **option})


def fp32_loss(task: Task, run: Mapping[str, Any]) -> float:
    """Return the loss over the held-out rows."""
    return float(_ask(task, task.held_out, {"what": "loss", "out": run["out"]})["loss"])


def speed(rows: tuple[Example, ...], run: Mapping[str, Any]) -> float:
    """Return supervised tokens per second of training."""
    return _supervised(rows) / float(run["seconds"])


def _run(task: Task, rows: tuple[Example, ...], request: Mapping[str, Any]) -> dict[str, Any]:
    out = str(task.folder / f"adapter-{next(task.counter)}")
    begun = time.time()
    answer = _ask(task, rows, {**request, "out": out})
    return answer | {"out": out, "first_step_s": answer["first_step_at"] - begun}


def _ask(task: Task, rows: tuple[Example, ...], request: Mapping[str, Any]) -> dict[str, Any]:
    file = task.folder / "rows.json"
    file.write_text(json.dumps([[one.ids, one.labels] for one in rows]), "utf-8")
    whole = {"model": str(task.model), "rows": str(file), "length": LENGTH, **request}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.train_child", json.dumps(whole)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "NUMBA_CACHE_DIR": str(task.folder / "kernels")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    answer: dict[str, Any] = json.loads(done.stdout.rstrip().splitlines()[-1])
    return answer


def tiny_task(folder: Path) -> Task:
    """A tiny model and its few rows."""
    model = write_model(folder / "model", lessons=0)
    lines = [json.dumps(row) for row in LEARNED]
    rows = _rendered(model, folder, lines)[: 2 * ROWS_PER_STEP]
    return prepared(Task(model, folder, rows, rows[:4], len(rows) // ROWS_PER_STEP))


def real_task(folder: Path) -> Task | None:
    """SmolLM2-135M and GSM8K, where they are at hand."""
    found = real_rows()
    if found is None:
        return None
    model, lines = found
    rows = _rendered(model, folder, list(itertools.islice(lines, STEPS * ROWS_PER_STEP + HELD_OUT)))
    return prepared(Task(model, folder, rows[:-HELD_OUT], rows[-HELD_OUT:], STEPS))


def real_rows() -> tuple[Path, Iterator[str]] | None:
    """The model's folder, and the rows of a dataset one by one, where both are at hand."""
    data = Path(os.environ.get("ACADEMY_BENCH_DATA") or ROOT.parent / "shared" / "data")
    source = data / "gsm8k-train.jsonl"
    default = Path.home() / ".local/share/academy-desktop/models/smollm2-135m-instruct"
    model = Path(os.environ.get("ACADEMY_BENCH_MODEL") or default)
    for path, name in ((source, "ACADEMY_BENCH_DATA"), (model / "config.json", "ACADEMY_BENCH_MODEL")):
        if not path.exists():
            sys.stderr.write(f"skipped: there is no {path}; {name} may name another folder\n")
            return None
    conversations = (_conversation(json.loads(line)) for line in source.open(encoding="utf-8"))
    return model, (
        json.dumps({"id": number, "messages": messages}) for number, messages in enumerate(conversations)
    )


def prepared(task: Task) -> Task:
    """Let the machine code be made, and the files be read once, before anything counts."""
    ours(task, task.trial)
    return task


def _conversation(row: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["answer"]}]


def _rendered(model: Path, folder: Path, lines: list[str]) -> tuple[Example, ...]:
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return render_rows(Renderer.load(model), folder / "rows.jsonl", LENGTH).examples


def _supervised(rows: tuple[Example, ...]) -> int:
    return sum(one.supervised_tokens for one in rows)


def features() -> list[object]:
    """Return the processor's features that matter here."""
    found = machine(short=True)["features"]
    assert isinstance(found, list)
    return found


def trl(what: str) -> str:
    """Return the rival's name with its version."""
    return f"trl {version('trl')} ({what})"
