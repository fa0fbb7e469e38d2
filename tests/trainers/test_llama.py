from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainers.exporting.making import QUIET, Gguf, refusal
from tests.trainers.tiny_model import CHATML, Tiny, write_model
from trainers.errors import ErrorCode
from trainers.exporting.gguf_model import GgufModel
from trainers.exporting.reference import TransformersModel
from trainers.llama_client import LlamaClient


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that loads, and the model beside it."""
    root = tmp_path_factory.mktemp("sound")
    model = write_model(root / "model", lessons=0)
    GgufModel("sound", model, None, "f32").write(root / "sound.gguf", QUIET)
    return root / "sound.gguf"


def changed(sound: Path, folder: Path, change: Callable[[Gguf], None]) -> Path:
    file = Gguf.read(sound)
    change(file)
    file.write(folder / "changed.gguf")
    return folder / "changed.gguf"


def test_a_file_tells_about_itself(sound: Path) -> None:
    with LlamaClient(sound) as client:
        assert client.metadata["tokenizer.chat_template"] == CHATML
        assert client.metadata["general.architecture"] == "llama"
        assert client.special_texts == {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}
        assert 2 in client.end_ids


def test_a_long_text_is_scored_whatever_was_asked_before(sound: Path) -> None:
    model = TransformersModel.load(sound.parent / "model")
    long = [3 + (11 * n) % 390 for n in range(700)]
    with LlamaClient(sound) as client:
        for ids, positions in (
            (long[:2], [1]),
            (long, [0, 511, 512, 699]),
            (long[:9], range(9)),
            (long[5:6], [0]),
        ):
            found = client.logits(ids, positions)
            assert found.shape == (len(positions), 448)
            assert np.abs(found - model.logits(ids, positions)).max() < 1e-3


def no_layers(file: Gguf) -> None:
    file.set("llama.block_count", 0)


def same_tokens(file: Gguf) -> None:
    file.set("tokenizer.ggml.tokens", ["a"] * 448)


def another_tokenizer(file: Gguf) -> None:
    file.set("tokenizer.ggml.model", "llama")


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
@pytest.mark.parametrize("change", [no_layers, same_tokens])
def test_a_file_that_makes_llama_cpp_abort_is_an_error_with_its_reason(
    sound: Path, tmp_path: Path, change: Callable[[Gguf], None]
) -> None:
    path = changed(sound, tmp_path, change)
    with refusal(ErrorCode.LLAMA_CPP_FAILED) as facts, LlamaClient(path):
        pass
    assert facts["path"] == str(path)
    assert facts["detail"].startswith("SIGABRT: ")
    assert "GGML_ASSERT" in facts["detail"]


def test_an_abort_in_the_middle_is_an_error_too(sound: Path, tmp_path: Path) -> None:
    path = changed(sound, tmp_path, another_tokenizer)
    with LlamaClient(path) as client:
        for _ in range(2):  # and stays one
            with refusal(ErrorCode.LLAMA_CPP_FAILED) as facts:
                client.tokenize("a text")
            assert "SIGABRT" in facts["detail"]
            assert "what()" in facts["detail"]


def test_the_reason_is_not_taken_from_a_template_that_speaks_of_errors(sound: Path, tmp_path: Path) -> None:
    def speak(file: Gguf) -> None:
        file.set("tokenizer.chat_template", "{{ raise_exception('error: no') }}")
        no_layers(file)

    with refusal(ErrorCode.LLAMA_CPP_FAILED) as facts, LlamaClient(changed(sound, tmp_path, speak)):
        pass
    assert "GGML_ASSERT" in facts["detail"]


@pytest.mark.parametrize("content", [None, b"", b"GGUF", b"no model at all" * 100])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.gguf"
    if content is not None:
        path.write_bytes(content)
    with refusal(ErrorCode.LLAMA_CPP_FAILED) as facts, LlamaClient(path):
        pass
    assert "could not be loaded" in facts["detail"]


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.999])
def test_a_file_that_was_cut_short_is_refused(sound: Path, tmp_path: Path, kept: float) -> None:
    content = sound.read_bytes()
    (tmp_path / "cut.gguf").write_bytes(content[: int(len(content) * kept)])
    with refusal(ErrorCode.LLAMA_CPP_FAILED), LlamaClient(tmp_path / "cut.gguf"):
        pass


def test_an_adapter_that_is_none_is_refused(sound: Path) -> None:
    with refusal(ErrorCode.LLAMA_CPP_FAILED) as facts, LlamaClient(sound, lora=sound):
        pass
    assert "adapter" in facts["detail"]


def test_a_request_that_fails_leaves_the_model_open(sound: Path) -> None:
    with LlamaClient(sound) as client:
        with refusal(ErrorCode.LLAMA_CPP_FAILED):
            client.logits([3, 4, 99_999], [2])
        assert client.logits([3, 4, 5], [2]).shape == (1, 448)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_a_child_that_is_killed_is_an_error(sound: Path) -> None:
    with LlamaClient(sound) as client:
        os.kill(client._child.pid, signal.SIGKILL)
        with refusal(ErrorCode.LLAMA_CPP_FAILED) as facts:
            client.logits([1, 2, 3], [2])
    assert "SIGKILL" in facts["detail"]


def test_a_child_that_says_nothing_is_ended(sound: Path) -> None:
    client = LlamaClient(sound, timeout_s=1e-4)
    with refusal(ErrorCode.LLAMA_CPP_FAILED) as facts, client:
        pass
    assert "no answer in 0.0001 s" in facts["detail"]
    assert client._child.returncode is not None


def test_nothing_is_left_behind(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with LlamaClient(sound) as client:
        client.logits([1, 2, 3], [0, 1, 2])
    assert client._child.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_llama_cpp_is_told(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llama_cpp.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with refusal(ErrorCode.LLAMA_CPP_MISSING) as facts, LlamaClient(sound):
        pass
    assert facts == {"detail": "not here"}


def test_a_worker_answers_each_line_and_ends_with_its_input(sound: Path) -> None:
    requests: list[dict[str, Any]] = [
        {"op": "tokenize", "text": "x"},
        {"op": "open", "path": str(sound), "lora": None, "threads": 1},
        {"op": "tokenize", "text": "<|im_end|>"},
        {"op": "dance"},
    ]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    command = [sys.executable, "-P", "-m", "trainers.llama_worker"]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        command,
        input=lines,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        check=True,
    )
    closed, opened, tokens, unknown = [json.loads(line) for line in done.stdout.splitlines()]
    assert closed == {"error": {"code": "llama_cpp_failed", "detail": "no model is open"}}
    assert opened["metadata"]["general.name"] == "sound"
    assert tokens == {"ids": [2]}
    assert unknown["error"]["detail"] == "unknown request dance"


def test_a_prompt_is_answered_as_transformers_does(tiny: Tiny, tmp_path: Path) -> None:
    GgufModel("tiny", tiny.model, None, "f32").write(tmp_path / "tiny.gguf", QUIET)
    model = TransformersModel.load(tiny.model)
    prompts = [
        model.prompt_ids([{"role": "user", "content": f"Capital of {name}"}]) for name in ("Peru", "Cuba")
    ]
    with LlamaClient(tmp_path / "tiny.gguf", threads=1) as client:
        assert client.generate(prompts, 10) == model.generate(prompts, 10)
        assert client.generate([], 10) == []
