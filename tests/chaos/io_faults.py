"""A disk that fails in mid-run: each write of a job, in turn, and a real disk that is full.

The first by a library that is preloaded into the trainer (`io_shim.c`) and answers in the system's place; the
second by a small file system in memory, which only root can make. The run has to pause, and to be the same to
the bit once the disk is mended.
"""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from tests.chaos.driving import until
from tests.chaos.leftovers import unfinished
from tests.chaos.taught import STEPS, Reference, Taught, adapter_sha256, environment
from tests.chaos.trials import Case, TooLateError, Trial
from trainers import checkpoint
from trainers.events import parse_line
from trainers.layout import RunDir

#: How the disk fails: an error, or half of the bytes and then an error.
KINDS = {
    "no room": (errno.ENOSPC, False),
    "broken": (errno.EIO, False),
    "taken by half": (errno.ENOSPC, True),
}
TROUBLES = frozenset({"disk_full", "disk_error"})
#: A run has to be paused this soon after a write has failed, in seconds.
PAUSED_WITHIN_S = 5.0
#: One run in ten teaches the demo model.
DEMO_EVERY = 10
DEMO_WAY, TINY_WAY = "demo model, cpu", "cpu, one thread"
_DEADLINE_S = 300.0
_SHIM = Path(__file__).with_name("io_shim.c")


class Board:
    """What the preloaded library and a trial have in common: `struct board` of `io_shim.c`."""

    _LAYOUT = struct.Struct("=6Q464s")
    _MENDED_AT = 32

    def __init__(self, path: Path, fail_at: int = 0, error: int = 0, *, is_short: bool = False) -> None:
        self.path = path
        path.write_bytes(self._LAYOUT.pack(0, fail_at, error, is_short, 0, 0, b""))
        with path.open("r+b") as stream:
            self._map = mmap.mmap(stream.fileno(), self._LAYOUT.size)

    @property
    def count(self) -> int:
        """Writes so far."""
        return int(self._LAYOUT.unpack_from(self._map)[0])

    @property
    def struck_at(self) -> float:
        """When a write failed first, in seconds since 1970; 0 before that."""
        return float(self._LAYOUT.unpack_from(self._map)[5]) / 1e9

    @property
    def what(self) -> str:
        """What failed first."""
        return bytes(self._LAYOUT.unpack_from(self._map)[6]).rstrip(b"\0").decode("utf-8", "replace")

    def mend(self) -> None:
        """Let the disk work again."""
        struct.pack_into("=Q", self._map, self._MENDED_AT, 1)


@dataclass(frozen=True)
class Fault:
    """The write that fails first, from 1, and how."""

    way: str
    number: int
    kind: str


