from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import trainers
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.recipe_yaml import dump_recipe
from tests.chaos.driving import export_recipe, fake_jobs, train_recipe, until
from trainers import checkpoint
from trainers.errors import AcademyError, ErrorCode
from trainers.foreign import way_out
from trainers.host import FOREIGN_EXIT_CODE
from trainers.layout import RunDir

LINKS = ("commands", "attempts", "attempts/1", "checkpoints", "log", "events.jsonl", "heartbeat")
PACKAGES = str(Path(next(iter(trainers.__path__))).parent)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a right that few users have")


def state_of(folder: Path) -> dict[str, bytes | None]:
    """All that is in a folder."""
    found = sorted(folder.rglob("*"))
    return {str(path): path.read_bytes() if path.is_file() else None for path in found}


def stopped(jobs: Jobs) -> RunDir:
    """A run that can be resumed."""
    job = jobs.queue(train_recipe())
    until(lambda: jobs.get(job).step > 5, "a checkpoint")
    jobs.stop(job)
    return RunDir(Path(jobs.wait(job, 60.0).run_dir))


def refused(error: pytest.ExceptionInfo[AcademyError]) -> tuple[ErrorCode, object]:
    return error.value.code, error.value.facts["name"]


def test_nothing_is_written_where_a_link_leads(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path / "data", steps=100_000)
    run = stopped(jobs)
    assert way_out(run.path) is None
    newest = checkpoint.newest_good(run.checkpoints).found
    assert newest is not None
    for name in (*LINKS, f"checkpoints/{newest.name}"):
        real, outside = run.path / name, tmp_path / "outside"
        real.rename(outside)
        real.symlink_to(outside)
        before = state_of(tmp_path / "outside") or outside.read_bytes()
        with pytest.raises(AcademyError) as caught:
            jobs.resume(run.job)
        assert refused(caught) == (ErrorCode.JOB_FOREIGN, name)
        assert caught.value.facts["path"] == str(outside)
        with pytest.raises(AcademyError):
            jobs.relabel(run.job, name="other")
        command = [sys.executable, "-P", "-S", "-m", "trainers.host", str(run.path), "2", "--stay"]
        host = subprocess.run(command, env={"PYTHONPATH": PACKAGES}, capture_output=True, check=False)
        assert host.returncode == FOREIGN_EXIT_CODE
        assert name in host.stderr.decode()
        assert (state_of(outside) or outside.read_bytes()) == before
        real.unlink()
        outside.rename(real)
    assert jobs.resume(run.job) == 2
    jobs.kill(run.job)
    jobs.wait(run.job)


def test_a_run_directory_that_is_a_link_is_not_resumed(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path / "data", steps=100_000)
    run = stopped(jobs)
    run.path.rename(tmp_path / "outside")
    run.path.symlink_to(tmp_path / "outside")
    with pytest.raises(AcademyError) as caught:
        jobs.resume(run.job)
    assert refused(caught) == (ErrorCode.JOB_FOREIGN, ".")


def test_a_linked_folder_is_neither_read_nor_emptied(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    checkpoint.save(outside, 5, lambda folder: (folder / "state.json").touch(), lambda: None)
    (outside / ".step-1.1.tmp").mkdir()
    before = state_of(outside)
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    for link in (run.checkpoints, run.attempts, run.commands):
        link.symlink_to(outside)
    assert checkpoint.newest_good(run.checkpoints).found is None
    checkpoint.prune(run.checkpoints, keep=0)
    assert run.last_attempt() is None
    assert state_of(outside) == before


@pytest.mark.parametrize("parent", ["another", "../outside", "own"])
def test_an_export_whose_recipe_names_a_foreign_run_is_not_resumed(tmp_path: Path, parent: str) -> None:
    jobs = fake_jobs(tmp_path / "data", steps=20)
    run = RunDir(Path(jobs.wait(jobs.queue(train_recipe()), 60.0).run_dir))
    outside = tmp_path / "outside"
    outside.mkdir()
    export = RunDir(run.path.with_name("20261124-064744-3f9a1c"))
    (export.path / "attempts").mkdir(parents=True)
    named = run.job if parent == "own" else parent
    export.recipe.write_bytes(dump_recipe(export_recipe(named, outside)))
    with pytest.raises(AcademyError) as caught:
        jobs.resume(export.job)
    assert refused(caught) == (ErrorCode.JOB_FOREIGN, "recipe.yaml")
    assert not export.attempt(1).path.exists()
    assert list(outside.iterdir()) == []
