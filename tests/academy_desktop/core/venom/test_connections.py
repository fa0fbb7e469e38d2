from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from academy_desktop.core.venom.connections import (
    KEPT_ACTIVATIONS,
    Activation,
    Before,
    Connections,
    checked_url,
    draft,
)
from tests.academy_desktop.core.venom.making import refusal
from trainers.errors import ErrorCode
from trainers.locks import FileLock

URL = "http://127.0.0.1:8000"


@pytest.fixture
def connections(tmp_path: Path) -> Connections:
    return Connections(tmp_path / "connections.json", tmp_path / "connections.lock")


def activation(adapter_id: str, model: str = "gemma3:4b") -> Activation:
    return Activation(adapter_id=adapter_id, before=Before(runtime="ollama", model=model))


def test_a_connection_is_there_for_the_next_process(connections: Connections, tmp_path: Path) -> None:
    connections.add("home", URL, tmp_path)
    connections.add("a-lab", "https://venom.example:8443/api/")
    again = Connections(tmp_path / "connections.json", tmp_path / "connections.lock")
    assert [one.name for one in again.all()] == ["a-lab", "home"]
    assert again.get("home").folder().where() == str(tmp_path)
    assert again.get("a-lab").url == "https://venom.example:8443/api"
    assert again.get("a-lab").models_dir is None


def test_nothing_is_there_at_first(connections: Connections) -> None:
    assert list(connections.all()) == []
    with refusal(ErrorCode.CONNECTION_UNKNOWN) as facts:
        connections.get("home")
    assert facts == {"connection": "home", "known": ""}


def test_an_unknown_name_is_answered_with_those_that_there_are(connections: Connections) -> None:
    connections.add("home", URL)
    connections.add("work", URL)
    with refusal(ErrorCode.CONNECTION_UNKNOWN) as facts:
        connections.get("hoem")
    assert facts["known"] == "home"
    with refusal(ErrorCode.CONNECTION_UNKNOWN) as facts:
        connections.remove("x")
    assert facts["known"] == "home, work"


def test_a_name_means_one_server(connections: Connections, tmp_path: Path) -> None:
    connections.add("home", URL)
    assert connections.add("home", f"{URL}/", tmp_path).models_dir == str(tmp_path)
    assert connections.add("home", URL).models_dir == str(tmp_path)
    with refusal(ErrorCode.CONNECTION_EXISTS) as facts:
        connections.add("home", "http://127.0.0.1:9000")
    assert facts == {"connection": "home", "url": URL}
    assert connections.get("home").url == URL


def test_a_removed_connection_is_gone(connections: Connections) -> None:
    connections.add("home", URL)
    connections.remove("home")
    assert list(connections.all()) == []


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "../x", "x" * 65, "é", "a\n"])
def test_a_name_that_cannot_be_typed_is_refused(connections: Connections, name: str) -> None:
    with refusal(ErrorCode.CONNECTION_NAME_INVALID):
        connections.add(name, URL)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("HTTP://Venom.Example", "http://venom.example"),
        ("https://venom.example/Venom/", "https://venom.example/Venom"),
        (" http://[::1]:8000 ", "http://[::1]:8000"),
    ],
)
def test_an_address_has_one_spelling(url: str, expected: str) -> None:
    assert checked_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "", "venom", "127.0.0.1:8000", "ftp://venom", "http://", "http://venom:99999", "http://venom:0",
        "http://venom/?a=b", "http://venom/#x", "file:///etc/passwd", "http://ve nom", "http://[::1",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with refusal(ErrorCode.VENOM_URL_INVALID):
        checked_url(url)


def test_a_password_is_neither_kept_nor_repeated(connections: Connections, tmp_path: Path) -> None:
    with refusal(ErrorCode.VENOM_URL_INVALID) as facts:
        connections.add("home", "http://ada:secret@venom:8000")
    assert "secret" not in str(facts)
    assert not (tmp_path / "connections.json").exists()


def test_a_models_folder_has_to_be_there(connections: Connections, tmp_path: Path) -> None:
    with refusal(ErrorCode.VENOM_FOLDER_MISSING):
        connections.add("home", URL, tmp_path / "nowhere")
    folder = tmp_path / "models"
    folder.mkdir()
    connections.add("home", URL, folder)
    folder.rmdir()
    with refusal(ErrorCode.VENOM_FOLDER_MISSING) as facts:
        connections.get("home").folder()
    assert facts == {"path": str(folder)}