class Faults:
    """Trials over one data directory, each a whole run on a disk that fails once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._taught = Taught(root)
        self._counted: dict[str, int] = {}
        self._shim = root / "io_shim.so"
        command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(self._shim), str(_SHIM), "-ldl"]
        subprocess.run(command, check=True)

    def trial(self, case: Case) -> str | None:
        """Start a run, let its disk fail from some write on, see it pause, mend the disk, compare."""
        fault = self._fault(case)
        reference = self._taught.reference(fault.way)
        error, is_short = KINDS[fault.kind]
        board = Board(self._root / "board", fault.number, error, is_short=is_short)
        jobs = self._jobs(board)
        job = jobs.queue(self._taught.recipe(fault.way))
        run = self._taught.data.run(job)
        try:
            problem = self._paused(jobs, run, board, case)
            board.mend()
            problem = problem or _as_undisturbed(jobs, run, reference)
        finally:
            board.mend()
            end(jobs, job)
        return (
            f"{fault.way}, {fault.kind}, write {fault.number} ({board.what}): {problem}" if problem else None
        )

    def _fault(self, case: Case) -> Fault:
        """The writes of the tiny run in turn, each in every way to fail, so that none is left out."""
        kinds = list(KINDS)
        if case.number % DEMO_EVERY == DEMO_EVERY - 1:
            drawn = case.random.randrange(1, self._writes(DEMO_WAY) + 1)
            return Fault(DEMO_WAY, drawn, case.random.choice(kinds))
        turn, writes = case.number - case.number // DEMO_EVERY, self._writes(TINY_WAY)
        case.note("writes", writes)
        round_, place = divmod(turn, writes)
        number = place * _stride(writes) % writes
        return Fault(TINY_WAY, number + 1, kinds[(round_ + number) % len(kinds)])

    def _writes(self, way: str) -> int:
        """How many writes an undisturbed run takes; counted once."""
        if way not in self._counted:
            board = Board(self._root / "board")
            jobs = self._jobs(board)
            ended = jobs.wait(jobs.queue(self._taught.recipe(way)), _DEADLINE_S)
            assert ended.state is JobState.SUCCEEDED, f"{way}: {ended.state} {ended.reason} {ended.facts}"
            self._counted[way] = board.count
        return self._counted[way]

    def _jobs(self, board: Board) -> Jobs:
        more = {
            "LD_PRELOAD": str(self._shim),
            "ACADEMY_IO_ROOT": str(self._taught.data.runs),
            "ACADEMY_IO_BOARD": str(board.path),
        }
        return Jobs(self._taught.data, Path(sys.executable), environment={**environment(), **more})

    def _paused(self, jobs: Jobs, run: RunDir, board: Board, case: Case) -> str | None:
        """Wait until the run has paused; returns what is wrong with it or with what it leaves alone."""
        summary = until(lambda: _paused_or_over(jobs, run.job), "a pause")
        if summary.state is not JobState.PAUSED:
            if not board.struck_at:
                raise TooLateError
            if summary.state is JobState.SUCCEEDED:  # what failed was not needed, and nothing came after it
                return None
            return f"{summary.state} {summary.reason} {summary.facts}"
        late_s = time.time() - board.struck_at
        case.note("paused_after_s", late_s)
        if late_s > PAUSED_WITHIN_S and not case.patient:
            return f"paused after {late_s:.1f} s"
        return whole(run)


class FullDisk:
    """Trials on a small real disk that something else fills up."""

    _SIZE_BYTES = 192 * 2**20

    def __init__(self, root: Path) -> None:
        self._root = root
        self._taught = Taught(root)

    def trial(self, case: Case) -> str | None:
        """Fill the disk at a random moment, see the run pause, make room, compare."""
        way = DEMO_WAY if case.number % DEMO_EVERY == DEMO_EVERY - 1 else TINY_WAY
        with mounted(self._root / f"disk-{case.number}", self._SIZE_BYTES) as disk:
            reference = self._taught.reference(way)
            data = DataDir(disk / "data").open()
            jobs = Jobs(data, Path(sys.executable), environment=environment())
            job = jobs.queue(self._taught.recipe(way))
            run = data.run(job)
            try:
                time.sleep(case.random.uniform(0, reference.until_training_s + STEPS * reference.step_s))
                ballast = fill(disk)
                summary = until(lambda: _paused_or_over(jobs, job), "a pause")
                if summary.state is JobState.SUCCEEDED:
                    raise TooLateError
                problem = None if summary.reason == "disk_full" else f"{summary.state} {summary.reason}"
                problem = problem or whole(run)
                ballast.unlink()
                return problem or _as_undisturbed(jobs, run, reference)
            finally:
                (disk / "ballast").unlink(missing_ok=True)
                end(jobs, job)


def _stride(count: int) -> int:
    """A number of writes to go on by that meets all of them: the first few trials see the whole run."""
    return next(step for step in range(max(count // 3, 1), count + 2) if _coprime(step, count))


def _coprime(one: int, other: int) -> bool:
    while other:
        one, other = other, one % other
    return one == 1


def _paused_or_over(jobs: Jobs, job: str) -> JobSummary | None:
    summary = jobs.get(job)
    pausing = summary.state is JobState.PAUSED and summary.reason in TROUBLES
    return summary if pausing or summary.state.is_over else None


def whole(run: RunDir) -> str | None:
    """Whether all that stands under a finished name is whole; returns what is not."""
    for path in run.checkpoints.glob("step-*"):
        checkpoint.verify(path)
    for line in run.events.read_bytes().split(b"\n")[:-1] if run.events.exists() else ():
        try:
            parse_line(line)
        except ValueError:
            return f"a torn line in the middle: {line[:80]!r}"
    return None


def _as_undisturbed(jobs: Jobs, run: RunDir, reference: Reference) -> str | None:
    ended = jobs.wait(run.job, _DEADLINE_S)
    if ended.state is not JobState.SUCCEEDED:
        return f"the run is {ended.state} {ended.reason} {ended.facts}"
    if ended.attempt != 1:
        return f"attempt {ended.attempt}"
    if len(jobs.history(run.job).steps) != STEPS or not reference.is_beginning(jobs, run.job):
        return "losses, gradients or rates differ from those of an undisturbed run"
    if adapter_sha256(run) != reference.adapter:
        return "the adapter differs from that of an undisturbed run"
    return f"left behind: {left}" if (left := unfinished(run.path)) else whole(run)


def end(jobs: Jobs, job: str) -> None:
    """Leave no run behind that goes on."""
    if not jobs.get(job).state.is_over:
        jobs.kill(job)
        jobs.wait(job)


@contextmanager
def mounted(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A real disk of its own, in memory."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    subprocess.run(command, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room that there is on a disk; returns the file that has it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        for size in (2**20, 2**12):
            try:
                while True:
                    stream.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return ballast


def lacks_compiler() -> str:
    """What this computer lacks for a disk that fails; empty: nothing."""
    if sys.platform != "linux":
        return "only Linux lets a library be preloaded so"
    return "" if shutil.which("cc") else "there is no C compiler (cc)"


def lacks_disk() -> str:
    """What this computer lacks for a small disk; empty: nothing."""
    return "" if sys.platform == "linux" and os.geteuid() == 0 else "only root can mount a disk"


def failing(root: Path) -> Trial:
    """Runs whose disk fails at each of their writes."""
    return Faults(root).trial


def full(root: Path) -> Trial:
    """Runs whose disk is full."""
    return FullDisk(root).trial
