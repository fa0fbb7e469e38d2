from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.trainers.tiny_model import Tiny
    from trainers.layout import RunDir

# torch is imported by the fixtures that need it: most tests here do without.


@pytest.fixture(scope="session")
def tiny_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the models of this test session lie."""
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="session")
def tiny(tiny_dir: Path) -> Tiny:
    """A base model with tied embeddings, and a dataset."""
    from tests.trainers.tiny_model import Tiny, write_dataset, write_model

    return Tiny(write_model(tiny_dir / "tied"), write_dataset(tiny_dir / "capitals-00000000"))


@pytest.fixture(scope="session")
def untied(tiny: Tiny, tiny_dir: Path) -> Tiny:
    """A base model whose head is a matrix of its own, taught nothing, and the same dataset."""
    from tests.trainers.tiny_model import Tiny, write_model

    return Tiny(write_model(tiny_dir / "untied", tied=False, lessons=0), tiny.dataset)


@pytest.fixture(scope="session")
def taught(tiny: Tiny, tiny_dir: Path) -> RunDir:
    """A finished run; not to be changed: see `parent`."""
    from tests.trainers.tiny_model import teach_run

    return teach_run(tiny_dir / "taught", tiny)


@pytest.fixture
def parent(taught: RunDir, tmp_path: Path) -> RunDir:
    """A finished run of the test's own."""
    from trainers.layout import RunDir

    return RunDir(Path(shutil.copytree(taught.path, tmp_path / "parent")))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes real disks of a few megabytes."""
    mounted: list[Path] = []

    def mount(size_bytes: int) -> Path:
        if sys.platform != "linux" or os.geteuid() != 0:
            pytest.skip("only root can mount a disk")
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("no disk can be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        # Lazily: a traceback or a mapping may still hold a file.
        subprocess.run(["umount", "-l", str(folder)], check=True)
