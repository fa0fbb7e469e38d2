"""What a job says: one JSON object per line of `events.jsonl`.

Events are frozen; units stand in the names; values are raw (smoothing is the view's business). A reader keeps
an event of unknown type as `Unknown` and refuses another major version. Refuses to know who reads them.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from trainers.errors import AcademyError, ErrorCode

EVENTS_VERSION: Final = 1

FactValue = str | int | float | bool | None


class Payload(BaseModel):
    """What one event carries. Unknown fields are ignored, so that a newer trainer can add some."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")
    event_type: ClassVar[str]


class Started(Payload):
    """The trainer knows what it will do: first event of an attempt that got as far as loading the model."""

    event_type: ClassVar[str] = "started"
    kind: Literal["train", "export", "certify", "evaluate"]
    engine: str | None = None
    reason: str = ""
    device: Literal["cpu", "cuda"] = "cpu"
    device_name: str = ""
    precision: str = ""
    threads: int = 0
    total_steps: int = 0
    num_epochs: int = 0
    train_rows: int = 0
    eval_rows: int = 0
    trainable_parameters: int = 0
    supervised_tokens: int = Field(0, description="Supervised tokens in one epoch.")


class Resumed(Payload):
    """The attempt goes on from a checkpoint; steps after `from_step` of earlier attempts are superseded."""

    event_type: ClassVar[str] = "resumed"
    from_step: int
    checkpoint: str | None = None
    exact: bool = True
    reason: str = Field("", description="Why the run is not the same to the bit; empty when it is.")


class Phase(Payload):
    """What the trainer is doing now."""

    event_type: ClassVar[str] = "phase"
    name: Literal["loading", "rendering", "training", "evaluating", "saving", "merging", "writing", "proving"]
    detail: str = ""


class Progress(Payload):
    """How far the present phase is."""

    event_type: ClassVar[str] = "progress"
    done: int
    total: int
    unit: Literal["bytes", "rows", "tensors", "steps"]


class Step(Payload):
    """One optimizer update. `loss` is the mean over its `supervised_tokens`, in nats."""

    event_type: ClassVar[str] = "step"
    step: int
    total_steps: int
    epoch: float
    loss: float
    learning_rate: float
    grad_norm: float | None = None
    supervised_tokens: int
    tokens: int
    step_s: float
    eta_s: float | None = None
    rss_bytes: int = 0
    device_memory_bytes: int | None = None
    reward_chosen: float | None = Field(None, description="Preferences: mean of the better answers.")
    reward_rejected: float | None = Field(None, description="Preferences: mean of the worse answers.")
    reward_margin: float | None = Field(None, description="How far the better answers are ahead.")
    reward_accuracy: float | None = Field(None, description="Share of pairs in the right order.")


class Evaluated(Payload):
    """Loss over the held-out rows, mean over their `supervised_tokens`, in nats; rewards as in a step."""

    event_type: ClassVar[str] = "evaluation"
    step: int
    loss: float
    supervised_tokens: int
    seconds: float
    reward_chosen: float | None = None
    reward_rejected: float | None = None
    reward_margin: float | None = None
    reward_accuracy: float | None = None


class Sampled(Payload):
    """The answer to one of the fixed questions: the base's (of step 0), or the model's after a step."""

    event_type: ClassVar[str] = "sampled"
    step: int
    index: int = Field(description="Which question, from 0.")
    by: Literal["base", "tuned"]
    prompt: str = Field(description="What was asked last; cut, with a mark, where it is long.")
    answer: str = Field(description="Greedy; cut, with a mark, where it is long.")
    ended: bool = Field(description="Whether the model came to an end within the tokens that it may use.")
    expected: str = Field("", description="What the dataset answers; empty where nobody knows.")
    seconds: float = Field(description="Its share of the time that answering took.")


class Forgetting(Payload):
    """Loss over everyday questions that are the same for all runs, and that of the base (at step 0)."""

    event_type: ClassVar[str] = "forgetting"
    step: int
    loss: float
    base_loss: float
    supervised_tokens: int
    seconds: float


class CheckpointSaved(Payload):
    """A checkpoint is complete on disk."""

    event_type: ClassVar[str] = "checkpoint"
    step: int
    path: str = Field(description="Relative to the run directory.")
    size_bytes: int
    seconds: float


class CheckpointSkipped(Payload):
    """A checkpoint was not used, and why."""

    event_type: ClassVar[str] = "checkpoint_skipped"
    path: str
    code: str
    facts: dict[str, FactValue] = {}


