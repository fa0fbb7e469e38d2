"""From the form of a connection to the chat and back, where only Venom's Ollama can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.venom.service import Unwatched
from academy_desktop.core.venom.steps import Order
from tests.academy_desktop.core.venom.making import make_finished_run
from tests.academy_desktop.viewmodels.making import seen
from tests.academy_desktop.viewmodels.venom_making import NAME, Bench, act, benches
from tests.venom_server.ollama import OllamaServer, OllamaState

BASE = "gemma3:4b"


@pytest.fixture
def bench(qapp: QApplication, tmp_path: Path) -> Iterator[Bench]:
    with benches(tmp_path) as bench:
        yield bench


def test_an_adapter_reaches_the_chat_over_ollama_and_leaves_it_again(
    qapp: QApplication, bench: Bench
) -> None:
    bench.state.switches.remote = True
    bench.state.switches.academy = False  # it is not needed on this way
    make_finished_run(bench.data)
    said: list[str] = []

    async def whole() -> None:
        await bench.start()
        form = bench.servers.new_form()
        form.set_url(bench.server.url)
        form.choose_way("ollama")
        assert not form.can_test
        form.set_ollama(ollama.url)
        form.test()
        await seen(lambda: form.verdict, "a try")
        form.save()
        await seen(lambda: bench.servers.all, "the connection")
        await bench.settled()
        assert bench.servers.reached == f"{bench.server.url}, with its Ollama at {ollama.url}"
        assert bench.servers.standing is not None
        assert bench.servers.standing.badge == "Ready"
        await bench.pushed()
        said.append(bench.push.outcome.kind if bench.push.outcome else "")
        said.append(bench.state.model)
        bench.servers.roll_back()
        await seen(lambda: bench.servers.news, "the way back")
        await bench.settled()

    with OllamaServer(OllamaState(bench.state.ollama)) as ollama:
        act(qapp, bench, whole)
    assert said[0] == "active"
    assert said[1].startswith("venom-adapter-replies-")
    states = {line.name: line.state for line in bench.push.steps}
    assert [states[name] for name in ("upload", "create", "audit", "sign")] == [
        *["done"] * 2,
        *["skipped"] * 2,
    ]
    assert bench.state.model == BASE


def test_what_lies_in_ollama_after_a_failure_is_said(qapp: QApplication, bench: Bench) -> None:
    make_finished_run(bench.data)
    said: list[str] = []

    async def whole() -> None:
        bench.venom.connections.add(NAME, bench.server.url, ollama=ollama.url)
        await bench.start()
        bench.state.switches.chat = ""
        await bench.pushed()
        said.append(bench.push.outcome.undone if bench.push.outcome else "")
        ollama.state.models = list(bench.state.ollama)  # Venom uses another one
        bench.push.again()
        await seen(lambda: bench.push.outcome, "the second try")
        await bench.settled()
        said.append(bench.push.outcome.undone if bench.push.outcome else "")

    with OllamaServer(OllamaState(bench.state.ollama)) as ollama:
        act(qapp, bench, whole)
    assert said == [
        "Venom’s chat uses gemma3:4b again, as before. The adapter is gone from there.",
        "What was sent lies in the Ollama of this connection, unused. The chat is as it was.",
    ]


def test_what_only_the_academy_has_is_neither_used_nor_taken_away(qapp: QApplication, bench: Bench) -> None:
    run = make_finished_run(bench.data)
    bench.remember()

    async def whole() -> None:
        with bench.venom.pushing(NAME, Order(run.job), Unwatched()) as push:
            push.run()
        bench.venom.connections.add(NAME, bench.server.url, ollama=ollama.url)
        await bench.start()

    with OllamaServer(OllamaState(bench.state.ollama)) as ollama:
        act(qapp, bench, whole)
    assert bench.servers.standing is not None
    [line] = bench.servers.standing.adapters
    assert (line.can_use, line.can_remove) == (False, False)
