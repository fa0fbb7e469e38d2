"""How a set-up fails: one sentence that says what happened and what to do about it.

Owns the sentences, and the reading of what pip printed. They are plain English: the translations are not
installed yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path


class SetupError(Exception):
    """An expected failure; its text is the sentence that the user reads."""


NO_NETWORK = (
    "The package index could not be reached. Check the network connection (and the proxy, if there is one), "
    "then start the same command again: what is already installed is kept."
)
NO_CERTIFICATE = (
    "The package index answered with a certificate that this computer does not trust. Behind a company "
    "proxy, name its certificate in the environment variable PIP_CERT, then start the same command again."
)
DISK_FULL = (
    "The disk is full. Free some space (about 3 GB are needed in all, 12 GB with an NVIDIA GPU; the "
    "folders for temporary files and for pip's cache count too), then start the same command again."
)
NO_PERMISSION = (
    "A file could not be written. Check that this folder belongs to you, and that no other program has the "
    "environment in use, then start the same command again."
)
WRONG_HASH = (
    "A downloaded package is not the one that was tested (its checksum differs), so it was not installed. "
    "Run `pip cache purge` and start the same command again; if it happens again, the package index is not "
    "to be trusted."
)
NO_MEMORY = "The computer ran out of memory. Close other programs, then start the same command again."

_NETWORK_SIGNS = (
    "NewConnectionError", "NameResolutionError", "Max retries exceeded", "ConnectTimeout", "ReadTimeoutError",
    "Read timed out", "failure in name resolution", "Name or service not known", "getaddrinfo failed",
    "nodename nor servname", "Network is unreachable", "Connection refused", "Connection reset", "ProxyError",
    "RemoteDisconnected", "IncompleteRead", "Could not fetch URL", "[Cc]onnection (?:was )?broken",
)  # fmt: skip

# Read from top to bottom: the first that fits is the cause, what follows it in pip's output only its
# consequence.
_CAUSES = (
    (r"No space left on device|\[Errno 28\]|WinError 112|Disk quota exceeded|ENOSPC", DISK_FULL),
    (r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError|certificate verify failed", NO_CERTIFICATE),
    (r"DO NOT MATCH THE HASHES", WRONG_HASH),
    ("|".join(_NETWORK_SIGNS), NO_NETWORK),
    (r"MemoryError|cc1plus.*Killed|Killed signal|out of memory", NO_MEMORY),
    (r"\[Errno 13\]|\[Errno 30\]|WinError (?:5|32)\b|Permission denied|Read-only file system", NO_PERMISSION),
)
_UNKNOWN = r"(?:No matching distribution found for|that satisfies the requirement) ([^\s;(]+)"


def sentence_for(output: str, log: Path) -> str:
    """What to tell a user whose pip ended with `output`, all of which stands in `log`."""
    for pattern, sentence in _CAUSES:
        if re.search(pattern, output):
            return sentence
    missing = re.search(_UNKNOWN, output)
    if missing:
        return (
            f"The package index has no {missing[1]} for this Python and this operating system. "
            f"Try Python 3.12 on 64-bit Linux, Windows or macOS; details are in {log}."
        )
    errors = [line.strip() for line in output.splitlines() if line.lstrip().lower().startswith("error")]
    said = f" It said: {errors[-1][:200]}" if errors else ""
    return (
        f"A step of the set-up failed.{said} The whole output is in {log}; "
        "starting the same command again goes on here."
    )


def no_venv(version: str) -> str:
    """The sentence for a Python whose distribution keeps `venv` in a package of its own (Debian, Ubuntu)."""
    return (
        "This Python cannot make virtual environments. On Debian or Ubuntu: sudo apt install "
        f"python{version}-venv (or python3-venv), then start the same command again."
    )


def too_little_disk(folder: Path, needed_bytes: int, free_bytes: int) -> str:
    """The sentence for a disk that will not hold what is still to be installed."""
    return (
        f"The set-up still needs about {needed_bytes / 1e9:.1f} GB in {folder}, and {free_bytes / 1e9:.1f} "
        "GB are free. Free some space, or move the folder to a larger disk, then start the same command "
        "again."
    )


def no_compiler(system: str, managers: Mapping[str, bool]) -> str:
    """The sentence for a machine without a C++ compiler; `managers` says which package managers it has."""
    if system == "darwin":
        advice = "xcode-select --install"
    elif system == "win32":
        advice = "Visual Studio Build Tools with “Desktop development with C++”"
    elif managers.get("dnf"):
        advice = "sudo dnf install gcc gcc-c++"
    elif managers.get("pacman"):
        advice = "sudo pacman -S base-devel"
    elif managers.get("zypper"):
        advice = "sudo zypper install gcc gcc-c++"
    else:
        advice = "sudo apt install build-essential"
    return (
        "No C++ compiler was found, so llama.cpp is left out: everything works but K-quants (q4_k_m and "
        f"its like) and running a GGUF here. To have them, install a compiler ({advice}); the next start "
        "takes it up."
    )


def build_failed(output: str, log: Path) -> str:
    """The sentence for a llama.cpp that could not be compiled, although a compiler is there."""
    cause = next((sentence for pattern, sentence in _CAUSES if re.search(pattern, output)), "")
    return (
        "llama.cpp could not be compiled, so it is left out: everything works but K-quants and running a "
        f"GGUF here. {cause} The compiler's words are in {log}; `bootstrap.py repair` tries again."
    ).replace("  ", " ")
