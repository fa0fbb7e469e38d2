from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from academy_desktop.core.exports import Exports
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.service import Venom
from tests.academy_desktop.core.venom.making import NAME, Bench
from tests.venom_server.server import VenomServer
from tests.venom_server.state import VenomState


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VenomServer]:
    """A Venom server with a models folder."""
    work = tmp_path / "venom"
    models_dir = work / "data" / "models"
    models_dir.mkdir(parents=True)
    with VenomServer(VenomState(work, models_dir)) as server:
        yield server


@pytest.fixture
def bench(tmp_path: Path, server: VenomServer) -> Bench:
    """A data directory with a connection to the server."""
    data = DataDir(tmp_path / "data").open()
    jobs = Jobs(data, Path(sys.executable))
    exports = Exports(jobs)
    limits = Limits(connect_s=5.0, read_s=20.0, activate_s=30.0)
    models = Models(data, tmp_path / "no-hub")
    venom = Venom(data, jobs, exports, models, limits=limits, look_s=0.0)
    venom.connections.add(NAME, server.url, server.state.models_dir)
    return Bench(data, jobs, exports, models, venom, server)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes real disks that hold little; called with the options of tmpfs."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no disk can be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