class Nonfinite(Payload):
    """A loss or gradient was not finite; no optimizer step was taken with it."""

    event_type: ClassVar[str] = "nonfinite"
    step: int
    what: Literal["loss", "gradient"]


class CommandAnswered(Payload):
    """The answer to a command file."""

    event_type: ClassVar[str] = "command"
    id: str
    command: str
    outcome: Literal["accepted", "done", "refused"]
    code: str = ""
    reason: str = ""


class Warned(Payload):
    """Something the user should know; the run goes on."""

    event_type: ClassVar[str] = "warning"
    code: str
    facts: dict[str, FactValue] = {}


class Exported(Payload):
    """One export is complete and in place."""

    event_type: ClassVar[str] = "exported"
    path: str = Field(description="Relative to the parent's run directory.")
    format: str
    quant: str
    size_bytes: int
    sha256: str
    seconds: float
    peak_rss_bytes: int


class Certified(Payload):
    """The verdict on one export; the whole certificate lies beside the file."""

    event_type: ClassVar[str] = "certified"
    path: str = Field(description="Relative to the parent's run directory.")
    certificate: str
    passed: bool


class Answered(Payload):
    """Scores of one evaluation target; the rows are in the job's `evaluation.json`."""

    event_type: ClassVar[str] = "answered"
    target: str
    rows: int
    exact_match: float
    end_of_turn_rate: float
    seconds: float


class Ended(Payload):
    """The last event of an attempt that ended by itself."""

    event_type: ClassVar[str] = "ended"
    state: Literal["succeeded", "stopped", "failed"]
    reason: str = Field(
        "",
        description="stopped: user or suspended; failed: an error code; succeeded: stopped_early or empty.",
    )
    facts: dict[str, FactValue] = {}
    step: int = 0
    loss: float | None = None
    seconds: float | None = Field(None, description="from the attempt's begin to this event")
    duties_s: dict[str, float] = Field(
        {}, description="of these, on events, commands, checkpoints and the heartbeat"
    )


T = TypeVar("T", bound=str)
P = TypeVar("P", bound=Payload)


class Event(BaseModel, Generic[T, P]):
    """One line: version, place in the sequence, attempt, time in seconds since 1970, payload."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    v: Literal[1] = EVENTS_VERSION
    seq: int = Field(ge=1)
    attempt: int = Field(ge=1)
    t: float
    type: T
    payload: P


class Unknown(BaseModel):
    """An event of a type that this version does not know: kept, shown to nobody."""

    model_config = ConfigDict(frozen=True)
    v: int
    seq: int
    attempt: int
    t: float
    type: str
    payload: dict[str, Any]


KnownEvent = (
    Event[Literal["started"], Started]
    | Event[Literal["resumed"], Resumed]
    | Event[Literal["phase"], Phase]
    | Event[Literal["progress"], Progress]
    | Event[Literal["step"], Step]
    | Event[Literal["evaluation"], Evaluated]
    | Event[Literal["sampled"], Sampled]
    | Event[Literal["forgetting"], Forgetting]
    | Event[Literal["checkpoint"], CheckpointSaved]
    | Event[Literal["checkpoint_skipped"], CheckpointSkipped]
    | Event[Literal["nonfinite"], Nonfinite]
    | Event[Literal["command"], CommandAnswered]
    | Event[Literal["warning"], Warned]
    | Event[Literal["exported"], Exported]
    | Event[Literal["certified"], Certified]
    | Event[Literal["answered"], Answered]
    | Event[Literal["ended"], Ended]
)
AnyEvent = KnownEvent | Unknown
EVENT: TypeAdapter[KnownEvent] = TypeAdapter(Annotated[KnownEvent, Field(discriminator="type")])


def parse_line(line: bytes) -> AnyEvent:
    """Parse one complete line.

    Raises:
        AcademyError: `protocol_newer` for another major version.
        ValueError: the line is not an event at all (a torn or damaged line).
    """
    try:
        raw = json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("v"), int):
        raise ValueError("not an event")
    if raw["v"] != EVENTS_VERSION:
        raise AcademyError(ErrorCode.PROTOCOL_NEWER, found=raw["v"], known=EVENTS_VERSION)
    try:
        return EVENT.validate_python(raw)
    except ValidationError as error:
        if any(problem["type"] == "union_tag_invalid" for problem in error.errors()):
            return Unknown.model_validate(raw)
        raise ValueError(str(error)) from error
