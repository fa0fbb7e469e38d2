from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.history import EventTail
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.core.states import JobState
from academy_desktop.viewmodels.run_actions import RunAction
from academy_desktop.viewmodels.run_detail import RunDetail
from tests.academy_desktop.made_runs import MadeRun, make_export, make_run, out_of_memory, succeeded
from tests.academy_desktop.viewmodels.making import detail, event, job, step, steps
from trainers.events import (
    Answered,
    Certified,
    CheckpointSaved,
    Evaluated,
    Phase,
    Progress,
    Resumed,
    Started,
    Step,
    Warned,
)

BEGAN = 1_800_000_000.0


def shown(made: MadeRun, data: DataDir) -> RunDetail:
    """The detail of a run directory."""
    view = detail()
    view.show(Jobs(data, Path("python")).get(made.run.job))
    view.apply(EventTail(made.run.events).read_new())
    return view


def values(view: RunDetail) -> dict[str, tuple[str, str]]:
    """Label → value and hint."""
    return {one.label: (one.value, one.hint) for one in view.figures}


def test_before_anything_is_known_every_number_is_a_dash(qapp: QApplication) -> None:
    view = detail()
    view.show(job(1, JobState.STARTING, step=0, total_steps=0))
    assert {value for value, _ in values(view).values()} == {"–"}
    assert view.share_done is None
    assert view.sentence


def test_the_numbers_of_a_finished_run_are_those_of_its_last_events(
    qapp: QApplication, tmp_path: Path
) -> None:
    data = DataDir(tmp_path).open()
    made = make_run(data, "Replies", BEGAN, 60).started().steps(1, 60)
    made.ended(succeeded, 60, 0)
    view = shown(made, data)
    events = EventTail(made.run.events).read_new()
    last = next(one.payload for one in reversed(events) if isinstance(one.payload, Step))
    held_out = next(one.payload for one in reversed(events) if isinstance(one.payload, Evaluated))
    took_s = made.clock.now - (BEGAN + 6.2)
    assert values(view)["Step"] == ("60 / 60", "epoch 3.0")
    assert values(view)["Loss"] == (f"{last.loss:.3f}", f"held-out {held_out.loss:.3f}")
    assert int(values(view)["Tokens/s"][0]) == pytest.approx(812 / 1.9, rel=0.1)
    assert values(view)["Memory"][0] == "1.9\u00a0GiB"
    assert values(view)["Took"] == (f"{took_s // 60:.0f}m {took_s % 60:.0f}s", "saved at 50")
    assert view.title == "Replies"
    assert view.state_word == "Finished"
    assert view.share_done == 1.0
    assert view.activity == ""
    assert view.machine == "8 cores · fp32 · TRL and PEFT on the processor: no CUDA GPU was found"


def test_a_failure_says_what_happened_and_what_to_do(qapp: QApplication, tmp_path: Path) -> None:
    data = DataDir(tmp_path).open()
    made = make_run(data, "Long", BEGAN, 60).started().steps(1, 5).ended(out_of_memory, 5, 1)
    view = shown(made, data)
    assert "21.0\u00a0GiB wanted" in view.sentence
    assert "Close other programs" in view.sentence
    assert view.can_resume
    assert not view.can_stop


def test_while_it_runs_it_says_what_it_does_and_how_long_it_takes(qapp: QApplication) -> None:
    view = detail()
    view.show(job(1, JobState.RUNNING))
    view.apply([event(1, Phase(name="rendering")), event(2, Progress(done=3, total=12, unit="rows"))])
    assert view.activity == "Preparing the rows · 25%"
    view.apply([event(3, Started(kind="train", total_steps=100)), event(4, Phase(name="training"))])
    view.apply(steps(1, 40, seq=5))
    assert view.activity == "Training"
    assert view.share_done == 0.4
    assert values(view)["Time left"] == ("2m", "")
    view.apply([event(45, CheckpointSaved(step=40, path="checkpoints/step-40", size_bytes=1, seconds=1))])
    assert values(view)["Time left"] == ("2m", "saved at 40")


def test_on_a_graphics_card_its_memory_counts(qapp: QApplication) -> None:
    view = detail()
    view.show(job(1, JobState.RUNNING))
    view.apply([event(1, step(1, device_memory_bytes=9 * 1024**3))])
    assert values(view)["Graphics memory"] == ("9.0\u00a0GiB", "main 3.0\u00a0GiB")


