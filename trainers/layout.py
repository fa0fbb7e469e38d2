"""Where everything lies in a run directory, and the small records that its writers leave there.

Owns names and shapes of files; each has exactly one writer (PROTOCOL.md). Refuses to know what is done with
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from trainers.files import replace_whole

PROTOCOL_VERSION: Final = 1

CommandName = Literal["stop", "save", "suspend", "pause", "unpause", "sample", "kill", "anyway"]
#: Which of the user's rules makes a job wait.
Held = Literal["", "quiet_hours", "on_battery", "too_hot"]
#: What a job is for that is no run of the user's: it is kept apart from those.
Purpose = Literal["", "rehearsal", "trial"]


class Record(BaseModel):
    """A small JSON file; unknown fields are ignored, so that a newer writer can add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    v: Literal[1] = PROTOCOL_VERSION


class Launch(Record):
    """`launch.json`, written by the app: all that the host needs to know to start a trainer."""

    job: str
    attempt: int
    argv: tuple[str, ...]
    cwd: str
    environment: dict[str, str]
    queue_dir: str | None
    queue_entry: str | None
    log_segment_bytes: int = 4 * 1024 * 1024
    log_segments: int = 16
    stop_grace_s: float = 30.0
    patience_s: float = 60.0
    memory_retries: int = 0
    rules: str | None = None


class HostRecord(Record):
    """`host.json`, written by the host at each change."""

    state: Literal["waiting", "running", "ended"]
    pid: int
    started_at: float
    boot_id: str = ""
    trainer_pid: int | None = None
    trainer_started_at: float | None = None
    stalled: Literal["", "process_stopped", "no_progress", "disk_full", "disk_error"] = ""
    held: Held = ""
    held_until: float | None = None
    gpu_celsius: float | None = None
    gpu_watts: float | None = None


class ExitRecord(Record):
    """`exit.json`, written by the host once the trainer is gone."""

    reason: Literal["exited", "signalled", "stopped_in_queue", "not_started"]
    exit_code: int | None = None
    signal: str | None = None
    message: str = ""
    peak_rss_bytes: int | None = None
    out_of_memory: bool = False
    ended_at: float


class Command(Record):
    """`commands/<id>.json`, written by the app for one attempt, or by the host, by a rule of the user's."""

    id: str
    attempt: int
    command: CommandName
    created_at: float
    by: Literal["app", "host"] = "app"
    reason: Held = ""


