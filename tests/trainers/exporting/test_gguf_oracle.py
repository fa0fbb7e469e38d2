"""What our writer makes, beside what llama.cpp's own converter makes of the same folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.trainers.exporting.families import KINDS, is_sentencepiece, write_random
from tests.trainers.exporting.making import QUIET, Gguf
from tests.trainers.exporting.oracle import Order, convert, differences, oracle_or_skip
from trainers.exporting.gguf_model import GgufModel

QUANTS = ("bf16", "q8_0")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each family's model, and the converter's files of it."""
    oracle, root = oracle_or_skip(), tmp_path_factory.mktemp("oracle")
    for name, kind in KINDS.items():
        write_random(root / name, kind, dtype=torch.bfloat16)
    orders = [
        Order(root / name, root / f"{name}.{quant}", quant, "" if is_sentencepiece(kind) else kind.tokenizer)
        for name, kind in KINDS.items()
        for quant in QUANTS
    ]
    convert(oracle, *orders)
    return root


@pytest.mark.parametrize("quant", QUANTS)
@pytest.mark.parametrize("name", KINDS)
def test_the_file_is_that_of_llama_cpp_s_converter(
    name: str, quant: str, converted: Path, tmp_path: Path
) -> None:
    GgufModel("made", converted / name, None, quant).write(tmp_path / "ours.gguf", QUIET)
    ours, theirs = Gguf.read(tmp_path / "ours.gguf"), Gguf.read(converted / f"{name}.{quant}")
    assert differences(ours, theirs) == KINDS[name].differs
