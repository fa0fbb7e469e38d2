"""llama-cpp-python: compiled once per user, version and flags, then installed from the wheel that was kept.

Owns the build and its cache. The default build crashes on processors with AMX at the first quantized matrix,
and llama.cpp's picture models are not used: hence the flags, and hence no wheel from anywhere else.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from academy_setup.checkout import Checkout
from academy_setup.failures import build_failed, no_compiler
from academy_setup.guard import guarded
from academy_setup.installer import Installer
from academy_setup.stamps import digest
from academy_setup.voice import Voice

FLAGS = "-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF"


@dataclass(frozen=True)
class Llama:
    """How it ended: "built", "no_compiler" or "failed", with the compiler that was there ("" for none)."""

    state: str
    compiler: str


def find_compiler() -> str:
    """The C++ compiler that a build would take; "" where there is none."""
    if sys.platform == "win32":
        return shutil.which("cl") or _visual_studio()
    if sys.platform == "darwin" and not _succeeds("xcode-select", "-p"):
        return ""  # macOS has a `c++` that only offers to install the real one
    cc = os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), "")
    cxx = os.environ.get("CXX") or next(filter(shutil.which, ("c++", "g++", "clang++")), "")
    return (shutil.which(cxx.split()[0]) or "") if cc and cxx else ""


def wheel_folder(cache: Path, version: str, python: str, lock: str) -> Path:
    """Where the wheel for these conditions is kept; anything that could change its content is in the name."""
    tag = "cp" + "".join(python.split(".")[:2])
    key = digest(FLAGS, lock)[:12]
    return cache / "wheels" / f"llama_cpp_python-{version}-{tag}-{sys.platform}-{platform.machine()}-{key}"


def install(checkout: Checkout, installer: Installer, voice: Voice, folder: Path) -> Llama:
    """Installs llama-cpp-python, compiling it where no wheel is kept; goes on without it where that fails."""
    compiler = find_compiler()
    wheel = _kept(folder)
    if wheel is None and not compiler:
        managers = {name: shutil.which(name) is not None for name in ("dnf", "pacman", "zypper")}
        voice.say("    " + no_compiler(sys.platform, managers))
        return Llama("no_compiler", "")
    if wheel is None:
        voice.say("    compiling llama.cpp takes 4 to 5 minutes on two cores, once")
        waiting = "    another set-up is compiling it; waiting"
        with guarded(folder.parent / "build.lock", lambda: voice.say(waiting)):
            wheel = _kept(folder) or _build(checkout, installer, voice, folder)
    if wheel is None:
        return Llama("failed", compiler)
    installer.pip("llama", "install", "--no-deps", "--no-index", "--force-reinstall", str(wheel))
    code, output = installer.call("llama", [str(checkout.python), "-P", "-c", "import llama_cpp"])
    if code:
        voice.say("    " + build_failed(output, installer.log("llama")))
        shutil.rmtree(folder, ignore_errors=True)
        return Llama("failed", compiler)
    return Llama("built", compiler)


def _kept(folder: Path) -> Path | None:
    return next(folder.glob("*.whl"), None)


def _build(checkout: Checkout, installer: Installer, voice: Voice, folder: Path) -> Path | None:
    """Compiles the locked source with the locked tools, in a folder of its own; None where that fails."""
    for left in folder.parent.glob("building-*"):
        shutil.rmtree(left, ignore_errors=True)
    parent = folder.parent
    with tempfile.TemporaryDirectory(prefix="building-", dir=parent, ignore_cleanup_errors=True) as aside:
        tools, out = Path(aside) / "tools", Path(aside) / "out"
        _make_tools(checkout, installer, tools)
        source = ("-r", str(checkout.lock("llama")), "--no-deps", "--require-hashes", "--dest", aside)
        # Apart from the build, so that a lost network ends the set-up and is not taken for a failed
        # compilation.
        installer.pip("llama", *_in(tools), "download", "--no-build-isolation", *source)
        archive = next(Path(aside).glob("llama_cpp_python-*"))
        path = os.pathsep.join((str(_scripts(tools)), os.environ.get("PATH", "")))
        options = (
            "--no-deps",
            "--no-build-isolation",
            "--no-cache-dir",
            "--no-index",
            "--wheel-dir",
            str(out),
        )
        code, output = installer.try_pip(
            "llama",
            *_in(tools),
            "wheel",
            *options,
            str(archive),
            extra={"CMAKE_ARGS": FLAGS, "PATH": path, "TMPDIR": aside},
        )
        if code:
            voice.say("    " + build_failed(output, installer.log("llama")))
            return None
        shutil.rmtree(folder, ignore_errors=True)
        out.rename(folder)
    return _kept(folder)


def _make_tools(checkout: Checkout, installer: Installer, tools: Path) -> None:
    """cmake, ninja and the build backend, in an environment that is thrown away afterwards."""
    installer.call("llama", [str(checkout.python), "-P", "-m", "venv", "--without-pip", str(tools)])
    lock = str(checkout.lock("llama-build"))
    options = ("install", "--no-deps", "--require-hashes", "--only-binary", ":all:")
    installer.pip("llama", *_in(tools), *options, "-r", lock)


def _in(tools: Path) -> tuple[str, str]:
    name = "python.exe" if sys.platform == "win32" else "python"
    return "--python", str(_scripts(tools) / name)


def _scripts(environment: Path) -> Path:
    return environment / ("Scripts" if sys.platform == "win32" else "bin")


def _visual_studio() -> str:
    """Where Visual Studio keeps its compiler, which is on nobody's PATH; CMake finds it by the same tool."""
    folder = Path(os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)"))
    finder = folder / "Microsoft Visual Studio" / "Installer" / "vswhere.exe"
    wanted = ("-products", "*", "-requires", "Microsoft.VisualStudio.Component.VC.Tools.x86.x64")
    try:
        found = subprocess.run(
            [str(finder), *wanted, "-latest", "-property", "installationPath"],
            capture_output=True, text=True, errors="replace", timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
