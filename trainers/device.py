"""Where the arithmetic is done, how, and why: device, engine, number format and threads.

Owns the choice. Everything can be overridden in the recipe; what cannot be had is refused with a reason,
never replaced in silence.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from typing import Literal

from trainers.errors import AcademyError, ErrorCode
from trainers.recipe import Hardware


@dataclass(frozen=True)
class Machine:
    """What torch says of this machine."""

    cuda: bool
    cuda_name: str = ""
    cuda_bf16: bool = False
    cores: int = 1
    bitsandbytes: bool = False


@dataclass(frozen=True)
class Choice:
    """What a run uses; `reason` is a short sentence for people."""

    device: Literal["cpu", "cuda"]
    device_name: str
    engine: Literal["peft"]
    precision: Literal["fp32", "bf16", "fp16"]
    threads: int
    reason: str


def look() -> Machine:
    """Ask torch what there is; imports torch."""
    import torch

    cuda = torch.cuda.is_available()
    return Machine(
        cuda=cuda,
        cuda_name=torch.cuda.get_device_name(0) if cuda else "",
        cuda_bf16=cuda and torch.cuda.is_bf16_supported(),
        cores=usable_cores(),
        bitsandbytes=importlib.util.find_spec("bitsandbytes") is not None,
    )


def usable_cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def choose(hardware: Hardware, machine: Machine) -> Choice:
    """Choose for a recipe on a machine.

    Raises:
        AcademyError: `engine_unavailable` when the recipe insists on what is not there.
    """
    if hardware.engine in {"unsloth", "cpu"}:
        raise AcademyError(
            ErrorCode.ENGINE_UNAVAILABLE, engine=hardware.engine, detail="not part of this version"
        )
    if hardware.device == "cuda" and not machine.cuda:
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine="cuda", detail="no CUDA GPU was found")
    if hardware.quantization == "nf4" and not machine.bitsandbytes:
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine="nf4", detail="bitsandbytes is not installed")
    if machine.cuda and hardware.device != "cpu":
        return Choice(
            device="cuda",
            device_name=machine.cuda_name,
            engine="peft",
            precision=_gpu_precision(hardware, machine),
            threads=hardware.threads or machine.cores,
            reason="TRL and PEFT on the NVIDIA GPU",
        )
    if hardware.precision == "fp16":
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine="fp16", detail="no CUDA GPU was found")
    return Choice(
        device="cpu",
        device_name=f"{machine.cores} cores",
        engine="peft",
        precision="bf16" if hardware.precision == "bf16" else "fp32",
        threads=hardware.threads or machine.cores,
        reason="TRL and PEFT on the processor: "
        + ("the recipe asks for it" if machine.cuda else "no CUDA GPU was found"),
    )


def _gpu_precision(hardware: Hardware, machine: Machine) -> Literal["fp32", "bf16", "fp16"]:
    if hardware.precision == "auto":
        return "bf16" if machine.cuda_bf16 else "fp16"
    if hardware.precision == "bf16" and not machine.cuda_bf16:
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine="bf16", detail="this GPU has no bf16")
    return hardware.precision
