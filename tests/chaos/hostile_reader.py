"""Reads what may be hostile through the functions that the window and the command line use; to be watched.

One JSON object per line on stdin: {"root": the folder of `Good`, "what": kinds}; one per line on stdout:
{"wrong": texts}. An audit hook notes every attempt to run, unpickle, connect, or write outside of the folder.
`app` readers may raise an AcademyError and nothing else; what a `trainer` reader raises ends a job by name.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from academy_desktop.core.datasets.browse import Rows
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.estimate.calibration import read_observations
from academy_desktop.core.exports import Exports
from academy_desktop.core.history import EventTail
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipes import Recipes
from academy_desktop.core.settings import SettingsFile
from academy_desktop.core.venom.connections import Connections
from academy_desktop.core.venom.packing import Packing
from academy_desktop.core.workshop import RESOURCES
from trainers import checkpoint
from trainers.errors import AcademyError
from trainers.exporting.base_model import fingerprint
from trainers.heartbeat import read_heartbeat
from trainers.layout import RunDir
from trainers.recipe_file import read_recipe

if TYPE_CHECKING:
    from gguf import GGUFWriter

    from trainers.exporting.gguf_file import PlannedTensor

#: Raised by Python itself when something is run, unpickled, connected to or changed.
RUNS = frozenset(
    {
        "os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pickle.find_class",
        "socket.connect", "socket.bind", "ctypes.dlopen", "pty.spawn",
    }
)  # fmt: skip
CHANGES = frozenset(
    {
        "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink",
        "os.truncate", "os.utime", "shutil.rmtree", "shutil.move",
    }
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Canary:
    """Notes what nobody may do while something hostile is read."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self._allowed: Path | None = None
        sys.addaudithook(self._hear)

    def watch(self, allowed: Path | None) -> None:
        """Note from now on what happens outside of a folder; None: nothing is noted."""
        self.noted.clear()
        self._allowed = allowed

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        allowed, self._allowed = self._allowed, None  # what this does itself is not meant
        if allowed is None:
            return
        try:
            if event in RUNS or (
                event in CHANGES
                and any(self._is_outside(one, allowed, base=_base(arguments)) for one in arguments[:2])
            ):
                self.noted.append(f"{event} {arguments!r}"[:300])
            elif _writes(event, arguments) and self._is_outside(
                arguments[0], allowed, opened=not arguments[2] & os.O_NOFOLLOW
            ):
                self.noted.append(f"open to write {arguments!r}"[:300])
        finally:
            self._allowed = allowed

    def _is_outside(self, path: object, allowed: Path, *, base: str = "", opened: bool = False) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        named = os.path.join(base, os.fsdecode(path))
        # a link is removed or renamed itself; what is opened is where it leads
        folder = os.path.realpath(os.path.dirname(named))
        real = Path(os.path.realpath(named) if opened else os.path.join(folder, os.path.basename(named)))
        return not real.is_relative_to(allowed) and real != Path(os.devnull)


def _base(arguments: tuple[Any, ...]) -> str:
    """Return the folder that relative names of a change are meant in, where it is given as a descriptor."""
    folders = [one for one in arguments[1:] if isinstance(one, int) and one >= 0]
    return os.readlink(f"/proc/self/fd/{folders[0]}") if folders else ""


def _writes(event: str, arguments: tuple[Any, ...]) -> bool:
    return event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & WRITING)


class _NoPlan:
    """What a GGUF file should hold: nothing that is there, so that all of it is read."""

    arch_name = "llama"
    tensors: Sequence[PlannedTensor] = ()

    def describe(self, writer: GGUFWriter) -> None:
        """Add no metadata."""


