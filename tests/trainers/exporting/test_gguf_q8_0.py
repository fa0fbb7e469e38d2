"""Blocks of eight bits are the `gguf` library's, byte for byte."""

from __future__ import annotations

import pytest
import torch
from gguf import GGMLQuantizationType
from gguf.quants import quantize

from trainers.exporting.gguf_q8_0 import q8_0

GENERATOR = torch.Generator().manual_seed(3407)
NORMAL = torch.randn(300, 1024, generator=GENERATOR)


@pytest.mark.parametrize(
    "values",
    [
        NORMAL,
        NORMAL * 10.0 ** torch.linspace(-9, 6, 300).unsqueeze(1),
        (NORMAL * 4).round() / 8,
        torch.zeros(4, 64),
        torch.arange(-127, 129).reshape(8, 32) / 2,
        torch.tensor([127.0, 0.49999997, -0.49999997, 0.5, -0.5, 1.5, 126.5, -126.5] * 4),
    ],
    ids=["normal", "of all sizes", "many halves", "zeros", "halves", "just below a half"],
)
def test_the_blocks_are_those_of_the_library(values: torch.Tensor) -> None:
    """Also where a value lies between two steps."""
    assert bytes(q8_0(values)) == quantize(values.numpy(), GGMLQuantizationType.Q8_0).tobytes()


def test_half_precision_is_taken_as_the_numbers_that_it_stands_for() -> None:
    """Weights come as they are stored."""
    assert bytes(q8_0(NORMAL.bfloat16())) == bytes(q8_0(NORMAL.bfloat16().float()))
