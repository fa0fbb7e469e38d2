from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from academy_desktop.core.venom.report import Report
from academy_desktop.core.venom.steps import Order
from tests.academy_desktop.core.venom.making import Watcher, make_finished_run
from tests.academy_desktop.viewmodels.making import QT_SAYS, seen
from tests.academy_desktop.viewmodels.venom_making import LIMITS, NAME, Bench, act, benches
from tests.venom_server.server import VenomServer
from trainers.layout import write_atomically

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

BASE = "gemma3:4b"


@pytest.fixture
def bench(qapp: QApplication, tmp_path: Path) -> Iterator[Bench]:
    with benches(tmp_path) as made:
        yield made


def activate_one(bench: Bench) -> str:
    """An adapter is in use, sent from here; returns its id."""
    run = make_finished_run(bench.data)
    with bench.venom.pushing(NAME, Order(run.job, activate=True), Watcher()) as push:
        return push.run().adapter_id


# looking


def test_a_brief_look_that_comes_late_leaves_what_is_known_in_full(
    qapp: QApplication, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (NAME, "other"):
        bench.remember(name)
    go_on, look_around = Event(), bench.venom.reports

    def late() -> Sequence[Report]:
        found = look_around()
        assert go_on.wait(30)
        return found

    monkeypatch.setattr(bench.venom, "reports", late)

    async def select() -> None:
        try:
            await bench.start()
            bench.servers.select("other")
            await bench.settled()
        finally:
            go_on.set()
        await bench.idle("venom servers")

    act(qapp, bench, select)
    assert bench.servers.standing is not None
    assert {line.label: line.value for line in bench.servers.standing.lines}["Activation"] == (
        "Allowed from here"
    )


def test_without_connections_that_is_known(qapp: QApplication, bench: Bench) -> None:
    act(qapp, bench, bench.start)
    assert bench.servers.is_known
    assert (bench.servers.all, bench.servers.shown, bench.servers.standing) == ((), None, None)
    assert bench.server.asked == []


def test_a_server_on_which_all_is_well_is_told_so(qapp: QApplication, bench: Bench) -> None:
    bench.remember()
    act(qapp, bench, bench.start)
    standing = bench.servers.standing
    assert standing is not None
    assert (standing.badge, standing.tone, standing.troubles) == ("Ready", "success", ())
    assert standing.can_place
    assert standing.can_activate
    said = {line.label: (line.value, line.mark) for line in standing.lines}
    assert said["Chat uses"] == ("gemma3:4b of ollama", "none")
    assert said["Academy"] == (
        "On, with professor, dataset curator, GPU habitat, lessons store, model manager",
        "ok",
    )
    assert said["Activation"] == ("Allowed from here", "ok")
    assert said["Models folder"] == (str(bench.state.models_dir), "ok")


def test_what_the_server_does_by_itself_is_told(qapp: QApplication, bench: Bench) -> None:
    bench.remember()
    night = {"job_id": "training_2", "job_name": "Night shift", "status": "running", "base_model": BASE}
    bench.state.jobs += [night, {"job_id": "training_1", "status": "failed"}]
    act(qapp, bench, bench.start)
    assert bench.servers.standing is not None
    said = {line.label: line.value for line in bench.servers.standing.lines}
    assert said["Its own trainings"].splitlines() == [
        "2 in all, 1 running, 1 failed",
        "Night shift · gemma3:4b · running",
        "training_1 · failed",
    ]
    assert said["Graphics card"] == "none"


def _closed(server: VenomServer) -> None:
    server.close()


def _switched(**switches: object) -> Callable[[VenomServer], None]:
    def switch(server: VenomServer) -> None:
        for name, value in switches.items():
            setattr(server.state.switches, name, value)

    return switch


@pytest.mark.parametrize(
    ("trouble", "badge", "sentence", "next_step", "can_place"),
    [
        (_closed, "Not reached", "Nothing answers", "Check that Venom runs there", False),
        (
            _switched(slow=frozenset({"/healthz"})),
            "Not reached",
            "did not answer in time (0.5 seconds)",
            "try again",
            False,
        ),
        (_switched(academy=False), "Switched off", "is switched off", "ENABLE_ACADEMY=true", False),
        (_switched(ready=False), "Not ready", "did not start", "Venom’s log", False),
        (_switched(older=True), "Not ready", "audit, sign, deploy", "Update Venom", False),
        (_switched(remote=True), "Look only", "refuses changes from another computer", "choose SSH", True),
    ],
    ids=["down", "slow", "disabled", "unready", "older", "remote"],
)
def test_every_trouble_is_a_sentence_with_a_next_step(
    qapp: QApplication,
    bench: Bench,
    trouble: Callable[[VenomServer], None],
    badge: str,
    sentence: str,
    next_step: str,
    can_place: bool,
) -> None:
    bench.remember()
    trouble(bench.server)
    act(qapp, bench, bench.start)
    standing = bench.servers.standing
    assert standing is not None
    assert standing.badge == badge
    (said,) = standing.troubles
    assert sentence in said.sentence
    assert next_step in said.next_step
    assert (standing.can_place, standing.can_activate) == (can_place, False)
    assert bench.told == []


def test_what_is_no_venom_is_told_so(qapp: QApplication, bench: Bench) -> None:
    bench.remember(url=f"{bench.server.url}/elsewhere")
    act(qapp, bench, bench.start)
    standing = bench.servers.standing
    assert standing is not None
    assert "it is not Venom" in standing.troubles[0].sentence


def test_a_folder_that_is_missing_is_told_and_nothing_can_be_placed(
    qapp: QApplication, bench: Bench, tmp_path: Path
) -> None:
    gone = tmp_path / "drive"
    gone.mkdir()
    bench.venom.connections.add(NAME, bench.server.url, gone)
    gone.rmdir()
    act(qapp, bench, bench.start)
    standing = bench.servers.standing
    assert standing is not None
    assert (standing.badge, standing.can_place) == ("Not ready", False)
    assert [said.title for said in standing.troubles] == ["Venom’s models folder is not there"]


def test_without_a_folder_the_next_step_leads_through_the_window(qapp: QApplication, bench: Bench) -> None:
    bench.remember(folder=False)
    act(qapp, bench, bench.start)
    standing = bench.servers.standing
    assert standing is not None
    assert standing.badge == "Look only"
    (said,) = standing.troubles
    assert said.next_step.startswith("Edit the connection and choose the folder")
    assert "--models-dir" not in said.next_step


def test_a_slow_server_holds_nothing_up(qapp: QApplication, bench: Bench) -> None:
    """While a server lets us wait, the loop goes round."""
    bench.remember()
    bench.remember("slow")

    async def look() -> int:
        await bench.start()
        bench.state.switches.slow = frozenset({"/healthz"})
        bench.servers.select("slow")
        rounds = 0
        while bench.servers.is_looking:
            await asyncio.sleep(0.01)
            rounds += 1
        return rounds

    assert act(qapp, bench, look) > 10
    assert bench.servers.standing is not None
    assert bench.servers.standing.badge == "Not reached"


def test_all_servers_are_in_the_list_with_how_they_stand(qapp: QApplication, bench: Bench) -> None:
    bench.remember()
    bench.remember("down", "http://127.0.0.1:9")

    async def look() -> None:
        await bench.start()
        await seen(lambda: "Looking" not in str(rows(bench)), "both")

    act(qapp, bench, look)
    assert rows(bench) == [
        "down, Not reached, http://127.0.0.1:9",
        f"home, Ready, {bench.server.url}, {BASE}",
    ]


def rows(bench: Bench) -> list[str]:
    """The list, as a screen reader hears it."""
    records = bench.servers.records
    role = Qt.ItemDataRole.AccessibleTextRole
    return [str(records.index(row, 0).data(role)) for row in range(records.rowCount())]


def test_the_one_that_is_shown_is_looked_at_in_full(
    qapp: QApplication, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A brief look at all, for the list, takes nothing away from it, however late it comes."""
    monkeypatch.setattr("academy_desktop.core.venom.service.LIST_LIMITS", LIMITS)
    bench.state.switches.slow = frozenset({"/slow/healthz"})
    bench.remember()
    bench.remember("other")
    bench.remember("slow", f"{bench.server.url}/slow")

    async def look() -> list[str]:
        await bench.start()
        await bench.idle("venom servers")
        first = activation(bench)
        bench.servers.select("other")
        await bench.settled()
        return [first, activation(bench)]

    assert act(qapp, bench, look) == ["Allowed from here"] * 2


def activation(bench: Bench) -> str:
    """What is said of the activation on the server that is shown."""
    standing = bench.servers.standing
    assert standing is not None
    return next(line.value for line in standing.lines if line.label == "Activation")


def test_of_two_looks_the_later_counts(qapp: QApplication, bench: Bench) -> None:
    bench.remember()

    async def look() -> None:
        await bench.start()
        bench.state.switches.slow = frozenset({"/healthz"})
        asked = len(bench.server.asked)
        bench.servers.look()
        await asyncio.sleep(0.1)  # it has asked by then, or the server would not let it wait
        bench.state.switches.slow = frozenset()
        bench.servers.look()
        await seen(lambda: len(bench.server.asked) > asked, "the later look")
        await bench.idle("venom server")

    act(qapp, bench, look)
    assert bench.servers.standing is not None
    assert bench.servers.standing.badge == "Ready"


def test_connections_that_cannot_be_read_are_told(qapp: QApplication, bench: Bench) -> None:
    write_atomically(bench.data.connections, b"not json")
    act(qapp, bench, bench.start)
    assert [said.title for said in bench.told] == ["The file cannot be read"]
    assert bench.servers.all == ()


def test_the_adapters_on_the_server_are_told_and_which_is_active(qapp: QApplication, bench: Bench) -> None:
    bench.remember()
    adapter = activate_one(bench)
    act(qapp, bench, bench.start)
    standing = bench.servers.standing
    assert standing is not None
    (line,) = standing.adapters
    assert (line.name, line.is_active) == (adapter, True)
    assert line.detail.startswith("for smollm2:135m · ")
    assert (standing.active_adapter, standing.back_to) == (adapter, BASE)


# connections


def test_a_removed_connection_is_gone_and_its_server_untouched(qapp: QApplication, bench: Bench) -> None:
    bench.remember()

    async def remove() -> None:
        await bench.start()
        bench.server.asked.clear()
        bench.servers.remove()
        await seen(lambda: not bench.servers.all, "the end of the connection")

    act(qapp, bench, remove)
    assert bench.servers.shown is None
    assert list(bench.venom.connections.all()) == []
    assert bench.server.asked == []


# the way back


def test_a_rollback_says_before_and_after_what_becomes_active(qapp: QApplication, bench: Bench) -> None:
    bench.remember()
    adapter = activate_one(bench)

    async def back() -> str:
        await bench.start()
        assert bench.servers.can_go_back
        question = bench.servers.back_question
        bench.servers.roll_back()
        assert bench.servers.is_going_back
        await seen(lambda: bench.servers.news, "the way back")
        await bench.settled()
        return question

    question = act(qapp, bench, back)
    assert question == f"Venom’s chat will use gemma3:4b again. The adapter {adapter} stays on the server."
    assert bench.servers.news == "Venom’s chat uses gemma3:4b again."
    assert (bench.state.model, bench.state.active) == (BASE, None)
    assert not bench.servers.can_go_back


def test_what_only_the_server_remembers_is_not_promised(qapp: QApplication, bench: Bench) -> None:
    bench.remember()
    adapter = activate_one(bench)
    bench.venom.connections.end_activation(NAME, adapter)
    act(qapp, bench, bench.start)
    assert bench.servers.can_go_back
    assert "what the server remembers from before" in bench.servers.back_question


def test_a_rollback_that_fails_is_told_with_a_way_in_the_window(qapp: QApplication, bench: Bench) -> None:
    bench.remember()
    activate_one(bench)

    async def back() -> None:
        await bench.start()
        bench.state.ollama.remove(BASE)
        bench.state.previous = ""
        bench.servers.roll_back()
        await seen(lambda: bench.told, "the trouble")
        await bench.settled()

    act(qapp, bench, back)
    (said,) = bench.told
    assert said.sentence.endswith(".")
    assert "academy venom" not in said.next_step
    assert bench.servers.news == ""
    assert not bench.servers.is_going_back


def test_only_one_at_a_time_changes_a_server(qapp: QApplication, bench: Bench) -> None:
    bench.remember()
    run = make_finished_run(bench.data)
    activate_one(bench)

    async def back() -> None:
        await bench.start()
        with bench.venom.pushing(NAME, Order(run.job), Watcher()):
            bench.servers.roll_back()
            await seen(lambda: bench.told, "the refusal")

    act(qapp, bench, back)
    assert [said.title for said in bench.told] == ["Something is being sent to Venom already"]
