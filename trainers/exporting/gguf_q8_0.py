"""Eight-bit blocks as llama.cpp stores them (Q8_0): what the `gguf` library makes, in a third of its time.

Owns this one format. Refuses to know tensors' names and files.
"""

from __future__ import annotations

import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

_BLOCK, _BLOCK_BYTES = GGML_QUANT_SIZES[GGMLQuantizationType.Q8_0]
_SCALE_BYTES = _BLOCK_BYTES - _BLOCK
_MOST = 127
#: Values worked on at a time: a processor keeps them, and what is made of them, in its cache.
_PIECE_VALUES = 1 << 17


def q8_0(values: torch.Tensor) -> memoryview:
    """Return the blocks of `values`, whose number is a multiple of 32: a scale in f16 and 32 int8 each.

    Source: llama.cpp, `quantize_row_q8_0_ref`; halves are rounded away from zero.
    """
    blocks = values.reshape(-1, _BLOCK)
    encoded = torch.empty((blocks.shape[0], _BLOCK_BYTES), dtype=torch.uint8)
    piece = _PIECE_VALUES // _BLOCK
    for start in range(0, blocks.shape[0], piece):
        _encode(blocks[start : start + piece].float(), encoded[start : start + piece])
    return encoded.flatten().numpy().data


def _encode(blocks: torch.Tensor, encoded: torch.Tensor) -> None:
    scale = blocks.abs().amax(1, keepdim=True).div_(_MOST)
    scaled = blocks * scale.reciprocal().masked_fill_(scale == 0, 0.0)
    # The conversion cuts towards zero; `trunc` would be slow, and `round` goes to the even number.
    whole = scaled.to(torch.int8)
    whole += scaled.sub_(whole).mul_(2).to(torch.int8)
    encoded[:, :_SCALE_BYTES] = scale.half().view(torch.uint8)
    encoded[:, _SCALE_BYTES:].view(torch.int8).copy_(whole)
