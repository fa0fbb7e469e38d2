"""What this computer has to offer a run: cores, memory, a GPU, room on the disk. Looks without torch."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from academy_desktop.core.environment import usable_gpus


@dataclass(frozen=True)
class Machine:
    """Cores and bytes; `free` is what may be used now. Without a GPU its bytes are 0."""

    cores: int
    ram_bytes: int
    ram_free_bytes: int
    disk_free_bytes: int
    gpu_bytes: int = 0
    gpu_free_bytes: int = 0

    @property
    def has_gpu(self) -> bool:
        """Whether a run that leaves the choice to the machine goes to a GPU."""
        return self.gpu_bytes > 0


def look(folder: Path) -> Machine:
    """Look at this machine, and at the disk that `folder` is on; a GPU that PyTorch cannot use is none."""
    memory = psutil.virtual_memory()
    gpu = next(iter(usable_gpus()), None)
    return Machine(
        cores=usable_cores(),
        ram_bytes=memory.total,
        ram_free_bytes=memory.available,
        disk_free_bytes=shutil.disk_usage(folder).free,
        gpu_bytes=gpu.memory_bytes if gpu else 0,
        gpu_free_bytes=gpu.free_bytes if gpu else 0,
    )


def usable_cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
