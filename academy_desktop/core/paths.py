"""The data directory: where everything lies that the app keeps (PROTOCOL.md, "The data directory").

Owns names and the directory's format version. Refuses to know what is inside the files.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from trainers.errors import AcademyError, ErrorCode
from trainers.files import read_regular
from trainers.layout import RunDir, write_atomically

DATA_DIR_VERSION = 1
APP_NAME = "academy-desktop"


@dataclass(frozen=True)
class DataDir:
    """One data directory; `open` makes it ready for use."""

    root: Path

    @classmethod
    def default(cls) -> DataDir:
        """The user's own, where the system wants such things."""
        return cls(platformdirs.user_data_path(APP_NAME, appauthor=False))

    def open(self) -> DataDir:
        """Make what is missing and return the directory.

        Raises:
            AcademyError: `data_dir_newer` when a later version of the app has changed its format;
                `data_dir_not_writable`.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._check_version()
            folders = (self.runs, self.queue, self.runtimes, self.trash, self.tmp, self.datasets, self.models)
            for folder in folders:
                folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=self.tmp):
                pass
        except OSError as error:
            detail = error.strerror or str(error)
            raise AcademyError(ErrorCode.DATA_DIR_NOT_WRITABLE, path=str(self.root), detail=detail) from error
        return self

    def _check_version(self) -> None:
        marker = self.root / "academy.json"
        try:
            found = json.loads(read_regular(marker))["v"]
        except FileNotFoundError:
            write_atomically(marker, json.dumps({"v": DATA_DIR_VERSION}).encode() + b"\n")
            return
        except (ValueError, KeyError, TypeError, RecursionError):
            # written atomically, so a damaged one was damaged from outside; there is one format so far
            write_atomically(marker, json.dumps({"v": DATA_DIR_VERSION}).encode() + b"\n")
            return
        if found != DATA_DIR_VERSION:
            raise AcademyError(
                ErrorCode.DATA_DIR_NEWER, path=str(self.root), found=found, known=DATA_DIR_VERSION
            )

    @property
    def index(self) -> Path:
        """The index of the jobs; can be rebuilt from `runs/`."""
        return self.root / "index.sqlite3"

    @property
    def settings(self) -> Path:
        """What the user chose; no secrets."""
        return self.root / "settings.json"

    @property
    def considerate(self) -> Path:
        """When runs have to wait although their device is free."""
        return self.root / "considerate.json"

    @property
    def connections(self) -> Path:
        """Venom servers, and what was active on them before each push; no secrets."""
        return self.root / "connections.json"

    @property
    def pushes(self) -> Path:
        """The journal: what was sent to which Venom server."""
        return self.root / "pushes"

    @property
    def calibration(self) -> Path:
        """What finished runs taught the forecast; can be made anew from `runs/`."""
        return self.root / "calibration.json"

    @property
    def trials(self) -> Path:
        """What the trial steps showed on this computer; can be tried anew."""
        return self.root / "trials.json"

    @property
    def datasets(self) -> Path:
        """One folder per dataset."""
        return self.root / "datasets"

    @property
    def models(self) -> Path:
        """Models made here, and the registry of those elsewhere."""
        return self.root / "models"

    @property
    def runs(self) -> Path:
        """One folder per job."""
        return self.root / "runs"

    @property
    def queue(self) -> Path:
        """One folder per device."""
        return self.root / "queue"

    @property
    def runtimes(self) -> Path:
        """Copies of the `trainers` package."""
        return self.root / "runtimes"

    @property
    def trash(self) -> Path:
        """Deleted jobs, until emptied."""
        return self.root / "trash"

    @property
    def tmp(self) -> Path:
        """Work in progress."""
        return self.root / "tmp"

    def run(self, job: str) -> RunDir:
        """The run directory of a job, whether it exists or not."""
        return RunDir(self.runs / job)

    def aside(self, name: str) -> Path:
        """A path below `tmp/` that no other process uses for the same name."""
        return self.tmp / f"{name}.{os.getpid()}"
