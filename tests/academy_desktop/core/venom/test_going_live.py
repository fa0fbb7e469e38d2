"""The proof before a push, and the question to the chat after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.core.venom.answers import Said
from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.service import Venom
from academy_desktop.core.venom.steps import OVERRIDABLE, StepName
from tests.academy_desktop.core.venom.making import (
    NAME,
    SECRET_PATH,
    Bench,
    Watcher,
    make_finished_run,
    placed,
    refusal,
    write_gguf,
)
from trainers.errors import ErrorCode

BASE = "gemma3:4b"
CHAT = "/api/v1/llm/simple/stream"


def told(sent: Any, name: str) -> tuple[str, object]:
    """How a step ended, and why it was left out."""
    [step] = [one for one in sent.steps if one.name == name]
    return step.state, step.facts.get("reason")


# the proof


def test_what_did_not_pass_its_proof_is_not_sent(bench: Bench) -> None:
    run = make_finished_run(bench.data, certified=False)
    watcher = Watcher()
    with refusal(ErrorCode.VENOM_NOT_CERTIFIED) as facts:
        bench.push(run, watcher)
    assert facts == {"export": "lora-gguf-f16.gguf", "detail": "loads"}
    assert ErrorCode.VENOM_NOT_CERTIFIED in OVERRIDABLE
    assert watcher.told[-1] == ("certify", "venom_not_certified")
    assert placed(bench.models_dir) == {}
    [entry] = bench.venom.journal.all()
    assert (entry.state, entry.code, entry.certified) == ("failed", "venom_not_certified", None)


@pytest.mark.parametrize("certified", [False, None])
def test_the_user_may_send_it_all_the_same_and_that_is_written_down(
    bench: Bench, certified: bool | None
) -> None:
    run = make_finished_run(bench.data, certified=certified)
    sent = bench.push(run, uncertified=True)
    assert told(sent, "certify") == ("skipped", "overridden")
    assert (sent.verified, sent.certified) == (True, False)
    described = json.loads((Path(sent.path) / "metadata.json").read_text())["certificate"]
    assert (described["passed"], described["overridden"]) == (certified, True)
    [entry] = bench.venom.journal.latest(bench.venom.connections.get(NAME)).values()
    assert entry.certified is False
    assert len(list(bench.data.runs.iterdir())) == 1  # no proof was begun


def test_what_is_proven_says_so_there(bench: Bench) -> None:
    sent = bench.push(make_finished_run(bench.data))
    described = json.loads((Path(sent.path) / "metadata.json").read_text())["certificate"]
    assert (described["passed"], described["overridden"]) == (True, False)
    assert sent.certified is True


def test_a_certificate_of_an_older_file_is_none(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    write_gguf(run, b"GGUF" + b"\7" * 400)
    watcher = Watcher()
    with refusal(ErrorCode.FILE_NOT_FOUND) as facts:  # so it is proven anew; the made run has no base model
        bench.push(run, watcher)
    assert str(facts["path"]).startswith(SECRET_PATH)
    assert watcher.told[-1] == ("certify", "file_not_found")
    assert watcher.events
    assert placed(bench.models_dir) == {}


# the question


def test_a_chat_that_has_no_answer_is_undone(bench: Bench) -> None:
    bench.state.switches.chat = ""
    watcher = Watcher()
    with refusal(ErrorCode.VENOM_CANARY_FAILED) as facts:
        bench.push(make_finished_run(bench.data), watcher)
    assert str(facts["model"]).startswith("venom-adapter-")
    assert watcher.told[-2:] == [("rollback", "started"), ("rollback", "done")]
    assert bench.both() == (None, BASE)
    assert bench.last is not None
    assert (bench.last.verified, bench.last.rolled_back) == (False, True)


def test_a_chat_that_answers_with_an_error_is_undone(bench: Bench) -> None:
    def lose(moment: str, step: StepName) -> None:
        if (moment, step) == ("started", "canary"):
            bench.state.switches.runtime_up = False

    with refusal(ErrorCode.VENOM_CANARY_FAILED) as facts:
        bench.push(make_finished_run(bench.data), Watcher(lose))
    assert facts["detail"] == "llm_connection_error"
    assert bench.both() == (None, BASE)


def test_an_answer_of_another_model_counts_for_nothing(bench: Bench) -> None:
    def somebody_else(moment: str, step: StepName) -> None:
        if (moment, step) == ("started", "canary"):
            bench.state.model = "llama3.2:1b"

    with refusal(ErrorCode.VENOM_NOT_VERIFIED):
        bench.push(make_finished_run(bench.data), Watcher(somebody_else))
    assert bench.both() == (None, BASE)


def test_a_chat_that_cannot_be_asked_is_left_out(bench: Bench) -> None:
    bench.state.switches.chat = None
    sent = bench.push(make_finished_run(bench.data))
    assert told(sent, "canary") == ("skipped", "no_chat")
    assert (sent.verified, sent.answer) == (True, "")


def test_a_chat_that_takes_too_long_is_left_out(bench: Bench) -> None:
    limits = Limits(connect_s=3.0, read_s=10.0, activate_s=10.0, chat_s=0.3)
    venom = Venom(bench.data, bench.jobs, bench.exports, bench.models, limits=limits, look_s=0.0)
    bench.venom = venom
    bench.state.switches.slow = frozenset({CHAT})
    sent = bench.push(make_finished_run(bench.data))
    assert told(sent, "canary") == ("skipped", "slow")
    assert sent.verified


def test_of_a_long_answer_the_beginning_is_enough(bench: Bench) -> None:
    bench.state.switches.chat = "word " * 30_000
    sent = bench.push(make_finished_run(bench.data))
    assert 100 < len(sent.answer) < 150_000
    [step] = [one for one in sent.steps if one.name == "canary"]
    assert str(step.facts["answer"]).endswith("…")


def test_an_adapter_that_is_active_already_is_asked_and_left_as_it_is(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    first = bench.push(run)
    bench.state.switches.chat = ""
    with refusal(ErrorCode.VENOM_CANARY_FAILED):
        bench.push(run)
    assert bench.both() == (first.adapter_id, first.chat_model)


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b'event: start\ndata: {}\n\nevent: content\ndata: {"text": "Hi "}\n\n', Said("Hi")),
        (b'event: content\r\ndata: {"text": "a"}\r\n\r\nevent: done\r\ndata: {}\r\n\r\n', Said("a")),
        (b'event: error\ndata: {"code": "llm_http_error", "message": "x"}\n\n', Said("", "llm_http_error")),
        (b'event: error\ndata: "gone"\n\n', Said("", "error")),
        (b"", Said("")),
        (b"<html>\xff</html>", Said("")),
    ],
)
def test_a_stream_is_put_together(stream: bytes, said: Said) -> None:
    assert Said.of(stream) == said
