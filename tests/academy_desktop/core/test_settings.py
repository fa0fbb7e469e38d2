from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from academy_desktop.core.settings import Settings, SettingsFile
from trainers.errors import AcademyError, ErrorCode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.json"


def test_without_a_file_everything_is_at_its_default_and_none_is_made(path: Path) -> None:
    assert SettingsFile(path).load() == Settings()
    assert not path.exists()


def test_what_is_saved_is_loaded(path: Path) -> None:
    chosen = Settings(theme="dark", on_close="keep", preset="quick")
    SettingsFile(path).save(chosen)
    assert SettingsFile(path).load() == chosen


def test_a_key_of_another_version_survives_a_change(path: Path) -> None:
    path.write_text(json.dumps({"v": 1, "theme": "light", "panels": {"width": [1180, 760]}}), "utf-8")
    file = SettingsFile(path)
    file.save(file.load().model_copy(update={"on_close": "stop"}))
    written = json.loads(path.read_bytes())
    assert written["panels"] == {"width": [1180, 760]}
    assert (written["theme"], written["on_close"]) == ("light", "stop")


def test_a_value_that_cannot_be_used_costs_only_itself(path: Path) -> None:
    path.write_text(json.dumps({"theme": "sepia", "on_close": ["keep"], "preset": "quick"}), "utf-8")
    file = SettingsFile(path)
    assert file.load() == Settings(preset="quick")
    assert file.set_aside is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1, 2]", b"null", b'"dark"', b"\xff\xfe\x00", b"[" * 100_000],
    ids=["empty", "torn", "list", "null", "text", "bytes", "deep"],
)
def test_a_damaged_file_is_moved_aside_whole_and_the_defaults_hold(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    file = SettingsFile(path)
    assert file.load() == Settings()
    assert file.set_aside == path.with_name("settings.damaged.json")
    assert path.with_name("settings.damaged.json").read_bytes() == content
    assert not path.exists()
    file.save(Settings(theme="dark"))
    assert SettingsFile(path).load().theme == "dark"


def test_a_folder_in_the_place_of_the_file_is_moved_aside(path: Path) -> None:
    path.mkdir()
    file = SettingsFile(path)
    assert file.load() == Settings()
    file.save(Settings(theme="light"))
    assert SettingsFile(path).load().theme == "light"


@given(
    st.dictionaries(
        st.sampled_from(["v", "theme", "on_close", "preset", "model_dump", "other", ""]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=5,
        ),
    )
)
@settings(max_examples=100, deadline=None)
def test_whatever_record_stands_in_the_file_it_can_be_loaded_and_saved(
    tmp_path_factory: pytest.TempPathFactory, record: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("any") / "settings.json"
    path.write_text(json.dumps(record), "utf-8")
    file = SettingsFile(path)
    loaded = file.load()
    file.save(loaded)
    again = SettingsFile(path)
    assert again.load().model_dump_json() == loaded.model_dump_json()
    assert again.set_aside is None


def test_settings_do_not_change_in_place() -> None:
    with pytest.raises(ValidationError):
        Settings().__setattr__("theme", "dark")


def test_a_reader_sees_whole_files_while_others_write(path: Path) -> None:
    file = SettingsFile(path)
    file.save(Settings())
    themes: tuple[Settings, ...] = (Settings(theme="dark"), Settings(theme="light"))

    def write(chosen: Settings) -> None:
        for _ in range(20):
            file.save(chosen)

    writers = [threading.Thread(target=write, args=(chosen,)) for chosen in themes]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        json.loads(path.read_bytes())
    for writer in writers:
        writer.join()
    assert SettingsFile(path).load() in themes
    assert os.listdir(path.parent) == ["settings.json"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(AcademyError) as raised:
        SettingsFile(tmp_path / "file" / "settings.json").save(Settings())
    assert raised.value.code is ErrorCode.DATA_DIR_NOT_WRITABLE
    assert raised.value.facts["path"] == str(tmp_path / "file")


def test_a_full_disk_is_said_and_the_old_choices_stay(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = SettingsFile(path)
    file.save(Settings(theme="dark"))

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AcademyError) as raised:
        file.save(Settings(theme="light"))
    assert raised.value.code is ErrorCode.DISK_FULL
    assert SettingsFile(path).load().theme == "dark"
