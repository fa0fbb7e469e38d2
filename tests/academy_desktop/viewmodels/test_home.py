from __future__ import annotations

from collections.abc import Sequence

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.environment import Check, Findings
from academy_desktop.core.estimate.capacity import Capacity
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.viewmodels.home import Home, NextStep
from tests.academy_desktop.made_runs import GIB, made_machine
from tests.academy_desktop.viewmodels.making import home, job, table

GPU = Check("gpu", "ok", {"gpu": "NVIDIA RTX 4070", "memory_bytes": 12 * GIB, "driver": "575.64"})


def at_home(*jobs: JobSummary) -> Home:
    """Home over these jobs, the newest first, after the first look at them."""
    shown = table()
    shown.update(jobs)
    made = home(shown)
    made.refresh()
    return made


def titles(steps: Sequence[NextStep]) -> list[str]:
    return [step.title for step in steps]


def test_before_the_jobs_are_known_nothing_is_advised(qapp: QApplication) -> None:
    made = home(table())
    assert not made.knows_jobs
    assert made.next_steps == ()


def test_who_begins_is_shown_the_demo_first(qapp: QApplication) -> None:
    made = at_home()
    assert titles(made.next_steps) == [
        "See the whole way in ten minutes",
        "Bring your own rows",
        "Check this computer",
    ]
    assert [step.page for step in made.next_steps] == ["demo", "datasets", "settings"]
    assert not made.has_runs


def test_a_run_in_progress_comes_first(qapp: QApplication) -> None:
    first = at_home(job(2, JobState.RUNNING), job(1)).next_steps[0]
    assert first.title == "Watch it learn"
    assert (first.page, first.job) == ("runs", job(2).id)
    assert "run 2" in first.sentence


def test_a_run_that_was_interrupted_can_go_on(qapp: QApplication) -> None:
    steps = at_home(job(3), job(2, JobState.INTERRUPTED)).next_steps
    assert titles(steps)[:2] == ["Go on where it broke off", "Take your model with you"]
    assert steps[0].job == job(2).id


def test_a_failure_is_looked_into_while_it_is_the_newest(qapp: QApplication) -> None:
    assert "See what went wrong" in titles(at_home(job(2, JobState.FAILED), job(1)).next_steps)
    assert "See what went wrong" not in titles(at_home(job(2), job(1, JobState.FAILED)).next_steps)


def test_a_trained_model_can_be_taken_away_until_it_was(qapp: QApplication) -> None:
    trained = job(1)
    (step, *_) = at_home(trained).next_steps
    assert (step.page, step.job) == ("export", trained.id)
    exported = at_home(job(2, kind="export", parent=trained.id), trained)
    assert "Take your model with you" not in titles(exported.next_steps)
    failed = at_home(job(2, JobState.FAILED, kind="export", parent=trained.id), trained)
    assert "Take your model with you" in titles(failed.next_steps)


def test_there_are_never_more_than_three_steps_and_each_can_be_taken(qapp: QApplication) -> None:
    jobs = [job(5, JobState.FAILED), job(4, JobState.RUNNING), job(3, JobState.INTERRUPTED), job(2), job(1)]
    for count in range(len(jobs) + 1):
        steps = at_home(*jobs[:count]).next_steps
        assert len(steps) == 3
        assert all(step.action and step.page for step in steps)


def test_only_other_steps_are_a_change(qapp: QApplication) -> None:
    shown = table()
    made = home(shown)
    changes: list[None] = []
    made.changed.connect(lambda: changes.append(None))
    shown.update([job(1, JobState.RUNNING, step=1)])
    made.refresh()
    shown.update([job(1, JobState.RUNNING, step=2)])
    made.refresh()
    assert len(changes) == 1
    shown.update([job(1)])
    made.refresh()
    assert len(changes) == 2


