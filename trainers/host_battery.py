"""Whether this computer runs on its battery.

Owns each system's way of asking. Standard library only. Where nobody can tell, it runs on mains: a run must
not wait for a plug that a desktop never pulls.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

#: Linux: a folder for each battery and each plug.
SUPPLIES = Path("/sys/class/power_supply")
_ASK_S = 5.0


def on_battery(supplies: Path = SUPPLIES) -> bool:
    """Whether no plug gives power and a battery does; `supplies` counts on Linux only."""
    if sys.platform == "win32":
        return _windows()
    if sys.platform == "darwin":
        return _mac()
    return _linux(supplies)


def _linux(supplies: Path) -> bool:
    try:
        found = [_Supply(folder) for folder in supplies.iterdir()]
    except OSError:
        return False
    if any(one.plugged for one in found):
        return False
    return any(one.discharging for one in found)


class _Supply:
    """One folder of `/sys/class/power_supply`; the battery of a mouse is none of the computer's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def plugged(self) -> bool:
        return self._says("type") != "Battery" and self._says("online") not in {"", "0"}

    @property
    def discharging(self) -> bool:
        own = self._says("scope") != "Device"
        return own and self._says("type") == "Battery" and self._says("status") == "Discharging"

    def _says(self, name: str) -> str:
        try:
            return (self._folder / name).read_text().strip()
        except (OSError, UnicodeDecodeError):
            return ""


def _mac() -> bool:
    try:
        said = subprocess.run(
            ["pmset", "-g", "batt"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_ASK_S,
            stdin=subprocess.DEVNULL,
        ).stdout
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return False
    return "'Battery Power'" in said.partition("\n")[0]


if sys.platform == "win32":

    class _PowerStatus(ctypes.Structure):
        """What `GetSystemPowerStatus` fills in."""

        _fields_ = (
            ("line", ctypes.c_ubyte),
            ("battery", ctypes.c_ubyte),
            ("percent", ctypes.c_ubyte),
            ("saver", ctypes.c_ubyte),
            ("left_s", ctypes.c_uint32),
            ("whole_s", ctypes.c_uint32),
        )

    def _windows() -> bool:
        status = _PowerStatus()
        asked = ctypes.windll.kernel32.GetSystemPowerStatus(ctypes.byref(status))
        return bool(asked) and status.line == 0  # 255: the system does not know