def test_a_resumed_run_counts_from_its_checkpoint(qapp: QApplication) -> None:
    view = detail()
    view.show(job(1, JobState.RUNNING, attempt=2))
    view.apply([event(1, Started(kind="train", total_steps=100)), *steps(1, 30, seq=2)])
    view.apply(
        [
            event(32, Started(kind="train", total_steps=100), 2),
            event(33, Resumed(from_step=20, checkpoint="checkpoints/step-20"), 2),
        ]
    )
    assert values(view)["Step"][0] == "20 / 100"
    view.apply(steps(21, 22, seq=34, attempt=2, loss=0.25))
    assert values(view)["Step"][0] == "22 / 100"
    assert values(view)["Loss"][0] == "0.250"


def test_a_warning_is_said_once_however_often_it_comes(qapp: QApplication) -> None:
    view = detail()
    view.show(job(1, JobState.RUNNING))
    view.apply([event(seq, Warned(code="memory_low", facts={"free_bytes": 1024**3})) for seq in (1, 2)])
    assert view.warnings == ("Memory is getting tight: 1.0\u00a0GiB are left.",)


@pytest.mark.parametrize("state", list(JobState))
def test_stop_and_resume_are_offered_where_they_mean_something(qapp: QApplication, state: JobState) -> None:
    view = detail()
    view.show(job(1, state))
    going = {JobState.QUEUED, JobState.STARTING, JobState.RUNNING, JobState.PAUSED}
    assert view.can_stop == (state in going)
    assert view.can_resume == (state in {JobState.STOPPED, JobState.FAILED, JobState.INTERRUPTED})
    assert view.state_word
    assert view.sentence.endswith(".")


def test_a_run_that_waits_for_its_disk_goes_on_by_itself_or_is_ended(qapp: QApplication) -> None:
    view = detail()
    view.show(job(1, JobState.PAUSED))
    assert RunAction.UNPAUSE in view.actions
    facts = {"path": "/home", "needed_bytes": 2**31}
    view.show(job(1, JobState.PAUSED, kind="train", reason="disk_full", facts=facts))
    assert view.can_stop
    assert RunAction.SUSPEND in view.actions
    assert RunAction.UNPAUSE not in view.actions
    assert "2.0 GiB are needed on /home." in view.sentence.replace("\u00a0", " ")


def test_less_memory_is_offered_only_to_a_run_that_lacked_it(qapp: QApplication) -> None:
    view = detail()
    offered = {}
    for kind, reason in (("train", "out_of_memory"), ("export", "out_of_memory"), ("train", "crashed")):
        view.show(job(1, JobState.FAILED, kind=kind, reason=reason))
        offered[kind, reason] = view.can_begin_smaller
    assert [key for key, value in offered.items() if value] == [("train", "out_of_memory")]


def test_an_export_shows_its_files_and_no_curve(qapp: QApplication, tmp_path: Path) -> None:
    data = DataDir(tmp_path).open()
    parent = make_run(data, "Replies", BEGAN, 10)
    view = shown(make_export(data, "As GGUF", BEGAN + 100, parent.run), data)
    assert not view.has_curve
    assert values(view) == {
        "Files": ("2", "gguf q8_0"),
        "Size": ("396\u00a0MiB", ""),
        "Memory": ("1.0\u00a0GiB", "at most"),
        "Took": ("18s", ""),
    }


def test_an_export_in_progress_says_how_far_it_is(qapp: QApplication) -> None:
    view = detail()
    view.show(job(1, JobState.RUNNING, kind="export", total_steps=0))
    view.apply([event(1, Phase(name="writing")), event(2, Progress(done=1, total=4, unit="tensors"))])
    assert view.share_done == 0.25
    assert values(view)["Files"] == ("–", "")


def test_certificate_and_evaluation_show_their_verdicts(qapp: QApplication) -> None:
    view = detail()
    view.show(job(1, kind="certify"))
    view.apply(
        [
            event(1, Certified(path="exports/a.gguf", certificate="a.json", passed=True)),
            event(2, Certified(path="exports/b.gguf", certificate="b.json", passed=False)),
        ]
    )
    assert values(view)["Proofs passed"] == ("1 / 2", "")
    view.show(job(2, kind="evaluate"))
    view.apply(
        [
            event(1, Answered(target="base", rows=50, exact_match=0.02, end_of_turn_rate=1, seconds=1)),
            event(2, Answered(target="tuned", rows=50, exact_match=0.96, end_of_turn_rate=1, seconds=1)),
        ]
    )
    assert values(view)["Before"] == ("2%", "right, of 50 rows")
    assert values(view)["After"] == ("96%", "right, of 50 rows")


def test_another_job_brings_nothing_of_the_one_before(qapp: QApplication) -> None:
    view = detail()
    view.show(job(1, JobState.RUNNING))
    view.apply(steps(1, 30))
    view.show(job(1, JobState.RUNNING, step=31))
    assert values(view)["Loss"][0] == "1.000"
    view.show(job(2, JobState.RUNNING, total_steps=0))
    assert values(view)["Loss"][0] == "–"
    assert view.title == "run 2"
