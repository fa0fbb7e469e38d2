from __future__ import annotations

import gettext
import sys
from pathlib import Path

import pytest

from academy_desktop.core import environment
from academy_desktop.core.environment import Check
from academy_desktop.text.checks import CHECKS, ENGINE_REASONS
from academy_desktop.text.findings import Findings
from academy_desktop.text.messages import Messages
from tests.academy_desktop.core.test_environment import GPU, WORKING, answering, doctor, interpreter
from trainers.errors import Fact

TRANSLATIONS = gettext.NullTranslations()
FINDINGS = Findings(TRANSLATIONS, Messages(TRANSLATIONS))


def said(check: Check) -> str:
    return FINDINGS.check(check.id, check.status, check.facts).message


def every_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    """All that the doctor can find: on a good day, on a bad one, with a GPU and without."""
    broken = {**WORKING, "bf16": "RuntimeError: no bf16", "four_bit": "ImportError: no bitsandbytes"}
    dead = interpreter(tmp_path, "echo 'ImportError: libtorch.so' >&2; exit 1")
    with_gpu = {**WORKING, "cuda": True}
    found = list(doctor(tmp_path, dead).examine().checks)
    for gpus, result in (((), WORKING), ((), broken), ((GPU,), with_gpu), ((GPU,), WORKING)):
        monkeypatch.setattr(environment, "nvidia_gpus", lambda gpus=gpus: gpus)
        findings = doctor(tmp_path, answering(tmp_path, result)).examine()
        assert findings.reason in ENGINE_REASONS
        found += findings.checks
    monkeypatch.setattr(environment, "LOW_RAM_BYTES", 2**62)
    monkeypatch.setattr(environment, "LOW_DISK_BYTES", 2**62)
    monkeypatch.setattr(environment, "REQUIRED", frozenset({"torch", "never-made"}))
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    found += doctor(tmp_path).glance().checks
    monkeypatch.delitem(sys.modules, "llama_cpp")
    (tmp_path / "llama_cpp").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "llama_cpp" / "__init__.py").touch()
    return [*found, *doctor(tmp_path).glance().checks]


def test_all_that_the_doctor_can_find_has_words_and_nothing_else_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = every_outcome(tmp_path, monkeypatch)
    assert {(check.id, check.status) for check in found} == set(CHECKS)
    for check in found:
        finding = FINDINGS.check(check.id, check.status, check.facts)
        assert finding.message.endswith(".")
        assert "?" not in finding.message
        assert bool(finding.next_step) == (check.status != "ok")
        assert finding.next_step == "" or finding.next_step.endswith(".")


def test_no_gpu_is_said_kindly() -> None:
    sentence = said(Check("gpu", "ok", {"gpu": None}))
    assert sentence == (
        "No NVIDIA GPU was found: models are trained on the processor, which suits small ones well."
    )
    assert FINDINGS.engine("cpu_peft").startswith("No NVIDIA GPU")


def test_a_gpu_is_said_with_its_memory() -> None:
    facts: dict[str, Fact] = {"gpu": GPU.name, "memory_bytes": GPU.memory_bytes, "driver": GPU.driver}
    sentence = said(Check("gpu", "ok", facts)).replace("\u00a0", " ")
    assert sentence == "NVIDIA GeForce RTX 4090 with 24.0 GiB, driver 570.86."


@pytest.mark.parametrize("key", list(CHECKS))
def test_every_check_is_a_sentence_without_and_with_strange_facts(key: tuple[str, str]) -> None:
    check, status = key
    assert FINDINGS.check(check, status, {}).message.endswith(".")
    hostile: dict[str, Fact] = dict.fromkeys(("gpu", "detail", "path", "missing", "name"), "{x} [y]\n\x1b[2J")
    finding = FINDINGS.check(check, status, hostile)
    assert finding.message.endswith(".")
    assert "\n" not in finding.message


def test_what_a_later_version_finds_is_shown_as_it_is() -> None:
    finding = FINDINGS.check("quantum_bits", "ok", {})
    assert (finding.message, finding.next_step) == ("quantum bits", "")
    assert FINDINGS.engine("gpu_future") == "gpu_future"
