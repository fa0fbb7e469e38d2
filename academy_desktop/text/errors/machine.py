"""The data folder, the machine and what is installed on it: what can fail there, in words.

Owns the English originals, marked for translation; `templates` says how facts enter them.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.errors.error_text import ErrorText
from academy_desktop.text.marking import N_
from trainers.errors import ErrorCode

MACHINE: Final = {
    ErrorCode.DATA_DIR_NOT_WRITABLE: ErrorText(
        N_("The data folder cannot be written"),
        N_("Academy Desktop may not write to its data folder[ {path}][: {detail}]."),
        N_("Give your user the right to write there, or choose another folder with --data-dir."),
    ),
    ErrorCode.DATA_DIR_NEWER: ErrorText(
        N_("The data folder is from a newer version"),
        N_("The data folder[ {path}] was last used by a newer Academy Desktop[ (format {found})]."),
        N_("Update Academy Desktop, or choose another folder with --data-dir. Nothing was changed."),
    ),
    ErrorCode.DISK_FULL: ErrorText(
        N_("The disk is full"),
        N_("There is not enough room[ at {path}][: {needed_bytes} are needed][, {free_bytes} are free]."),
        N_("Free some space and try again. Nothing that was there before is lost."),
    ),
    ErrorCode.OFFLINE: ErrorText(
        N_("Working offline"),
        N_("This needs the network, and Academy Desktop was told to stay offline[: {detail}]."),
        N_("Leave out --offline (and ACADEMY_OFFLINE) and try again."),
    ),
    ErrorCode.DOWNLOAD_FAILED: ErrorText(
        N_("The download did not work"),
        N_("[“{model}” could not be downloaded|The download failed][ ({path})][: {detail}]."),
        N_("Check the network connection and try again."),
    ),
    ErrorCode.PACKAGE_MISSING: ErrorText(
        N_("A package is missing"),
        N_("The Python package[ {package}] that this needs is not installed[: {detail}]."),
        N_("Run “python3 packaging/bootstrap.py run” again: it installs what is missing."),
    ),
    ErrorCode.LLAMA_CPP_MISSING: ErrorText(
        N_("llama.cpp is not installed"),
        N_("Smaller GGUF formats and running GGUF files need llama.cpp, which is not installed[: {detail}]."),
        N_("Install a C++ compiler and CMake, then run “python3 packaging/bootstrap.py run” again."),
    ),
    ErrorCode.NO_DISPLAY: ErrorText(
        N_("There is no display"),
        N_("The window needs a graphical desktop, and this session has none[: {detail}]."),
        N_("Use the “academy” command instead: it does all that the window does."),
    ),
    ErrorCode.SYSTEM_LIBRARY_MISSING: ErrorText(
        N_("A system library is missing"),
        N_("The window needs [{library}|a system library], which is not on this computer or damaged."),
        N_(
            "On Debian or Ubuntu run “sudo apt install libqt6gui6 libqt6network6 libgl1 libxcb-cursor0”; "
            "then open the window again. The “academy” command works without them."
        ),
    ),
}
