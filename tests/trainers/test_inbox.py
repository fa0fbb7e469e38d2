from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from trainers.inbox import Inbox, Order
from trainers.layout import Command, CommandName, write_record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "commands"
    folder.mkdir()
    return folder


def order(
    folder: Path, name: str, command: CommandName = "stop", attempt: int = 1, created_at: float = 0.0
) -> None:
    record = Command(id=name, attempt=attempt, command=command, created_at=created_at)
    write_record(folder / f"{name}.json", record)


def test_each_command_is_told_once_in_the_order_in_which_it_was_given(folder: Path) -> None:
    inbox = Inbox(folder, 1)
    assert inbox.new() == []
    order(folder, "a", "pause", created_at=2.0)
    order(folder, "b", "save", created_at=1.0)
    order(folder, "d", "stop", created_at=3.0)
    order(folder, "c", "suspend", created_at=3.0)
    assert [one.name for one in inbox.new()] == ["save", "pause", "suspend", "stop"]
    assert inbox.new() == []
    order(folder, "e", "kill")
    assert inbox.new() == [Order("e", "kill", 0.0)]


def test_commands_of_other_attempts_are_ignored(folder: Path) -> None:
    for attempt in (1, 2, 3):
        order(folder, f"c{attempt}", attempt=attempt)
    assert [one.id for one in Inbox(folder, 2).new()] == ["c2"]


def test_two_readers_do_not_take_commands_from_each_other(folder: Path) -> None:
    order(folder, "a")
    assert Inbox(folder, 1).new() == Inbox(folder, 1).new() != []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{torn",
        b"\xff",
        b"[]",
        b"null",
        b"3",
        b'"attempt"',
        b"{}",
        b'{"attempt": 1}',
        b'{"attempt": 1, "id": "x", "command": "stop"}',
        b'{"attempt": 1, "id": "x", "command": "stop", "created_at": "noon"}',
        b'{"attempt": 1, "id": "x", "command": "stop", "created_at": null}',
    ],
)
def test_a_file_that_is_no_command_is_ignored(folder: Path, content: bytes) -> None:
    (folder / "x.json").write_bytes(content)
    order(folder, "good")
    assert [one.id for one in Inbox(folder, 1).new()] == ["good"]


def test_a_file_that_is_still_written_waits_for_its_name(folder: Path) -> None:
    inbox = Inbox(folder, 1)
    order(folder, "a")
    aside = folder / ".a.json.123.tmp"
    (folder / "a.json").rename(aside)
    (folder / "a.txt").touch()
    (folder / "b.json").mkdir()
    assert inbox.new() == []
    aside.rename(folder / "a.json")
    assert [one.id for one in inbox.new()] == ["a"]


def test_a_folder_may_come_later(folder: Path) -> None:
    shutil.rmtree(folder)
    inbox = Inbox(folder, 1)
    assert inbox.new() == []
    folder.mkdir()
    order(folder, "a")
    assert [one.id for one in inbox.new()] == ["a"]


@pytest.mark.parametrize("command", ["dance", "stop"])
@pytest.mark.parametrize("version", [1, 2])
def test_what_this_version_does_not_know_is_handed_on_as_unknown(
    folder: Path, command: str, version: int
) -> None:
    raw = {"v": version, "id": "x", "attempt": 1, "command": command, "created_at": 1, "newer_field": 2}
    (folder / "x.json").write_text(json.dumps(raw))
    (one,) = Inbox(folder, 1).new()
    assert (one.id, one.created_at) == ("x", 1.0)
    assert one.name == (command if version == 1 else f"{command} (version 2)")
