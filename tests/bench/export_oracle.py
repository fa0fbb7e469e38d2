"""Our GGUF files beside those of llama.cpp's own converter, and our vocabularies beside the tokenizers'."""

from __future__ import annotations

import os
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import torch

from tests.bench.figure import Figure, Setting, alone
from tests.trainers.exporting.families import KINDS, is_sentencepiece, write_random
from tests.trainers.exporting.making import QUIET, Gguf
from tests.trainers.exporting.oracle import Order, convert, differences, oracle_folder
from tests.trainers.exporting.tokenizers_made import RULES, SPECIALS, write_tokenizer_of
from tests.trainers.tiny_model import write_model
from trainers.exporting.gguf_model import GgufModel
from trainers.llama_client import LlamaClient
from trainers.rendering import Renderer

#: Folders of real models to compare as well, as in PATH.
MODELS_VARIABLE = "ACADEMY_BENCH_MODELS"
QUANTS, SHORT_QUANTS = ("f32", "f16", "bf16", "q8_0"), ("q8_0",)
STRINGS, SHORT_STRINGS = 10_000, 500
SEED = 20


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare files of every family, then ids of strings for every kind of tokenizer."""
    yield _files(setting)
    yield _tokens(setting)


def _files(setting: Setting) -> Figure:
    root = setting.folder / "files"
    quants = SHORT_QUANTS if setting.short else QUANTS
    orders = []
    for name, kind in KINDS.items():
        write_random(root / name, kind, dtype=torch.bfloat16)
        rules = "" if is_sentencepiece(kind) else kind.tokenizer
        orders += [Order(root / name, root / f"{name}.{quant}", quant, rules) for quant in quants]
    # The converter recognises a real model's tokenizer by itself.
    orders += [
        Order(model, root / f"real-{model.name}.{quant}", quant)
        for model in real_models()
        for quant in quants
    ]
    convert(oracle_folder(), *orders)
    wrong: list[str] = []
    for order in orders:
        made = root / "ours.gguf"
        GgufModel("made", order.model, None, order.quant).write(made, QUIET)
        found = differences(Gguf.read(made), Gguf.read(order.path))
        meant = KINDS[order.model.name].differs if order.model.parent == root else frozenset()
        if found != meant:
            wrong.append(f"{order.path.name}: {sorted(found)}")
    share = 1 - len(wrong) / len(orders)
    return alone("export.oracle.files", share, "share", at_least=1.0, files=len(orders), differing=wrong)


def _tokens(setting: Setting) -> Figure:
    texts = strings(SHORT_STRINGS if setting.short else STRINGS)
    wrong: dict[str, int] = {}
    for name in (*RULES, *SPECIALS):
        folder = write_model(
            setting.folder / f"tokens-{name}", lessons=0, hidden_size=64, intermediate_size=64
        )
        write_tokenizer_of(folder, name)
        # This one puts a space before a text that begins with no special token; a conversation always does.
        wrong[name] = _differing(folder, folder, texts, "<s>" if name == "first" else "")
    for model in real_models():
        wrong[f"real-{model.name}"] = _differing(model, setting.folder, texts, "")
    share = 1 - sum(wrong.values()) / (len(texts) * len(wrong))
    details = {name: count for name, count in wrong.items() if count}
    return alone("export.oracle.tokens", share, "share", at_least=1.0, strings=len(texts), differing=details)


def real_models() -> list[Path]:
    """Return the folders that were named."""
    return [Path(name) for name in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep) if name]


def _differing(model: Path, folder: Path, texts: list[str], begin: str) -> int:
    GgufModel("x", model, None, "f16").write(folder / "x.gguf", QUIET)
    renderer = Renderer.load(model)
    with LlamaClient(folder / "x.gguf") as client:
        return sum(client.tokenize(begin + text) != renderer.encode(begin + text) for text in texts)


def strings(count: int) -> list[str]:
    """Texts of every script, category and length, mixed with words, numbers and white space."""
    chance = random.Random(SEED)
    points = [
        code
        for code in range(0x20, 0x2FFFF)
        if unicodedata.category(chr(code)) not in {"Cs", "Cn", "Co", "Cc"}
    ]
    words = (
        "the",
        "capital",
        "Paris",
        "can't",
        "I'M",
        "3.14",
        "1000000",
        "  ",
        "\n",
        "\t",
        "\r\n",
        "<s>",
        "…",
    )
    made = []
    for _ in range(count):
        size = chance.randint(0, 24)
        start = chance.choice(points)
        near = [chr(code) for code in range(start, start + 40) if unicodedata.category(chr(code))[0] != "C"]
        parts = [
            chance.choice((*words, " ", *near)) if chance.random() < 0.8 else chr(chance.choice(points))
            for _ in range(size)
        ]
        made.append("".join(parts))
    return made
