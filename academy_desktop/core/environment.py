"""Looks at this machine: processor, GPU, memory, disk, packages, and whether a training step really works.

Owns the findings (`Check`), not their sentences. No GPU is a finding like any other, never a failure.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil
import pynvml

from academy_desktop.core.paths import DataDir
from academy_desktop.core.queue import QueueDevice
from academy_desktop.core.tasks import Tasks
from academy_desktop.core.trials import Trials
from trainers.errors import AcademyError, Fact
from trainers.packages import versions_of

Status = Literal["ok", "warn", "fail"]

PACKAGES = (
    "torch", "transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes", "gguf",
    "llama-cpp-python", "unsloth", "PySide6-Essentials",
)  # fmt: skip
#: Without these nothing can be trained.
REQUIRED = frozenset({"torch", "transformers", "trl", "peft", "accelerate", "datasets", "gguf"})

#: What the trial steps are taken with.
TRIED = ("torch", "bitsandbytes", "numpy")

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
    """One NVIDIA GPU as its driver describes it.

    Attributes:
        name, memory_bytes, free_bytes: of the card.
        driver: the driver's version.
        cuda: the newest CUDA that the driver runs, as (major, minor); None where it does not say.
        capability: what the card can do, as (major, minor); None where the driver does not say.
    """

    name: str
    memory_bytes: int
    free_bytes: int
    driver: str
    cuda: tuple[int, int] | None = None
    capability: tuple[int, int] | None = None

    @property
    def has_bf16(self) -> bool:
        """Whether it computes in bf16: cards since Ampere do."""
        return self.capability is None or self.capability >= (8, 0)


@dataclass(frozen=True)
class Findings:
    """What the doctor found.

    `engine` is the library that every model can be trained with here; `trainer` the engine that a common
    model gets, which on the processor is our own.
    """

    device: Literal["cuda", "cpu"]
    engine: Literal["unsloth", "peft"]
    reason: str
    checks: tuple[Check, ...]
    gpus: tuple[Gpu, ...]
    ram_bytes: int
    disk_free_bytes: int
    packages: dict[str, str]
    trainer: Literal["cpu", "peft", "unsloth"] = "cpu"

    @property
    def ok(self) -> bool:
        """Whether a model can be trained here."""
        return all(check.status != "fail" for check in self.checks)


class Doctor:
    """Examines the machine and the trainer environment."""

    def __init__(self, data: DataDir, tasks: Tasks) -> None:
        self._data = data
        self._trials = trials_of(data, tasks)

    def glance(self) -> Findings:
        """Look without starting anything: fast enough for every start of the window."""
        return self._findings(None)

    def examine(self) -> Findings:
        """Look, and really take one bf16 and one 4-bit step in a child process."""
        packages = package_versions()
        if "torch" not in packages:
            return self._findings(None)
        try:
            return self._findings(self._trials.run())
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
            trainer="peft" if cuda else "cpu",
        )


def trials_of(data: DataDir, tasks: Tasks) -> Trials:
    """The trial steps of a data directory; they hold as long as packages and driver are the same."""
    return Trials(data.trials, tasks, _trial_versions)


def _trial_versions() -> Mapping[str, str]:
    drivers = {f"driver {number}": gpu.driver for number, gpu in enumerate(nvidia_gpus())}
    return versions_of(TRIED) | drivers


def nvidia_gpus() -> tuple[Gpu, ...]:
    """Ask the NVIDIA driver; no driver means no GPU."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        driver = str(pynvml.nvmlSystemGetDriverVersion())
        newest = int(pynvml.nvmlSystemGetCudaDriverVersion())
        cuda = newest // 1000, newest % 1000 // 10
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            name = str(pynvml.nvmlDeviceGetName(handle))
            capability = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
            found.append(
                Gpu(
                    name,
                    int(memory.total),
                    int(memory.free),
                    driver,
                    cuda,
                    (int(capability[0]), int(capability[1])),
                )
            )
        return tuple(found)
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def usable_gpus(gpus: tuple[Gpu, ...] | None = None) -> tuple[Gpu, ...]:
    """Return the GPUs that this PyTorch can use, as far as versions tell (of `gpus`; by default of all)."""
    found = nvidia_gpus() if gpus is None else gpus
    return tuple(gpu for gpu in found if not gpu_lack(gpu))


def gpu_lack(gpu: Gpu) -> str:
    """Return why this PyTorch cannot use a GPU: a few words, or nothing.

    Within a major version of CUDA an older driver runs newer builds (CUDA's minor version compatibility).
    """
    build = torch_cuda()
    if build is None:
        return "this PyTorch is made for processors only"
    if gpu.cuda is not None and gpu.cuda[0] < build[0]:
        return f"its driver {gpu.driver} is too old for this PyTorch, which needs CUDA {build[0]}.{build[1]}"
    return ""


def torch_cuda() -> tuple[int, int] | None:
    """Return the CUDA version that the installed PyTorch is built for, or None; nothing is imported."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    try:
        said = Path(spec.origin).with_name("version.py").read_text("utf-8")
    except (OSError, ValueError):
        return None
    found = re.search(r"^cuda\b[^=]*=\s*'(\d+)\.(\d+)", said, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else None


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
