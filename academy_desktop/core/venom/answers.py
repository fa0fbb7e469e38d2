"""What a Venom server answers, as far as it is used here.

Owns the shapes. Unknown fields are ignored, for servers grow; refuses to know how the answers came.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

#: A model that Venom made from an adapter is called by this and the adapter's id.
CHAT_PREFIX = "venom-adapter-"


class Answer(BaseModel):
    """A JSON object of the server."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Adapter(Answer):
    """One row of the server's list of adapters."""

    adapter_id: str
    adapter_path: str = ""
    base_model: str = ""
    created_at: str = ""
    training_params: dict[str, Any] = {}
    target_runtime: str | None = None
    source_flow: str | None = None
    metadata_status: str = "canonical"
    metadata_reason_code: str | None = None
    is_active: bool = False


class Gpu(Answer):
    """One graphics card of the server; sizes in MiB."""

    name: str = ""
    memory_total_mb: float | None = None
    memory_used_mb: float | None = None
    utilization_percent: float | None = None


class Gpus(Answer):
    """The server's graphics cards, as far as it tells."""

    available: bool = False
    gpus: tuple[Gpu, ...] = ()


class LessonCount(Answer):
    """How much the server has learned from its tasks."""

    total_lessons: int = 0


class JobCounts(Answer):
    """The trainings that the server does itself."""

    total: int = 0
    running: int = 0
    finished: int = 0
    failed: int = 0


class ServerJob(Answer):
    """One training that the server did itself; the times in ISO 8601."""

    job_id: str
    job_name: str | None = None
    status: str
    base_model: str | None = None
    started_at: str | None = None
    finished_at: str | None = None


class ServerJobs(Answer):
    """Trainings of the server, the newest first."""

    jobs: tuple[ServerJob, ...] = ()


class AcademyStatus(Answer):
    """Whether the server's Academy is on, which of its parts are there, and what is going on in it."""

    enabled: bool
    components: dict[str, bool] = {}
    gpu: Gpus = Gpus()
    lessons: LessonCount = LessonCount()
    jobs: JobCounts = JobCounts()


class ActiveModel(Answer):
    """What the server's chat uses."""

    active_server: str | None = None
    active_model: str | None = None
    runtime_id: str | None = None

    @property
    def runtime(self) -> str:
        """The bare name of the runtime, such as `ollama`."""
        return (self.active_server or self.runtime_id or "").partition("@")[0]


class Runtime(Answer):
    """One runtime that the server knows; None where it does not say."""

    runtime_id: str
    available: bool | None = None
    adapter_deploy_supported: bool | None = None
    reason: str | None = None


class RuntimeOptions(Answer):
    """All runtimes."""

    runtimes: tuple[Runtime, ...] = ()


class ServerModel(Answer):
    """One model of the server."""

    name: str
    provider: str | None = None


class ServerModels(Answer):
    """All models of the server."""

    models: tuple[ServerModel, ...] = ()

    def of(self, runtime: str) -> tuple[str, ...]:
        """The names of a runtime's models, without those that were made from adapters."""
        names = [model.name for model in self.models if model.provider == runtime]
        return tuple(name for name in names if not name.startswith(CHAT_PREFIX))


class AuditItem(Answer):
    """The server's verdict on one adapter; `category` is `compatible` or says what is wrong."""

    adapter_id: str
    base_model: str | None = None
    category: str = ""
    reason_code: str | None = None


class Audit(Answer):
    """The server's verdicts."""

    adapters: tuple[AuditItem, ...] = ()


class Signed(Answer):
    """The server has signed an adapter."""

    success: bool
    adapter_id: str


class Activated(Answer):
    """How an activation went; a server that cannot deploy leaves `deployed` out."""

    success: bool
    deployed: bool | None = None
    chat_model: str | None = None
    reason: str | None = None


class Deactivated(Answer):
    """How a deactivation went; `success` is false when no adapter was active."""

    success: bool
    rolled_back: bool = False
    reason: str | None = None


class Lessons(Answer):
    """What a server has learned from its tasks; each lesson is a record as it stands."""

    lessons: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Said:
    """What the chat said, read from a stream of server-sent events; `trouble` where it ended in an error."""

    text: str
    trouble: str = ""

    @classmethod
    def of(cls, stream: bytes) -> Said:
        """Put the pieces of a stream together; what is no event of the chat is passed over."""
        text, trouble = "", ""
        for block in stream.decode(errors="replace").replace("\r\n", "\n").split("\n\n"):
            fields = dict(_field(line) for line in block.splitlines())
            content = _object(fields.get("data", ""))
            match fields.get("event"):
                case "content":
                    text += str(content.get("text") or "")
                case "error":
                    trouble = str(content.get("code") or content.get("message") or "error")
        return cls(text.strip(), trouble)


@dataclass(frozen=True)
class Features:
    """What the server can do, by the paths that it has; servers name no useful version."""

    audit: bool
    sign: bool
    deploy: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of what it lacks."""
        return tuple(name for name in ("audit", "sign", "deploy") if not getattr(self, name))


def same_model(one: str | None, other: str | None) -> bool:
    """Whether two names mean the same model: Ollama leaves out `:latest` or not."""
    return (one or "").removesuffix(":latest") == (other or "").removesuffix(":latest")


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


def _object(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
