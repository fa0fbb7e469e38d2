"""Where the arithmetic is done, how, and why: device, engine, number format and threads.

Owns the choice. Everything can be overridden in the recipe; what cannot be had is refused with a reason,
never replaced in silence.
"""

from __future__ import annotations

import importlib.util
import os
import time
from dataclasses import dataclass
from typing import Literal

from trainers.errors import AcademyError, ErrorCode
from trainers.recipe import Hardware

#: bf16 is taken on the processor where it multiplies at least so many times as fast as fp32.
WORTHWHILE_GAIN = 1.5
_RACE_SIZE, _RACE_ROUNDS = 512, 5


@dataclass(frozen=True)
class Machine:
    """What torch says of this machine; `bf16_gain`: speed of bf16 products on the processor, in fp32's."""

    cuda: bool
    cuda_name: str = ""
    cuda_bf16: bool = False
    cores: int = 1
    bitsandbytes: bool = False
    bf16_gain: float = 1.0


@dataclass(frozen=True)
class Choice:
    """What a run uses; `reason` is a short sentence for people."""

    device: Literal["cpu", "cuda"]
    device_name: str
    engine: Literal["peft", "cpu"]
    precision: Literal["fp32", "bf16", "fp16"]
    threads: int
    reason: str


def look(*, race: bool = False) -> Machine:
    """Ask torch what there is; imports torch."""
    import torch

    cuda = torch.cuda.is_available()
    return Machine(
        cuda=cuda,
        cuda_name=torch.cuda.get_device_name(0) if cuda else "",
        cuda_bf16=cuda and torch.cuda.is_bf16_supported(),
        cores=usable_cores(),
        bitsandbytes=importlib.util.find_spec("bitsandbytes") is not None,
        bf16_gain=_bf16_gain() if race else 1.0,
    )


def _bf16_gain() -> float:
    """Let both number formats multiply the same matrices, and return how many times as fast bf16 was."""
    import torch

    best = {}
    for dtype in (torch.float32, torch.bfloat16):
        left, right = (torch.ones(_RACE_SIZE, _RACE_SIZE, dtype=dtype) for _ in range(2))
        torch.mm(left, right)  # the first one prepares
        times = []
        for _ in range(_RACE_ROUNDS):
            begun = time.perf_counter()
            torch.mm(left, right)
            times.append(time.perf_counter() - begun)
        best[dtype] = min(times)
    return best[torch.float32] / best[torch.bfloat16]


def usable_cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def choose(hardware: Hardware, machine: Machine, unknown: str | None = None) -> Choice:
    """Choose for a recipe on a machine.

    Args:
        hardware: what the recipe wishes.
        machine: what there is.
        unknown: why the engine for processors cannot train the recipe; None where it can. Only who asks for
            that engine by its name gets it.

    Raises:
        AcademyError: `engine_unavailable` when the recipe insists on what is not there.
    """
    if hardware.engine == "unsloth":
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine="unsloth", detail="not part of this version")
    if hardware.device == "cuda" and not machine.cuda:
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine="cuda", detail="no CUDA GPU was found")
    if hardware.quantization == "nf4" and not machine.bitsandbytes:
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine="nf4", detail="bitsandbytes is not installed")
    if hardware.engine == "cpu" and (hardware.device == "cuda" or unknown is not None):
        detail = unknown or "it trains on the processor, and the recipe asks for the GPU"
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine="cpu", detail=detail)
    if machine.cuda and hardware.device != "cpu" and hardware.engine != "cpu":
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
    own = hardware.engine == "cpu"
    return Choice(
        device="cpu",
        device_name=f"{machine.cores} cores",
        engine="cpu" if own else "peft",
        precision=_own_precision(hardware, machine) if own else _plain_precision(hardware),
        threads=hardware.threads or machine.cores,
        reason=_own_reason(hardware, machine)
        if own
        else f"TRL and PEFT on the processor: {_why_cpu(machine)}",
    )


def _own_precision(hardware: Hardware, machine: Machine) -> Literal["fp32", "bf16"]:
    if hardware.precision == "auto":
        return "bf16" if machine.bf16_gain >= WORTHWHILE_GAIN else "fp32"
    return _plain_precision(hardware)


def _plain_precision(hardware: Hardware) -> Literal["fp32", "bf16"]:
    """TRL's bf16 loses a part of the adapter's update on the processor: it is taken only when named."""
    return "bf16" if hardware.precision == "bf16" else "fp32"


def _own_reason(hardware: Hardware, machine: Machine) -> str:
    said = f"the engine for processors: {_why_cpu(machine)}"
    if hardware.precision == "auto":
        said += f"; bf16 is {machine.bf16_gain:.1f} times as fast as fp32 here"
    return said


def _why_cpu(machine: Machine) -> str:
    return "the recipe asks for it" if machine.cuda else "no CUDA GPU was found"


def _gpu_precision(hardware: Hardware, machine: Machine) -> Literal["fp32", "bf16", "fp16"]:
    if hardware.precision == "auto":
        return "bf16" if machine.cuda_bf16 else "fp16"
    if hardware.precision == "bf16" and not machine.cuda_bf16:
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine="bf16", detail="this GPU has no bf16")
    return hardware.precision
