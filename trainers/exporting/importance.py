"""Which training rows say what a model's weights are used for, and how that is asked: an importance matrix.

Rounding a weight costs as much as its input is strong: llama.cpp can weigh its errors by the mean square of
each input (Frantar et al. 2022, GPTQ, minimise the same error of a layer's output). Owns the choice of rows
and the questions. Refuses to know how a file is quantized.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.parent import Parent
from trainers.exporting.watch import Watch
from trainers.llama_client import LlamaClient
from trainers.rendering import Renderer
from trainers.rows import read_rows

#: Enough that the figures stand still: with more they move by less than rounding does.
MOST_ROWS, MOST_TOKENS = 512, 16_384
#: The same rows each time: an export is the same to the byte when it is made again.
_SEED = 3407

TokenRows = tuple[tuple[int, ...], ...]


def training_rows(parent: Parent) -> TokenRows:
    """Return token ids of rows from all over a run's training data, cut as in training.

    Raises:
        AcademyError: `dataset_damaged`, `dataset_kind`, `nothing_supervised` when there are no rows; as
            `Renderer.load`.
    """
    path = parent.dataset_dir / "train.jsonl"
    longest = parent.recipe.training.max_seq_length
    renderer = Renderer.load(parent.model_dir)
    chosen: list[tuple[int, ...]] = []
    left = MOST_TOKENS
    for line, row in _drawn(path):
        ids = _ids(renderer, row, longest, path, line)[:left]
        left -= len(ids)
        if ids:
            chosen.append(tuple(ids))
    if not chosen:
        raise AcademyError(ErrorCode.NOTHING_SUPERVISED, rows=0, max_length=longest)
    return tuple(chosen)


def _ids(renderer: Renderer, row: dict[str, Any], longest: int, path: Path, line: int) -> list[int]:
    """Token ids of a row; of two answers the better one counts."""
    if "text" in row:
        return [*renderer.beginning, *renderer.encode(row["text"])][:longest]
    if "messages" not in row:
        raise AcademyError(ErrorCode.DATASET_KIND, path=str(path), line=line)
    return renderer.render([*row["messages"], *row.get("chosen", ())], longest, row.get("tools")).ids


def _drawn(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield rows with their lines in an order drawn by lot, so that the first of them speak for all."""
    count = sum(1 for _ in read_rows(path))
    lines = random.Random(_SEED).sample(range(1, count + 1), min(count, MOST_ROWS))
    wanted = set(lines)
    found = {line: row for line, row in enumerate(read_rows(path), start=1) if line in wanted}
    return ((line, found[line]) for line in lines)


def write_importance(model: Path, rows: Sequence[Sequence[int]], path: Path, watch: Watch) -> None:
    """Let llama.cpp read the rows with the model and write what its matrices were multiplied by at `path`.

    Raises:
        AcademyError: `llama_cpp_missing` or `llama_cpp_failed`.
    """
    with LlamaClient(model) as client:
        for done, ids in enumerate(rows):
            watch.progress(done, len(rows), "rows")
            client.count_activations(ids)
        client.write_mean_squares(path)
        watch.progress(len(rows), len(rows), "rows")
