from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.ollama import Made, OllamaClient
from tests.academy_desktop.core.venom.making import refusal
from tests.venom_server.ollama import OllamaServer, OllamaState
from trainers.digest import sha256_of_file
from trainers.errors import ErrorCode

NAME = "venom-adapter-replies-1"


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    with OllamaServer(OllamaState(["gemma3:4b", "smollm2:135m"])) as server:
        yield server


@pytest.fixture
def client(server: OllamaServer) -> Iterator[OllamaClient]:
    with OllamaClient(server.url, Limits(connect_s=3.0, read_s=3.0, activate_s=6.0)) as client:
        yield client


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "adapter.gguf"
    path.write_bytes(b"GGUF" + b"\3" * 3_000_000)
    return path


def ignore(done: int, total: int) -> None:
    """Nobody watches."""


def test_a_file_arrives_and_becomes_a_model(server: OllamaServer, client: OllamaClient, gguf: Path) -> None:
    sha256 = sha256_of_file(gguf)
    told: list[tuple[int, int]] = []
    assert client.version() == "0.24.0"
    assert not client.has_blob(sha256)
    assert client.show(NAME) is None
    client.send_blob(gguf, sha256, lambda done, total: told.append((done, total)))
    assert client.has_blob(sha256)
    assert told[-1] == (3_000_004, 3_000_004)
    client.create(NAME, "smollm2:135m", sha256)
    assert client.show(NAME) == Made("smollm2:135m", frozenset({sha256}))
    assert f"{NAME}:latest" in client.models()
    assert server.state.made[f"{NAME}:latest"].parameters["temperature"] == 0.7
    assert client.delete(NAME)
    assert not client.delete(NAME)


def test_a_file_that_is_another_one_is_not_taken(
    server: OllamaServer, client: OllamaClient, gguf: Path
) -> None:
    with refusal(ErrorCode.EXPORT_DAMAGED):
        client.send_blob(gguf, "0" * 64, ignore)
    assert server.state.blobs == {}


def test_an_upload_that_broke_off_is_begun_again(
    server: OllamaServer, client: OllamaClient, gguf: Path
) -> None:
    server.fault = (0, "lost")
    client.send_blob(gguf, sha256_of_file(gguf), ignore)
    assert [one.method for one in server.asked] == ["POST", "HEAD"]


def test_whoever_is_told_can_end_an_upload(server: OllamaServer, client: OllamaClient, gguf: Path) -> None:
    class EnoughError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        client.send_blob(gguf, sha256_of_file(gguf), stop)
    assert server.state.blobs == {}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"takes_adapters": False}, ErrorCode.VENOM_OLLAMA_NO_ADAPTERS),
        ({"makes": False}, ErrorCode.VENOM_OLLAMA_REFUSED),  # told in the middle of the stream
        ({"models": []}, ErrorCode.VENOM_OLLAMA_REFUSED),
    ],
)
def test_a_model_that_cannot_be_made_is_told(
    server: OllamaServer, client: OllamaClient, gguf: Path, wrong: dict[str, object], code: ErrorCode
) -> None:
    client.send_blob(gguf, sha256_of_file(gguf), ignore)
    for name, value in wrong.items():
        setattr(server.state, name, value)
    with refusal(code) as facts:
        client.create(NAME, "smollm2:135m", sha256_of_file(gguf))
    assert facts["url"] == server.url
    assert server.state.made == {}


def test_nobody_there_and_somebody_else_there_are_told_apart(server: OllamaServer) -> None:
    with OllamaClient("http://127.0.0.1:9") as client, refusal(ErrorCode.VENOM_OLLAMA_UNREACHABLE):
        client.version()
    with OllamaClient(f"{server.url}/elsewhere") as client, refusal(ErrorCode.VENOM_OLLAMA_REFUSED):
        client.version()


@pytest.mark.parametrize(
    ("base", "is_of"),
    [
        ("gemma3:4b", True),
        ("registry.ollama.ai/library/gemma3:4b", True),
        ("", True),
        ("gemma3:1b", False),
    ],
)
def test_a_model_is_known_by_its_base_and_its_adapter(base: str, is_of: bool) -> None:
    made = Made(base, frozenset({"a" * 64}))
    assert made.is_of("gemma3:4b", "a" * 64) == is_of
    assert not made.is_of("gemma3:4b", "b" * 64)
