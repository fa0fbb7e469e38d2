"""What the forecast's benchmark trains: configurations, and the rows and run directories for them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.recipe_yaml import dump_recipe
from tests.bench.estimate_models import SHAPES
from trainers.layout import RunDir, write_atomically
from trainers.recipe import (
    DatasetRef,
    Engine,
    Evaluation,
    Hardware,
    Lora,
    ModelRef,
    Training,
    TrainRecipe,
)
from trainers.rendering import Renderer

#: Updates of each run: from the second on the optimizer's state is there beside the activations, and after a
#: few the allocator keeps as much in reserve as it ever will.
STEPS = 6
WORDS = ("apple", "basil", "cedar", "dune", "ember", "fjord", "grove", "harbour", "iris", "juniper")


@dataclass(frozen=True)
class Case:
    """One configuration; `share` is the part of a row that the answer takes."""

    shape: str
    length: int
    batch: int
    rank: int
    share: float
    accumulation: int = 1
    held_out: int = 0
    quantization: Literal["none", "nf4"] = "none"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    engine: Engine = "peft"

    @property
    def name(self) -> str:
        """All of it in one word: `llama-512x4-r16-nf4`."""
        parts = [self.shape, f"{self.length}x{self.batch}x{self.accumulation}", f"r{self.rank}"]
        parts += [f"s{self.share:g}", f"h{self.held_out}", self.quantization, self.precision, self.engine]
        return "-".join(parts)


#: Length, batch, rank, share of the answers, batches per step, held-out rows, quantization, format, engine.
Row = tuple[int, int, int, float, int, int, Literal["none", "nf4"], Literal["auto", "fp32", "bf16"], Engine]
SPREAD: tuple[Row, ...] = (
    (256, 1, 8, 0.5, 1, 0, "none", "auto", "peft"),
    (1024, 2, 16, 0.3, 1, 0, "none", "auto", "peft"),
    (512, 4, 16, 0.5, 1, 8, "nf4", "auto", "peft"),
    (256, 4, 16, 0.5, 2, 8, "none", "auto", "peft"),
    (2048, 1, 16, 0.7, 1, 0, "none", "auto", "peft"),
    (512, 8, 8, 0.3, 1, 0, "none", "auto", "peft"),
    (512, 2, 64, 0.8, 2, 4, "none", "auto", "peft"),
    (1024, 1, 16, 0.5, 1, 0, "nf4", "auto", "peft"),
    (256, 8, 8, 0.3, 1, 0, "nf4", "auto", "peft"),
    (512, 4, 16, 0.5, 1, 4, "none", "bf16", "peft"),
    (256, 4, 8, 0.5, 1, 0, "none", "bf16", "cpu"),
    (1024, 2, 16, 0.3, 2, 8, "none", "bf16", "cpu"),
    (512, 4, 64, 0.7, 1, 4, "none", "fp32", "cpu"),
    (2048, 1, 16, 0.7, 1, 0, "none", "bf16", "cpu"),
    (512, 8, 16, 0.5, 1, 0, "none", "bf16", "cpu"),
    (1024, 1, 32, 0.5, 2, 0, "none", "fp32", "cpu"),
)
SHORT_SPREAD, SHORT_SHAPES = (SPREAD[3],), ("llama", "qwen3")


def cases(*, short: bool) -> Iterator[Case]:
    """Yield the configurations: each shape over a spread of lengths, batches, ranks, formats and engines."""
    for row, shape in product(SHORT_SPREAD if short else SPREAD, SHORT_SHAPES if short else SHAPES):
        length, batch, rank, share, accumulation, held_out, quantization, precision, engine = row
        yield Case(
            shape=shape,
            length=length,
            batch=batch,
            rank=rank,
            share=share,
            accumulation=accumulation,
            held_out=held_out,
            quantization=quantization,
            precision=precision,
            engine=engine,
        )


class Stage:
    """A folder with models, datasets and run directories of the cases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._models = folder / "models"
        self._datasets = Library(_made(folder / "datasets"))
        self._runs = _made(folder / "runs")
        self._rows = _made(folder / "rows")

    def recipe(self, case: Case) -> TrainRecipe:
        """Make the case's dataset and return its recipe."""
        model = self._models / case.shape
        dataset = self._datasets.import_files(
            [self._write(case, Renderer.load(model), "train", case.batch * case.accumulation * STEPS)],
            case.name,
            eval_files=[self._write(case, Renderer.load(model), "eval", case.held_out)]
            if case.held_out
            else (),
            eval_fraction=0.0,
            dedup=False,
        )
        return TrainRecipe(
            name=case.name,
            model=ModelRef(id=case.shape, path=str(model)),
            dataset=DatasetRef(
                id=dataset.id, path=str(self._datasets.folder(dataset.id)), sha256=dataset.sha256
            ),
            lora=Lora(rank=case.rank),
            training=Training(
                num_epochs=1,
                max_steps=STEPS,
                warmup_steps=0,
                batch_size=case.batch,
                gradient_accumulation_steps=case.accumulation,
                max_seq_length=case.length,
            ),
            evaluation=Evaluation(max_rows=case.held_out),
            hardware=Hardware(
                device="cpu",
                engine=case.engine,
                precision=case.precision,
                quantization=case.quantization,
                threads=1,
            ),
        )

    def run(self, case: Case, recipe: TrainRecipe) -> RunDir:
        """Make the run directory that a trainer starts from."""
        run = RunDir(self._runs / case.name)
        run.commands.mkdir(parents=True)
        write_atomically(run.recipe, dump_recipe(recipe))
        return run

    def _write(self, case: Case, renderer: Renderer, part: str, rows: int) -> Path:
        """Write rows of half the case's length to a little more than it, so that some are cut."""
        chance = random.Random(f"{case.name} {part}")
        path = self._rows / f"{case.name}-{part}.jsonl"
        with path.open("w", encoding="utf-8") as lines:
            for number in range(rows):
                tokens = round(case.length * (1.05 if number % 4 == 0 else chance.uniform(0.5, 1.1)))
                words = _words_of(renderer, tokens, chance)
                asked = max(1, round(len(words) * (1 - case.share)))
                row = {"prompt": " ".join(words[:asked]), "completion": " ".join(words[asked:])}
                lines.write(json.dumps(row) + "\n")
        return path


def _words_of(renderer: Renderer, tokens: int, chance: random.Random) -> list[str]:
    """Words that make about that many tokens."""
    words: list[str] = []
    length = 0
    while length < tokens - 12:
        words.append(chance.choice(WORDS))
        length += len(renderer.encode(f" {words[-1]}"))
    return words


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
