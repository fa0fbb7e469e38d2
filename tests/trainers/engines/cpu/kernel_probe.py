"""Runs every kernel on fixed numbers and prints a hash of what it made: for `test_kernels`, as a process."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator

import torch
from torch import Tensor

from trainers.engines.cpu.kernels import Heads, Kernels, kernels
from trainers.engines.cpu.packing import pack
from trainers.rows import Example

TOKENS, HIDDEN, INNER, WORDS, EXTRA = 160, 200, 312, 3001, 16


def rows(chance: torch.Generator, dtype: torch.dtype, *shape: int) -> Tensor:
    return (torch.randn(*shape, generator=chance) * 2).to(dtype)


def by_rows(made: Kernels, dtype: torch.dtype) -> Iterator[tuple[str, tuple[Tensor, ...]]]:
    chance = torch.Generator().manual_seed(1)
    x, delta = (rows(chance, dtype, TOKENS, HIDDEN) for _ in range(2))
    weight, grad = torch.rand(HIDDEN, generator=chance), rows(chance, dtype, TOKENS, HIDDEN + EXTRA)
    for name, added in (("norm", None), ("add-norm", delta)):
        out = torch.zeros(TOKENS, HIDDEN + EXTRA, dtype=dtype)
        total, rstd = made.norm(x, added, weight, 1e-5, out)
        yield name, (total, rstd, out)
        yield f"{name}-back", (made.norm_backward(added, grad, total, rstd, weight),)
    both, given = rows(chance, dtype, TOKENS, 2 * INNER), rows(chance, dtype, TOKENS, INNER + EXTRA)
    for gelu in (False, True):
        out = torch.zeros(TOKENS, INNER + EXTRA, dtype=dtype)
        made.gate(both, out, gelu=gelu)
        yield f"gate-{gelu}", (out, made.gate_backward(both, given, gelu=gelu))
    scores = rows(chance, dtype, 3 * TOKENS, TOKENS)
    made.softmax(scores, TOKENS, 0, 90)
    slopes = rows(chance, dtype, 3 * TOKENS, TOKENS)
    made.softmax_backward(scores, slopes)
    yield "softmax", (scores, slopes)
    logits = rows(chance, dtype, TOKENS, WORDS)
    labels = torch.randint(0, WORDS, (TOKENS,), generator=chance)
    yield "loss", (made.cross_entropy(logits, labels, 1 / 37), logits)


def by_heads(made: Kernels, dtype: torch.dtype) -> Iterator[tuple[str, tuple[Tensor, ...]]]:
    chance = torch.Generator().manual_seed(2)
    packed = pack([Example((1,) * length, (1,) * length) for length in (5, 40, 23, 70)])
    tokens, places, room = packed.ids.shape[0], packed.places, packed.block_rows
    angles = torch.rand(200, 32, generator=chance)
    turns = angles.cos(), angles.sin()
    norms = torch.rand(2, 64, generator=chance)
    qkv = rows(chance, dtype, tokens, 7 * 64)
    for name, heads in (
        ("plain", Heads(3, 2, 64, 0.125, 1e-5)),
        ("normed", Heads(3, 2, 64, 0.125, 1e-5, norms[0], norms[1])),
    ):
        q, k, v, rstd = made.split(qkv, places, room, *turns, heads)
        yield f"split-{name}", (q, k, v, rstd)
        grads = (rows(chance, dtype, *q.shape), rows(chance, dtype, *k.shape), rows(chance, dtype, *v.shape))
        yield f"split-{name}-back", (made.split_backward(grads, (qkv, rstd), places, *turns, heads),)
    out = torch.zeros(tokens, 3 * 64 + EXTRA, dtype=dtype)
    made.merge(q, places, 3, out)
    yield "merge", (out, made.merge_backward(out, places, room, 3, 64))


def main() -> None:
    made = kernels(int(sys.argv[1]), compiled=True)
    for one in (by_rows, by_heads):
        for name, found in one(made, torch.bfloat16):
            digest = hashlib.sha256()
            for tensor in found:
                digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
            print(name, digest.hexdigest())  # noqa: T201  (what the test reads)


if __name__ == "__main__":
    main()
