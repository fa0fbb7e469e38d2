"""The jobs of a data directory: queue, resume, command, list, delete.

Owns what the app writes into run directories. Refuses to know processes beyond starting a host, and screens.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from academy_desktop.core.ahead import Ahead
from academy_desktop.core.foreign import stay_here, stay_inside
from academy_desktop.core.history import History
from academy_desktop.core.logs import LogTail
from academy_desktop.core.paths import DataDir
from academy_desktop.core.processes import start_host, trainer_environment
from academy_desktop.core.queue import DeviceQueue, QueueDevice
from academy_desktop.core.reader import JobSummary, RunReader, read_if_whole
from academy_desktop.core.recipe_yaml import AnyRecipe, dump_recipe
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.shutdown import Shutdown
from academy_desktop.core.smaller import smaller
from academy_desktop.core.states import JobState
from academy_desktop.core.store import JobIndex, stamp_of
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent
from trainers.layout import (
    Command,
    CommandName,
    Label,
    Launch,
    Purpose,
    RunDir,
    write_atomically,
    write_record,
)
from trainers.locks import FileLock, is_held
from trainers.recipe import TrainRecipe
from trainers.recipe_file import read_recipe
from trainers.space import disk_full, is_full

_DEVICES: Mapping[str, QueueDevice] = {"cpu": "cpu", "cuda": "cuda-0"}

_ENDS = frozenset({"stop", "suspend", "kill"})

#: How often a job that is followed is looked at.
FOLLOW_S = 0.15
#: A host needs moments to clean up behind a trainer that has said its last.
HOST_END_S = 10.0


class Jobs:
    """The jobs of one data directory.

    Args:
        data: an opened data directory.
        python: interpreter of the trainer environment.
        auto_device: where recipes with `hardware.device: auto` wait; asked when one is queued, for a graphics
            driver may take seconds to answer.
        trainer_module: what runs as trainer; `trainers.fake` for tests and for design.
        environment: what trainers' environments are made from; by default this process's own.
        stop_grace_s: seconds that a trainer has after `kill` to end by itself.
        patience_s: seconds without progress after which, at the earliest, a trainer counts as stuck.
    """

    def __init__(
        self,
        data: DataDir,
        python: Path,
        auto_device: Callable[[], QueueDevice] = lambda: "cpu",
        trainer_module: str = "trainers",
        environment: Mapping[str, str] | None = None,
        stop_grace_s: float = 30.0,
        patience_s: float = 60.0,
    ) -> None:
        self._data = data
        self._python = python
        self._auto_device = auto_device
        self._module = trainer_module
        self._environment = environment
        self._stop_grace_s = stop_grace_s
        self._patience_s = patience_s
        self.shutdown = Shutdown(data)
        self.ahead = Ahead(python, data.runs, self._trainer_environment)
        self._runtimes = Runtimes(data.runtimes)
        self._readers: dict[str, RunReader] = {}
        self._index = JobIndex(data.index)
        self._over: dict[str, tuple[str, JobSummary]] | None = None
        self._guard = threading.Lock()

    # starting

    def _trainer_environment(self) -> dict[str, str]:
        base = os.environ if self._environment is None else self._environment
        return trainer_environment(base, self._runtimes.current())

    def queue(self, recipe: AnyRecipe, name: str = "", purpose: Purpose = "") -> str:
        """Make the job's run directory and start its host; returns the job's id.

        `purpose`: what it is for, if it is no run of the user's own.

        Raises:
            AcademyError: `disk_full` (nothing of the job is left), `host_failed` (the job can be resumed),
                `job_foreign` (a link in the parent's run directory).
        """
        if not isinstance(recipe, TrainRecipe):
            stay_inside(RunDir(Path(recipe.parent_dir)))
        job = new_id()
        run = self._data.run(job)
        aside = self._data.aside(job)
        with _disk_full_as_error(self._data.root):
            try:
                write_atomically(aside / "recipe.yaml", dump_recipe(recipe))
                write_record(aside / "label.json", Label(name=name or recipe.name, purpose=purpose))
                for folder in ("attempts", "commands"):
                    (aside / folder).mkdir()
                aside.rename(run.path)
            except OSError:
                shutil.rmtree(aside, ignore_errors=True)
                raise
        try:
            self._launch(run, 1, self._queue_of(recipe))
        except AcademyError as error:
            if error.code is ErrorCode.DISK_FULL:
                shutil.rmtree(run.path, ignore_errors=True)
            raise
        return job

    def resume(self, job: str) -> int:
        """Start a new attempt that goes on from the newest good checkpoint; returns its number.

        Raises:
            AcademyError: `job_unknown`; `job_not_resumable` with the state; `job_foreign`, `disk_full`,
                `host_failed`; as `read_recipe`.
        """
        run = self._find(job)
        stay_inside(run)
        recipe = read_recipe(run.recipe)
        stay_here(self._data, run, recipe)
        lock = FileLock(run.recipe)
        if not lock.acquire():  # somebody else resumes it at this moment
            raise AcademyError(ErrorCode.JOB_NOT_RESUMABLE, job=run.job, state=JobState.QUEUED)
        try:
            return self._start_again(run, recipe)
        finally:
            lock.release()

    def begin_anew(self, job: str, *, shorter: bool = False, qlora: bool = False) -> str:
        """Queue a job that is over again, as another one that takes less memory; returns that one's id.

        Args:
            job: a training job; it stays as it is.
            shorter: rows are cut at half the length.
            qlora: the base model is kept in 4 bit.

        Raises:
            AcademyError: `job_running` with the state; as `smaller`, `read_recipe` and `queue`.
        """
        summary = self.get(job)
        if not summary.state.is_over:
            raise AcademyError(ErrorCode.JOB_RUNNING, job=summary.id, state=summary.state)
        recipe = smaller(read_recipe(self._data.run(summary.id).recipe), shorter=shorter, qlora=qlora)
        return self.queue(recipe, summary.name)

    def _start_again(self, run: RunDir, recipe: AnyRecipe) -> int:
        """Launch the next attempt; only one process at a time may look at the state and act on it."""
        summary = self.get(run.job)
        if not summary.state.can_resume or not self._host_gone(run):
            raise AcademyError(ErrorCode.JOB_NOT_RESUMABLE, job=run.job, state=summary.state)
        number = max(run.attempt_numbers(), default=0) + 1
        self._launch(run, number, self._queue_of(recipe))
        return number

    def _queue_of(self, recipe: AnyRecipe) -> DeviceQueue | None:
        """Where a job waits: only training does; an export must not wait for a night's training."""
        if not isinstance(recipe, TrainRecipe):
            return None
        wanted = recipe.hardware.device
        device = self._auto_device() if wanted == "auto" else _DEVICES[wanted]
        return DeviceQueue(self._data.queue / device)

    def _launch(self, run: RunDir, attempt: int, queue: DeviceQueue | None) -> None:
        self.shutdown.forget_if_idle()
        try:
            with _disk_full_as_error(run.path):
                launch = self._write_launch(run, attempt, queue)
            if queue is None or not self.ahead.host(run.path, attempt):
                start_host(self._python, run.path, attempt, launch.environment)
        except AcademyError:
            if queue:
                queue.leave(run.job)
            raise

    def _write_launch(self, run: RunDir, attempt: int, queue: DeviceQueue | None) -> Launch:
        entry = queue.enter(run.job) if queue else None
        launch = Launch(
            job=run.job,
            attempt=attempt,
            argv=(str(self._python), "-P", "-m", self._module, str(run.path), str(attempt)),
            cwd=str(run.path),
            environment=self._trainer_environment(),
            queue_dir=str(queue.folder) if queue else None,
            queue_entry=entry,
            stop_grace_s=self._stop_grace_s,
            patience_s=self._patience_s,
            rules=str(self._data.considerate) if queue else None,
        )
        write_record(run.attempt(attempt).launch, launch)
        return launch

    # commands

    def command(self, job: str, name: CommandName) -> str:
        """Leave a command for the newest attempt; returns the command's id.

        Raises:
            AcademyError: `job_unknown`; `job_not_running` with the state; `job_foreign`, `disk_full`.
        """
        summary = self.get(job)
        if summary.state.is_over:
            raise AcademyError(ErrorCode.JOB_NOT_RUNNING, job=summary.id, state=summary.state)
        command = Command(id=new_id(), attempt=summary.attempt, command=name, created_at=time.time())
        run = self._data.run(summary.id)
        stay_inside(run)
        with _disk_full_as_error(run.path):
            _write_command(run, command)
        return command.id

    def stop(self, job: str) -> str:
        """Ask a job to save and end; as `command`."""
        return self.command(job, "stop")

    def suspend(self, job: str) -> str:
        """Ask a job to save and free the memory, to go on later; as `command`."""
        return self.command(job, "suspend")

    def save(self, job: str) -> str:
        """Ask a job for a checkpoint now; as `command`."""
        return self.command(job, "save")

    def sample(self, job: str) -> str:
        """Ask the model of a job its questions now (see `command`)."""
        return self.command(job, "sample")

    def pause(self, job: str) -> str:
        """Ask a job to wait and keep its memory; as `command`."""
        return self.command(job, "pause")

    def unpause(self, job: str) -> str:
        """Ask a paused job to go on; as `command`."""
        return self.command(job, "unpause")

    def run_anyway(self, job: str) -> str:
        """Have a job run in spite of the rule that holds it now, one that waits before all others.

        Raises:
            AcademyError: as `command`.
        """
        if self.get(job).state is JobState.QUEUED:
            with suppress(AcademyError):  # its turn came meanwhile
                self.move(job, 1)
        return self.command(job, "anyway")

    def kill(self, job: str) -> str:
        """Have the host end the trainer: politely, then not; as `command`."""
        return self.command(job, "kill")

    def move(self, job: str, to: int) -> int:
        """Give a queued job the place `to`, from 1, among those that wait for the same device.

        Returns:
            The place that it has now.

        Raises:
            AcademyError: `job_unknown`; `job_not_queued` with the state.
        """
        wanted = self.get(job)
        waiting = {one.id for one in self.list() if one.state is JobState.QUEUED}
        for folder in self._data.queue.iterdir():
            queue = DeviceQueue(folder)
            here = [one for one in queue.jobs() if one in waiting]
            if wanted.id in here:
                queue.move(wanted.id, max(to, 1), here)
                return min(max(to, 1), len(here))
        raise AcademyError(ErrorCode.JOB_NOT_QUEUED, job=wanted.id, state=wanted.state)

    # looking

    def resolve(self, job: str) -> str:
        """The full id for an id, a unique beginning of one, or `last`.

        Raises:
            AcademyError: `job_unknown` with the number of jobs that match.
        """
        ids = self._ids()
        if job == "last" and ids:
            return ids[-1]
        if job in ids:
            return job
        matches = [one for one in ids if job and one.startswith(job)]
        if len(matches) != 1:
            raise AcademyError(ErrorCode.JOB_UNKNOWN, job=job, matches=len(matches))
        return matches[0]

    def get(self, job: str) -> JobSummary:
        """One job as it is now.

        Raises:
            AcademyError: `job_unknown`, `protocol_newer`.
        """
        return self._look_at(self.resolve(job))

    def list(self) -> Sequence[JobSummary]:
        """All jobs, the oldest first; one that a later version wrote is left out.

        Only what changed since the last look, of any process, is read.
        """
        known = self._known()
        found: list[JobSummary] = []
        fresh: list[tuple[str, JobSummary]] = []
        for job in self._ids():
            stamp = stamp_of(self._data.run(job))
            if job in known and known[job][0] == stamp:
                found.append(known[job][1])
                continue
            try:
                summary = self._look_at(job)
            except AcademyError:
                continue
            found.append(summary)
            if summary.state.is_over:
                fresh.append((stamp, summary))
        self._remember(fresh)
        return found

    def rebuild_index(self) -> int:
        """Throw the index away and make it anew from the run directories; returns the number of jobs."""
        self._index.clear()
        with self._guard:
            self._over = None
            self._readers.clear()
        return len(self.list())

    def history(self, job: str) -> History:
        """What the job has said so far, up to now; the object is the caller's own."""
        reader = RunReader(self._find(job))
        reader.refresh()
        return reader.history

    def follow(
        self, job: str, after_seq: int = 0, look: Callable[[JobSummary], object] | None = None
    ) -> Iterator[AnyEvent]:
        """Yield every event beyond `after_seq` once, in order, until the job is over and all is told.

        `look` is shown the job at each look: on a full disk, for one, no event can say that it waits.

        Raises:
            AcademyError: `job_unknown`, `protocol_newer`.
        """
        reader = RunReader(self._find(job))
        while True:
            summary, events = reader.refresh()
            if look is not None:
                look(summary)
            yield from (event for event in events if event.seq > after_seq)
            if summary.state.is_over:
                return
            time.sleep(FOLLOW_S)

    def wait(self, job: str, timeout_s: float | None = None) -> JobSummary:
        """Wait until a job is over and its host gone; returns the job as it is then, or at the timeout.

        Raises:
            AcademyError: `job_unknown`, `protocol_newer`.
        """
        reader = RunReader(self._find(job))
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            summary, _ = reader.refresh()
            over = summary.state.is_over and not is_held(reader.run.host_lock)
            if over or (deadline is not None and time.monotonic() >= deadline):
                return summary
            time.sleep(FOLLOW_S)

    def log(self, job: str) -> LogTail:
        """The trainer's output, from its beginning.

        Raises:
            AcademyError: `job_unknown`.
        """
        return LogTail(self._find(job).log)

    # keeping

    def relabel(
        self,
        job: str,
        *,
        name: str | None = None,
        notes: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> None:
        """Change what the user calls the job and says about it; what is None stays as it was.

        Raises:
            AcademyError: `job_unknown`, `job_foreign`, `disk_full`.
        """
        run = self._find(job)
        stay_inside(run)
        given = {"name": name, "notes": notes, "tags": None if tags is None else tuple(tags)}
        told = {key: value for key, value in given.items() if value is not None}
        before = read_if_whole(run.label, Label) or Label()
        with _disk_full_as_error(run.path):
            write_record(run.label, before.model_copy(update=told))

    def delete(self, job: str) -> None:
        """Move a job that is over to the trash.

        Raises:
            AcademyError: `job_unknown`; `job_running` with the state.
        """
        run = self._find(job)
        summary = self.get(run.job)
        if not summary.state.is_over or not self._host_gone(run):
            raise AcademyError(ErrorCode.JOB_RUNNING, job=run.job, state=summary.state)
        for folder in self._data.queue.iterdir():
            DeviceQueue(folder).leave(run.job)
        with self._guard:
            self._readers.pop(run.job, None)
            if self._over is not None:
                self._over.pop(run.job, None)
        run.path.rename(self._data.trash / run.job)
        self._index.forget([run.job])

    def restore(self, job: str) -> None:
        """Bring a job back from the trash.

        Raises:
            AcademyError: `job_unknown`.
        """
        if job not in {path.name for path in self._data.trash.iterdir() if path.is_dir()}:
            raise AcademyError(ErrorCode.JOB_UNKNOWN, job=job, matches=0)
        (self._data.trash / job).rename(self._data.run(job).path)

    # inside

    def _ids(self) -> Sequence[str]:
        """All jobs, the oldest first."""
        return sorted((path.name for path in self._data.runs.iterdir() if path.is_dir()), key=self._age)

    def _age(self, job: str) -> tuple[str, int, str]:
        """What sorts jobs by age: an id knows whole seconds, the rest is told by its recipe, written once."""
        try:
            written = self._data.run(job).recipe.stat().st_mtime_ns
        except OSError:  # the job is being deleted
            written = 0
        return job.rpartition("-")[0], written, job

    def _known(self) -> Mapping[str, tuple[str, JobSummary]]:
        """Stamp and summary of the jobs that are over; the index is read once."""
        with self._guard:
            if self._over is None:
                self._over = dict(self._index.read())
            return dict(self._over)

    def _remember(self, fresh: Sequence[tuple[str, JobSummary]]) -> None:
        """Keep what was found out about jobs that are over, here and for the next process."""
        if not fresh:
            return
        with self._guard:
            for stamp, summary in fresh:
                self._readers.pop(summary.id, None)  # a long history need not stay in memory
                if self._over is not None:
                    self._over[summary.id] = (stamp, summary)
        self._index.write(fresh)

    def _look_at(self, job: str) -> JobSummary:
        with self._guard:
            return self._reader(job).refresh()[0]

    def _find(self, job: str) -> RunDir:
        return self._data.run(self.resolve(job))

    def _reader(self, job: str) -> RunReader:
        return self._readers.setdefault(job, RunReader(self._data.run(job)))

    def _host_gone(self, run: RunDir) -> bool:
        """Give the host of a job that is over some time to end."""
        deadline = time.monotonic() + HOST_END_S
        while is_held(run.host_lock):
            if time.monotonic() >= deadline:
                return False
            time.sleep(FOLLOW_S / 5)
        return True


def _write_command(run: RunDir, command: Command) -> None:
    """Leave a command; one that ends the job finds room even on a full disk, where the trainer keeps some."""
    path = run.commands / f"{command.id}.json"
    try:
        write_record(path, command)
    except OSError as error:
        if not is_full(error) or command.command not in _ENDS:
            raise
        run.reserve.unlink(missing_ok=True)
        write_record(path, command)


def new_id() -> str:
    """An id that sorts by age: UTC time, six random hex digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


@contextmanager
def _disk_full_as_error(path: Path) -> Iterator[None]:
    """Turn the system's "no space left" into an expected failure."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise disk_full(path) from error
