"""Tries what a training step needs on this machine, instead of trusting version numbers.

Owns two tiny steps: bf16 and 4-bit. A failure is a finding, not an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trainers.device import look


def run_trials(progress: Callable[[int, int, str], None]) -> dict[str, Any]:
    """Return `cuda`, `device_name`, and for `bf16` and `four_bit` either `ok` or the reason why not."""
    progress(0, 3, "torch")
    machine = look()
    device = "cuda" if machine.cuda else "cpu"
    progress(1, 3, "bf16")
    bf16 = _outcome(lambda: _bf16_step(device))
    progress(2, 3, "4-bit")
    four_bit = _outcome(lambda: _four_bit_step(device))
    progress(3, 3, "done")
    return {
        "cuda": machine.cuda,
        "device_name": machine.cuda_name,
        "bf16": bf16,
        "four_bit": four_bit,
    }


def _outcome(step: Callable[[], None]) -> str:
    try:
        step()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


def _bf16_step(device: str) -> None:
    import torch

    weight = torch.randn(64, 64, device=device, dtype=torch.bfloat16, requires_grad=True)
    (weight @ weight).float().square().mean().backward()
    if weight.grad is None or not torch.isfinite(weight.grad).all():
        raise RuntimeError("the gradient is not finite")


def _four_bit_step(device: str) -> None:
    import torch
    from bitsandbytes.nn import Linear4bit

    layer = Linear4bit(64, 64, bias=False, quant_type="nf4", compute_dtype=torch.float32).to(device)
    rows = torch.randn(4, 64, device=device, requires_grad=True)
    layer(rows).square().mean().backward()
    if rows.grad is None or not torch.isfinite(rows.grad).all():
        raise RuntimeError("the gradient is not finite")
