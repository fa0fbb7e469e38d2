"""What there is to compute with: the GPU as torch sees it, cores, and how fast the processor multiplies.

Owns looking. What a run takes of it is decided in `trainers.choice`.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import time
from pathlib import Path

from trainers.choice import Machine

_RACE_SIZE, _RACE_ROUNDS = 384, 40
_CPUINFO = Path("/proc/cpuinfo")


def look() -> Machine:
    """Ask torch what there is; imports torch. The processor's formats are not raced: see `bf16_gain`."""
    import torch

    cuda = torch.cuda.is_available()
    return Machine(
        cuda=cuda,
        cuda_name=torch.cuda.get_device_name(0) if cuda else "",
        cuda_bf16=cuda and torch.cuda.is_bf16_supported(),
        cores=usable_cores(),
        bitsandbytes=importlib.util.find_spec("bitsandbytes") is not None,
        numba=importlib.util.find_spec("numba") is not None,
    )


def bf16_gain() -> float:
    """Let both number formats multiply the same matrices, and return how many times as fast bf16 was.

    On one thread, in turns, the best of many short rounds: who else is at work must not decide.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pairs = {
        dtype: torch.ones(_RACE_SIZE, _RACE_SIZE, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)
    }
    best = dict.fromkeys(pairs, float("inf"))
    for _ in range(_RACE_ROUNDS):
        for dtype, matrix in pairs.items():
            begun = time.perf_counter()
            torch.mm(matrix, matrix)
            best[dtype] = min(best[dtype], time.perf_counter() - begun)
    torch.set_num_threads(threads)
    return best[torch.float32] / best[torch.bfloat16]


def processor() -> str:
    """Return the processor's name: on another one, products may round differently."""
    try:
        lines = _CPUINFO.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def usable_cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
