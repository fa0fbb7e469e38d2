"""Reads one run directory: gathers the facts, derives the state, sums up the job.

Owns the order in which the facts are read. Refuses to write anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from academy_desktop.core.history import EventTail, History
from academy_desktop.core.states import Facts, JobState, Verdict, derive
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent, FactValue
from trainers.files import read_regular
from trainers.heartbeat import read_heartbeat
from trainers.inbox import Inbox
from trainers.layout import (
    PROTOCOL_VERSION,
    AttemptDir,
    ExitRecord,
    HostRecord,
    Label,
    Purpose,
    Record,
    RunDir,
)
from trainers.locks import is_held
from trainers.recipe import CertifyRecipe, EvaluateRecipe, ExportRecipe, TrainRecipe
from trainers.recipe_file import read_recipe
from trainers.space import Trouble, disk_of

R = TypeVar("R", bound=Record)
_STOPS = frozenset({"stop", "suspend"})
_TROUBLES = frozenset(get_args(Trouble))


class JobSummary(BaseModel):
    """One row of the job list. Times in seconds since 1970; losses in nats per supervised token.

    `kind` is the recipe's; of a training job that has another purpose than to train, that purpose, which what
    is made of it has as well.

    `reason` says why in a word of the protocol; `facts` are what a failure's sentence needs.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    name: str
    kind: str
    parent: str | None
    state: JobState
    reason: str
    facts: dict[str, FactValue]
    attempt: int
    created_at: float
    started_at: float | None
    ended_at: float | None
    step: int
    total_steps: int
    loss: float | None
    eval_loss: float | None
    tokens_per_s: float | None
    eta_s: float | None
    run_dir: str
    purpose: Purpose = ""
    gpu_celsius: float | None = None
    gpu_watts: float | None = None


