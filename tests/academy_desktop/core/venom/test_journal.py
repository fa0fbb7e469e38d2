from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from academy_desktop.core.venom.connections import Before, Connection, Route
from academy_desktop.core.venom.journal import KEPT, Entry, Journal
from academy_desktop.core.venom.steps import Order, StepName
from tests.academy_desktop.core.venom.making import (
    NAME,
    WHOLE,
    Bench,
    Watcher,
    make_finished_run,
    placed,
    refusal,
)
from tests.trainers.golden.protocol import TEXT, quoted
from trainers.errors import ErrorCode
from trainers.layout import RunDir

BASE = "gemma3:4b"
HOME = Connection(name=NAME, url="http://127.0.0.1:8000")
CHECKOUT = Path(__file__).parents[4]

Dying = Callable[[Bench, RunDir, int], int]


@pytest.fixture(scope="module")
def dying() -> Iterator[Dying]:
    """Pushes in a child that dies at the moment that is given; returns its exit code."""
    command = [sys.executable, "-m", "tests.academy_desktop.core.venom.dying"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        stdin, stdout = child.stdin, child.stdout

        def push(bench: Bench, run: RunDir, moment: int) -> int:
            told = {"data": str(bench.data.root), "name": NAME, "job": run.job, "moment": moment}
            stdin.write(json.dumps(told) + "\n")
            stdin.flush()
            return int(stdout.readline())

        yield push
        stdin.close()


def agree(bench: Bench) -> bool:
    """Whether the server's registry and chat mean the same."""
    adapter, model = bench.both()
    return model.removesuffix(":latest") == f"venom-adapter-{adapter}" if adapter else model == BASE


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_push_that_is_killed_anywhere_is_settled_by_the_next_start(bench: Bench, dying: Dying) -> None:
    run = make_finished_run(bench.data)
    outcomes: list[int] = []
    halfway = 0
    while not outcomes or outcomes[-1] != 0:
        moment = len(outcomes) * 3  # every third: all of them take a minute
        outcomes.append(dying(bench, run, moment))
        there = {
            name: files
            for name, files in placed(bench.models_dir).items()
            if not name.startswith("checkpoint-")
        }
        assert all(files == WHOLE for files in there.values()), moment
        halfway += len(bench.venom.recover())
        assert agree(bench), moment
        assert bench.venom.journal.unfinished() == [], moment
    sent = bench.push(run)
    assert sent.verified
    assert placed(bench.models_dir) == {sent.adapter_id: WHOLE}
    assert set(outcomes[:-1]) == {-9}
    assert len(outcomes) > 8
    assert halfway > 0
    assert bench.venom.rollback(NAME).model == BASE
    assert agree(bench)


def test_a_deploy_that_failed_while_the_program_died_is_mended(bench: Bench) -> None:
    first = bench.push(make_finished_run(bench.data, "First", fill=0.25))
    bench.state.switches.deploys = False

    class Death(BaseException):
        pass

    def die(moment: str, step: StepName) -> None:
        if step == "rollback":
            raise Death

    run = make_finished_run(bench.data, "Second", fill=0.75)
    with pytest.raises(Death):
        bench.push(run, Watcher(die))
    assert bench.both() == (None, f"venom-adapter-{first.adapter_id}")  # out of step, as Venom leaves it
    bench.state.switches.deploys = True
    [settled] = bench.venom.recover()
    assert (settled.state, settled.job) == ("undone", run.job)
    assert bench.both() == (first.adapter_id, f"venom-adapter-{first.adapter_id}")
    assert list(bench.venom.recover()) == []
    assert bench.venom.rollback(NAME).model == BASE


def test_what_somebody_else_chose_since_is_left_alone(bench: Bench) -> None:
    run = make_finished_run(bench.data)

    class Death(BaseException):
        pass

    def die(moment: str, step: StepName) -> None:
        if (moment, step) == ("started", "activate"):
            raise Death

    with pytest.raises(Death):
        bench.push(run, Watcher(die))
    bench.state.model = "llama3.2:1b"
    [settled] = bench.venom.recover()
    assert settled.state == "undone"
    assert bench.both() == (None, "llama3.2:1b")


def test_a_server_that_is_away_is_mended_another_time(bench: Bench) -> None:
    connection = bench.venom.connections.get(NAME)
    writer = bench.venom.journal.begin(connection, Order("job", activate=True))
    entry = writer.entry.model_copy(
        update={"step": "activate", "adapter_id": "a", "before": Before(runtime="ollama", model=BASE)}
    )
    bench.venom.journal.write(entry)
    bench.state.switches.academy = False
    assert list(bench.venom.recover()) == []
    assert [one.id for one in bench.venom.journal.unfinished()] == [entry.id]
    bench.state.switches.academy = True
    assert [one.id for one in bench.venom.recover()] == [entry.id]


def test_a_connection_that_was_forgotten_is_settled(bench: Bench) -> None:
    bench.venom.journal.begin(bench.venom.connections.get(NAME), Order("job"))
    bench.venom.connections.remove(NAME)
    [settled] = bench.venom.recover()
    assert settled.state == "failed"
    assert bench.venom.journal.unfinished() == []


def test_who_sent_what_and_when_is_known(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    sent = bench.push(run)
    [entry] = bench.venom.journal.latest(bench.venom.connections.get(NAME)).values()
    assert (entry.job, entry.adapter_id, entry.state) == (run.job, sent.adapter_id, "done")
    assert entry.by
    assert entry.ended_at is not None
    assert entry.begun_at <= entry.ended_at


def test_how_a_push_ended_is_kept(bench: Bench) -> None:
    bench.state.switches.deploys = False
    with refusal(ErrorCode.VENOM_DEPLOY_FAILED):
        bench.push(make_finished_run(bench.data))
    bench.state.switches.academy = False
    with refusal(ErrorCode.VENOM_DISABLED):
        bench.push(make_finished_run(bench.data))
    assert [(one.state, one.code) for one in bench.venom.journal.all()] == [
        ("undone", "venom_deploy_failed"),
        ("failed", "venom_disabled"),
    ]


def test_a_look_ahead_is_not_kept(bench: Bench) -> None:
    bench.venom.plan(NAME, Order(make_finished_run(bench.data).job))
    assert bench.venom.journal.all() == []


def test_entries_that_cannot_be_read_cost_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(HOME, Order("one"))
    (tmp_path / "0.json").write_text("{")
    (tmp_path / "1.json").write_text('{"v": 2}')
    assert [one.job for one in journal.all()] == ["one"]


def test_a_push_of_a_later_version_is_nobody_s_here_to_settle(bench: Bench) -> None:
    bench.data.pushes.mkdir(exist_ok=True)
    (bench.data.pushes / "1.json").write_text('{"v": 2, "state": "halfway"}')
    with refusal(ErrorCode.PROTOCOL_NEWER) as facts:
        bench.push(make_finished_run(bench.data))
    assert (facts["found"], facts["known"]) == (2, 1)
    with refusal(ErrorCode.PROTOCOL_NEWER):
        bench.venom.recover()
    assert bench.asked("activate", "sign") == []
    assert bench.venom.report(NAME).reachable  # looking costs nothing


def test_the_protocol_names_exactly_the_fields_and_steps_of_an_entry() -> None:
    [paragraph] = [part for part in TEXT.split("\n\n") if part.startswith("**The journal of pushes**")]
    named = set(quoted(" ".join(paragraph.split())))
    assert set(Entry.model_fields) - {"v"} | set(get_args(StepName)) <= named
    states, routes = get_args(Entry.model_fields["state"].annotation), get_args(Route)
    assert {*states, *routes} <= named


def test_old_entries_are_forgotten_and_unfinished_ones_are_not(tmp_path: Path) -> None:
    now = iter(range(10**6))
    journal = Journal(tmp_path, lambda: float(next(now)))
    kept = journal.begin(HOME, Order("unfinished")).entry
    for number in range(KEPT + 5):
        entry = Entry(
            id=f"{number:013d}-x", connection=NAME, url=HOME.url, job=str(number), begun_at=1, state="done"
        )
        journal.write(entry)
    journal.begin(HOME, Order("new"))
    assert len(list(tmp_path.iterdir())) == KEPT + 2
    assert kept.id in {one.id for one in journal.all()}
