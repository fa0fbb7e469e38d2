from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from academy_setup import llama
from academy_setup.checkout import Checkout
from academy_setup.installer import Installer
from academy_setup.runner import Step, Workshop, set_up
from academy_setup.stamps import Result
from academy_setup.steps import steps
from academy_setup.voice import Voice

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="compilers are found in another way there")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH without a compiler."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    return folder


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
        (folder / name).chmod(0o755)


def test_a_compiler_for_c_alone_is_not_enough(bare: Path) -> None:
    assert llama.find_compiler() == ""
    put(bare, "gcc")
    assert llama.find_compiler() == ""
    put(bare, "g++")
    assert llama.find_compiler() == str(bare / "g++")


def test_without_a_compiler_the_set_up_goes_on_and_says_what_is_lost(
    bare: Path, checkout: Checkout, voice: Voice, spoken: io.StringIO, tmp_path: Path
) -> None:
    assert not list(bare.iterdir())
    ended = llama.install(checkout, Installer(checkout, voice), voice, tmp_path / "cache" / "wheel")
    assert ended == llama.Llama("no_compiler", "")
    assert "everything works but K-quants" in spoken.getvalue()


def test_the_missing_compiler_is_remembered_until_one_appears(
    bare: Path, checkout: Checkout, voice: Voice
) -> None:
    real = next(step for step in steps(with_tests=False) if step.name == "llama")
    tried: list[str] = []

    def do(_workshop: Workshop) -> Result:
        tried.append(llama.find_compiler())
        return {"state": "failed" if tried[-1] else "no_compiler", "compiler": tried[-1]}

    step = Step(real.name, real.title, lambda _: "same", do, holds=real.holds)
    set_up(checkout, voice, [step])
    set_up(checkout, voice, [step])
    assert tried == [""]
    put(bare, "cc", "c++")
    set_up(checkout, voice, [step])
    set_up(checkout, voice, [step])
    assert tried == ["", str(bare / "c++")]


def test_a_wheel_is_kept_for_its_version_python_and_lock_alone(tmp_path: Path) -> None:
    kept = llama.wheel_folder(tmp_path, "0.3.36", "3.11.7", "lock")
    assert kept == llama.wheel_folder(tmp_path, "0.3.36", "3.11.9", "lock")
    others = {
        llama.wheel_folder(tmp_path, "0.3.37", "3.11.7", "lock"),
        llama.wheel_folder(tmp_path, "0.3.36", "3.12.1", "lock"),
        llama.wheel_folder(tmp_path, "0.3.36", "3.11.7", "other"),
    }
    assert len(others | {kept}) == 4


def test_llama_cpp_is_compiled_with_the_flags_that_keep_it_from_crashing() -> None:
    assert llama.FLAGS.split() == ["-DGGML_NATIVE=OFF", "-DLLAVA_BUILD=OFF"]
