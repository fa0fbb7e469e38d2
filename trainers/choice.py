"""Which device, engine, number format and threads a run takes, and why.

Owns the choice, without looking at anything: what there is, it is told. So the forecast, which must not load
torch, and the trainer, which asks torch, choose alike. What cannot be had is refused with a reason, never
replaced in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainers.errors import AcademyError, ErrorCode
from trainers.recipe import Hardware

#: bf16 is taken on the processor where it multiplies at least so many times as fast as fp32.
WORTHWHILE_GAIN = 1.3
_NO_BITSANDBYTES = "bitsandbytes is not installed"


@dataclass(frozen=True)
class Machine:
    """What there is; `bf16_gain`: speed of bf16 products on the processor, in fp32's; `numba`: is there."""

    cuda: bool
    cuda_name: str = ""
    cuda_bf16: bool = False
    cores: int = 1
    bitsandbytes: bool = False
    numba: bool = False
    bf16_gain: float = 1.0


@dataclass(frozen=True)
class Choice:
    """What a run uses; `reason` is a short sentence for people; `kernels`: of our engine for processors."""

    device: Literal["cpu", "cuda"]
    device_name: str
    engine: Literal["peft", "cpu"]
    precision: Literal["fp32", "bf16", "fp16"]
    threads: int
    reason: str
    kernels: Literal["compiled", "plain"] = "plain"
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw"


def may_be_own(hardware: Hardware, machine: Machine) -> bool:
    """Whether the engine for processors comes into question, so that it is worth asking what it knows."""
    if hardware.engine == "cpu":
        return True
    on_cpu = hardware.device == "cpu" or not machine.cuda
    return hardware.engine == "auto" and on_cpu and hardware.quantization == "none"


def choose(hardware: Hardware, machine: Machine, unknown: str | None = None) -> Choice:
    """Choose for a recipe on a machine.

    Args:
        hardware: what the recipe wishes.
        machine: what there is.
        unknown: why the engine for processors cannot train the recipe; None where it can.

    Raises:
        AcademyError: `engine_unavailable` when the recipe insists on what is not there.
    """
    _refuse(hardware, machine, unknown)
    if machine.cuda and hardware.device != "cpu" and hardware.engine != "cpu":
        return Choice(
            device="cuda",
            device_name=machine.cuda_name,
            engine="peft",
            precision=_gpu_precision(hardware, machine),
            threads=hardware.threads or machine.cores,
            reason="TRL and PEFT on the NVIDIA GPU",
            optimizer=_optimizer(hardware, spare=machine.bitsandbytes),
        )
    if hardware.precision == "fp16":
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine="fp16", detail="no CUDA GPU was found")
    own = may_be_own(hardware, machine) and unknown is None
    return Choice(
        device="cpu",
        device_name=f"{machine.cores} cores",
        engine="cpu" if own else "peft",
        precision=_own_precision(hardware, machine) if own else _plain_precision(hardware),
        threads=hardware.threads or machine.cores,
        reason=_own_reason(hardware, machine) if own else _peft_reason(hardware, machine, unknown),
        kernels="compiled" if own and machine.numba else "plain",
        optimizer=_optimizer(hardware, spare=False),
    )


def _refuse(hardware: Hardware, machine: Machine, unknown: str | None) -> None:
    lack: tuple[str, str] | None = None
    if hardware.engine == "unsloth":
        lack = "unsloth", "not part of this version"
    elif hardware.device == "cuda" and not machine.cuda:
        lack = "cuda", "no CUDA GPU was found"
    elif hardware.quantization == "nf4" and not machine.bitsandbytes:
        lack = "nf4", _NO_BITSANDBYTES
    elif hardware.optimizer == "adamw_8bit" and not machine.bitsandbytes:
        lack = "adamw_8bit", _NO_BITSANDBYTES
    elif hardware.engine == "cpu" and (hardware.device == "cuda" or unknown is not None):
        lack = "cpu", unknown or "it trains on the processor, and the recipe asks for the GPU"
    if lack is not None:
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine=lack[0], detail=lack[1])


def _optimizer(hardware: Hardware, *, spare: bool) -> Literal["adamw", "adamw_8bit"]:
    """What the recipe names, else what spares memory where that counts."""
    if hardware.optimizer == "auto":
        return "adamw_8bit" if spare else "adamw"
    return hardware.optimizer


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
    if not machine.numba:
        said += "; slower than it could be, because Numba is not installed"
    return said


def _peft_reason(hardware: Hardware, machine: Machine, unknown: str | None) -> str:
    said = f"TRL and PEFT on the processor: {_why_cpu(machine)}"
    if hardware.engine == "auto" and unknown is not None:
        said += f"; not the engine for processors: {unknown}"
    return said


def _why_cpu(machine: Machine) -> str:
    return "the recipe asks for it" if machine.cuda else "no CUDA GPU was found"


def _gpu_precision(hardware: Hardware, machine: Machine) -> Literal["fp32", "bf16", "fp16"]:
    if hardware.precision == "auto":
        return "bf16" if machine.cuda_bf16 else "fp16"
    if hardware.precision == "bf16" and not machine.cuda_bf16:
        raise AcademyError(ErrorCode.ENGINE_UNAVAILABLE, engine="bf16", detail="this GPU has no bf16")
    return hardware.precision
