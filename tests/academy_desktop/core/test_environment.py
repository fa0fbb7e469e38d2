from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from academy_desktop.core import environment
from academy_desktop.core.environment import (
    Check,
    Doctor,
    Findings,
    Gpu,
    nvidia_gpus,
    package_versions,
    torch_cuda,
    trials_of,
)
from academy_desktop.core.paths import DataDir
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks
from trainers.errors import AcademyError

GPU = Gpu("NVIDIA GeForce RTX 4090", 24 * 1024**3, 23 * 1024**3, "570.86")
WORKING: Mapping[str, object] = {"cuda": False, "device_name": "", "bf16": "ok", "four_bit": "ok"}


def doctor(root: Path, python: Path | None = None) -> Doctor:
    data = DataDir(root / "data").open()
    return Doctor(data, Tasks(python or Path(sys.executable), Runtimes(data.runtimes)))


def interpreter(folder: Path, script: str) -> Path:
    """A stand-in for the trainer environment's Python: a real child that says what a test wants."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\nread request\n{script}\n")
    python.chmod(0o755)
    return python


def answering(folder: Path, result: Mapping[str, object]) -> Path:
    line = json.dumps({"type": "result", **result})
    assert "'" not in line
    return interpreter(folder, f"echo '{line}'")


def status_of(findings: Findings) -> dict[str, str]:
    return {check.id: check.status for check in findings.checks}


def check_of(findings: Findings, name: str) -> Check:
    (found,) = [check for check in findings.checks if check.id == name]
    return found


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "nvidia_gpus", lambda: ())


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "nvidia_gpus", lambda: (GPU,))


def test_a_glance_starts_nothing(tmp_path: Path) -> None:
    started = interpreter(tmp_path, f"touch {tmp_path}/started")
    findings = doctor(tmp_path, started).glance()
    assert not (tmp_path / "started").exists()
    assert findings.ok
    assert list(status_of(findings)) == [
        "processor", "gpu", "memory", "disk", "packages", "llama_cpp",
    ]  # fmt: skip
    assert findings.packages["torch"]
    assert findings.ram_bytes > 1024**3
    assert findings.disk_free_bytes > 0


def test_a_step_is_really_taken(tmp_path: Path) -> None:
    findings = doctor(tmp_path).examine()
    assert findings.ok
    status = status_of(findings)
    assert {"bf16", "four_bit"} <= set(status)
    assert "training_step" not in status
    assert status["bf16"] == "ok"
    assert (findings.device, findings.reason) in {("cpu", "cpu_peft"), ("cuda", "gpu_peft")}
    assert findings.device == "cpu" or findings.gpus


@pytest.mark.usefixtures("no_gpu")
def test_no_gpu_is_no_failure(tmp_path: Path) -> None:
    for findings in (
        doctor(tmp_path).glance(),
        doctor(tmp_path, answering(tmp_path, WORKING)).examine(),
    ):
        assert (findings.ok, findings.device, findings.engine) == (True, "cpu", "peft")
        assert findings.trainer == "cpu"
        assert (findings.reason, findings.gpus) == ("cpu_peft", ())
        assert check_of(findings, "gpu") == Check("gpu", "ok", {"gpu": None})


@pytest.mark.usefixtures("one_gpu")
def test_a_gpu_that_works(tmp_path: Path) -> None:
    for findings in (
        doctor(tmp_path).glance(),
        doctor(tmp_path, answering(tmp_path, {**WORKING, "cuda": True})).examine(),
    ):
        assert (findings.ok, findings.device, findings.reason) == (True, "cuda", "gpu_peft")
        assert findings.gpus == (GPU,)
        assert check_of(findings, "gpu").facts["gpu"] == GPU.name


@pytest.mark.usefixtures("one_gpu")
def test_a_gpu_that_torch_cannot_use_is_pointed_out(tmp_path: Path) -> None:
    findings = doctor(tmp_path, answering(tmp_path, WORKING)).examine()
    assert (findings.ok, findings.device) == (True, "cpu")
    assert check_of(findings, "gpu_unused") == Check(
        "gpu_unused", "warn", {"gpu": GPU.name, "driver": GPU.driver}
    )


def test_an_arithmetic_that_does_not_work_is_a_warning(tmp_path: Path) -> None:
    trials = {**WORKING, "bf16": "RuntimeError: no bf16", "four_bit": "ImportError: bitsandbytes"}
    findings = doctor(tmp_path, answering(tmp_path, trials)).examine()
    assert findings.ok
    assert check_of(findings, "bf16") == Check("bf16", "warn", {"detail": "RuntimeError: no bf16"})
    assert check_of(findings, "four_bit").facts == {"detail": "ImportError: bitsandbytes"}


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("echo 'ImportError: libtorch.so' >&2; exit 1", "ImportError: libtorch.so"),
        ("exit 3", "exit code 3"),
        ("kill -SEGV $$", "exit code -11"),
        (
            'echo \'{"type": "error", "code": "task_failed", "facts": {"detail": "no torch"}}\'',
            "no torch",
        ),
        ('echo \'{"type": "error", "code": "out_of_memory", "facts": {}}\'', "out of memory"),
    ],
)
def test_a_trial_that_fails_is_a_finding(tmp_path: Path, script: str, detail: str) -> None:
    findings = doctor(tmp_path, interpreter(tmp_path, script)).examine()
    assert not findings.ok
    assert check_of(findings, "training_step") == Check("training_step", "fail", {"detail": detail})
    assert "bf16" not in status_of(findings)


def test_an_interpreter_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    findings = doctor(tmp_path, tmp_path / "gone").examine()
    assert not findings.ok
    assert str(tmp_path / "gone") in str(check_of(findings, "training_step").facts["detail"])


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "REQUIRED", frozenset({"torch", "not-made-yet", "never-made"}))
    findings = doctor(tmp_path).glance()
    assert not findings.ok
    assert check_of(findings, "packages") == Check(
        "packages", "fail", {"missing": "never-made, not-made-yet"}
    )


def test_without_torch_nothing_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PACKAGES", ("transformers",))
    findings = doctor(tmp_path, interpreter(tmp_path, f"touch {tmp_path}/started")).examine()
    assert not (tmp_path / "started").exists()
    assert not findings.ok
    assert list(findings.packages) == ["transformers"]
    assert "torch" in str(check_of(findings, "packages").facts["missing"])
    assert "training_step" not in status_of(findings)


def test_little_memory_and_a_small_disk_are_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "LOW_RAM_BYTES", 2**62)
    monkeypatch.setattr(environment, "LOW_DISK_BYTES", 2**62)
    findings = doctor(tmp_path).glance()
    assert findings.ok
    assert check_of(findings, "memory").status == check_of(findings, "disk").status == "warn"
    assert check_of(findings, "disk").facts["path"] == str(tmp_path / "data")


def test_llama_cpp_is_looked_for_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), *sys.path])
    (tmp_path / "first" / "llama_cpp").mkdir(parents=True)
    (tmp_path / "first" / "llama_cpp" / "__init__.py").write_text("raise SystemError")
    assert check_of(doctor(tmp_path).glance(), "llama_cpp").status == "ok"
    assert "llama_cpp" not in sys.modules


def test_the_processor_has_a_name_and_cores(tmp_path: Path) -> None:
    facts = check_of(doctor(tmp_path).glance(), "processor").facts
    assert facts["cores"] == os.cpu_count()
    assert facts["name"]


def test_asking_for_gpus_twice_is_no_trouble() -> None:
    assert [gpu.name for gpu in nvidia_gpus()] == [gpu.name for gpu in nvidia_gpus()]


def test_only_what_is_installed_has_a_version() -> None:
    versions = package_versions()
    assert versions.keys() <= set(environment.PACKAGES)
    assert versions.keys() >= environment.REQUIRED


def test_what_a_trial_showed_is_kept_for_the_same_packages_and_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = {**WORKING, "four_bit": "ImportError: bitsandbytes"}
    doctor(tmp_path, answering(tmp_path, trials)).examine()
    data = DataDir(tmp_path / "data")
    kept = trials_of(data, Tasks(interpreter(tmp_path, "exit 3"), Runtimes(data.runtimes)))
    assert kept.known() is not None
    assert kept.ask().four_bit == "ImportError: bitsandbytes"
    monkeypatch.setattr(environment, "nvidia_gpus", lambda: (GPU,))
    assert kept.known() is None
    with pytest.raises(AcademyError, match="task_failed"):
        kept.ask()
    data.trials.write_text("{")
    assert kept.known() is None


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("cuda: Optional[str] = '12.8'", (12, 8)),
        ("cuda = '13.0'", (13, 0)),
        ("cuda: Optional[str] = None", None),
        ("", None),
    ],
)
def test_which_cuda_pytorch_is_built_for_is_read_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, version: tuple[int, int] | None
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise SystemError")
    (tmp_path / "torch" / "version.py").write_text(f"__version__ = '2.13.0'\n{said}\nhip = '6.0'\n")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert torch_cuda() == version
    assert "torch" not in sys.modules
