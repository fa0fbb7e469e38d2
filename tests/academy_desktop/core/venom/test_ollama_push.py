"""A push over the Ollama that Venom uses: no folder, no SSH, no rights in Venom's Academy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from academy_desktop.core.venom.connections import Before
from academy_desktop.core.venom.steps import Order, StepName
from tests.academy_desktop.core.venom.making import (
    NAME,
    Bench,
    Watcher,
    make_finished_run,
    placed,
    refusal,
    write_certificate,
    write_gguf,
)
from tests.venom_server.ollama import OllamaServer, OllamaState
from trainers.errors import AcademyError, ErrorCode

BASE = "gemma3:4b"
STEPS: tuple[StepName, ...] = (
    "connect", "export", "certify", "upload", "create", "list", "audit",
    "sign", "activate", "verify", "canary",
)  # fmt: skip


@dataclass
class Far:
    """A bench whose Venom takes nothing from here, and its Ollama."""

    bench: Bench
    ollama: OllamaServer

    def made(self) -> list[str]:
        return list(self.ollama.state.made)


@pytest.fixture
def far(bench: Bench) -> Iterator[Far]:
    bench.state.switches.remote = True
    with OllamaServer(OllamaState(bench.state.ollama)) as ollama:
        bench.venom.connections.add(NAME, bench.server.url, ollama=ollama.url)
        yield Far(bench, ollama)


def test_a_finished_run_becomes_the_chat_s_model(far: Far) -> None:
    bench = far.bench
    watcher = Watcher()
    sent = bench.push(make_finished_run(bench.data), watcher)
    assert [step.name for step in sent.steps] == list(STEPS)
    states = {step.name: step.state for step in sent.steps}
    assert [states[name] for name in ("upload", "create", "audit", "sign")] == [
        "done",
        "done",
        *["skipped"] * 2,
    ]
    assert (sent.route, sent.placed, sent.audited, sent.signed) == ("ollama", True, False, False)
    assert (sent.activated, sent.verified, sent.answer) == (True, True, "Yes, I am here.")
    assert sent.chat_model == f"venom-adapter-{sent.adapter_id}"
    assert bench.both() == (None, f"{sent.chat_model}:latest")
    assert far.ollama.state.made[f"{sent.chat_model}:latest"].base == "smollm2:135m"
    assert placed(bench.models_dir) == {}
    assert watcher.bytes_told[-1][0] == watcher.bytes_told[-1][1] > 0
    asked = [one for one in bench.server.asked if one.route.endswith("/simple/stream")]
    assert len(asked) == 2  # the first while Venom started Ollama anew
    assert bench.venom.rollback(NAME).model == BASE
    assert bench.both() == (None, BASE)


def test_a_repeated_push_sends_and_makes_nothing_again(far: Far) -> None:
    run = make_finished_run(far.bench.data)
    first = far.bench.push(run)
    far.ollama.asked.clear()
    second = far.bench.push(run)
    assert {step.name: step.state for step in second.steps if step.state == "kept"} == dict.fromkeys(
        ("export", "certify", "upload", "create", "activate"), "kept"
    )
    assert {one.path for one in far.ollama.asked} == {"/api/version", "/api/tags", "/api/show"}
    assert (second.previous, second.signed) == (first.previous, False)
    ahead = far.bench.push(run, dry_run=True)
    assert [step.name for step in ahead.steps if step.state == "planned"] == ["list", "verify", "canary"]
    assert far.bench.venom.rollback(NAME).model == BASE


def test_the_model_that_the_chat_uses_is_not_made_anew(far: Far) -> None:
    run = make_finished_run(far.bench.data)
    sent = far.bench.push(run)
    write_certificate(write_gguf(run, b"GGUF" + b"\7" * 400), passed=True)
    before = dict(far.ollama.state.made)
    with refusal(ErrorCode.VENOM_ADAPTER_IN_USE) as facts:
        far.bench.push(run)
    assert facts == {"adapter": sent.adapter_id}
    assert far.ollama.state.made == before
    far.bench.venom.rollback(NAME)
    assert far.bench.push(run).verified


def test_an_academy_that_is_off_is_not_needed(far: Far) -> None:
    far.bench.state.switches.academy = False
    assert far.bench.push(make_finished_run(far.bench.data)).verified
    report = far.bench.venom.report(NAME)
    assert (report.can_activate, report.troubles) == (True, [])
    assert [(one.adapter_id, one.is_active) for one in report.adapters] == [(report.active_adapter, True)]
    assert far.bench.venom.rollback(NAME).model == BASE


def test_a_dry_run_shows_the_steps_and_changes_nothing(far: Far) -> None:
    sent = far.bench.push(make_finished_run(far.bench.data, gguf=False), dry_run=True)
    assert [step.name for step in sent.steps] == list(STEPS)
    assert [step.state for step in sent.steps[1:]] == [*["planned"] * 5, *["skipped"] * 2, *["planned"] * 3]
    assert {one.method for one in far.bench.server.asked} == {"GET"}
    assert {one.path for one in far.ollama.asked} <= {"/api/version", "/api/tags", "/api/show"}


def test_an_adapter_that_the_academy_prefers_is_named_before_anything_is_sent(far: Far) -> None:
    switches = far.bench.state.switches
    far.bench.venom.connections.add(NAME, far.bench.server.url, far.bench.models_dir)
    switches.remote = False
    first = far.bench.push(make_finished_run(far.bench.data))
    far.bench.venom.connections.add(NAME, far.bench.server.url, ollama=far.ollama.url)
    switches.remote = True
    run = make_finished_run(far.bench.data, fill=0.25)
    with refusal(ErrorCode.VENOM_OTHER_ADAPTER) as facts:
        far.bench.push(run)
    assert facts == {"adapter": first.adapter_id}
    assert far.made() == []
    switches.remote = False  # from its own computer it is deactivated, and comes back by the rollback
    sent = far.bench.push(run)
    assert far.bench.both() == (None, f"{sent.chat_model}:latest")
    assert sent.previous == Before(
        runtime="ollama", model=first.chat_model or "", adapter_id=first.adapter_id
    )
    assert far.bench.venom.rollback(NAME).adapter_id == first.adapter_id
    assert far.bench.both() == (first.adapter_id, first.chat_model)


@pytest.mark.parametrize("said", ["", None])
def test_a_chat_that_says_nothing_is_undone_and_one_that_is_not_there_is_left_out(
    far: Far, said: str | None
) -> None:
    far.bench.state.switches.chat = said
    run = make_finished_run(far.bench.data)
    if said is None:
        sent = far.bench.push(run)
        assert (sent.steps[-1].state, sent.steps[-1].facts["reason"]) == ("skipped", "no_chat")
        assert (sent.verified, sent.answer) == (True, "")
        return
    with refusal(ErrorCode.VENOM_CANARY_FAILED):
        far.bench.push(run)
    assert far.bench.both() == (None, BASE)
    assert far.made() == []
    assert far.bench.last is not None
    assert not far.bench.last.placed
    assert not far.bench.venom.journal.all()[-1].placed


def test_an_ollama_that_is_not_venom_s_is_found_out(far: Far) -> None:
    far.ollama.state.models = list(far.bench.state.ollama)
    with refusal(ErrorCode.VENOM_OLLAMA_OTHER) as facts:
        far.bench.push(make_finished_run(far.bench.data))
    assert facts["url"] == far.ollama.url
    assert far.bench.both() == (None, BASE)


def test_what_is_no_ollama_is_told_before_anything_is_sent(far: Far) -> None:
    far.bench.venom.connections.add(NAME, far.bench.server.url, ollama=far.bench.server.url)
    with refusal(ErrorCode.VENOM_OLLAMA_INVALID) as facts:
        far.bench.push(make_finished_run(far.bench.data))
    assert facts["url"] == far.bench.server.url
    assert [one.code for one in far.bench.venom.report(NAME).troubles] == ["venom_ollama_invalid"]


def test_a_base_model_that_is_not_there_is_not_fetched_unasked(far: Far) -> None:
    far.bench.state.ollama.remove("smollm2:135m")
    with refusal(ErrorCode.VENOM_MODEL_MISSING):
        far.bench.push(make_finished_run(far.bench.data))
    assert "/api/create" not in {one.path for one in far.ollama.asked}


@pytest.mark.parametrize("number", [2, 4, 6])  # the look for the model, the file, the model
@pytest.mark.parametrize("kind", ["refused", "lost"])
def test_whatever_ollama_does_the_next_push_ends_in_one_model(far: Far, kind: str, number: int) -> None:
    run = make_finished_run(far.bench.data)
    far.ollama.fault = (number, kind)
    with suppress(AcademyError):  # what it may cost is looked at below
        far.bench.push(run)
    assert far.ollama.struck == 1
    sent = far.bench.push(run)
    assert sent.verified
    assert far.made() == [f"{sent.chat_model}:latest"]


@pytest.mark.parametrize("step", ["activate", "verify", "canary", "rollback"])
def test_a_push_that_died_is_settled_by_the_next_start(far: Far, step: StepName) -> None:
    class Death(BaseException):
        pass

    def die(moment: str, name: StepName) -> None:
        if (moment, name) == ("started", step):
            raise Death

    if step == "rollback":
        far.bench.state.switches.chat = ""
    with pytest.raises(Death):
        far.bench.push(make_finished_run(far.bench.data), Watcher(die))
    [settled] = far.bench.venom.recover()
    assert settled.route == "ollama"
    is_used = far.bench.state.model.startswith("venom-adapter-")
    assert settled.state == ("done" if is_used else "undone")
    assert is_used == (step in {"verify", "canary"})
    assert list(far.bench.venom.recover()) == []


def test_adapters_are_listed_put_to_use_and_deleted(far: Far) -> None:
    bench = far.bench
    one = bench.push(make_finished_run(bench.data))
    two = bench.push(make_finished_run(bench.data, fill=0.25))
    found = {one.adapter_id: (one.base_model, one.is_active) for one in bench.venom.adapters(NAME)}
    assert found == {one.adapter_id: ("smollm2:135m", False), two.adapter_id: ("smollm2:135m", True)}
    with bench.venom.pushing(NAME, Order(activate=True, adapter_id=one.adapter_id), Watcher()) as push:
        assert push.run().verified
    with refusal(ErrorCode.VENOM_ADAPTER_IN_USE):
        bench.venom.remove_adapter(NAME, one.adapter_id)
    bench.venom.remove_adapter(NAME, two.adapter_id)
    assert far.made() == [f"{one.chat_model}:latest"]
    with refusal(ErrorCode.VENOM_ADAPTER_GONE):
        bench.venom.remove_adapter(NAME, two.adapter_id)


def test_what_lies_in_the_models_folder_is_listed_and_left_alone(far: Far) -> None:
    bench, run = far.bench, make_finished_run(far.bench.data)
    bench.venom.connections.add(NAME, bench.server.url, bench.models_dir)
    bench.state.switches.remote = False
    there = bench.push(run, activate=False).adapter_id
    bench.venom.connections.add(NAME, bench.server.url, ollama=far.ollama.url)
    assert [(one.adapter_id, one.source_flow) for one in bench.venom.adapters(NAME)] == [(there, "desktop")]
    sent = bench.push(run)
    assert sent.adapter_id == there
    assert [(one.source_flow, one.is_active) for one in bench.venom.adapters(NAME)] == [("ollama", True)]
    bench.venom.rollback(NAME)
    with refusal(ErrorCode.VENOM_WITHOUT_FOLDER):
        bench.venom.remove_adapter(NAME, there)
    assert far.made() == [f"{sent.chat_model}:latest"]
    assert list(placed(bench.models_dir)) == [there]
    bench.state.activate({"adapter_id": there, "runtime_id": "ollama", "model_id": "smollm2:135m"})
    assert bench.both() == (there, BASE)
    assert bench.venom.report(NAME).active_adapter == there  # by the registry alone


def test_the_way_back_of_a_push_that_nobody_remembers_is_the_base_model(far: Far) -> None:
    far.bench.push(make_finished_run(far.bench.data))
    far.bench.venom.connections.remove(NAME)
    far.bench.venom.connections.add(NAME, far.bench.server.url, ollama=far.ollama.url)
    assert far.bench.venom.rollback(NAME).model == "smollm2:135m"
    with refusal(ErrorCode.VENOM_NOTHING_TO_ROLL_BACK):
        far.bench.venom.rollback(NAME)