class RunReader:
    """Follows one run directory; each call of `refresh` reads only what is new.

    Attributes:
        run: the run directory.
        history: what the events so far add up to.
    """

    def __init__(self, run: RunDir, clock: Callable[[], float] = time.time) -> None:
        self.run = run
        self.history = History()
        self._tail = EventTail(run.events)
        self._clock = clock
        self._kind: str | None = None
        self._parent: str | None = None
        self._recipe_name = ""
        self._inbox: Inbox | None = None
        self._inbox_attempt = 0
        self._stops: list[str] = []
        self._exit: ExitRecord | None = None
        self._host: HostRecord | None = None
        self._attempt: AttemptDir | None = None
        self._needed_bytes: int | None = None

    def refresh(self) -> tuple[JobSummary, list[AnyEvent]]:
        """Read what is new: the job as it is now, and the events that came since the last call.

        Raises:
            AcademyError: `protocol_newer`.
        """
        facts, events = self._gather()
        return self._sum_up(derive(facts)), events

    def _gather(self) -> tuple[Facts, list[AnyEvent]]:
        """Collect the facts in the order that makes them agree.

        The lock first: once it is free, all that host and trainer ever wrote is there to be read. The host's
        records before the events: a trainer that has exited has said its last.
        """
        self._attempt = attempt = self.run.last_attempt()
        if attempt is None:
            return Facts(launched=False), self._read_events()
        alive = is_held(self.run.host_lock)
        self._exit = read_if_whole(attempt.exit, ExitRecord)
        host = read_if_whole(attempt.host, HostRecord)
        events = self._read_events()
        current = self.history.attempt == attempt.number
        ended = self.history.ended if current else None
        facts = Facts(
            ended=ended.state if ended else None,
            ended_reason=ended.reason if ended else "",
            exit=self._exit,
            host_alive=alive,
            host_state=host.state if host else None,
            launch_age_s=self._age(attempt.launch),
            stop_pending=self._stop_pending(attempt.number),
            started=current and self.history.started is not None,
            paused=current and self.history.paused,
            stalled=host.stalled if host else "",
            held=host.held if host else "",
            waits=self._waits(host) if alive else "",
        )
        self._host = host
        newest = self.run.last_attempt()
        if newest is not None and newest.number != attempt.number:  # its host has begun the next meanwhile
            facts, more = self._gather()
            return facts, events + more
        return facts, events

    def _waits(self, host: HostRecord | None) -> str:
        """What keeps the disk from taking what the job writes: said by its heartbeat, which needs no disk."""
        self._needed_bytes = None
        if host is None or host.state == "ended":
            return ""
        if host.stalled in _TROUBLES:  # the trainer is not started yet
            return host.stalled
        if host.state != "running":  # the heartbeat is an earlier attempt's
            return ""
        beat = read_heartbeat(self.run.heartbeat)
        if beat is None or beat.waits is None or beat.t < (host.trainer_started_at or 0.0):
            return ""
        trouble, self._needed_bytes = beat.waits
        return trouble

    def _read_events(self) -> list[AnyEvent]:
        events = self._tail.read_new()
        self.history.fold_all(events)
        return events

    def _age(self, path: Path) -> float:
        try:
            return self._clock() - path.stat().st_mtime
        except OSError:  # the job is being deleted, or damaged
            return 0.0

    def _stop_pending(self, attempt: int) -> bool:
        """Whether a stop of this attempt was given and not refused; once accepted it holds until the end."""
        if self._inbox is None or self._inbox_attempt != attempt:
            self._inbox, self._inbox_attempt = Inbox(self.run.commands, attempt), attempt
            self._stops = []
        self._stops += [order.id for order in self._inbox.new() if order.name in _STOPS]
        answers = self.history.answers
        return any(one not in answers or answers[one].outcome != "refused" for one in self._stops)

    def _sum_up(self, verdict: Verdict) -> JobSummary:
        self._read_recipe()
        history = self.history
        label = read_if_whole(self.run.label, Label)
        over = verdict.state.is_over
        ended = history.ended if over and self._newest_has_spoken() else None
        return JobSummary(
            id=self.run.job,
            name=(label.name if label else "") or self._recipe_name,
            kind=(label.purpose if label and self._kind == "train" else "") or self._kind or "unknown",
            parent=self._parent,
            state=verdict.state,
            reason=verdict.reason,
            facts=self._failure_facts(verdict) if ended is None else ended.facts,
            attempt=self._attempt.number if self._attempt else 0,
            created_at=created_at(self.run.job),
            started_at=history.started_at,
            ended_at=self._ended_at() if over else None,
            step=history.step,
            total_steps=history.total_steps,
            loss=history.loss,
            eval_loss=history.eval_loss,
            tokens_per_s=history.tokens_per_s,
            eta_s=None if over else history.eta_s,
            run_dir=str(self.run.path),
            purpose=label.purpose if label else "",
            gpu_celsius=self._host.gpu_celsius if self._host and not over else None,
            gpu_watts=self._host.gpu_watts if self._host and not over else None,
        )

    def _failure_facts(self, verdict: Verdict) -> dict[str, FactValue]:
        if verdict.state is JobState.PAUSED and verdict.reason in _TROUBLES:
            return {"path": str(disk_of(self.run.path)), "needed_bytes": self._needed_bytes}
        if verdict.reason == ErrorCode.OUT_OF_MEMORY:
            return {}
        if self._host is not None and self._host.held and verdict.reason == self._host.held:
            return {"until": self._host.held_until}
        if verdict.state is not JobState.FAILED or self._exit is None:
            return {}
        if self._exit.reason == "not_started":
            return {"job": self.run.job, "detail": self._exit.message}
        return {"detail": f"exit code {self._exit.exit_code}"}

    def _newest_has_spoken(self) -> bool:
        """Whether the newest attempt said something: if not, the last words are an earlier one's."""
        return self._attempt is None or self.history.attempt == self._attempt.number

    def _ended_at(self) -> float | None:
        if self.history.ended_at is not None and self._newest_has_spoken():
            return self.history.ended_at
        return self._exit.ended_at if self._exit else self.history.last_at

    def _read_recipe(self) -> None:
        """Read kind, parent and name once: a recipe never changes."""
        if self._kind is not None:
            return
        try:
            recipe = read_recipe(self.run.recipe)
        except AcademyError:
            return  # a later version's, or damaged: the job is still listed, as of unknown kind
        self._kind, self._recipe_name = recipe.kind, recipe.name
        match recipe:
            case TrainRecipe():
                self._parent = None
            case ExportRecipe() | CertifyRecipe() | EvaluateRecipe():
                self._parent = recipe.parent


def created_at(job: str) -> float:
    """When a job was queued, from its id, in seconds since 1970; 0 for a name that is no id."""
    try:
        return datetime.strptime(job[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def read_if_whole(path: Path, record: type[R]) -> R | None:
    """Read a record; None when it is not there or damaged.

    Raises:
        AcademyError: `protocol_newer`.
    """
    try:
        return record.model_validate_json(read_regular(path))
    except OSError:
        return None
    except ValidationError as error:
        for problem in error.errors():
            if problem["loc"] == ("v",) and isinstance(found := problem["input"], int):
                raise AcademyError(
                    ErrorCode.PROTOCOL_NEWER, path=str(path), found=found, known=PROTOCOL_VERSION
                ) from error
        return None
