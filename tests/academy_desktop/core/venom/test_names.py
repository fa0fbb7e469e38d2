from __future__ import annotations

import pytest

from academy_desktop.core.venom.names import FAMILIES, Family, Naming, find_family, resolve
from tests.academy_desktop.core.venom.making import refusal
from tests.venom_server.catalogue import ALIASES, canonical
from trainers.errors import ErrorCode


@pytest.mark.parametrize(
    "family", [family for family in FAMILIES if family.in_table], ids=lambda one: one.tag
)
def test_what_is_in_the_table_is_taken_by_venom(family: Family) -> None:
    assert len({canonical(name) for name in family.names}) == 1
    assert canonical(family.hub) in ALIASES


@pytest.mark.parametrize("runtime", ["ollama", "vllm"])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda one: one.tag)
def test_venom_takes_every_known_model_for_its_own(family: Family, runtime: str) -> None:
    naming = resolve([family.hub], runtime)
    assert canonical(naming.base_model) == canonical(naming.model_id)
    assert naming.model_id == (family.tag if runtime == "ollama" else family.hub)


@pytest.mark.parametrize(
    ("name", "base", "model"),
    [
        ("smollm2-135m-instruct", "smollm2:135m", "smollm2:135m"),
        ("meta-llama/Llama-3.2-1B-Instruct", "unsloth/Llama-3.2-1B-Instruct", "llama3.2:1b"),
        ("unsloth/Llama-3.2-1B-Instruct-bnb-4bit", "unsloth/Llama-3.2-1B-Instruct", "llama3.2:1b"),
        ("unsloth/Llama-3.2-3B-Instruct-unsloth-bnb-4bit", "unsloth/Llama-3.2-3B-Instruct", "llama3.2:3b"),
        ("unsloth/gemma-3-4b-it", "google/gemma-3-4b-it", "gemma3:4b"),
        ("Llama-3.2-1B-Instruct", "unsloth/Llama-3.2-1B-Instruct", "llama3.2:1b"),
        ("llama-3-2-1b-instruct-9a01ff", "unsloth/Llama-3.2-1B-Instruct", "llama3.2:1b"),
        ("meta-llama-llama-3-2-1b-instruct", "unsloth/Llama-3.2-1B-Instruct", "llama3.2:1b"),
        ("qwen3-0-6b-9a01ff", "qwen3:0.6b", "qwen3:0.6b"),
        ("Qwen/Qwen3-0.6B", "qwen3:0.6b", "qwen3:0.6b"),
        ("microsoft/Phi-3.5-mini-instruct", "phi3.5:3.8b", "phi3.5:3.8b"),
        ("gemma3:4b", "google/gemma-3-4b-it", "gemma3:4b"),
    ],
)
def test_names_of_here_become_names_of_venom(name: str, base: str, model: str) -> None:
    naming = resolve([name])
    assert naming == Naming(base, model)
    assert canonical(naming.base_model) == canonical(naming.model_id)


@pytest.mark.parametrize(
    "name",
    ["someone/Llama-3.2-1B-Instruct", "dolphin-llama-3.2-1b-instruct", "llama-3.2-1b-instruct-mine", "", "-"],
)
def test_somebody_s_own_model_is_not_taken_for_another(name: str) -> None:
    assert find_family([name]) is None


def test_the_surest_name_counts() -> None:
    assert find_family(["unknown", "smollm2-135m-instruct", "gemma3:4b"]) is FAMILIES[9]


def test_an_unknown_base_model_has_to_be_named_by_the_user() -> None:
    with refusal(ErrorCode.VENOM_BASE_UNKNOWN) as facts:
        resolve(["mine", "mine-9a01ff"], server_has=["gemma3:4b", "mine:latest"])
    assert facts == {"model": "mine", "known": "gemma3:4b, mine:latest"}
    assert resolve(["mine"], model_id="mine:latest") == Naming("mine:latest", "mine:latest")


def test_the_user_s_name_for_a_known_base_is_believed_unless_it_is_another_model() -> None:
    demo = ["smollm2-135m-instruct"]
    assert resolve(demo, model_id="my-smol") == Naming("my-smol", "my-smol")
    assert resolve(demo, model_id="gemma3:4b") == Naming("smollm2:135m", "gemma3:4b")
    assert resolve(["unsloth/gemma-2-2b-it"], model_id="gemma2:latest").base_model == "google/gemma-2-2b-it"


def test_an_adapter_is_not_added_to_another_adapter_s_model() -> None:
    with refusal(ErrorCode.VENOM_BASE_MISMATCH):
        resolve(["smollm2-135m-instruct"], model_id="venom-adapter-replies-0a1b2c3d")
