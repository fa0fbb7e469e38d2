"""How warm an NVIDIA graphics card is, and what power it draws, as its driver's own tool says.

Owns the call and the reading of its answer. Standard library only. Without the tool, or an answer, nothing is
known, and nothing follows from that.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

#: A driver that hangs must not hold up whoever asks for longer.
_ASK_S = 5.0
_QUERY = "--query-gpu=temperature.gpu,power.draw"


@dataclass(frozen=True)
class GpuReading:
    """Degrees Celsius and watts; None: the card does not say."""

    celsius: float | None = None
    watts: float | None = None


def read_gpu(index: int) -> GpuReading:
    """Ask for one card by its number."""
    command = ["nvidia-smi", f"--id={index}", _QUERY, "--format=csv,noheader,nounits"]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_ASK_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return GpuReading()
    fields = [_number(field) for field in asked.stdout.partition("\n")[0].split(",")]
    return GpuReading(*fields) if len(fields) == 2 else GpuReading()


def _number(text: str) -> float | None:
    """A field of the answer; `[N/A]` and its like are no number."""
    try:
        return float(text)
    except ValueError:
        return None
