from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from tests.academy_desktop.core.venom.making import make_finished_run
from tests.academy_desktop.made_runs import held_lock, make_run, out_of_memory
from tests.academy_desktop.viewmodels.making import QT_SAYS, seen
from tests.academy_desktop.viewmodels.venom_making import Bench, act, benches

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)


@pytest.fixture
def bench(qapp: QApplication, tmp_path: Path) -> Iterator[Bench]:
    with benches(tmp_path) as made:
        yield made


def failed_run(bench: Bench, name: str, number: int = 0) -> None:
    """A run that ended before it had an adapter."""
    made = make_run(bench.data, name, 1_789_000_000.0, 40, number).started().steps(1, 3)
    made.ended(out_of_memory, 3, 1)


def test_runs_with_an_adapter_can_be_sent_the_newest_first(qapp: QApplication, bench: Bench) -> None:
    older, newer = make_finished_run(bench.data, "Older"), make_finished_run(bench.data, "Newer")
    act(qapp, bench, bench.start)
    assert [job_id for job_id, _ in bench.runs.choices] == [newer.job, older.job]
    assert [words.partition("  ·  ")[0] for _, words in bench.runs.choices] == ["Newer", "Older"]
    assert (bench.runs.chosen, bench.runs.chosen_title) == (newer.job, "Newer")
    assert bench.runs.others == ""


def test_why_others_cannot_be_sent_is_said(qapp: QApplication, bench: Bench) -> None:
    failed_run(bench, "Long stories")
    going = make_run(bench.data, "Kitchen helper", 1_791_000_000.0, 300).started().steps(1, 2)
    going.close()
    lock = held_lock(going.run.host_lock)
    act(qapp, bench, bench.start)
    lock.release()
    assert bench.runs.choices == ()
    assert bench.runs.others == (
        "“Kitchen helper” is still in progress and can be sent once it is finished.\n"
        "“Long stories” ended before it had an adapter; resume it on the Runs page to get one."
    )


def test_many_others_are_counted(qapp: QApplication, bench: Bench) -> None:
    for number in range(3):
        failed_run(bench, f"Story {number}", number)
    act(qapp, bench, bench.start)
    assert bench.runs.others.startswith("3 runs ended before they had an adapter")


def test_a_run_that_is_not_there_yet_is_chosen_once_it_appears(qapp: QApplication, bench: Bench) -> None:
    make_finished_run(bench.data, "Older")

    async def appear() -> str:
        await bench.start()
        late = make_finished_run(bench.data, "Late")
        make_finished_run(bench.data, "Latest")
        bench.runs.choose(late.job)
        assert bench.runs.chosen_title == "Older"
        bench.read_jobs()
        await seen(lambda: bench.runs.chosen == late.job, "the late run")
        return bench.runs.chosen_title

    assert act(qapp, bench, appear) == "Late"


def test_a_run_that_is_gone_is_chosen_no_longer(qapp: QApplication, bench: Bench) -> None:
    kept, gone = make_finished_run(bench.data, "Kept"), make_finished_run(bench.data, "Gone")

    async def go() -> None:
        await bench.start()
        assert bench.runs.chosen == gone.job
        gone.path.rename(bench.data.root / "elsewhere")
        bench.read_jobs()
        await seen(lambda: bench.runs.chosen == kept.job, "the other run")

    act(qapp, bench, go)
    assert [job_id for job_id, _ in bench.runs.choices] == [kept.job]
