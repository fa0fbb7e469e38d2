"""Where a window can be shown, and what is said where it cannot: real Qt, real loader, real X server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QLibraryInfo

from academy_desktop.display import has_display, library_in, why_none
from tests.windows import window
from trainers.errors import AcademyError, ErrorCode

PLATFORMS = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)) / "platforms"
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11, its variables, its libraries")


def reason(display: str = ":0") -> AcademyError:
    """Why Qt would find no display here, were there none at that name."""
    return why_none({"DISPLAY": display}, PLATFORMS, "could not connect")


@pytest.fixture
def x_server() -> Iterator[str]:
    """The name of a display that shows nothing to anybody."""
    if not shutil.which("Xvfb") or reason().code is ErrorCode.SYSTEM_LIBRARY_MISSING:
        pytest.skip("no Xvfb, or a library is missing that Qt needs for it")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield f":{server.stdout.readline().strip()}"
        finally:
            server.terminate()


@pytest.mark.parametrize(
    ("variables", "platform", "shown"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"QT_QPA_PLATFORM": "offscreen"}, "linux", True),
        ({"DISPLAY": ""}, "linux", False),
        ({}, "linux", False),
        ({}, "win32", True),
        ({}, "darwin", True),
    ],
)
def test_where_a_window_can_be_shown(variables: dict[str, str], platform: str, shown: bool) -> None:
    assert has_display(variables, platform) == shown


@LINUX
def test_on_an_x_server_every_page_is_painted(x_server: str, tmp_path: Path) -> None:
    said = window("--smoke", "--data-dir", str(tmp_path), QT_QPA_PLATFORM="xcb", DISPLAY=x_server)
    assert said == (0, "")


@LINUX
def test_without_a_display_there_is_a_sentence_and_a_next_step(tmp_path: Path) -> None:
    code, said = window("--data-dir", str(tmp_path), QT_QPA_PLATFORM=None, DISPLAY=None, WAYLAND_DISPLAY=None)
    assert code == 1
    assert said.startswith("There is no display.")
    assert "Use the “academy” command instead" in said
    assert "\n" not in said


@LINUX
def test_a_display_that_cannot_be_reached_is_a_sentence_too(tmp_path: Path) -> None:
    code, said = window(
        "--data-dir", str(tmp_path), QT_QPA_PLATFORM="xcb", DISPLAY=":4711", WAYLAND_DISPLAY=None
    )
    assert code == 1
    if reason().code is ErrorCode.SYSTEM_LIBRARY_MISSING:
        assert said.startswith("A system library is missing.")
    else:
        assert said.startswith("There is no display.")
        assert "this session has none: " in said
    assert "\n" not in said


@LINUX
def test_a_library_that_qt_needs_for_the_display_is_named(tmp_path: Path) -> None:
    (tmp_path / "libxcb-cursor.so.0").write_bytes(b"no library")
    code, said = window(
        "--data-dir",
        str(tmp_path / "data"),
        LD_LIBRARY_PATH=str(tmp_path),
        QT_QPA_PLATFORM="xcb",
        DISPLAY=":4711",
    )
    assert code == 1
    assert said.startswith("A system library is missing. The window needs libxcb-cursor.so.0, ")
    assert "sudo apt install " in said
    assert "\n" not in said


@LINUX
@pytest.mark.parametrize(
    ("display", "title"), [(":4711", "A system library is missing."), (None, "There is no display.")]
)
def test_where_qt_cannot_even_be_loaded_there_is_a_sentence(
    display: str | None, title: str, tmp_path: Path
) -> None:
    (tmp_path / "libEGL.so.1").write_bytes(b"no library")
    code, said = window(
        "--data-dir",
        str(tmp_path / "data"),
        LD_LIBRARY_PATH=str(tmp_path),
        QT_QPA_PLATFORM=None,
        DISPLAY=display,
        WAYLAND_DISPLAY=None,
    )
    assert code == 1
    assert said.startswith(title)
    assert ("needs libEGL.so.1" in said) == (display is not None)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("said", "library"),
    [
        ("libEGL.so.1: cannot open shared object file: No such file or directory", "libEGL.so.1"),
        ("/usr/lib/libxcb-icccm.so.4: file too short", "libxcb-icccm.so.4"),
        ("libstdc++.so.6: version `GLIBCXX_3.4.30' not found", "libstdc++.so.6"),
        ("No module named 'PySide6'", ""),
        ("cannot import name 'QtGui' from 'PySide6' (/lib/python3/PySide6/__init__.py)", ""),
    ],
)
def test_the_loader_says_which_library_it_is(said: str, library: str) -> None:
    assert library_in(said) == library


def test_without_a_plugin_to_try_it_is_the_display(tmp_path: Path) -> None:
    why = why_none({"DISPLAY": ":0"}, tmp_path, "could not connect")
    assert (why.code, why.facts) == (ErrorCode.NO_DISPLAY, {"detail": "could not connect"})
