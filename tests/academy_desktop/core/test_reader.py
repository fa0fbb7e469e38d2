from __future__ import annotations

import os
from pathlib import Path

import pytest

from academy_desktop.core.paths import DataDir
from academy_desktop.core.reader import JobSummary, RunReader, created_at
from academy_desktop.core.recipe_yaml import dump_recipe
from academy_desktop.core.states import HOST_START_S, JobState
from tests.academy_desktop.made_runs import MadeRun, held_lock, make_run, out_of_memory, succeeded
from tests.chaos.driving import export_recipe
from trainers.emitter import Emitter
from trainers.events import CommandAnswered, Phase, Warned
from trainers.heartbeat import Heartbeat
from trainers.layout import Command, CommandName, ExitRecord, HostRecord, Label, Launch, write_record
from trainers.space import disk_of

BEGAN = 1795502864.0


@pytest.fixture
def made(tmp_path: Path) -> MadeRun:
    return make_run(DataDir(tmp_path).open(), "Replies", BEGAN, total_steps=120)


def look(made: MadeRun, age_s: float = 1000.0) -> JobSummary:
    launched = made.run.attempt(1).launch.stat().st_mtime
    return RunReader(made.run, clock=lambda: launched + age_s).refresh()[0]


def command(made: MadeRun, name: CommandName, number: int = 1, attempt: int = 1) -> None:
    record = Command(id=f"c{number}", attempt=attempt, command=name, created_at=float(number))
    write_record(made.run.commands / f"c{number}.json", record)


def answer(made: MadeRun, name: str, outcome: str, number: int = 1) -> None:
    assert made.emitter is not None
    made.emitter.emit(
        CommandAnswered.model_validate({"id": f"c{number}", "command": name, "outcome": outcome})
    )


def launch_again(made: MadeRun) -> None:
    launch = Launch.model_validate_json(made.run.attempt(1).launch.read_bytes())
    write_record(made.run.attempt(2).launch, launch.model_copy(update={"attempt": 2}))


def test_a_job_that_was_never_launched_was_interrupted(made: MadeRun) -> None:
    made.run.attempt(1).launch.unlink()
    summary, events = RunReader(made.run).refresh()
    assert (summary.state, summary.reason, summary.attempt) == (JobState.INTERRUPTED, "not_started", 0)
    assert events == []


def test_a_launch_waits_for_its_host_for_a_while(made: MadeRun) -> None:
    assert look(made, HOST_START_S - 1).state is JobState.QUEUED
    late = look(made, HOST_START_S + 1)
    assert (late.state, late.reason) == (JobState.INTERRUPTED, "host_lost")


def test_a_job_waits_in_the_queue_while_its_host_does(made: MadeRun) -> None:
    lock = held_lock(made.run.host_lock)
    assert look(made).state is JobState.QUEUED
    write_record(made.run.attempt(1).host, HostRecord(state="waiting", pid=1, started_at=BEGAN))
    assert look(made).state is JobState.QUEUED
    lock.release()
    assert look(made, 0.0).state is JobState.INTERRUPTED


def test_a_job_runs_when_its_trainer_has_said_so(made: MadeRun) -> None:
    lock = held_lock(made.run.host_lock)
    write_record(made.run.attempt(1).host, HostRecord(state="running", pid=1, started_at=BEGAN))
    assert look(made).state is JobState.STARTING
    made.started().steps(1, 7)
    summary = look(made)
    assert (summary.state, summary.reason, summary.step, summary.total_steps) == (
        JobState.RUNNING,
        "",
        7,
        120,
    )
    assert (summary.ended_at, summary.facts) == (None, {})
    assert summary.eta_s is not None
    assert summary.tokens_per_s is not None
    made.close()
    lock.release()
    lost = look(made)
    assert (lost.state, lost.reason, lost.eta_s) == (JobState.INTERRUPTED, "host_lost", None)
    assert lost.ended_at == RunReader(made.run).refresh()[1][-1].t


@pytest.mark.parametrize("name", ["stop", "suspend"])
def test_a_stop_holds_from_when_it_is_given_until_it_is_refused(made: MadeRun, name: CommandName) -> None:
    lock = held_lock(made.run.host_lock)
    made.started().steps(1, 2)
    reader = RunReader(made.run)
    assert reader.refresh()[0].state is JobState.RUNNING
    command(made, name)
    assert reader.refresh()[0].state is JobState.STOPPING
    answer(made, name, "accepted")
    assert reader.refresh()[0].state is JobState.STOPPING
    assert RunReader(made.run).refresh()[0].state is JobState.STOPPING
    answer(made, name, "refused")
    assert reader.refresh()[0].state is JobState.RUNNING
    made.close()
    lock.release()


