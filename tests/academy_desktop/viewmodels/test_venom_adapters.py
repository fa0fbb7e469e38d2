"""Single adapters on a server: put to use, refused to go while in use, taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.venom.service import Unwatched
from academy_desktop.core.venom.steps import Order
from academy_desktop.viewmodels.venom_standing import AdapterLine
from tests.academy_desktop.core.venom.making import make_finished_run
from tests.academy_desktop.viewmodels.making import seen
from tests.academy_desktop.viewmodels.venom_making import NAME, Bench, act, benches


@pytest.fixture
def bench(qapp: QApplication, tmp_path: Path) -> Iterator[Bench]:
    with benches(tmp_path) as bench:
        yield bench


def test_an_adapter_on_the_server_is_used_and_taken_away(qapp: QApplication, bench: Bench) -> None:
    bench.remember()

    async def use_one() -> None:
        run = make_finished_run(bench.data)
        with bench.venom.pushing(NAME, Order(run.job), Unwatched()) as push:
            sent = push.run()
        await bench.start()
        standing = bench.servers.standing
        assert standing is not None
        [line] = standing.adapters
        assert line.can_use
        assert "sent by" in line.detail
        bench.state.gate.set()
        bench.servers.put_to_use(sent.adapter_id)
        await seen(lambda: bool(bench.servers.news), "the adapter in use")
        await bench.settled()
        assert bench.state.active == sent.adapter_id
        bench.servers.remove_adapter(sent.adapter_id)
        await seen(lambda: bool(bench.told), "the refusal")
        await bench.settled()
        assert "uses" in bench.told[0].sentence
        bench.servers.roll_back()
        await seen(lambda: not bench.servers.is_going_back, "the way back")
        await bench.settled()
        bench.servers.remove_adapter(sent.adapter_id)
        await seen(lambda: "no longer" in bench.servers.news, "the adapter gone")
        await bench.settled()

    act(qapp, bench, use_one)
    assert list(bench.state.models_dir.glob("replies-*")) == []


def test_an_earlier_adapter_is_gone_back_to(qapp: QApplication, bench: Bench) -> None:
    bench.remember()
    runs = [
        make_finished_run(bench.data, name, fill=fill) for name, fill in (("First", 0.25), ("Second", 0.5))
    ]

    async def whole() -> None:
        for run in runs:
            with bench.venom.pushing(NAME, Order(run.job, activate=True), Unwatched()) as push:
                push.run()
        await bench.start()
        lines = {line.name.partition("-")[0]: line for line in known(bench)}
        assert lines["second"].is_active
        assert (lines["first"].was_active, lines["first"].can_use) == (True, True)
        assert (lines["first"].verdict, lines["first"].tone) == ("Accepted", "neutral")
        bench.servers.put_to_use(lines["first"].name)
        await seen(lambda: bool(bench.servers.news), "the earlier one")
        await bench.settled()
        assert [line.name for line in known(bench) if line.is_active] == [lines["first"].name]

    act(qapp, bench, whole)


def known(bench: Bench) -> tuple[AdapterLine, ...]:
    """The adapters, as they are shown."""
    return bench.servers.standing.adapters if bench.servers.standing else ()
