from __future__ import annotations

from pathlib import Path

import pytest
from academy_setup.failures import SetupError
from academy_setup.machine import (
    Gpu,
    Machine,
    choose_torch,
    look,
    parse_cuda,
    parse_gpus,
    user_cache,
)
from academy_setup.torch_steps import is_build

ADA = Gpu("NVIDIA GeForce RTX 4090", (8, 9))
PASCAL = Gpu("NVIDIA GeForce GTX 1080 Ti", (6, 1))
TURING = Gpu("NVIDIA GeForce RTX 2060", (7, 5))
UNTOLD = Gpu("NVIDIA TITAN", None)

TABLE = """\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 580.65.06              Driver Version: 580.65.06      CUDA Version: 13.0     |
|-----------------------------------------+------------------------+----------------------+
"""


def pc(cuda: tuple[int, int] | None, *gpus: Gpu, system: str = "linux") -> Machine:
    return Machine(system, "x86_64", driver=True, cuda=cuda, gpus=gpus)


@pytest.mark.parametrize(
    ("machine", "build"),
    [
        (Machine("linux", "x86_64"), "cpu"),
        (Machine("win32", "AMD64"), "cpu"),
        (Machine("darwin", "arm64"), "default"),
        (pc((13, 0), ADA), "cu130"),
        (pc((13, 2), ADA), "cu130"),
        (pc((13, 0), TURING, system="win32"), "cu130"),
        (pc((12, 8), ADA), "cu126"),
        (pc((12, 2), ADA), "cu126"),
        (pc((13, 0), PASCAL), "cu126"),
        (pc((13, 0), ADA, PASCAL), "cu126"),
        (pc((13, 0), UNTOLD), "cu130"),
        (pc((11, 8), ADA), "cpu"),
        (pc(None), "cpu"),
        (pc((13, 0)), "cpu"),
    ],
)
def test_the_build_follows_from_the_facts(machine: Machine, build: str) -> None:
    assert choose_torch(machine).build == build


def test_the_user_may_take_the_cpu_build() -> None:
    choice = choose_torch(pc((13, 0), ADA), wish="cpu")
    assert choice.build == "cpu"
    assert not choice.gpu


def test_a_silent_driver_is_asked_again_and_a_missing_one_is_not() -> None:
    assert choose_torch(pc(None)).ask_again
    assert not choose_torch(Machine("linux", "x86_64")).ask_again
    assert not choose_torch(pc((13, 0), ADA)).ask_again


def test_an_old_driver_is_named_with_what_would_help() -> None:
    reason = choose_torch(pc((11, 8), ADA)).reason
    assert "CUDA 11.8" in reason
    assert "driver 560 or newer" in reason


def test_a_mac_with_an_intel_processor_gets_a_sentence() -> None:
    with pytest.raises(SetupError, match="Apple silicon"):
        choose_torch(Machine("darwin", "x86_64"))


@pytest.mark.parametrize(
    ("said", "version"),
    [
        (TABLE, (13, 0)),
        ("| CUDA UMD Version: 13.1 |", (13, 1)),
        ("CUDA Version: N/A", None),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", None),
        ("", None),
    ],
)
def test_the_drivers_cuda_version_is_read_from_its_table(said: str, version: tuple[int, int] | None) -> None:
    assert parse_cuda(said) == version


def test_the_cards_are_read_from_their_list() -> None:
    listed = "NVIDIA GeForce RTX 4090, 8.9\nNVIDIA GeForce GTX 1080 Ti, 6.1\nNVIDIA TITAN, [N/A]\n\n"
    assert parse_gpus(listed) == (ADA, PASCAL, UNTOLD)
    assert parse_gpus("") == ()


def test_looking_at_this_computer_gives_a_choice() -> None:
    assert choose_torch(look()).reason


@pytest.mark.parametrize(
    ("found", "build", "fits"),
    [
        ("2.13.0+cpu", "cpu", True),
        ("2.13.0", "cpu", True),
        ("2.13.0", "default", True),
        ("2.13.0+cu130", "cu130", True),
        ("2.13.0+cu130", "cpu", False),
        ("2.13.0+cpu", "cu130", False),
        ("2.12.1+cpu", "cpu", False),
        (None, "cpu", False),
    ],
)
def test_another_build_of_torch_is_not_taken_for_the_chosen_one(
    found: str | None, build: str, fits: bool
) -> None:
    assert is_build(found, "2.13.0", build) is fits


def test_the_cache_lies_where_each_system_keeps_such_things() -> None:
    home = Path("home")
    assert user_cache("linux", {}, home) == home / ".cache" / "academy-desktop"
    assert user_cache("linux", {"XDG_CACHE_HOME": "there"}, home) == Path("there") / "academy-desktop"
    assert user_cache("darwin", {}, home) == home / "Library" / "Caches" / "academy-desktop"
    assert user_cache("win32", {"LOCALAPPDATA": "local"}, home) == Path("local") / "academy-desktop" / "Cache"
