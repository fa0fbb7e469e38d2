from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from academy_desktop.core.jobs import Jobs, new_id
from academy_desktop.core.paths import DataDir
from academy_desktop.core.queue import DeviceQueue
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from tests.academy_desktop.made_runs import held_lock
from tests.chaos.driving import (
    export_recipe,
    fake_jobs,
    host_record,
    is_running,
    train_recipe,
    trainer_pid,
    until,
)
from trainers import checkpoint
from trainers.errors import AcademyError, ErrorCode
from trainers.events import CheckpointSkipped, Ended, Resumed, Step
from trainers.heartbeat import Beat, read_heartbeat
from trainers.layout import Label, Launch, RunDir
from trainers.locks import is_held
from trainers.recipe import Hardware

#: A run that is not over before a test has looked at it, and is over soon after.
LONG = 400


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory for tests that look at one job only: the trainer's code is compiled once."""
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(autouse=True)
def nothing_runs_on(shared: Path, tmp_path: Path) -> Iterator[None]:
    """End what a test that failed has left."""
    yield
    for root in (shared, tmp_path):
        for lock in root.glob("runs/*/host.lock"):
            end(RunDir(lock.parent))


def end(run: RunDir) -> None:
    attempt = run.last_attempt()
    record = host_record(run, attempt.number) if attempt else None
    if record is not None and is_held(run.host_lock):
        os.kill(record.pid, signal.SIGTERM)
        until(lambda: not is_held(run.host_lock), "the end of a host")


def run_of(jobs: Jobs, job: str) -> RunDir:
    return RunDir(Path(jobs.get(job).run_dir))


def running(jobs: Jobs, steps: int = 2) -> str:
    """A job that has taken some steps."""
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step >= steps, "some steps")
    return job


def refusal(code: ErrorCode, caught: pytest.ExceptionInfo[AcademyError]) -> dict[str, object]:
    assert caught.value.code is code
    return dict(caught.value.facts)


def whole(jobs: Jobs, job: str, steps: int) -> None:
    """The job's history is that of a run that nobody disturbed."""
    assert [step.step for step in jobs.history(job).steps] == list(range(1, steps + 1))


# queueing and looking


def test_a_queued_job_runs_to_its_end(shared: Path) -> None:
    jobs = fake_jobs(shared)
    before = time.time()
    job = jobs.queue(train_recipe(), name="Mine")
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{6}", job)
    assert jobs.get(job).state in {JobState.QUEUED, JobState.STARTING, JobState.RUNNING}
    done = jobs.wait(job)
    assert (done.state, done.step, done.total_steps, done.attempt) == (JobState.SUCCEEDED, 20, 20, 1)
    assert (done.name, done.kind, done.parent, done.reason) == ("Mine", "train", None, "")
    assert before - 1 <= done.created_at <= time.time()
    assert jobs.get(job) == done
    assert done in jobs.list()
    assert not is_held(run_of(jobs, job).host_lock)
    assert DeviceQueue(shared / "queue" / "cpu").jobs() == ()
    assert "--- attempt 1 ---" in jobs.log(job).read_new()