def test_the_newest_runs_are_shown(qapp: QApplication) -> None:
    made = at_home(*(job(number) for number in range(9, 0, -1)))
    shown = [made.recent.index(row, 0).data() for row in range(made.recent.rowCount())]
    assert shown == ["run 9", "run 8", "run 7", "run 6", "run 5"]
    assert made.has_runs


def test_until_the_doctor_has_looked_the_page_says_so(qapp: QApplication) -> None:
    made = home(table())
    assert made.device_title == "Looking at this computer …"
    assert made.device_sentence == ""
    assert made.findings == ()


def test_a_processor_is_ready_and_named_where_its_name_says_something(qapp: QApplication) -> None:
    made = home(table())
    made.take(made_machine().glance())
    assert made.is_ready
    assert made.device_title == "Ready to train on the processor"
    assert made.device_sentence.startswith("AMD Ryzen 7 7840U, 8 cores and 32.0\u00a0GiB of memory.")
    made.take(made_machine(Check("processor", "ok", {"cores": 4, "name": "x86_64"})).glance())
    assert made.device_sentence.startswith("4 processor cores and 32.0\u00a0GiB of memory.")


def test_a_graphics_card_is_ready_with_its_memory(qapp: QApplication) -> None:
    found = made_machine(GPU).glance()
    made = home(table())
    made.take(Findings(**{**vars(found), "device": "cuda"}))
    assert made.device_title == "Ready to train on the graphics card"
    assert made.device_sentence == "NVIDIA RTX 4070 with 12.0\u00a0GiB: training is fast here."


def test_what_the_sentence_on_the_device_says_is_not_said_twice(qapp: QApplication) -> None:
    made = home(table())
    made.take(made_machine().glance())
    assert [one.sentence for one in made.findings] == [
        "212\u00a0GiB free on the disk of the data folder.",
        "All packages for training are there (PyTorch 2.13.0).",
        "llama.cpp is there: exports can be proven.",
    ]
    assert {one.status for one in made.findings} == {"ok"}


def test_what_needs_attention_comes_first_and_with_a_next_step(qapp: QApplication) -> None:
    made = home(table())
    made.take(
        made_machine(
            Check("memory", "warn", {"ram_bytes": 2 * GIB}),
            Check("llama_cpp", "warn"),
            Check("packages", "fail", {"missing": "trl"}),
        ).glance()
    )
    assert not made.is_ready
    assert made.device_title == "Something is missing before you can train here"
    assert [one.status for one in made.findings] == ["fail", "warn", "warn", "ok"]
    assert [bool(one.next_step) for one in made.findings] == [True, True, True, False]
    assert "trl" in made.findings[0].sentence


def test_a_check_without_words_is_shown_by_its_name(qapp: QApplication) -> None:
    made = home(table())
    made.take(made_machine(Check("something_new", "warn")).glance())
    assert made.findings[0].status == "warn"
    assert made.findings[0].sentence == "something new"


@pytest.mark.parametrize(
    ("lora", "qlora", "said"),
    [
        (
            1_711_376_384,
            3_212_749_824,
            "Models up to about 1.7 B parameters fit with LoRA, up to about 3.2 B in",
        ),
        (134_515_008, 134_515_008, "Models up to about 135 M parameters fit with LoRA."),
        (0, 134_515_008, "Models up to about 135 M parameters fit in 4 bit (QLoRA)."),
        (0, 0, "There is too little memory to train even a small model"),
    ],
)
def test_how_large_a_model_can_be_trained_is_told(
    qapp: QApplication, lora: int, qlora: int, said: str
) -> None:
    made = at_home()
    assert made.capacity_sentence == ""
    made.take(made_machine().found)
    made.take_capacity(Capacity("cpu", lora, qlora))
    assert made.capacity_sentence.replace("\u00a0", " ").startswith(said)


def test_where_nothing_can_be_trained_no_size_is_promised(qapp: QApplication) -> None:
    made = at_home()
    made.take(made_machine(Check("packages", "fail", {"missing": "torch"})).found)
    made.take_capacity(Capacity("cpu", 10**9, 10**9))
    assert made.capacity_sentence == ""
