"""What `academy venom` tells of adapters and pushes, for programs and for people."""

from typing import Any

from academy_desktop.cli.session import Session
from academy_desktop.cli.venom_narrator import venom_words
from academy_desktop.core.venom.answers import Adapter
from academy_desktop.core.venom.journal import Entry
from academy_desktop.core.venom.steps import Order, Sent


def adapter_fields(adapter: Adapter, sent: Entry | None = None) -> dict[str, Any]:
    """What a program is told of an adapter, and of its newest push from here."""
    by = {"by": sent.by, "at": sent.begun_at, "job": sent.job} if sent else None
    return adapter.model_dump(mode="json") | {"sent": by}


def sender(session: Session, sent: Entry | None) -> str:
    """Who sent an adapter from here, and when."""
    return f"{sent.by} · {session.words.formats.moment(sent.begun_at)}" if sent else "–"


def sent_fields(session: Session, sent: Sent) -> dict[str, Any]:
    """What a program is told of a push, however far it came."""
    words, before = venom_words(session), sent.previous
    steps = []
    for step in sent.steps:
        message = words.outcome(step.name, step.state, step.facts, step.code)
        one: dict[str, Any] = {"name": step.name, "title": words.step(step.name), "state": step.state}
        steps.append({**one, "code": step.code, "message": message, "facts": step.facts})
    return {
        "adapter_id": sent.adapter_id,
        "route": sent.route,
        "path": sent.path,
        "base_model": sent.base_model,
        "model_id": sent.model_id,
        "runtime": sent.runtime,
        "certified": sent.certified,
        "placed": sent.placed,
        "audited": sent.audited,
        "signed": sent.signed,
        "activated": sent.activated,
        "deployed": sent.deployed,
        "verified": sent.verified,
        "rolled_back": sent.rolled_back,
        "chat_model": sent.chat_model,
        "answer": sent.answer,
        "previous": before.model if before else None,
        "previous_runtime": before.runtime if before else None,
        "previous_adapter": before.adapter_id if before else None,
        "steps": steps,
    }


def sent_text(session: Session, name: str, order: Order, sent: Sent) -> str:
    """What people are told of a push that came to its end."""
    _ = session.words.gettext
    if order.dry_run:
        return _("Nothing was changed. Leave out --dry-run to do it.")
    if sent.verified:
        said = _("Venom’s chat uses {model}. Go back with “academy venom rollback {name}”.")
        return said.format(model=sent.chat_model, name=name)
    said = _("{adapter} is in Venom’s models folder. Let the chat use it with --activate.")
    if sent.route == "ollama":
        said = _("{adapter} is in Venom’s Ollama. Let the chat use it with --activate.")
    return said.format(adapter=sent.adapter_id)