def test_a_job_outlives_the_object_and_the_process_that_queued_it(shared: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from tests.chaos.driving import fake_jobs, train_recipe
        print(fake_jobs(Path(sys.argv[1]), steps=60).queue(train_recipe()))
    """
    command = [sys.executable, "-c", "\n".join(line.strip() for line in script.splitlines()), str(shared)]
    queued = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    jobs = fake_jobs(shared)
    job = queued.stdout.strip()
    assert jobs.wait(job).state is JobState.SUCCEEDED
    whole(jobs, job, 60)


def test_jobs_are_listed_by_age_even_within_a_second(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path)
    made = [jobs.queue(export_recipe("p", tmp_path)) for _ in range(5)]
    assert [one.id for one in jobs.list()] == made
    assert jobs.resolve("last") == made[-1]
    for job in made:
        assert jobs.wait(job).state is JobState.SUCCEEDED


def old(tmp_path: Path, *names: str) -> Jobs:
    """Jobs of which only the folders are left."""
    jobs = fake_jobs(tmp_path)
    for name in names:
        (tmp_path / "runs" / name).mkdir()
    return jobs


def test_a_job_is_found_by_id_by_a_beginning_of_it_and_as_the_last(tmp_path: Path) -> None:
    jobs = old(tmp_path, "20261124-064744-3f9a1c", "20261124-064744-3fffff", "20261125-000000-000000")
    assert jobs.resolve("20261124-064744-3f9a1c") == "20261124-064744-3f9a1c"
    assert jobs.resolve("20261124-064744-3f9") == "20261124-064744-3f9a1c"
    assert jobs.resolve("20261125") == "20261125-000000-000000"
    assert jobs.resolve("last") == "20261125-000000-000000"


def test_an_id_that_is_also_a_beginning_is_that_job(tmp_path: Path) -> None:
    assert old(tmp_path, "imported", "imported-2").resolve("imported") == "imported"


@pytest.mark.parametrize(
    ("name", "matches"), [("", 0), ("nobody", 0), ("2026", 2), ("..", 0), ("64744", 0), ("LAST", 0)]
)
def test_a_job_that_is_not_one_is_unknown(tmp_path: Path, name: str, matches: int) -> None:
    jobs = old(tmp_path, "20261124-064744-3f9a1c", "20261125-000000-000000")
    with pytest.raises(AcademyError) as caught:
        jobs.resolve(name)
    assert refusal(ErrorCode.JOB_UNKNOWN, caught) == {"job": name, "matches": matches}


def test_without_jobs_there_is_no_last_one(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path)
    assert list(jobs.list()) == []
    with pytest.raises(AcademyError) as caught:
        jobs.resolve("last")
    assert refusal(ErrorCode.JOB_UNKNOWN, caught) == {"job": "last", "matches": 0}


def test_everything_refuses_a_job_that_is_not_there(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path)
    for action in (
        jobs.get, jobs.stop, jobs.save, jobs.suspend, jobs.pause, jobs.unpause, jobs.kill, jobs.resume,
        jobs.history, jobs.wait, jobs.log, jobs.delete, jobs.restore, lambda job: list(jobs.follow(job)),
        lambda job: jobs.relabel(job),
    ):  # fmt: skip
        with pytest.raises(AcademyError) as caught:
            action("nobody")
        assert caught.value.code is ErrorCode.JOB_UNKNOWN


def test_a_job_of_a_later_version_is_left_out_of_the_list_and_refused_each_time(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path)
    job = jobs.queue(train_recipe())
    jobs.wait(job)
    newer = RunDir(tmp_path / "runs" / "20991231-235959-ffffff")
    shutil.copytree(run_of(jobs, job).path, newer.path)
    events = newer.events.read_bytes()
    newer.events.write_bytes(events.replace(b'{"v":1', b'{"v":2'))
    for _ in range(2):
        assert [one.id for one in jobs.list()] == [job]
        with pytest.raises(AcademyError) as caught:
            jobs.get(newer.job)
        assert caught.value.code is ErrorCode.PROTOCOL_NEWER


def test_ids_are_made_apart() -> None:
    assert len({new_id() for _ in range(200)}) == 200


# commands


def test_a_job_that_is_stopped_saves_and_goes_on_where_it_was(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=LONG, save_every=1000)
    job = running(jobs)
    jobs.stop(job)
    stopped = jobs.wait(job)
    assert (stopped.state, stopped.reason) == (JobState.STOPPED, "user")
    assert stopped.state.can_resume
    assert checkpoint.newest_good(run_of(jobs, job).checkpoints).step == stopped.step < LONG
    steps = stopped.step + 5
    again = fake_jobs(shared, steps=steps)
    assert again.resume(job) == 2
    done = again.wait(job)
    assert (done.state, done.attempt, done.step) == (JobState.SUCCEEDED, 2, steps)
    whole(again, job, steps)
    resumed = [one.payload for one in again.follow(job) if isinstance(one.payload, Resumed)]
    assert [(one.from_step, one.exact) for one in resumed] == [(stopped.step, True)]


def test_a_suspended_job_says_so(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=LONG)
    job = running(jobs)
    pid = trainer_pid(run_of(jobs, job))
    jobs.suspend(job)
    assert not jobs.get(job).state.is_over or jobs.get(job).state is JobState.STOPPED
    suspended = jobs.wait(job)
    assert (suspended.state, suspended.reason) == (JobState.STOPPED, "suspended")
    assert not is_running(pid)


def test_a_paused_job_keeps_its_place_and_its_process(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=LONG)
    job = running(jobs)
    pid = trainer_pid(run_of(jobs, job))
    jobs.pause(job)
    until(lambda: jobs.get(job).state is JobState.PAUSED, "a pause")
    place = jobs.get(job).step
    jobs.save(job)
    until(lambda: checkpoint.newest_good(run_of(jobs, job).checkpoints).step == place, "a checkpoint")
    assert (jobs.get(job).state, jobs.get(job).step) == (JobState.PAUSED, place)
    assert is_running(pid)
    jobs.unpause(job)
    until(lambda: jobs.get(job).step > place, "the next step")
    assert jobs.get(job).state is JobState.RUNNING
    jobs.stop(job)
    assert jobs.wait(job).state is JobState.STOPPED


def test_a_paused_job_can_be_stopped(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=LONG)
    job = running(jobs)
    jobs.pause(job)
    until(lambda: jobs.get(job).state is JobState.PAUSED, "a pause")
    jobs.stop(job)
    assert jobs.wait(job).state is JobState.STOPPED


def test_a_save_answers_when_it_is_done(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=LONG, save_every=1000)
    job = running(jobs)
    order = jobs.save(job)
    answer = until(lambda: jobs.history(job).answers.get(order), "an answer")
    assert answer.outcome == "done"
    assert [one.step for one in jobs.history(job).checkpoints] != []
    jobs.kill(job)
    jobs.wait(job)


def test_a_kill_is_polite_first_and_the_job_can_be_resumed(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=LONG)
    job = running(jobs, steps=6)
    pid = trainer_pid(run_of(jobs, job))
    jobs.kill(job)
    killed = jobs.wait(job)
    assert (killed.state, killed.reason) == (JobState.STOPPED, "user")
    assert not is_running(pid)
    again = fake_jobs(shared, steps=killed.step + 3)
    again.resume(job)
    assert again.wait(job).state is JobState.SUCCEEDED
    whole(again, job, killed.step + 3)


def test_a_job_that_does_not_listen_is_killed_for_good(shared: Path) -> None:
    jobs = fake_jobs(shared, failure="hang@3", stop_grace_s=0.1)
    job = running(jobs)
    jobs.kill(job)
    killed = jobs.wait(job)
    assert (killed.state, killed.reason, killed.step) == (JobState.INTERRUPTED, "SIGKILL", 2)


@pytest.mark.parametrize("name", ["stop", "save", "suspend", "pause", "unpause", "kill"])
def test_a_job_that_is_over_takes_no_commands(tmp_path: Path, name: str) -> None:
    jobs = old(tmp_path, "20261124-064744-3f9a1c")
    with pytest.raises(AcademyError) as caught:
        getattr(jobs, name)("last")
    assert refusal(ErrorCode.JOB_NOT_RUNNING, caught) == {
        "job": "20261124-064744-3f9a1c",
        "state": "interrupted",
    }
    assert list((tmp_path / "runs").glob("*/commands")) == []


# the queue


def test_jobs_wait_for_each_other_and_can_be_stopped_there(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=LONG)
    first = running(jobs)
    second, third = jobs.queue(train_recipe()), jobs.queue(train_recipe())
    export = jobs.queue(export_recipe(first, tmp_path / "runs" / first))
    queue = DeviceQueue(tmp_path / "queue" / "cpu")
    assert queue.jobs() == (first, second, third)
    assert jobs.wait(export).state is JobState.SUCCEEDED
    assert [jobs.get(job).state for job in (second, third)] == [JobState.QUEUED, JobState.QUEUED]
    jobs.stop(second)
    stopped = jobs.wait(second)
    assert (stopped.state, stopped.reason, stopped.started_at) == (JobState.STOPPED, "user", None)
    assert jobs.get(first).state is JobState.RUNNING
    jobs.stop(first)
    until(lambda: jobs.get(third).state is JobState.RUNNING, "the third one's turn")
    assert queue.jobs() == (third,)
    jobs.stop(third)
    assert jobs.wait(third).state is JobState.STOPPED
    assert jobs.wait(first).state is JobState.STOPPED
    assert queue.jobs() == ()


def test_a_job_waits_on_the_device_that_its_recipe_names(tmp_path: Path) -> None:
    locks = []
    for device in ("cpu", "cuda-0"):
        DataDir(tmp_path).open()
        (tmp_path / "queue" / device).mkdir()
        locks.append(held_lock(tmp_path / "queue" / device / "device.lock"))
    jobs = fake_jobs(tmp_path)
    on_cpu = jobs.queue(train_recipe())
    on_gpu = jobs.queue(train_recipe().model_copy(update={"hardware": Hardware(device="cuda")}))
    auto = Jobs(DataDir(tmp_path), Path(sys.executable), lambda: "cuda-0", trainer_module="trainers.fake")
    on_auto = auto.queue(train_recipe())
    assert DeviceQueue(tmp_path / "queue" / "cpu").jobs() == (on_cpu,)
    assert DeviceQueue(tmp_path / "queue" / "cuda-0").jobs() == (on_gpu, on_auto)
    for job in (on_cpu, on_gpu, on_auto):
        jobs.kill(job)
        assert jobs.wait(job).state is JobState.STOPPED
    for lock in locks:
        lock.release()


# following and waiting


def test_a_follower_gets_each_event_once_however_often_the_job_is_resumed(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=30, failure="crash@13")
    job = jobs.queue(train_recipe())
    first = [event.seq for event in jobs.follow(job)]
    assert first == list(range(1, len(first) + 1))
    again = fake_jobs(shared, steps=30)
    again.resume(job)
    rest = [event.seq for event in again.follow(job, after_seq=first[-1])]
    assert rest == list(range(first[-1] + 1, first[-1] + len(rest) + 1))
    events = list(again.follow(job))
    assert [event.seq for event in events] == first + rest
    assert [event.attempt for event in events] == [1] * len(first) + [2] * len(rest)
    assert isinstance(events[-1].payload, Ended)
    assert list(again.follow(job, after_seq=events[-1].seq)) == []


def test_two_followers_do_not_disturb_each_other(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=60)
    job = jobs.queue(train_recipe())
    seen: list[list[int]] = []

    def follow() -> None:
        seen.append([event.payload.step for event in jobs.follow(job) if isinstance(event.payload, Step)])

    threads = [threading.Thread(target=follow) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [list(range(1, 61))] * 3


def test_waiting_may_have_an_end(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=LONG)
    job = running(jobs)
    assert jobs.wait(job, timeout_s=0.0).state is JobState.RUNNING
    jobs.stop(job)
    assert jobs.wait(job, timeout_s=60.0).state is JobState.STOPPED


# resuming


def test_a_job_that_runs_or_succeeded_is_not_resumed(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=LONG)
    job = running(jobs)
    with pytest.raises(AcademyError) as caught:
        jobs.resume(job)
    assert refusal(ErrorCode.JOB_NOT_RESUMABLE, caught) == {"job": job, "state": "running"}
    jobs.stop(job)
    jobs.wait(job)
    short = fake_jobs(shared, steps=1)
    short.resume(job)
    assert short.wait(job).state is JobState.SUCCEEDED
    with pytest.raises(AcademyError) as caught:
        jobs.resume(job)
    assert refusal(ErrorCode.JOB_NOT_RESUMABLE, caught) == {"job": job, "state": "succeeded"}
    assert sorted(path.name for path in run_of(jobs, job).attempts.iterdir()) == ["1", "2"]


def test_a_job_is_resumed_once_however_many_ask_at_once(shared: Path) -> None:
    job = fake_jobs(shared, failure="crash@8").queue(train_recipe())
    fake_jobs(shared).wait(job)
    barrier = threading.Barrier(4)
    outcomes: list[int | ErrorCode] = []

    def resume() -> None:
        jobs = fake_jobs(shared)
        barrier.wait()
        try:
            outcomes.append(jobs.resume(job))
        except AcademyError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=resume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [2, *[ErrorCode.JOB_NOT_RESUMABLE] * 3]
    jobs = fake_jobs(shared)
    assert jobs.wait(job).state is JobState.SUCCEEDED
    whole(jobs, job, 20)


def test_a_torn_last_event_costs_the_resume_nothing(shared: Path) -> None:
    job = fake_jobs(shared, failure="exit@8").queue(train_recipe())
    jobs = fake_jobs(shared)
    assert jobs.wait(job).reason == "crashed"
    run = run_of(jobs, job)
    content = run.events.read_bytes()
    with run.events.open("ab") as stream:
        stream.write(content.splitlines()[-1][:-30])
    before = [event.seq for event in jobs.follow(job)]
    jobs.resume(job)
    after = list(jobs.follow(job))
    assert [event.seq for event in after] == list(range(1, len(after) + 1))
    assert [event.seq for event in after][: len(before)] == before
    assert run.events.read_bytes().startswith(content)
    assert jobs.wait(job).state is JobState.SUCCEEDED
    whole(jobs, job, 20)


def test_of_a_checkpoint_with_one_byte_changed_the_older_one_is_used(shared: Path) -> None:
    job = fake_jobs(shared, failure="crash@13").queue(train_recipe())
    jobs = fake_jobs(shared)
    jobs.wait(job)
    run = run_of(jobs, job)
    damaged = run.checkpoints / "step-10" / "state.json"
    content = bytearray(damaged.read_bytes())
    content[-2] ^= 1
    damaged.write_bytes(content)
    jobs.resume(job)
    events = [event.payload for event in jobs.follow(job)]
    (skipped,) = [one for one in events if isinstance(one, CheckpointSkipped)]
    assert (skipped.path, skipped.code) == ("checkpoints/step-10", "checkpoint_damaged")
    assert skipped.facts["file"] == "state.json"
    (resumed,) = [one for one in events if isinstance(one, Resumed)]
    assert (resumed.from_step, resumed.checkpoint) == (5, "checkpoints/step-5")
    assert events.index(skipped) < events.index(resumed)
    assert jobs.wait(job).state is JobState.SUCCEEDED
    whole(jobs, job, 20)


def test_a_job_whose_host_was_killed_can_be_resumed(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=LONG)
    job = running(jobs, steps=6)
    run = run_of(jobs, job)
    record = host_record(run)
    assert record is not None
    assert record.trainer_pid is not None
    os.kill(record.pid, signal.SIGKILL)
    until(lambda: jobs.get(job).state.is_over, "the loss of the host")
    lost = jobs.get(job)
    assert (lost.state, lost.reason) == (JobState.INTERRUPTED, "host_lost")
    until(lambda: not is_running(record.trainer_pid or 0), "the trainer's end")
    steps = jobs.get(job).step + 2
    again = fake_jobs(shared, steps=steps)
    again.resume(job)
    assert again.wait(job).state is JobState.SUCCEEDED
    whole(again, job, steps)


def test_a_job_whose_interpreter_is_gone_leaves_the_queue_and_can_be_resumed(tmp_path: Path) -> None:
    broken = Jobs(DataDir(tmp_path).open(), Path("/nowhere/python"), trainer_module="trainers.fake")
    with pytest.raises(AcademyError) as caught:
        broken.queue(train_recipe(), name="kept")
    job = str(refusal(ErrorCode.HOST_FAILED, caught)["job"])
    assert DeviceQueue(tmp_path / "queue" / "cpu").jobs() == ()
    launch = tmp_path / "runs" / job / "attempts" / "1" / "launch.json"
    long_ago = launch.stat().st_mtime - 60
    os.utime(launch, (long_ago, long_ago))
    jobs = fake_jobs(tmp_path)
    assert (jobs.get(job).state, jobs.get(job).reason) == (JobState.INTERRUPTED, "host_lost")
    assert jobs.resume(job) == 2
    assert jobs.wait(job).state is JobState.SUCCEEDED
    assert jobs.get(job).name == "kept"


# keeping


def finished(shared: Path) -> tuple[Jobs, JobSummary]:
    jobs = fake_jobs(shared, steps=2)
    return jobs, jobs.wait(jobs.queue(train_recipe(), name="before"))


def test_a_deleted_job_is_in_the_trash_and_comes_back_whole(shared: Path) -> None:
    jobs, done = finished(shared)
    jobs.delete(done.id[:-1])
    assert done.id not in [one.id for one in jobs.list()]
    assert (shared / "trash" / done.id / "events.jsonl").is_file()
    with pytest.raises(AcademyError) as caught:
        jobs.get(done.id)
    assert caught.value.code is ErrorCode.JOB_UNKNOWN
    jobs.restore(done.id)
    assert jobs.get(done.id) == done
    assert len(list(jobs.follow(done.id))) > 3
    with pytest.raises(AcademyError):
        jobs.restore(done.id)


def test_a_running_job_is_not_deleted(shared: Path) -> None:
    jobs = fake_jobs(shared, steps=LONG)
    job = running(jobs)
    with pytest.raises(AcademyError) as caught:
        jobs.delete(job)
    assert refusal(ErrorCode.JOB_RUNNING, caught) == {"job": job, "state": "running"}
    assert jobs.get(job).state is JobState.RUNNING
    jobs.stop(job)
    jobs.wait(job)
    jobs.delete(job)


@pytest.mark.parametrize("name", ["", ".", "..", "../runs", "nobody"])
def test_only_a_job_in_the_trash_is_restored(tmp_path: Path, name: str) -> None:
    jobs = old(tmp_path, "20261124-064744-3f9a1c")
    with pytest.raises(AcademyError) as caught:
        jobs.restore(name)
    assert caught.value.code is ErrorCode.JOB_UNKNOWN
    assert [one.id for one in jobs.list()] == ["20261124-064744-3f9a1c"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whether a process is halted")
def test_a_halted_trainer_is_told_and_goes_on_when_it_may(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, failure="halt@3")
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).reason == "process_stopped", "the alarm")
    assert jobs.get(job).state is JobState.RUNNING
    record = host_record(run_of(jobs, job))
    assert record is not None
    assert record.trainer_pid is not None
    os.kill(record.trainer_pid, signal.SIGCONT)
    assert jobs.wait(job).state is JobState.SUCCEEDED


def test_a_trainer_that_waits_for_ever_is_told_and_can_be_ended(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, failure="hang@8", stop_grace_s=0.1, patience_s=1.0)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).reason == "no_progress", "the alarm")
    jobs.kill(job)
    ended = jobs.wait(job)
    assert (ended.state, ended.reason) == (JobState.INTERRUPTED, "SIGKILL")
    record = host_record(run_of(jobs, job))
    assert record is not None
    assert record.stalled == ""


def test_a_pause_is_no_stall(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=100_000, patience_s=1.0)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step > 3, "steps")
    jobs.pause(job)
    until(lambda: jobs.get(job).state is JobState.PAUSED, "the pause")
    beat = read_heartbeat(run_of(jobs, job).heartbeat)
    assert beat is not None
    until(lambda: _beats_since(run_of(jobs, job), beat) >= 3, "three seconds")
    assert jobs.get(job).reason == ""
    jobs.kill(job)
    jobs.wait(job)


def _beats_since(run: RunDir, earlier: Beat) -> int:
    now = read_heartbeat(run.heartbeat)
    return now.beat - earlier.beat if now else 0


def test_a_deleted_job_leaves_the_queue(tmp_path: Path) -> None:
    jobs = old(tmp_path, "20261124-064744-3f9a1c")
    queue = DeviceQueue(tmp_path / "queue" / "cpu")
    queue.enter("20261124-064744-3f9a1c")
    jobs.delete("last")
    assert queue.jobs() == ()


def test_a_queued_job_goes_before_the_others_and_is_run_before_them(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path)
    patient = fake_jobs(tmp_path, steps=100_000)
    first = patient.queue(train_recipe())
    until(lambda: jobs.get(first).state is JobState.RUNNING, "the first")
    second, third = jobs.queue(train_recipe()), jobs.queue(train_recipe())
    until(lambda: all(jobs.get(one).state is JobState.QUEUED for one in (second, third)), "the others")
    assert jobs.move(third, 1) == 1
    jobs.stop(first)
    done = [jobs.wait(one) for one in (second, third)]
    assert [one.state for one in done] == [JobState.SUCCEEDED, JobState.SUCCEEDED]
    assert (done[1].started_at or 0.0) < (done[0].started_at or 0.0)
    with pytest.raises(AcademyError) as caught:
        jobs.move(third, 1)
    assert refusal(ErrorCode.JOB_NOT_QUEUED, caught) == {"job": third, "state": "succeeded"}


def test_a_new_label_is_seen_at_once_and_changes_nothing_else(shared: Path) -> None:
    jobs, done = finished(shared)
    jobs.relabel(done.id, name="after", tags=("a", "b"))
    jobs.relabel(done.id, notes="é\n")
    assert jobs.get(done.id) == done.model_copy(update={"name": "after"})
    label = Label.model_validate_json(run_of(jobs, done.id).label.read_bytes())
    assert (label.notes, label.tags) == ("é\n", ("a", "b"))


# what is written


def test_no_secret_of_the_users_environment_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "MY_PASSWORD", "GH_PAT"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("https_proxy", "http://anna:s3cret@proxy:3128")
    monkeypatch.setenv("PIP_INDEX_URL", "https://s3cret@pypi.example/simple")
    monkeypatch.setenv("ACADEMY_FAKE_STEPS", "1")
    monkeypatch.setenv("HARMLESS", "kept")
    jobs = Jobs(DataDir(tmp_path).open(), Path(sys.executable), trainer_module="trainers.fake")
    job = jobs.queue(train_recipe())
    assert jobs.wait(job).state is JobState.SUCCEEDED
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"s3cret" not in path.read_bytes(), path
    launch = Launch.model_validate_json(run_of(jobs, job).attempt(1).launch.read_bytes())
    assert launch.environment["HARMLESS"] == "kept"


def test_an_attempt_keeps_the_runtime_that_it_began_with(shared: Path) -> None:
    jobs, done = finished(shared)
    launch = Launch.model_validate_json(run_of(jobs, done.id).attempt(1).launch.read_bytes())
    runtime = Path(launch.environment["PYTHONPATH"])
    assert runtime.parent == shared / "runtimes"
    assert (runtime / "trainers" / "host.py").is_file()
    assert launch.argv == (
        sys.executable, "-P", "-m", "trainers.fake", str(shared / "runs" / done.id), "1",
    )  # fmt: skip
    assert launch.cwd == str(shared / "runs" / done.id)


# a full disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of four megabytes."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, left_bytes: int) -> Path:
    """Leave room for so much and no more."""
    filler = disk / "filler"
    with filler.open("wb") as stream:
        stream.write(b"x" * max(0, shutil.disk_usage(disk).free - left_bytes))
    return filler


def everything(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")} - {"filler"}


PAGE = 4096


@pytest.mark.parametrize(
    ("first", "left_bytes"),
    [(True, 0), (True, PAGE), (True, 2 * PAGE), (True, 16 * PAGE), (False, 0), (False, 2 * PAGE)],
    ids=["recipe", "label", "runtime", "middle of runtime", "recipe of a later job", "launch of a later job"],
)
def test_a_job_that_finds_the_disk_full_leaves_nothing(disk: Path, first: bool, left_bytes: int) -> None:
    jobs = fake_jobs(disk, steps=1)
    if not first:
        jobs.wait(jobs.queue(train_recipe()))
    before = everything(disk)
    filler = fill(disk, left_bytes)
    with pytest.raises(AcademyError) as caught:
        jobs.queue(train_recipe())
    facts = refusal(ErrorCode.DISK_FULL, caught)
    assert isinstance(facts["free_bytes"], int)
    assert everything(disk) - {"queue/cpu"} == before - {"queue/cpu"}
    filler.unlink()
    assert jobs.wait(jobs.queue(train_recipe())).state is JobState.SUCCEEDED


def test_a_resume_that_finds_the_disk_full_can_be_tried_again(disk: Path) -> None:
    job = fake_jobs(disk, failure="crash@8").queue(train_recipe())
    jobs = fake_jobs(disk)
    jobs.wait(job)
    filler = fill(disk, 0)
    for action in (jobs.resume, lambda one: jobs.relabel(one, name="x")):
        with pytest.raises(AcademyError) as caught:
            action(job)
        assert caught.value.code is ErrorCode.DISK_FULL
    assert jobs.get(job).state is JobState.FAILED
    assert DeviceQueue(disk / "queue" / "cpu").jobs() == ()
    filler.unlink()
    jobs.resume(job)
    assert jobs.wait(job).state is JobState.SUCCEEDED
    whole(jobs, job, 20)


def test_a_file_that_the_system_refuses_leaves_nothing_of_the_job(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(AcademyError) as caught:
            jobs.queue(train_recipe())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code is ErrorCode.DISK_FULL
    assert list((tmp_path / "runs").iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []
