"""Looks at this machine: processor, GPU, memory, disk, packages, and whether a training step really works.

Owns the findings (`Check`), not their sentences. No GPU is a finding like any other, never a failure.
"""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Literal

import psutil
import pynvml

from academy_desktop.core.paths import DataDir
from academy_desktop.core.queue import QueueDevice
from academy_desktop.core.tasks import Tasks
from trainers.errors import AcademyError, Fact
from trainers.packages import versions_of

Status = Literal["ok", "warn", "fail"]

PACKAGES = (
    "torch", "transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes", "gguf",
    "llama-cpp-python", "unsloth", "PySide6-Essentials",
)  # fmt: skip
#: Without these nothing can be trained.
REQUIRED = frozenset({"torch", "transformers", "trl", "peft", "accelerate", "datasets", "gguf"})

#: Training the demo model took 2.0 GB on the CPU.
LOW_RAM_BYTES = 4 * 1024**3
#: The demo model, one run and its exports.
LOW_DISK_BYTES = 5 * 1024**3


@dataclass(frozen=True)
class Check:
    """One finding; `text.checks` has its words."""

    id: str
    status: Status
    facts: dict[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU as its driver describes it."""

    name: str
    memory_bytes: int
    free_bytes: int
    driver: str


@dataclass(frozen=True)
class Findings:
    """What the doctor found."""

    device: Literal["cuda", "cpu"]
    engine: Literal["unsloth", "peft"]
    reason: str
    checks: tuple[Check, ...]
    gpus: tuple[Gpu, ...]
    ram_bytes: int
    disk_free_bytes: int
    packages: dict[str, str]

    @property
    def ok(self) -> bool:
        """Whether a model can be trained here."""
        return all(check.status != "fail" for check in self.checks)


class Doctor:
    """Examines the machine and the trainer environment."""

    def __init__(self, data: DataDir, tasks: Tasks) -> None:
        self._data = data
        self._tasks = tasks

    def glance(self) -> Findings:
        """Look without starting anything: fast enough for every start of the window."""
        return self._findings(None)

    def examine(self) -> Findings:
        """Look, and really take one bf16 and one 4-bit step in a child process."""
        packages = package_versions()
        if "torch" not in packages:
            return self._findings(None)
        try:
            return self._findings(self._tasks.run("trial-steps", {}))
        except AcademyError as error:
            detail = error.facts.get("detail") or error.code.replace("_", " ")
            return self._findings({"failure": str(detail)})

    def _findings(self, trials: dict[str, object] | None) -> Findings:
        gpus = nvidia_gpus()
        packages = package_versions()
        memory = psutil.virtual_memory().total
        free = shutil.disk_usage(self._data.root).free
        cuda = bool(trials.get("cuda")) if trials else bool(gpus)
        checks = [
            Check(
                "processor",
                "ok",
                {"cores": os.cpu_count() or 1, "name": platform.processor() or platform.machine()},
            ),
            _gpu_check(gpus, trials),
            Check("memory", "ok" if memory >= LOW_RAM_BYTES else "warn", {"ram_bytes": memory}),
            Check(
                "disk",
                "ok" if free >= LOW_DISK_BYTES else "warn",
                {"free_bytes": free, "path": str(self._data.root)},
            ),
            _packages_check(packages),
            _llama_check(),
            *_trial_checks(trials),
        ]
        return Findings(
            device="cuda" if cuda else "cpu",
            engine="peft",
            reason="gpu_peft" if cuda else "cpu_peft",
            checks=tuple(checks),
            gpus=gpus,
            ram_bytes=memory,
            disk_free_bytes=free,
            packages=packages,
        )


def nvidia_gpus() -> tuple[Gpu, ...]:
    """Ask the NVIDIA driver; no driver means no GPU."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        driver = str(pynvml.nvmlSystemGetDriverVersion())
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            name = str(pynvml.nvmlDeviceGetName(handle))
            found.append(Gpu(name, int(memory.total), int(memory.free), driver))
        return tuple(found)
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def queue_device() -> QueueDevice:
    """Return where a job waits that leaves the choice of its device to the machine."""
    return "cuda-0" if nvidia_gpus() else "cpu"


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that matter."""
    return versions_of(PACKAGES)


def _gpu_check(gpus: tuple[Gpu, ...], trials: dict[str, object] | None) -> Check:
    if not gpus:
        return Check("gpu", "ok", {"gpu": None})
    if trials is not None and not trials.get("cuda") and "failure" not in trials:
        return Check("gpu_unused", "warn", {"gpu": gpus[0].name, "driver": gpus[0].driver})
    return Check(
        "gpu", "ok", {"gpu": gpus[0].name, "memory_bytes": gpus[0].memory_bytes, "driver": gpus[0].driver}
    )


def _packages_check(packages: dict[str, str]) -> Check:
    missing = sorted(REQUIRED - packages.keys())
    if missing:
        return Check("packages", "fail", {"missing": ", ".join(missing)})
    return Check("packages", "ok", {"count": len(packages), "torch": packages["torch"]})


def _llama_check() -> Check:
    return Check("llama_cpp", "ok" if find_spec("llama_cpp") else "warn")


def _trial_checks(trials: dict[str, object] | None) -> list[Check]:
    if trials is None:
        return []
    if "failure" in trials:
        return [Check("training_step", "fail", {"detail": str(trials["failure"])})]
    checks = []
    for step in ("bf16", "four_bit"):
        outcome = str(trials[step])
        checks.append(Check(step, "ok") if outcome == "ok" else Check(step, "warn", {"detail": outcome}))
    return checks