@pytest.mark.parametrize("name", ["save", "pause", "unpause", "kill"])
def test_other_commands_do_not_make_a_job_stop(made: MadeRun, name: CommandName) -> None:
    lock = held_lock(made.run.host_lock)
    made.started()
    command(made, name)
    assert look(made).state is JobState.RUNNING
    made.close()
    lock.release()


def test_a_pause_holds_until_it_is_ended(made: MadeRun) -> None:
    lock = held_lock(made.run.host_lock)
    made.started().steps(1, 2)
    command(made, "pause")
    assert look(made).state is JobState.RUNNING
    answer(made, "pause", "done")
    assert look(made).state is JobState.PAUSED
    answer(made, "unpause", "done", 2)
    assert look(made).state is JobState.RUNNING
    made.close()
    lock.release()


def test_a_job_that_succeeded_says_when_and_how(made: MadeRun) -> None:
    made.started().steps(1, 120).ended(succeeded, 120, 0)
    summary = look(made)
    assert (summary.state, summary.reason, summary.step) == (JobState.SUCCEEDED, "", 120)
    assert summary.started_at is not None
    assert summary.ended_at is not None
    assert summary.ended_at > summary.started_at
    assert summary.loss is not None
    assert summary.eval_loss is not None


def test_a_failure_comes_with_its_facts(made: MadeRun) -> None:
    made.started().steps(1, 9).ended(out_of_memory, 9, 1)
    summary = look(made)
    assert (summary.state, summary.reason) == (JobState.FAILED, "out_of_memory")
    assert summary.facts == out_of_memory(9).facts


@pytest.mark.parametrize(
    ("record", "state", "reason", "facts"),
    [
        (
            ExitRecord(reason="exited", exit_code=3, ended_at=9.0),
            "failed",
            "crashed",
            {"detail": "exit code 3"},
        ),
        (ExitRecord(reason="signalled", signal="SIGKILL", ended_at=9.0), "interrupted", "SIGKILL", {}),
        (ExitRecord(reason="stopped_in_queue", ended_at=9.0), "stopped", "user", {}),
    ],
)
def test_an_end_without_words_is_told_by_the_host(
    made: MadeRun, record: ExitRecord, state: str, reason: str, facts: dict[str, object]
) -> None:
    made.started().steps(1, 3).exited(record)
    summary = look(made)
    assert (summary.state.value, summary.reason, summary.facts) == (state, reason, facts)
    assert (summary.ended_at, summary.step) == (9.0, 3)


def test_a_trainer_that_could_not_start_is_told_by_the_host(made: MadeRun) -> None:
    made.exited(ExitRecord(reason="not_started", message="no such file", ended_at=9.0))
    summary = look(made)
    assert (summary.state, summary.reason) == (JobState.FAILED, "host_failed")
    assert summary.facts == {"job": made.run.job, "detail": "no such file"}


def test_an_earlier_attempts_end_is_not_told_of_the_newest(made: MadeRun) -> None:
    made.started().steps(1, 9).ended(out_of_memory, 9, 1)
    launch_again(made)
    reader = RunReader(made.run)
    assert reader.refresh()[0].state is JobState.QUEUED
    write_record(made.run.attempt(2).exit, ExitRecord(reason="stopped_in_queue", ended_at=BEGAN + 9e6))
    summary = reader.refresh()[0]
    assert (summary.state, summary.reason, summary.attempt) == (JobState.STOPPED, "user", 2)
    assert (summary.facts, summary.ended_at) == ({}, BEGAN + 9e6)
    assert summary.step == 9


def test_a_stop_of_an_earlier_attempt_is_forgotten(made: MadeRun) -> None:
    lock = held_lock(made.run.host_lock)
    made.started()
    command(made, "stop")
    reader = RunReader(made.run)
    assert reader.refresh()[0].state is JobState.STOPPING
    made.close()
    launch_again(made)
    write_record(made.run.attempt(2).host, HostRecord(state="running", pid=1, started_at=BEGAN))
    assert reader.refresh()[0].state is JobState.STARTING
    command(made, "suspend", number=2, attempt=2)
    assert reader.refresh()[0].state is JobState.STOPPING
    lock.release()


def test_a_run_that_waits_for_its_disk_pauses_and_says_for_how_much(made: MadeRun) -> None:
    lock = held_lock(made.run.host_lock)
    made.started().steps(1, 9)
    beat = Heartbeat(made.run.heartbeat)
    beat.waits("disk_full", 1_000_000)
    paused = look(made)
    assert (paused.state, paused.reason) == (JobState.PAUSED, "disk_full")
    assert paused.facts == {"path": str(disk_of(made.run.path)), "needed_bytes": 1_000_000}
    beat.phase("training")
    assert (look(made).state, look(made).facts) == (JobState.RUNNING, {})
    made.close()
    lock.release()


