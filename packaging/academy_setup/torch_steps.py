"""The steps that differ from computer to computer: the hardware, PyTorch, and the engine for NVIDIA GPUs.

Owns which wheel is asked for, and where. Raise a step's `…_VERSION` when it does something else for the same
inputs.
"""

from __future__ import annotations

import os
import shutil
import sys

from academy_setup import machine
from academy_setup.checkout import Checkout
from academy_setup.failures import SetupError
from academy_setup.locks import constraints, installed_version, read_pins
from academy_setup.runner import GIGABYTE, Step, Workshop
from academy_setup.stamps import Result, digest

HARDWARE_VERSION = "1"
TORCH_VERSION = "1"
GPU_VERSION = "1"


def hardware_step() -> Step:
    """Chooses the build of PyTorch; asks the driver again only when there is another one."""
    return Step("hardware", "Looking at the hardware", _hardware_inputs, _look, holds=_choice_holds)


def torch_step() -> Step:
    """Installs that build."""
    return Step("torch", "Installing PyTorch", _torch_inputs, _install, size=_torch_bytes)


def gpu_step() -> Step:
    """Installs the `gpu` extra beside a CUDA build."""
    return Step(
        "gpu", "Installing the GPU engine", _gpu_inputs, _install_gpu, wanted=_has_gpu, size=3 * GIGABYTE
    )


def _hardware_inputs(_workshop: Workshop) -> str:
    return digest(HARDWARE_VERSION, sys.platform, machine.fingerprint(), os.environ.get("ACADEMY_TORCH", ""))


def _look(workshop: Workshop) -> Result:
    choice = machine.choose_torch(machine.look(), os.environ.get("ACADEMY_TORCH", ""))
    workshop.voice.say("    " + choice.reason)
    return {"build": choice.build, "ask_again": "yes" if choice.ask_again else ""}


def _choice_holds(workshop: Workshop) -> bool:
    return not workshop.result("hardware").get("ask_again")


def _build(workshop: Workshop) -> str:
    return workshop.result("hardware").get("build", "cpu")


def _has_gpu(workshop: Workshop) -> bool:
    return _build(workshop).startswith("cu")


def _torch_bytes(workshop: Workshop) -> int:
    return 8 * GIGABYTE if _has_gpu(workshop) else GIGABYTE


def _torch_inputs(workshop: Workshop) -> str:
    return digest(TORCH_VERSION, workshop.venv_id, _build(workshop), workshop.checkout.pinned("torch"))


def _install(workshop: Workshop) -> Result:
    """Installs the chosen build and imports it once: a torch that cannot be imported is no torch."""
    version, build, site = workshop.checkout.pinned("torch"), _build(workshop), workshop.site_packages
    if not is_build(installed_version(site, "torch"), version, build):
        # In pieces or of another build: pip would be content with either.
        shutil.rmtree(site / "torch", ignore_errors=True)
        for left in site.glob("torch-*.dist-info"):
            shutil.rmtree(left)
        _fetch(workshop, version, build)
    command = [str(workshop.checkout.python), "-P", "-c", "import torch; print(torch.__version__)"]
    code, output = workshop.installer.call("torch", command)
    if code and sys.platform == "win32" and "WinError" in output:
        raise SetupError(
            "PyTorch needs Microsoft's Visual C++ runtime: install "
            "https://aka.ms/vs/17/release/vc_redist.x64.exe, then start the same command again."
        )
    if code:
        log = workshop.installer.log("torch")
        raise SetupError(
            f"PyTorch is installed but does not start on this computer; what it said is in {log}."
        )
    return {"version": output.strip().splitlines()[-1]}


def is_build(found: str | None, version: str, build: str) -> bool:
    """Whether the installed version `found` ("2.13.0+cpu") is `version` in the chosen build."""
    if found is None or found.split("+")[0] != version:
        return False
    local = found.partition("+")[2]
    # Some indexes carry the CPU build without its local name.
    return local == build if build.startswith("cu") else local in ("", "cpu")


def _fetch(workshop: Workshop, version: str, build: str) -> None:
    pip, step = workshop.installer.pip, "torch"
    if build == "default":
        pip(step, "install", "--no-deps", f"torch=={version}")
    elif build == "cpu":
        # First what the user's own pip configuration has at hand (find-links), without asking any index.
        at_hand = ("install", "--no-deps", "--no-index", f"torch=={version}+cpu")
        code, _ = workshop.installer.try_pip(step, *at_hand)
        if code:
            pip(step, "install", "--no-deps", "--index-url", machine.INDEX + "cpu", f"torch=={version}")
    else:
        pip(step, "install", *_cuda_options(workshop), *_cuda_wheels(workshop.checkout, build))


def _cuda_options(workshop: Workshop) -> tuple[str, ...]:
    """The CUDA libraries are dependencies, so they are resolved, around the locked pins.

    PyTorch's index stands beside the usual one, not in its place: it has at times lacked a package that its
    own wheels require. The wheels' local version keeps the builds together.
    """
    pins = read_pins(workshop.checkout.lock("base").read_text(encoding="utf-8"))
    path = workshop.checkout.state / "constraints.txt"
    path.write_text(constraints(pins), encoding="utf-8")
    return "--extra-index-url", machine.INDEX + _build(workshop), "-c", str(path)


def _cuda_wheels(checkout: Checkout, build: str) -> tuple[str, str]:
    # Each torchvision requires one torch, so pip finds the one that fits; of two with one number it takes the
    # local.
    return f"torch=={checkout.pinned('torch')}+{build}", "torchvision"


def _gpu_inputs(workshop: Workshop) -> str:
    checkout = workshop.checkout
    torch, lock = workshop.result("torch").get("version", ""), checkout.lock("base").read_bytes()
    return digest(GPU_VERSION, workshop.venv_id, torch, *checkout.requirements()["gpu"], lock)


def _install_gpu(workshop: Workshop) -> Result:
    extra, wheels = workshop.checkout.requirements()["gpu"], _cuda_wheels(workshop.checkout, _build(workshop))
    workshop.installer.pip("gpu", "install", *_cuda_options(workshop), *extra, *wheels)
    return {}