def test_a_relative_folder_is_kept_in_full(
    connections: Connections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    assert connections.add("home", URL, Path("models")).models_dir == str(tmp_path / "models")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_said(connections: Connections, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir(mode=0o500)
    connections.add("home", URL, folder)
    with refusal(ErrorCode.VENOM_FOLDER_NOT_WRITABLE):
        connections.get("home").folder()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"v": 1, "connections": [{"name": 3}]}', "\xff"])
def test_a_damaged_file_is_said_and_not_overwritten(
    connections: Connections, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "connections.json"
    path.write_text(content)
    with refusal(ErrorCode.FILE_UNREADABLE):
        connections.all()
    with refusal(ErrorCode.FILE_UNREADABLE):
        connections.add("home", URL)
    assert path.read_text() == content


def test_a_file_of_a_newer_version_is_said_and_not_overwritten(
    connections: Connections, tmp_path: Path
) -> None:
    path = tmp_path / "connections.json"
    path.write_text('{"v": 2}')
    with refusal(ErrorCode.PROTOCOL_NEWER) as facts:
        connections.add("home", URL)
    assert (facts["found"], facts["known"]) == (2, 1)
    assert path.read_text() == '{"v": 2}'


def test_nothing_but_names_addresses_and_folders_is_written(connections: Connections, tmp_path: Path) -> None:
    connections.add("home", URL, tmp_path)
    [stored] = json.loads((tmp_path / "connections.json").read_text())["connections"]
    assert set(stored) == {"v", "name", "url", "models_dir", "ssh", "ollama", "activations"}


def test_changes_at_once_lose_nothing(connections: Connections, tmp_path: Path) -> None:
    def add(number: int) -> None:
        Connections(tmp_path / "connections.json", tmp_path / "connections.lock").add(f"c{number}", URL)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.name for one in connections.all()] == [f"c{number}" for number in range(8)]


def test_a_lock_that_is_never_freed_is_said(
    connections: Connections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("academy_desktop.core.venom.connections._LOCK_S", 0.05)
    lock = FileLock(tmp_path / "connections.lock")
    assert lock.acquire()
    with refusal(ErrorCode.FILE_UNREADABLE):
        connections.add("home", URL)
    lock.release()
    connections.add("home", URL)


def test_activations_stack_and_the_same_adapter_has_one(connections: Connections) -> None:
    connections.add("home", URL)
    connections.begin_activation("home", activation("a"))
    connections.begin_activation("home", activation("b", "venom-adapter-a"))
    connections.begin_activation("home", activation("b", "other"))
    assert [one.adapter_id for one in connections.get("home").activations] == ["a", "b"]
    assert connections.get("home").activation_of("b") == activation("b", "other")
    assert connections.get("home").activation_of("c") is None
    connections.end_activation("home", "c")
    assert len(connections.get("home").activations) == 2
    connections.end_activation("home", "a")
    assert connections.get("home").activations == ()
    for number in range(KEPT_ACTIVATIONS + 5):
        connections.begin_activation("home", activation(f"a{number}"))
    assert len(connections.get("home").activations) == KEPT_ACTIVATIONS


def test_a_changed_connection_keeps_what_was_active_before(connections: Connections, tmp_path: Path) -> None:
    connections.add("home", URL, tmp_path)
    connections.begin_activation("home", activation("replies-1"))
    made = connections.change("home", draft("lab", "http://127.0.0.1:9000/"))
    assert (made.name, made.url, made.models_dir) == ("lab", "http://127.0.0.1:9000", None)
    assert list(connections.all()) == [made]
    assert connections.get("lab").activation_of("replies-1") == activation("replies-1")


def test_a_connection_is_not_changed_into_another_one(connections: Connections) -> None:
    connections.add("home", URL)
    connections.add("lab", "http://127.0.0.1:9000")
    with refusal(ErrorCode.CONNECTION_EXISTS) as facts:
        connections.change("home", draft("lab", URL))
    assert facts == {"connection": "lab", "url": "http://127.0.0.1:9000"}
    with refusal(ErrorCode.CONNECTION_UNKNOWN):
        connections.change("hoem", draft("lab", URL))
    assert [one.url for one in connections.all()] == [URL, "http://127.0.0.1:9000"]


def test_a_draft_is_checked_and_not_remembered(connections: Connections, tmp_path: Path) -> None:
    assert draft("home", f"{URL}/", tmp_path / ".").models_dir == str(tmp_path)
    for name, url, folder, code in (
        ("a b", URL, None, ErrorCode.CONNECTION_NAME_INVALID),
        ("home", "venom", None, ErrorCode.VENOM_URL_INVALID),
        ("home", URL, tmp_path / "missing", ErrorCode.VENOM_FOLDER_MISSING),
    ):
        with refusal(code):
            draft(name, url, folder)
    assert list(connections.all()) == []


def test_a_connection_has_one_way(connections: Connections, tmp_path: Path) -> None:
    made = connections.add("home", URL, tmp_path)
    assert made.route == "folder"
    made = connections.add("home", URL, ollama="http://Venom.home:11434/")
    assert (made.route, made.ollama, made.models_dir) == ("ollama", "http://venom.home:11434", None)
    assert connections.add("home", URL).route == "ollama"
    assert connections.add("home", URL, tmp_path).ollama is None
    with refusal(ErrorCode.VENOM_URL_INVALID):
        connections.add("home", URL, ollama="http://ada:secret@venom.home:11434")
