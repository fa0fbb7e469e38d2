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

CommandName = Literal["stop", "save", "suspend", "pause", "unpause", "kill"]


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


class HostRecord(Record):
    """`host.json`, written by the host at each change."""

    state: Literal["waiting", "running", "ended"]
    pid: int
    started_at: float
    boot_id: str = ""
    trainer_pid: int | None = None
    trainer_started_at: float | None = None
    stalled: Literal["", "process_stopped", "no_progress"] = ""


class ExitRecord(Record):
    """`exit.json`, written by the host once the trainer is gone."""

    reason: Literal["exited", "signalled", "stopped_in_queue", "not_started"]
    exit_code: int | None = None
    signal: str | None = None
    message: str = ""
    peak_rss_bytes: int | None = None
    ended_at: float


class Command(Record):
    """`commands/<id>.json`, written by the app for one attempt."""

    id: str
    attempt: int
    command: CommandName
    created_at: float


class Label(Record):
    """`label.json`, written by the app: what the user calls the job."""

    name: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()


class Adjusted(Record):
    """`adjusted.json`, written by the trainer: what the guards changed in the recipe of this run.

    `rate_factor` times the recipe's learning rate is trained with; `batch_size` rows are computed at once, if
    given, with as many batches per step as keep the step the same.
    """

    rate_factor: float = Field(1.0, gt=0.0, le=1.0)
    rollbacks: int = Field(0, ge=0)
    batch_size: int | None = Field(None, ge=1)
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

    def attempt(self, number: int) -> AttemptDir:
        """The folder of attempt `number`, whether it exists or not."""
        return AttemptDir(self.attempts / str(number))

    def last_attempt(self) -> AttemptDir | None:
        """The newest attempt that has a launch order, or None."""
        launched = [number for number in self.attempt_numbers() if self.attempt(number).launch.is_file()]
        return self.attempt(max(launched)) if launched else None

    def attempt_numbers(self) -> list[int]:
        """The numbers of all attempts that have a folder."""
        try:
            names = [entry.name for entry in self.attempts.iterdir()]
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
