"""How one Venom server stands, in words: a badge, what is in the way, what it uses, which adapters it has.

Owns the way from a report to what a person reads. Refuses to know widgets and how a server is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from academy_desktop.core.venom.answers import Adapter, Gpu
from academy_desktop.core.venom.journal import Entry
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

#: What the server calls its parts → words; others are told as they are.
PARTS = {
    "professor": N_("professor"),
    "dataset_curator": N_("dataset curator"),
    "gpu_habitat": N_("GPU habitat"),
    "lessons_store": N_("lessons store"),
    "model_manager": N_("model manager"),
}

#: What the server's audit finds wrong with an adapter.
VERDICTS = {
    "blocked_unknown_base": N_("its base model is not known there"),
    "blocked_mismatch": N_("made for another model"),
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
    """One adapter on the server. `can_use`: the server would let its chat use it."""

    name: str
    detail: str
    is_active: bool
    can_use: bool = False


@dataclass(frozen=True)
class Standing:
    """All that is shown of a server. `can_place`, `can_activate`: what a push could do there."""

    badge: str
    tone: Tone
    troubles: tuple[Description, ...] = ()
    lines: tuple[StandingLine, ...] = ()
    adapters: tuple[AdapterLine, ...] = ()
    active_adapter: str = ""
    back_to: str = ""
    can_place: bool = False
    can_activate: bool = False


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
        )

    def summary(self, report: Report) -> str:
        """In one sentence that all is well; only for a report without troubles."""
        said = N_("Venom answers, its Academy is on, and it takes changes from here.")
        return self._gettext(said)

    def _badge(self, report: Report) -> tuple[str, Tone]:
        codes = {trouble.code for trouble in report.troubles}
        if not report.reachable:
            return self._gettext(N_("Not reached")), "warning"
        if not report.academy_enabled:
            return self._gettext(N_("Switched off")), "warning"
        if not codes:
            return self._gettext(N_("Ready")), "success"
        if codes <= {ErrorCode.VENOM_REMOTE, ErrorCode.VENOM_WITHOUT_FOLDER}:
            return self._gettext(N_("Look only")), "neutral"
        return self._gettext(N_("Not ready")), "warning"

    def _lines(self, report: Report) -> tuple[StandingLine, ...]:
        _ = self._gettext
        model = report.active_model or _(N_("no model"))
        runtime = report.active_runtime
        chat = _(N_("{model} of {runtime}")).format(model=model, runtime=runtime) if runtime else model
        changes: tuple[str, Mark] = (_(N_("Not asked yet")), "none")
        if report.can_activate is not None:
            allowed = report.can_activate
            changes = (_(N_("Allowed from here")), "ok") if allowed else (_(N_("Not possible now")), "warn")
        return (
            StandingLine(_(N_("Chat uses")), chat),
            self._academy(report),
            StandingLine(_(N_("Activation")), *changes),
            self._folder(report),
            *self._going_on(report),
        )

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
            StandingLine(_(N_("Its own trainings")), jobs),
            StandingLine(_(N_("Graphics card")), cards),
        )

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

    def _folder(self, report: Report) -> StandingLine:
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
        can_use = is_known and not adapter.is_active and report.can_activate is True
        return AdapterLine(adapter.adapter_id, detail, adapter.is_active, can_use)

    def _sender(self, sent: Entry | None) -> str:
        """Who sent it from here, and when."""
        if sent is None:
            return ""
        when = self._formats.moment(sent.begun_at, "short")
        said = N_("sent by {user}, {when}") if sent.by else N_("sent {when}")
        return self._gettext(said).format(user=sent.by, when=when)

    def _made(self, created_at: str) -> str:
        """When it was made, as far as the server knows."""
        try:
            then = datetime.fromisoformat(created_at)
        except ValueError:
            return ""
        return self._formats.moment(then.timestamp()) if then.tzinfo is not None else ""
