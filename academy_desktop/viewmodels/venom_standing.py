"""How one Venom server stands, in words: a badge, what is in the way, what it uses, which adapters it has.

Owns the way from a report to what a person reads. Refuses to know widgets and how a server is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from academy_desktop.core.venom.answers import Adapter, Gpu, ServerJob
from academy_desktop.core.venom.connections import Connection
from academy_desktop.core.venom.journal import Entry
from academy_desktop.core.venom.names import DEFAULT_RUNTIME
from academy_desktop.core.venom.report import Report
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description
from academy_desktop.text.venom_window import VenomWindowWords
from academy_desktop.viewmodels.records import Tone
from trainers.errors import ErrorCode

Mark = Literal["ok", "warn", "none"]

#: Troubles that are no fault of the server.
FOLDER_TROUBLES = frozenset(
    {
        ErrorCode.VENOM_WITHOUT_FOLDER,
        ErrorCode.VENOM_FOLDER_MISSING,
        ErrorCode.VENOM_FOLDER_NOT_WRITABLE,
    }
)

#: Troubles that end once the user types a secret.
SECRET_TROUBLES = frozenset({ErrorCode.VENOM_SSH_SECRET_NEEDED, ErrorCode.VENOM_SSH_PASSPHRASE_WRONG})

#: Troubles of the way over Venom's Ollama.
OLLAMA_TROUBLES = frozenset(
    {
        ErrorCode.VENOM_OLLAMA_UNREACHABLE,
        ErrorCode.VENOM_OLLAMA_INVALID,
        ErrorCode.VENOM_OLLAMA_REFUSED,
        ErrorCode.VENOM_OLLAMA_NO_ADAPTERS,
        ErrorCode.VENOM_OLLAMA_OTHER,
    }
)

#: What the server calls its parts → words; others are told as they are.
PARTS = {
    "professor": N_("professor"),
    "dataset_curator": N_("dataset curator"),
    "gpu_habitat": N_("GPU habitat"),
    "lessons_store": N_("lessons store"),
    "model_manager": N_("model manager"),
}

#: How a training of the server stands → words; others are told as they are.
JOB_STATES = {
    "queued": N_("waiting"),
    "preparing": N_("beginning"),
    "running": N_("running"),
    "finished": N_("finished"),
    "failed": N_("failed"),
    "cancelled": N_("cancelled"),
}

#: What a push asks of a server → words.
ABILITIES = {
    "audit": N_("checking an adapter"),
    "sign": N_("signing it"),
    "deploy": N_("activating it"),
}

#: What the server's audit finds wrong with an adapter.
VERDICTS = {
    "blocked_unknown_base": N_("its base model is not known there"),
    "blocked_mismatch": N_("made for another model"),
}

#: The audit's verdict in a word, and its colour.
VERDICT_WORDS: dict[str, tuple[str, Tone]] = {
    "compatible": (N_("Accepted"), "neutral"),
    "blocked_unknown_base": (N_("Unknown base"), "warning"),
    "blocked_mismatch": (N_("Other model"), "warning"),
}


@dataclass(frozen=True)
class StandingLine:
    """One thing that was looked at: `Academy`, `On`, and whether that is well."""

    label: str
    value: str
    mark: Mark = "none"
    is_path: bool = False


@dataclass(frozen=True)
class AdapterLine:
    """One adapter on the server.

    Attributes:
        can_use: the server would let its chat use it.
        can_remove: it can be taken off the server from here.
        was_active: it was active before, by us.
        verdict: what the server's audit says of it, in a word; empty where it was not asked.
    """

    name: str
    detail: str
    is_active: bool
    can_use: bool = False
    can_remove: bool = False
    was_active: bool = False
    verdict: str = ""
    tone: Tone = "neutral"


@dataclass(frozen=True)
class Standing:
    """All that is shown of a server.

    Attributes:
        can_place, can_activate: what a push could do there.
        lessons: how many it has learned.
        needs_secret: the user has to type a password or passphrase first.
    """

    badge: str
    tone: Tone
    troubles: tuple[Description, ...] = ()
    lines: tuple[StandingLine, ...] = ()
    adapters: tuple[AdapterLine, ...] = ()
    active_adapter: str = ""
    back_to: str = ""
    can_place: bool = False
    can_activate: bool = False
    lessons: int = 0
    needs_secret: bool = False


class Standings:
    """Says how servers stand, in one language."""

    def __init__(self, words: VenomWindowWords, formats: Formats, translate: Callable[[str], str]) -> None:
        self._words = words
        self._formats = formats
        self._gettext = translate

    def of(self, report: Report) -> Standing:
        """What a report says."""
        badge, tone = self._badge(report)
        before = report.before
        missing = report.features.missing if report.features else ()
        codes = {trouble.code for trouble in report.troubles}
        can_place = report.reachable and report.academy_enabled and "audit" not in missing
        if report.connection.route == "ollama":  # which asks the Academy for nothing
            can_place = report.reachable and not codes & OLLAMA_TROUBLES
        return Standing(
            badge=badge,
            tone=tone,
            troubles=tuple(self._words.describe(one.code, one.facts) for one in report.troubles),
            lines=self._lines(report) if report.reachable else (),
            adapters=tuple(self._adapter(one, report) for one in report.adapters),
            active_adapter=report.active_adapter or "",
            back_to=before.model if before else "",
            can_place=can_place and ErrorCode.VENOM_NOT_READY not in codes and not codes & FOLDER_TROUBLES,
            can_activate=report.can_activate is not False,
            lessons=report.status.lessons.total_lessons if report.status else 0,
            needs_secret=bool(codes & SECRET_TROUBLES) or _is_password_refused(report),
        )

    def checklist(self, report: Report) -> tuple[StandingLine, ...]:
        """What was looked at before a connection is made, one thing after another."""
        _ = self._gettext
        if not report.reachable:
            return (StandingLine(_(N_("Server")), _(N_("No Venom was reached")), "warn"),)
        answers = StandingLine(_(N_("Server")), _(N_("Venom answers")), "ok")
        chat = StandingLine(_(N_("Chat uses")), self._chat(report))
        if not report.academy_enabled:
            return (answers, self._academy(report), chat)
        lessons = self._formats.integer(report.status.lessons.total_lessons) if report.status else ""
        last = (StandingLine(_(N_("Lessons")), lessons),) if lessons else ()
        return (answers, self._academy(report), self._abilities(report), self._changes(report), chat, *last)

    def summary(self, report: Report) -> str:
        """In one sentence that all is well; only for a report without troubles."""
        said = N_("Venom answers, its Academy is on, and it takes changes from here.")
        if report.connection.route == "ollama":
            said = N_("Venom and its Ollama answer, and its chat can be given a model from here.")
        return self._gettext(said)

    def _badge(self, report: Report) -> tuple[str, Tone]:
        codes = {trouble.code for trouble in report.troubles}
        if not report.reachable:
            return self._gettext(N_("Not reached")), "warning"
        if not report.academy_enabled and report.connection.route != "ollama":
            return self._gettext(N_("Switched off")), "warning"
        if not codes:
            return self._gettext(N_("Ready")), "success"
        if codes <= {ErrorCode.VENOM_REMOTE, ErrorCode.VENOM_WITHOUT_FOLDER}:
            return self._gettext(N_("Look only")), "neutral"
        return self._gettext(N_("Not ready")), "warning"

    def _lines(self, report: Report) -> tuple[StandingLine, ...]:
        _ = self._gettext
        changes: tuple[str, Mark] = (_(N_("Not asked yet")), "none")
        if report.can_activate is not None:
            allowed = report.can_activate
            changes = (_(N_("Allowed from here")), "ok") if allowed else (_(N_("Not possible now")), "warn")
        return (
            StandingLine(_(N_("Chat uses")), self._chat(report)),
            self._academy(report),
            StandingLine(_(N_("Activation")), *changes),
            self._folder(report),
            *self._going_on(report),
        )

    def _chat(self, report: Report) -> str:
        """The chat’s model, and whose it is."""
        model = report.active_model or self._gettext(N_("no model"))
        if not report.active_runtime:
            return model
        said = self._gettext(N_("{model} of {runtime}"))
        return said.format(model=model, runtime=report.active_runtime)

    def _abilities(self, report: Report) -> StandingLine:
        """Whether the server can do all that a push asks for."""
        name = self._gettext(N_("Abilities"))
        if report.features is None:
            return StandingLine(name, self._gettext(N_("It does not say")), "none")
        missing = report.features.missing
        if not missing:
            return StandingLine(name, self._gettext(N_("It can check, sign and activate")), "ok")
        lacks = ", ".join(self._gettext(ABILITIES[one]) for one in missing)
        return StandingLine(
            name, self._gettext(N_("Too old for: {abilities}")).format(abilities=lacks), "warn"
        )

    def _changes(self, report: Report) -> StandingLine:
        """Whether it would activate an adapter for us."""
        name = self._gettext(N_("Changes"))
        if any(trouble.code == ErrorCode.VENOM_REMOTE for trouble in report.troubles):
            return StandingLine(name, self._gettext(N_("From its own computer only")), "warn")
        if report.can_activate:
            return StandingLine(name, self._gettext(N_("Allowed from here")), "ok")
        return StandingLine(name, self._gettext(N_("Not possible now")), "warn")

    def _going_on(self, report: Report) -> tuple[StandingLine, ...]:
        """What the server learned, trains itself, and computes with."""
        status, _ = report.status, self._gettext
        if status is None or not report.academy_enabled:
            return ()
        number = self._formats.integer
        jobs = _(N_("{total} in all, {running} running, {failed} failed")).format(
            total=number(status.jobs.total),
            running=number(status.jobs.running),
            failed=number(status.jobs.failed),
        )
        cards = ", ".join(self._gpu(one) for one in status.gpu.gpus) or _(N_("none"))
        return (
            StandingLine(_(N_("Lessons")), number(status.lessons.total_lessons)),
            StandingLine(_(N_("Its own trainings")), "\n".join((jobs, *map(self._job, report.jobs)))),
            StandingLine(_(N_("Graphics card")), cards),
        )

    def _job(self, job: ServerJob) -> str:
        """One training of the server: what, how it stands, and since when."""
        state = self._gettext(JOB_STATES[job.status]) if job.status in JOB_STATES else job.status
        when = self._made(job.finished_at or job.started_at or "", "short")
        return " · ".join(part for part in (job.job_name or job.job_id, job.base_model, state, when) if part)

    def _gpu(self, gpu: Gpu) -> str:
        if gpu.memory_total_mb is None or gpu.memory_used_mb is None:
            return gpu.name
        used, total = (self._formats.size(mib * 2**20) for mib in (gpu.memory_used_mb, gpu.memory_total_mb))
        said = N_("{name}, {used} of {total} in use")
        return self._gettext(said).format(name=gpu.name, used=used, total=total)

    def _academy(self, report: Report) -> StandingLine:
        name = self._gettext(N_("Academy"))
        if not report.academy_enabled:
            return StandingLine(name, self._gettext(N_("Switched off")), "warn")
        there = [self._part(part) for part, is_there in report.components.items() if is_there]
        missing = [self._part(part) for part, is_there in report.components.items() if not is_there]
        if missing:
            said = self._gettext(N_("On, without {parts}")).format(parts=", ".join(missing))
            return StandingLine(name, said, "warn")
        said = self._gettext(N_("On, with {parts}")).format(parts=", ".join(there))
        return StandingLine(name, said if there else self._gettext(N_("On")), "ok")

    def reached(self, connection: Connection) -> str:
        """Where a server answers, and the way to its adapters where that is another one."""
        if connection.ssh is not None:
            said = self._gettext(N_("{url}, over SSH as {address}"))
            return said.format(url=connection.url, address=connection.ssh.address)
        if connection.ollama is not None:
            said = self._gettext(N_("{url}, with its Ollama at {ollama}"))
            return said.format(url=connection.url, ollama=connection.ollama)
        return connection.url

    def _folder(self, report: Report) -> StandingLine:
        """Where adapters go to."""
        if report.connection.ollama is not None:
            troubled = any(trouble.code in OLLAMA_TROUBLES for trouble in report.troubles)
            name = self._gettext(N_("Adapters go to"))
            return StandingLine(name, report.connection.ollama, "warn" if troubled else "ok", is_path=True)
        troubled = any(trouble.code in FOLDER_TROUBLES for trouble in report.troubles)
        place = report.connection.models_dir or self._gettext(N_("Not chosen"))
        return StandingLine(
            self._gettext(N_("Models folder")), place, "warn" if troubled else "ok", is_path=True
        )

    def _part(self, name: str) -> str:
        return self._gettext(PARTS[name]) if name in PARTS else name.replace("_", " ")

    def _adapter(self, adapter: Adapter, report: Report) -> AdapterLine:
        made = self._made(adapter.created_at)
        base = self._gettext(N_("for {model}")).format(model=adapter.base_model) if adapter.base_model else ""
        incomplete = self._gettext(N_("description incomplete"))
        verdict = report.verdicts.get(adapter.adapter_id, "")
        refused = self._gettext(VERDICTS[verdict]) if verdict in VERDICTS else ""
        parts = [base, self._sender(report.sent.get(adapter.adapter_id)) or made]
        parts.append(incomplete if adapter.metadata_status != "canonical" else refused)
        detail = " · ".join(part for part in parts if part)
        is_known = adapter.metadata_status == "canonical" and verdict not in VERDICTS
        # over Ollama, one that the Academy alone has is out of reach
        is_near = report.connection.route != "ollama" or adapter.source_flow == DEFAULT_RUNTIME
        can_remove = is_near and not adapter.is_active
        can_use = is_known and can_remove and report.can_activate is True
        was_active = report.connection.activation_of(adapter.adapter_id) is not None
        word, tone = VERDICT_WORDS.get(verdict, ("", "neutral"))
        said = self._gettext(word) if word else ""
        return AdapterLine(
            adapter.adapter_id, detail, adapter.is_active, can_use, can_remove, was_active, said, tone
        )

    def _sender(self, sent: Entry | None) -> str:
        """Who sent it from here, and when."""
        if sent is None:
            return ""
        when = self._formats.moment(sent.begun_at, "short")
        said = N_("sent by {user}, {when}") if sent.by else N_("sent {when}")
        return self._gettext(said).format(user=sent.by, when=when)

    def _made(self, created_at: str, style: Literal["short", "medium"] = "medium") -> str:
        """When it was made, as far as the server knows."""
        try:
            then = datetime.fromisoformat(created_at)
        except ValueError:
            return ""
        return self._formats.moment(then.timestamp(), style) if then.tzinfo is not None else ""


def _is_password_refused(report: Report) -> bool:
    """Whether the other computer does not take the password that it was given."""
    route = report.connection.ssh
    by_password = route is not None and route.login == "password"
    return by_password and ErrorCode.VENOM_SSH_REFUSED in {trouble.code for trouble in report.troubles}
