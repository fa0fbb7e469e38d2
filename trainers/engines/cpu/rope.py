"""Rotary positions as tables of cosines and sines.

Source: Su et al. 2021 (RoFormer); "llama3" after Meta's Llama 3.1, "linear" after Chen et al. 2023.
"""

from __future__ import annotations

import math

import torch

from trainers.engines.cpu.architecture import Rope


def tables(rope: Rope, head_dim: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosines and sines, each of shape (length, head_dim / 2), in fp32."""
    angles = torch.arange(length, dtype=torch.float32)[:, None] * _frequencies(rope, head_dim)
    return angles.cos(), angles.sin()


def _frequencies(rope: Rope, head_dim: int) -> torch.Tensor:
    frequencies = 1.0 / rope.theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    if rope.kind == "linear":
        return frequencies / rope.factor
    if rope.kind == "llama3":
        return _stretch_slow(frequencies, rope)
    return frequencies


def _stretch_slow(frequencies: torch.Tensor, rope: Rope) -> torch.Tensor:
    """Divide the slow frequencies by the factor, leave the fast ones, and blend those between."""
    turns = rope.original_length * frequencies / (2 * math.pi)
    blend = (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor)
    blend = blend.clamp(0.0, 1.0)
    return blend * frequencies + (1 - blend) * frequencies / rope.factor
