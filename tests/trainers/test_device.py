from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any

import pytest

from trainers.choice import Machine, choose
from trainers.device import look, usable_cores
from trainers.errors import AcademyError, ErrorCode
from trainers.recipe import Hardware

PLAIN = Machine(cuda=False, cores=8)
FAST = Machine(cuda=False, cores=8, bf16_gain=5.0, numba=True)
UNKNOWN = "it has no dropout"
OLD_GPU = Machine(cuda=True, cuda_name="NVIDIA GeForce GTX 1080", cores=8, bitsandbytes=True)
NEW_GPU = Machine(cuda=True, cuda_name="NVIDIA GeForce RTX 4090", cuda_bf16=True, cores=16, bitsandbytes=True)


@pytest.mark.parametrize(
    ("wish", "machine", "device", "precision"),
    [
        ({}, PLAIN, "cpu", "fp32"),
        ({}, OLD_GPU, "cuda", "fp16"),
        ({}, NEW_GPU, "cuda", "bf16"),
        ({"device": "cpu"}, NEW_GPU, "cpu", "fp32"),
        ({"device": "cuda"}, NEW_GPU, "cuda", "bf16"),
        ({"precision": "bf16"}, PLAIN, "cpu", "bf16"),
        ({"precision": "fp32"}, PLAIN, "cpu", "fp32"),
        ({"precision": "fp32"}, NEW_GPU, "cuda", "fp32"),
        ({"precision": "fp16"}, NEW_GPU, "cuda", "fp16"),
        ({"precision": "bf16"}, NEW_GPU, "cuda", "bf16"),
        ({"engine": "peft", "quantization": "nf4"}, OLD_GPU, "cuda", "fp16"),
    ],
)
def test_what_is_chosen(wish: dict[str, Any], machine: Machine, device: str, precision: str) -> None:
    choice = choose(Hardware(**wish), machine, UNKNOWN)
    assert (choice.device, choice.precision, choice.engine) == (device, precision, "peft")
    assert choice.device_name == (machine.cuda_name if device == "cuda" else f"{machine.cores} cores")
    assert choice.threads == machine.cores


@pytest.mark.parametrize(
    ("wish", "machine", "precision", "said"),
    [
        ({}, PLAIN, "fp32", "1.0 times as fast"),
        ({}, FAST, "bf16", "5.0 times as fast"),
        ({}, PLAIN, "fp32", "Numba is not installed"),
        ({"precision": "fp32"}, FAST, "fp32", "no CUDA GPU"),
        ({"precision": "bf16"}, PLAIN, "bf16", "no CUDA GPU"),
        ({"device": "cpu"}, NEW_GPU, "fp32", "recipe asks"),
        ({"engine": "cpu"}, NEW_GPU, "fp32", "recipe asks"),
    ],
)
def test_the_engine_for_processors_is_taken_on_one_where_it_can_train(
    wish: dict[str, Any], machine: Machine, precision: str, said: str
) -> None:
    choice = choose(Hardware(**wish), machine)
    assert (choice.device, choice.engine, choice.precision) == ("cpu", "cpu", precision)
    assert choice.kernels == ("compiled" if machine.numba else "plain")
    assert said in choice.reason


@pytest.mark.parametrize(
    ("wish", "unknown"),
    [({}, UNKNOWN), ({"engine": "peft"}, None), ({"quantization": "nf4"}, None)],
)
def test_everything_else_goes_to_trl_and_peft(wish: dict[str, Any], unknown: str | None) -> None:
    choice = choose(Hardware(**wish), replace(FAST, bitsandbytes=True), unknown)
    assert (choice.device, choice.engine, choice.precision) == ("cpu", "peft", "fp32")
    assert choice.kernels == "plain"
    assert (UNKNOWN in choice.reason) == (unknown is not None)


@pytest.mark.parametrize("hardware", [Hardware(engine="cpu"), Hardware(engine="cpu", device="cuda")])
def test_the_engine_for_processors_is_refused_where_it_cannot_train(hardware: Hardware) -> None:
    unknown = UNKNOWN if hardware.device == "auto" else None
    with pytest.raises(AcademyError) as caught:
        choose(hardware, NEW_GPU, unknown)
    assert caught.value.code is ErrorCode.ENGINE_UNAVAILABLE
    assert caught.value.facts["engine"] == "cpu"


@pytest.mark.parametrize(
    ("wish", "machine", "what"),
    [
        ({"engine": "unsloth"}, NEW_GPU, "unsloth"),
        ({"device": "cuda"}, PLAIN, "cuda"),
        ({"quantization": "nf4"}, PLAIN, "nf4"),
        ({"optimizer": "adamw_8bit"}, PLAIN, "adamw_8bit"),
        ({"precision": "bf16"}, OLD_GPU, "bf16"),
        ({"precision": "fp16"}, PLAIN, "fp16"),
    ],
)
def test_what_cannot_be_had_is_refused_never_replaced(
    wish: dict[str, Any], machine: Machine, what: str
) -> None:
    with pytest.raises(AcademyError) as caught:
        choose(Hardware(**wish), machine)
    assert caught.value.code is ErrorCode.ENGINE_UNAVAILABLE
    assert caught.value.facts["engine"] == what
    assert caught.value.facts["detail"]


def test_the_optimizer_spares_memory_on_a_gpu_and_else_where_the_recipe_says_so() -> None:
    both = replace(NEW_GPU, bitsandbytes=True)
    assert choose(Hardware(), both).optimizer == "adamw_8bit"
    assert choose(Hardware(optimizer="adamw"), both).optimizer == "adamw"
    assert choose(Hardware(), replace(NEW_GPU, bitsandbytes=False)).optimizer == "adamw"
    on_cpu = replace(FAST, bitsandbytes=True)
    assert choose(Hardware(), on_cpu).optimizer == "adamw"
    assert choose(Hardware(optimizer="adamw_8bit"), on_cpu, UNKNOWN).optimizer == "adamw_8bit"


@pytest.mark.parametrize("machine", [PLAIN, NEW_GPU])
def test_the_recipe_may_name_the_threads(machine: Machine) -> None:
    assert choose(Hardware(threads=3), machine).threads == 3


def test_the_reason_tells_a_wish_from_a_lack() -> None:
    assert "recipe asks" in choose(Hardware(device="cpu"), NEW_GPU).reason
    assert "no CUDA GPU" in choose(Hardware(), PLAIN).reason
    assert "GPU" in choose(Hardware(), NEW_GPU).reason


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no such limit")
def test_only_the_processors_that_may_be_used_count() -> None:
    allowed = os.sched_getaffinity(0)
    assert usable_cores() == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_this_machine_can_be_looked_at_and_trained_on() -> None:
    machine = look()
    assert machine.cores == usable_cores()
    assert machine.cuda or not machine.cuda_name
    assert choose(Hardware(), machine).device == ("cuda" if machine.cuda else "cpu")
