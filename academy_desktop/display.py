"""Whether a window can be shown here, and if not, the sentence that says why.

Owns the two reasons: no display, or a system library that Qt cannot be loaded without. Refuses to know
windows, and to import Qt, which may be what cannot be loaded.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from academy_desktop.text.messages import Description
from trainers.errors import AcademyError, ErrorCode

#: What the system's loader calls a library that it does not find, or cannot use, at the head of its words.
_LIBRARY = re.compile(r"\b(lib[\w.+-]+\.so[.\d]*): ")


def has_display(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a window can be shown; without one Qt would end the process."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return not platform.startswith("linux") or any(environment.get(name) for name in names)


def why_none(environment: Mapping[str, str], plugins: Path, said: str) -> AcademyError:
    """Return why Qt found no display; `plugins` is its folder of platforms, `said` what it complained of.

    Qt says the same of a display that it cannot reach and of a library that it cannot load: so this loads
    its X11 plugin, where there is a display for it, and hears what the system says.
    """
    library = _needed_by(plugins / "libqxcb.so") if environment.get("DISPLAY") else ""
    if library:
        return AcademyError(ErrorCode.SYSTEM_LIBRARY_MISSING, library=library)
    return AcademyError(ErrorCode.NO_DISPLAY, detail=said)


def library_in(said: str) -> str:
    """Return the library that the system's loader complains of, or nothing where it is not its complaint."""
    found = _LIBRARY.search(said)
    return found[1] if found else ""


def refuse(said: Description) -> int:
    """Say why there is no window; returns the process's exit code."""
    sys.stderr.write(f"{said.title}. {said.sentence} {said.next_step}\n")
    return 1


def _needed_by(plugin: Path) -> str:
    """Return a library that a plugin cannot be loaded without, or nothing."""
    if not plugin.exists():
        return ""
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        return library_in(str(error))
    return ""
