"""What this computer is, and which build of PyTorch it therefore needs.

Owns the look at the hardware and the choice; the choice is a pure function of the facts. Refuses to know pip.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from academy_setup.failures import SetupError

Build = Literal["cpu", "default", "cu126", "cu130"]
Version = tuple[int, int]

INDEX = "https://download.pytorch.org/whl/"
WSL_DRIVER = Path("/usr/lib/wsl/lib")
LINUX_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA card as its driver names it; the capability is None where an old driver does not tell."""

    name: str
    capability: Version | None


@dataclass(frozen=True)
class Machine:
    """The facts of the choice: `system` as in `sys.platform`, `cuda` the newest that the driver runs."""

    system: str
    architecture: str
    driver: bool = False
    cuda: Version | None = None
    gpus: tuple[Gpu, ...] = ()


@dataclass(frozen=True)
class TorchChoice:
    """A build of PyTorch, the reason in a sentence, and whether to ask the driver again next time."""

    build: Build
    reason: str
    ask_again: bool = False

    @property
    def gpu(self) -> bool:
        """Whether this is a CUDA build."""
        return self.build.startswith("cu")


def choose_torch(machine: Machine, wish: str = "") -> TorchChoice:
    """The build for `machine`, or SetupError; `wish` "cpu" takes the CPU build whatever is there."""
    if machine.system == "darwin":
        if machine.architecture != "arm64":
            raise SetupError(
                "PyTorch is no longer made for Intel Macs: Academy Desktop needs one with Apple silicon."
            )
        # The index's plain wheel is the only one for macOS.
        reason = "This is a Mac: taking the plain build of PyTorch; training runs on the CPU."
        return TorchChoice("default", reason)
    if wish == "cpu":
        return TorchChoice("cpu", "ACADEMY_TORCH=cpu: taking the CPU build of PyTorch.")
    if not machine.driver:
        return TorchChoice("cpu", "No NVIDIA driver found: taking the CPU build of PyTorch.")
    if not machine.gpus or machine.cuda is None:
        reason = (
            "An NVIDIA driver is installed but does not answer: taking the CPU build of PyTorch. "
            "After a driver update the computer wants a restart; the next start looks again."
        )
        return TorchChoice("cpu", reason, ask_again=True)
    return _choose_cuda(machine.gpus, machine.cuda)


def _choose_cuda(gpus: tuple[Gpu, ...], cuda: Version) -> TorchChoice:
    """Of the CUDA builds of this PyTorch the newest that every card and the driver run.

    cu132 is left out on purpose: drivers for it run cu130 as well, which is what other CUDA packages are
    built for.
    """
    card = f"{gpus[0].name}, driver for CUDA {cuda[0]}.{cuda[1]}"
    if cuda < (12, 0):
        reason = (
            f"{card}: too old, taking the CPU build of PyTorch. With driver 560 or newer the GPU is used."
        )
        return TorchChoice("cpu", reason)
    # CUDA 13 no longer knows cards before Turing (7.5); the builds for CUDA 12.6 still do. Within 12.x older
    # drivers run newer builds (minor version compatibility).
    old = any(gpu.capability is not None and gpu.capability < (7, 5) for gpu in gpus)
    build: Build = "cu126" if old or cuda < (13, 0) else "cu130"
    return TorchChoice(build, f"{card}: taking the {build} build of PyTorch.")


def look() -> Machine:
    """Looks at this computer, asking the NVIDIA driver where there is one (this may take some seconds)."""
    system, architecture = sys.platform, platform.machine()
    if not fingerprint():
        return Machine(system, architecture)
    tool = _nvidia_smi()
    said = _output([tool]) if tool else ""
    listed = _output([tool, "--query-gpu=name,compute_cap", "--format=csv,noheader"]) if tool else ""
    return Machine(system, architecture, True, parse_cuda(said) or _ask_library(), parse_gpus(listed))


def fingerprint() -> str:
    """A cheap sign of the NVIDIA driver that changes when the driver does; "" where there is none."""
    if sys.platform == "darwin":
        return ""
    if sys.platform == "win32":
        library = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll"
        return _identity(library)
    try:
        return LINUX_DRIVER.read_text(encoding="utf-8", errors="replace")
    except OSError:
        # Windows' own driver, seen from a Linux inside it.
        return _identity(WSL_DRIVER / "libcuda.so.1")


def parse_cuda(said: str) -> Version | None:
    """The newest CUDA version that the driver runs, from the table that `nvidia-smi` prints."""
    match = re.search(r"CUDA(?: UMD)? Version\s*:\s*(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else None


def parse_gpus(listed: str) -> tuple[Gpu, ...]:
    """The cards, from lines of `name, compute capability`."""
    gpus = []
    for line in listed.splitlines():
        match = re.fullmatch(r"(.+?),\s*(?:(\d+)\.(\d+)|[^,]*)", line.strip())
        if match:
            gpus.append(Gpu(match[1], (int(match[2]), int(match[3])) if match[2] else None))
    return tuple(gpus)


def _nvidia_smi() -> str | None:
    return shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path=str(WSL_DRIVER))


def _ask_library() -> Version | None:
    """The same from the driver's library, for systems that come without `nvidia-smi`'s table."""
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        number = ctypes.c_int(0)
        failed = library.cuDriverGetVersion(ctypes.byref(number))
    except (OSError, AttributeError):
        return None
    return None if failed or not number.value else (number.value // 1000, number.value % 1000 // 10)


def _output(command: list[str]) -> str:
    try:
        finished = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return finished.stdout if finished.returncode == 0 else ""


def _identity(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{path.name} {status.st_size} {status.st_mtime_ns}"


def user_cache(system: str, environment: Mapping[str, str], home: Path) -> Path:
    """The folder for what can be made again but takes long, where the system keeps such things."""
    if system == "win32":
        return (
            Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "academy-desktop" / "Cache"
        )
    if system == "darwin":
        return home / "Library" / "Caches" / "academy-desktop"
    return Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "academy-desktop"