def test_what_the_heartbeat_of_a_killed_trainer_said_is_over(made: MadeRun) -> None:
    lock = held_lock(made.run.host_lock)
    made.started().steps(1, 9)
    Heartbeat(made.run.heartbeat).waits("disk_full", 1_000_000)
    launch_again(made)
    write_record(made.run.attempt(2).host, HostRecord(state="waiting", pid=1, started_at=BEGAN))
    assert look(made).state is JobState.QUEUED
    made.close()
    lock.release()


def test_a_job_whose_trainer_has_no_room_to_start_pauses(made: MadeRun) -> None:
    lock = held_lock(made.run.host_lock)
    record = HostRecord(state="waiting", pid=1, started_at=BEGAN, stalled="disk_full")
    write_record(made.run.attempt(1).host, record)
    assert (look(made).state, look(made).reason) == (JobState.PAUSED, "disk_full")
    lock.release()


def test_a_run_that_the_system_ended_for_want_of_memory_failed(made: MadeRun) -> None:
    killed = ExitRecord(reason="signalled", signal="SIGKILL", out_of_memory=True, ended_at=BEGAN)
    made.started().steps(1, 9).exited(killed)
    assert (look(made).state, look(made).reason, look(made).facts) == (JobState.FAILED, "out_of_memory", {})


def test_events_are_told_once_by_each_reader(made: MadeRun) -> None:
    made.started()
    first = RunReader(made.run)
    assert [event.seq for event in first.refresh()[1]] == [1, 2, 3]
    assert first.refresh()[1] == []
    assert made.emitter is not None
    made.emitter.emit(Warned(code="slow"))
    assert [event.type for event in first.refresh()[1]] == ["warning"]
    assert len(RunReader(made.run).refresh()[1]) == 4
    made.close()


def test_a_label_names_the_job_and_the_recipe_where_there_is_none(made: MadeRun) -> None:
    reader = RunReader(made.run)
    write_record(made.run.label, Label(name="Better name"))
    assert reader.refresh()[0].name == "Better name"
    write_record(made.run.label, Label(name="", notes="x"))
    assert reader.refresh()[0].name == "Replies"
    made.run.label.write_bytes(b"{torn")
    assert reader.refresh()[0].name == "Replies"


def test_a_job_with_a_damaged_recipe_is_still_listed(made: MadeRun) -> None:
    made.run.recipe.write_text("kind: dance")
    assert look(made).kind == "unknown"
    made.run.recipe.unlink()
    assert look(made).kind == "unknown"


def test_an_export_names_its_parent(made: MadeRun, tmp_path: Path) -> None:
    made.run.recipe.write_bytes(dump_recipe(export_recipe("20261124-064744-3f9a1c", tmp_path)))
    summary = look(made)
    assert (summary.kind, summary.parent) == ("export", "20261124-064744-3f9a1c")


def test_damaged_records_do_not_hide_a_job(made: MadeRun) -> None:
    made.started().steps(1, 2).close()
    for path in (made.run.attempt(1).host, made.run.attempt(1).exit):
        path.write_bytes(b'{"v": 1, "state')
    assert look(made).state is JobState.INTERRUPTED


def test_a_job_that_is_being_deleted_can_be_looked_at(made: MadeRun) -> None:
    reader = RunReader(made.run)
    reader.refresh()
    made.run.path.rename(made.run.path.with_name("elsewhere"))
    summary, events = reader.refresh()
    assert (summary.state, events) == (JobState.INTERRUPTED, [])


def test_reading_leaves_a_run_as_it_is(made: MadeRun) -> None:
    made.started().steps(1, 2).ended(succeeded, 2, 0)
    held_lock(made.run.host_lock).release()

    def state() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in made.run.path.rglob("*")
        }

    before = state()
    look(made)
    assert state() == before


def test_an_event_from_a_trainer_whose_launch_is_not_there_is_still_read(made: MadeRun) -> None:
    made.run.events.touch()
    emitter = Emitter(made.run.events, 1)
    emitter.emit(Phase(name="loading"))
    emitter.close()
    os.unlink(made.run.attempt(1).launch)
    assert len(RunReader(made.run).refresh()[1]) == 1


@pytest.mark.parametrize(
    ("job", "at"),
    [("20261124-064744-3f9a1c", BEGAN), ("19700101-000000-000000", 0.0), ("parent", 0.0), ("", 0.0)],
)
def test_a_job_was_made_when_its_id_says(job: str, at: float) -> None:
    assert created_at(job) == at