class Reader:
    """All readers over one folder of `Good`."""

    def __init__(self, root: Path) -> None:
        self.data = DataDir(root / "data")
        self.brought = root / "brought"
        self.jobs = Jobs(self.data, Path(sys.executable))
        self.models = Models(self.data, root / "no-hub")
        self.library = Library(self.data.datasets)

    def app(self) -> Mapping[str, Callable[[], object]]:
        """What runs in the window's process."""
        return {
            "list": self._list, "runs": self._each_run, "recipe": self._recipe, "models": self._models,
            "datasets": self._datasets, "data directory": self._data_directory,
        }  # fmt: skip

    def _list(self) -> None:
        self.data.open()
        self.jobs.list()
        self.jobs.list()  # from the index
        Jobs(self.data, Path(sys.executable)).list()

    def _runs(self) -> list[RunDir]:
        return [RunDir(path) for path in sorted(self.data.runs.iterdir()) if path.is_dir()]

    def _each_run(self) -> None:
        exports = Exports(self.jobs)
        packing = Packing(self.jobs, exports, self.models)
        for run in self._runs():
            job = run.job
            events = EventTail(run.events)
            readers: tuple[Callable[[], object], ...] = (
                partial(self.jobs.get, job), partial(self.jobs.history, job), self.jobs.log(job).read_new,
                events.read_new, partial(read_heartbeat, run.heartbeat), partial(exports.finished, job),
                partial(exports.evaluation, job), partial(packing.open, job),
                partial(checkpoint.newest_good, run.checkpoints),
            )  # fmt: skip
            for read in readers:
                with suppress(AcademyError):
                    read()

    def _recipe(self) -> None:
        recipes = Recipes(RESOURCES / "recipes", self.library, self.models)
        for read in (recipes.check, recipes.read, read_recipe):
            with suppress(AcademyError):
                read(self.brought / "recipe.yaml")

    def _models(self) -> None:
        for model in self.models.list():
            with suppress(AcademyError):
                fingerprint(Path(model.path))
        for name in ("model", "model.gguf"):
            with suppress(AcademyError):
                self.models.add(self.brought / name)

    def _datasets(self) -> None:
        for manifest in self.library.list():
            with suppress(AcademyError):
                self.library.verify(manifest.id)
            with suppress(AcademyError):
                list(self.library.rows(manifest.id))
            with suppress(AcademyError):
                rows = Rows(self.library.root / manifest.id, self.data.tmp / "browse")
                rows.page(0, min(len(rows), 20))
                list(rows.search("say"))

    def _data_directory(self) -> None:
        SettingsFile(self.data.settings).load()
        read_observations(self.data.calibration)
        with suppress(AcademyError):
            Connections(self.data.connections, self.data.tmp / "connections.lock").all()

    def trainer(self) -> Mapping[str, Callable[[], object]]:
        """What runs in a trainer's process."""
        return {"adapter": self._adapters, "gguf": self._ggufs, "weights": self._weights}

    def _adapters(self) -> None:
        from trainers.exporting.adapter import Adapter

        for run in self._runs():
            Adapter.load(run.adapter)

    def _ggufs(self) -> None:
        from trainers.exporting.inspection import inspect_gguf
        from trainers.exporting.watch import Watch

        watch = Watch(lambda _payload: None, lambda: False)
        for path in (self.brought / "model.gguf", *self.data.runs.glob("*/exports/*.gguf")):
            with suppress(AcademyError, OSError, ValueError, KeyError, IndexError, TypeError, OverflowError):
                inspect_gguf(path, _NoPlan(), watch)

    def _weights(self) -> None:
        from trainers.exporting.weights import Weights

        Weights.open(self.brought / "model")


def look(root: Path, what: list[str], canary: Canary) -> list[str]:
    """Read everything of the kinds that are named; returns what went wrong."""
    reader = Reader(root)
    tempfile.tempdir = str(root)
    wrong: list[str] = []
    canary.watch(Path(os.path.realpath(root)))
    for name, read in {**reader.app(), **reader.trainer()}.items():
        if name not in what:
            continue
        try:
            read()
        except AcademyError:
            pass
        except Exception as error:
            if name in reader.app() or isinstance(error, MemoryError):
                wrong.append(f"{name}: {''.join(traceback.format_exception(error)[-3:])[-600:]}")
    wrong += [f"{name}" for name in canary.noted]
    canary.watch(None)
    return wrong


def main() -> None:
    import trainers.exporting.inspection  # noqa: F401 - once, before anything is watched

    faulthandler.enable()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    canary = Canary()
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps({"wrong": look(Path(asked["root"]), asked["what"], canary)}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
