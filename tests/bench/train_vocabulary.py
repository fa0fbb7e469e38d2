"""A model with 262k words (Gemma 3 270M's shape, random weights): our engine beside TRL's defaults."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.figure import Figure, Setting, against
from tests.bench.train import DEFAULTS, Task, features, ours, prepared, rival, speed, trl
from tests.bench.train_child import ROWS_PER_STEP
from tests.trainers.tiny_model import write_tokenizer
from trainers.rows import IGNORED, Example

PAIRS, STEPS, BAR = 3, 4, 8.0
SHAPE: dict[str, Any] = {
    "model_type": "gemma3_text", "vocab_size": 262144, "hidden_size": 640, "intermediate_size": 2048,
    "num_hidden_layers": 18, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256,
    "sliding_window": 512, "query_pre_attn_scalar": 256, "tie_word_embeddings": True,
    "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
}  # fmt: skip
SMALL = SHAPE | {
    "vocab_size": 16384, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "head_dim": 32,
}  # fmt: skip


def measure(setting: Setting) -> Iterator[Figure]:
    """Train on random rows."""
    model = write_random(setting.folder / "model", SMALL if setting.short else SHAPE)
    rows = random_rows(1 if setting.short else STEPS, 40 if setting.short else 250)
    task = prepared(Task(model, setting.folder, rows, rows, len(rows) // ROWS_PER_STEP))
    pairs = [(ours(task, rows), rival(task, DEFAULTS, rows)) for _ in range(1 if setting.short else PAIRS)]
    judged = not setting.short and "amx_bf16" in features()
    yield against(
        "train.vocabulary",
        [(speed(rows, one), speed(rows, other)) for one, other in pairs],
        trl("TRL's defaults"),
        "supervised tokens/s",
        better="more",
        bar=BAR if judged else None,
        judged=judged,
        peaks=[(one["peak_bytes"], other["peak_bytes"]) for one, other in pairs],
    )


def write_random(folder: Path, shape: dict[str, Any]) -> Path:
    """Save a model of a shape with random weights."""
    from transformers import AutoConfig, AutoModelForCausalLM

    AutoModelForCausalLM.from_config(AutoConfig.for_model(**shape)).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def random_rows(steps: int, length: int) -> tuple[Example, ...]:
    """Rows whose second half is learned."""
    chance = random.Random(4)
    rows = []
    for _ in range(steps * ROWS_PER_STEP):
        size = chance.randrange(length // 2, length)
        ids = tuple(chance.randrange(4, 250) for _ in range(size))
        rows.append(Example(ids, (IGNORED,) * (size // 2) + ids[size // 2 :]))
    return tuple(rows)
