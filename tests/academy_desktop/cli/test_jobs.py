from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.academy_desktop.cli.conftest import Academy
from tests.chaos.driving import fake_jobs, train_recipe, until
from trainers.recipe import TrainRecipe
from trainers.recipe_file import read_recipe

STEPS = 20


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_finished_job_is_listed_shown_and_followed_from_its_beginning(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=STEPS)
    job = jobs.queue(train_recipe(), "My run")
    jobs.wait(job)
    (listed,) = academy("jobs", "list", "--json").json["jobs"]
    assert listed["id"] == job
    assert (listed["name"], listed["state"], listed["step"]) == ("My run", "succeeded", STEPS)
    fields = ("reason", "created_at", "started_at", "ended_at", "total_steps", "loss", "eval_loss", "eta_s")
    assert listed.keys() >= {*fields, "tokens_per_s", "run_dir"}
    assert academy("jobs", "show", "last", "--json").json["id"] == job
    followed = academy("jobs", "follow", job, "--json")
    numbers = [json.loads(line)["seq"] for line in followed.out.splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
    rest = academy("jobs", "follow", job, "--after", str(len(numbers) - 2), "--json")
    assert [json.loads(line)["seq"] for line in rest.out.splitlines()] == numbers[-2:]


def test_following_for_people_tells_steps_and_the_end(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=STEPS)
    job = jobs.queue(train_recipe())
    said = academy("jobs", "follow", job)
    assert said.code == 0
    assert f"step {STEPS} of {STEPS}" in said.err
    assert "finished" in said.out


def test_stop_saves_and_ends(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=5000)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step > 0, "a step")
    said = academy("jobs", "stop", job, "--json")
    assert said.code == 0
    assert (said.json["job"], said.json["state"]) == (job, "stopped")
    assert said.json["checkpoint"] == f"checkpoints/step-{said.json['step']}"
    again = academy("jobs", "stop", job, "--json")
    assert (again.code, again.json["error"]["code"]) == (1, "job_not_running")


def test_a_queued_job_is_moved_and_one_that_does_not_wait_is_not(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=100_000)
    first, second, third = (jobs.queue(train_recipe()) for _ in range(3))
    until(lambda: jobs.get(first).step > 0, "a step")
    moved = academy("jobs", "move", third, "--to", "1", "--json")
    assert (moved.code, moved.json["state"], moved.json["place"]) == (0, "queued", 1)
    refused = academy("jobs", "move", first, "--to", "1", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "job_not_queued")
    assert academy("jobs", "move", third, "--to", "0", "--json").code == 2
    for job in (second, third, first):
        jobs.kill(job)
        jobs.wait(job)


def test_suspend_says_so(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=5000)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step > 0, "a step")
    said = academy("jobs", "suspend", job, "--json").json
    assert (said["state"], said["reason"]) == ("stopped", "suspended")


def test_save_waits_for_the_checkpoint_and_pause_for_the_pause(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=100_000, save_every=1_000_000)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step > 0, "a step")
    saved = academy("jobs", "save", job, "--json").json
    assert saved["state"] == "running"
    assert (Path(saved["run_dir"]) / saved["checkpoint"] / "manifest.json").is_file()
    assert academy("jobs", "pause", job, "--json").json["state"] == "paused"
    assert academy("jobs", "unpause", job, "--json").json["state"] == "running"
    assert academy("jobs", "kill", job, "--json").json["job"] == job


def test_a_model_is_asked_in_between_and_its_answers_are_shown(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=5000)
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step > 0, "a step")
    assert academy("jobs", "show", job, "--json").json["samples"] == []
    said = academy("jobs", "sample", job, "--json").json
    (one,) = said["samples"]
    assert (said["job"], one["index"], one["prompt"]) == (job, 0, "What did you learn?")
    assert (one["base"], one["tuned"]) == ("0 of 5000 steps.", f"{one['step']} of 5000 steps.")
    assert "of 5000 steps." in academy("jobs", "sample", job).out
    newest = academy("jobs", "show", job, "--json").json["samples"][0]
    assert newest["step"] >= one["step"] > 0
    jobs.kill(job)
    jobs.wait(job)
    told = academy("jobs", "follow", job).err
    assert "before training · What did you learn? → 0 of 5000 steps." in told
    assert f"step {one['step']} · What did you learn? → {one['tuned']}" in told


def test_a_failed_run_is_exit_code_one_with_its_reason(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=STEPS, failure="oom@3")
    job = jobs.queue(train_recipe())
    jobs.wait(job)
    said = academy("jobs", "follow", job)
    assert said.code == 1
    assert "Memory ran out" in said.err


def test_logs_print_what_the_trainer_printed(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=STEPS, failure="crash@3")
    job = jobs.queue(train_recipe())
    jobs.wait(job)
    assert "scripted crash" in academy("jobs", "logs", job).out
    assert "scripted crash" in academy("jobs", "logs", job, "--json").json["text"]


def test_logs_can_be_followed_to_the_end(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=5000)
    job = jobs.queue(train_recipe())
    stopper = threading.Thread(target=lambda: (until(lambda: jobs.get(job).step > 0), jobs.stop(job)))
    stopper.start()
    said = academy("jobs", "logs", job, "--follow")
    stopper.join()
    assert said.out.startswith("--- attempt 1 ---")
    assert jobs.get(job).state == "stopped"


def test_delete_can_be_undone(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=STEPS)
    job = jobs.queue(train_recipe())
    jobs.wait(job)
    assert academy("jobs", "delete", job, "--json").json["job"] == job
    assert academy("jobs", "list", "--json").json == {"jobs": []}
    assert academy("jobs", "restore", job, "--json").json["state"] == "succeeded"


def test_a_label_changes_the_name(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=STEPS)
    job = jobs.queue(train_recipe())
    jobs.wait(job)
    assert academy("jobs", "label", job, "--name", "Better", "--json").json["name"] == "Better"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_leaves_the_run_going_and_says_how_to_come_back(data: Path) -> None:
    jobs = fake_jobs(data, steps=5000)
    job = jobs.queue(train_recipe())
    command = [sys.executable, "-m", "academy_desktop", "--data-dir", str(data), "jobs", "follow", job]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        until(lambda: "step" in (child.stderr.readline() if child.stderr else ""), "a step on the screen")
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()
    assert child.returncode == 130
    assert f"academy jobs follow {job}" in said
    assert "Traceback" not in said
    seen = jobs.get(job).step
    until(lambda: jobs.get(job).step > seen, "another step")
    jobs.stop(job)
    jobs.wait(job)


def test_a_run_without_memory_begins_anew_with_shorter_rows(academy: Academy, data: Path) -> None:
    jobs = fake_jobs(data, steps=STEPS, failure="oom@5")
    job = jobs.queue(train_recipe(), "Stories")
    assert jobs.wait(job).reason == "out_of_memory"
    said = academy("jobs", "resume", job, "--shorter", "--json")
    jobs.kill(said.json["job"])
    assert said.code == 0
    assert (said.json["job"] != job, said.json["name"]) == (True, "Stories")
    recipe = read_recipe(Path(said.json["run_dir"]) / "recipe.yaml")
    assert isinstance(recipe, TrainRecipe)
    assert recipe.training.max_seq_length == train_recipe().training.max_seq_length // 2
    jobs.wait(said.json["job"])
    assert jobs.get(job).attempt == 1
