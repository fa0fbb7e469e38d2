"""What a figure was measured on: processor, vector units, cores, matrix rates, the libraries' versions.

Owns the look. Refuses to know what is measured.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from trainers.device import usable_cores
from trainers.packages import versions_of

#: Vector units that decide how fast a processor trains.
FEATURES = (
    "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8",
    "neon", "asimd", "sve", "bf16", "i8mm",
)  # fmt: skip
PACKAGES = (
    "torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "numpy", "pyarrow",
    "gguf", "llama-cpp-python", "pydantic", "PySide6-Essentials", "pyqtgraph", "qasync",
)  # fmt: skip
#: Multiplies square matrices of each number format with all cores, and prints the best rate in FLOP/s.
_MATRIX = """
import json, sys, time
import torch
size, repeats, threads = map(int, sys.argv[1:])
torch.set_num_threads(threads)
rates = {}
for name in ("float32", "bfloat16"):
    left, right = (torch.randn(size, size).to(getattr(torch, name)) for _ in range(2))
    best = float("inf")
    for _ in range(repeats):
        begun = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - begun)
    rates[name] = round(2 * size**3 / best)
print(json.dumps(rates))
"""


def machine(*, short: bool) -> dict[str, object]:
    """Return processor, features, cores that may be used, and matrix rates in FLOP/s by number format."""
    cpu, flags = _cpu()
    return {
        "cpu": cpu,
        "features": [name for name in FEATURES if name in flags],
        "threads": usable_cores(),
        "matrix_flops": _matrix_flops(512 if short else 2048, 3 if short else 10),
        "ram_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if os.name == "posix" else None,
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that figures depend on."""
    return {"python": platform.python_version(), **versions_of(PACKAGES)}


def _cpu() -> tuple[str, frozenset[str]]:
    """Return the processor's name and its flags, as Linux tells them; elsewhere what Python knows."""
    said: dict[str, str] = {}
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else ():
        name, _, value = line.partition(":")
        said.setdefault(name.strip(), value.strip())
    name = said.get("model name") or platform.processor() or platform.machine()
    return name, frozenset((said.get("flags") or said.get("Features") or "").split())


def _matrix_flops(size: int, repeats: int) -> dict[str, int]:
    """Measure in a child: torch's threads would stay, and disturb what is measured next."""
    command = [sys.executable, "-c", _MATRIX, str(size), str(repeats), str(usable_cores())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rates: dict[str, int] = json.loads(done.stdout)
    return rates