class QuietHours(Record):
    """Hours of the local day, over midnight too; `days` (0 is Monday) are those on which they begin."""

    begins: str = Field("22:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    ends: str = Field("07:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    days: tuple[int, ...] = tuple(range(7))


class Considerate(Record):
    """`considerate.json`, written by the app: when jobs have to wait although their device is free.

    `way`: what becomes of a run in progress: `pause` keeps the memory, `suspend` saves and gives it back.
    """

    quiet_hours: QuietHours | None = None
    pause_on_battery: bool = False
    most_celsius: int | None = Field(None, ge=40, le=110)
    way: Literal["pause", "suspend"] = "pause"


class ShutdownRequest(Record):
    """`queue/shutdown.json`, made by the app: the computer shall be shut down once no job is left.

    It holds for this start of the machine only. `jobs`: those that were not over when it was made.
    """

    asked_at: float
    boot_id: str = ""
    jobs: tuple[str, ...] = ()
    countdown_s: float = Field(60.0, ge=0.0)


class ShutdownRecord(Record):
    """`queue/shutdown.state.json`, written by the host that carries the request out."""

    state: Literal["waiting", "counting", "now", "called_off", "failed"]
    asked_at: float
    at: float | None = None
    job: str = ""
    detail: str = ""


class Label(Record):
    """`label.json`, written by the app: what the user calls the job, and what else than a run it is for."""

    name: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    purpose: Purpose = Field("", exclude_if=lambda purpose: not purpose)


class Adjusted(Record):
    """`adjusted.json`, written by the trainer: what the guards changed in the recipe of this run.

    `rate_factor` times the recipe's learning rate is trained with; `batch_size` rows are computed at once, if
    given, with as many batches per step as keep the step the same; our own engine computes `tokens_share` of
    its usual tokens at once, at 0 row by row.
    """

    rate_factor: float = Field(1.0, gt=0.0, le=1.0)
    rollbacks: int = Field(0, ge=0)
    batch_size: int | None = Field(None, ge=1)
    tokens_share: float = Field(1.0, ge=0.0, le=1.0)
    memory_retries: int = Field(0, ge=0)


class FileEntry(Record):
    """One file of a manifest."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(Record):
    """`manifest.json`, the last file of a checkpoint: it is complete when this is there and agrees."""

    step: int
    files: tuple[FileEntry, ...]


@dataclass(frozen=True)
class AttemptDir:
    """One start of a job: `attempts/<n>/`."""

    path: Path

    @property
    def number(self) -> int:
        """The attempt's number, from 1."""
        return int(self.path.name)

    @property
    def launch(self) -> Path:
        """The app's order."""
        return self.path / "launch.json"

    @property
    def environment(self) -> Path:
        """The trainer's versions, device, threads and seed."""
        return self.path / "environment.json"

    @property
    def host(self) -> Path:
        """The host's record."""
        return self.path / "host.json"

    @property
    def exit(self) -> Path:
        """How the trainer ended."""
        return self.path / "exit.json"


@dataclass(frozen=True)
class RunDir:
    """`runs/<job id>/`."""

    path: Path

    @property
    def job(self) -> str:
        """The job's id."""
        return self.path.name

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def label(self) -> Path:
        """What the user calls the job."""
        return self.path / "label.json"

    @property
    def events(self) -> Path:
        """The trainer's events, one JSON object per line."""
        return self.path / "events.jsonl"

    @property
    def attempts(self) -> Path:
        """The folder of attempts."""
        return self.path / "attempts"

    @property
    def log(self) -> Path:
        """The folder of log segments."""
        return self.path / "log"

    @property
    def adjusted(self) -> Path:
        """What the guards changed in the recipe."""
        return self.path / "adjusted.json"

    @property
    def heartbeat(self) -> Path:
        """The trainer's mapped heartbeat."""
        return self.path / "heartbeat"

    @property
    def reserve(self) -> Path:
        """Room on the disk that is given up for the last words."""
        return self.path / ".reserve"

    @property
    def host_lock(self) -> Path:
        """Held by the living host."""
        return self.path / "host.lock"

    @property
    def commands(self) -> Path:
        """The folder of commands."""
        return self.path / "commands"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        """The trained adapter in PEFT layout."""
        return self.path / "adapter"

    @property
    def exports(self) -> Path:
        """Finished exports."""
        return self.path / "exports"

    @property
    def evaluation(self) -> Path:
        """The rows of an evaluation job."""
        return self.path / "evaluation.json"

    @property
    def rehearsal(self) -> Path:
        """What a rehearsal came to."""
        return self.path / "rehearsal.json"

    def attempt(self, number: int) -> AttemptDir:
        """The folder of attempt `number`, whether it exists or not."""
        return AttemptDir(self.attempts / str(number))

    def last_attempt(self) -> AttemptDir | None:
        """The newest attempt that has a launch order, or None."""
        launched = [number for number in self.attempt_numbers() if self.attempt(number).launch.is_file()]
        return self.attempt(max(launched)) if launched else None

    def attempt_numbers(self) -> list[int]:
        """The numbers of all attempts that have a folder."""
        if self.attempts.is_symlink():  # it leads out of the run directory
            return []
        try:
            names = [entry.name for entry in self.attempts.iterdir() if not entry.is_symlink()]
        except OSError:
            return []
        return [number for name in names if (number := whole_number(name)) is not None]


def whole_number(name: str) -> int | None:
    """Return the number that a name is, or None: `007` and the digits of other scripts are none."""
    return int(name) if name.isascii() and name.isdigit() and not name.startswith("0") else None


def write_atomically(path: Path, content: bytes) -> None:
    """As `trainers.files.replace_whole`; the folder is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(path, content)


def write_record(path: Path, record: Record) -> None:
    """Write a record as one JSON file, atomically."""
    write_atomically(path, record.model_dump_json(indent=1).encode() + b"\n")
