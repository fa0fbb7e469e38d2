from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from academy_desktop.core.reader import JobSummary
from academy_desktop.core.states import JobState
from academy_desktop.core.store import JobIndex, stamp_of
from tests.chaos.driving import fake_jobs, train_recipe
from trainers.layout import Label, RunDir, write_record


def summary(job: str = "20261124-064744-3f9a1c", loss: float = 0.25) -> JobSummary:
    return JobSummary(
        id=job,
        name="Replies",
        kind="train",
        parent=None,
        state=JobState.SUCCEEDED,
        reason="",
        facts={},
        attempt=1,
        created_at=1.0,
        started_at=2.0,
        ended_at=3.0,
        step=10,
        total_steps=10,
        loss=loss,
        eval_loss=None,
        tokens_per_s=100.0,
        eta_s=None,
        run_dir=f"/data/runs/{job}",
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite3"


def test_what_was_written_is_read_by_the_next_process(path: Path) -> None:
    JobIndex(path).write([("stamp", summary())])
    assert JobIndex(path).read() == {summary().id: ("stamp", summary())}


def test_a_new_summary_replaces_the_old_one(path: Path) -> None:
    index = JobIndex(path)
    index.write([("a", summary())])
    index.write([("b", summary(loss=0.1))])
    assert index.read() == {summary().id: ("b", summary(loss=0.1))}


def test_what_is_forgotten_is_gone(path: Path) -> None:
    index = JobIndex(path)
    index.write([("a", summary()), ("a", summary("20261125-064744-3f9a1c"))])
    index.forget([summary().id])
    assert list(index.read()) == ["20261125-064744-3f9a1c"]
    index.clear()
    assert index.read() == {}


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all, by far", b"SQLite format 3\x00" + b"\xff" * 4000]
)
def test_a_damaged_index_is_only_an_empty_one(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    index = JobIndex(path)
    assert index.read() == {}
    index.write([("a", summary())])
    assert list(index.read()) == [summary().id]


def test_an_index_of_a_later_version_is_made_anew(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    index = JobIndex(path)
    index.write([("a", summary())])
    assert list(index.read()) == [summary().id]


def test_an_entry_that_this_version_cannot_read_is_left_out(path: Path) -> None:
    index = JobIndex(path)
    index.write([("a", summary())])
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO jobs VALUES ('odd', 'a', '{}')")
    database.close()
    assert list(index.read()) == [summary().id]


def test_a_folder_in_its_place_costs_no_more_than_the_index(path: Path) -> None:
    path.mkdir()
    index = JobIndex(path)
    index.write([("a", summary())])
    assert index.read() == {}


def test_writers_at_once_lose_nothing(path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.academy_desktop.core.test_store import summary\n"
        "from academy_desktop.core.store import JobIndex\n"
        "index = JobIndex(Path(sys.argv[1]))\n"
        "for number in range(20):\n"
        "    index.write([('a', summary(f'{sys.argv[2]}-{number:06x}'))])\n"
    )
    checkout = Path(__file__).resolve().parents[3]
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), f"2026112{n}-064744"], cwd=checkout)
        for n in range(3)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(JobIndex(path).read()) == 60


def test_a_stamp_changes_with_whatever_a_summary_is_made_from(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "20261124-064744-3f9a1c")
    run.commands.mkdir(parents=True)
    seen = {stamp_of(run)}
    assert stamp_of(run) in seen
    run.events.write_bytes(b"{}\n")
    seen.add(stamp_of(run))
    write_record(run.label, Label(name="another"))
    seen.add(stamp_of(run))
    for number, record in enumerate((run.attempt(1).launch, run.attempt(1).exit, run.attempt(2).launch)):
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_bytes(b"{}")
        os.utime(record.parent, ns=(number, number))  # a file system's clock may be coarse
        seen.add(stamp_of(run))
    assert len(seen) == 6


def test_the_list_reads_no_events_of_jobs_that_are_over(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=5)
    job = jobs.queue(train_recipe())
    jobs.wait(job)
    (before,) = jobs.list()
    events = Path(before.run_dir) / "events.jsonl"
    content, seen = events.read_bytes(), events.stat()
    events.write_bytes(b"x" * len(content))
    os.utime(events, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert list(fake_jobs(tmp_path).list()) == [before]
    events.write_bytes(content)
    assert fake_jobs(tmp_path).rebuild_index() == 1


def test_a_resumed_job_is_seen_through_the_index(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=50, failure="crash@20")
    job = jobs.queue(train_recipe())
    jobs.wait(job)
    watcher = fake_jobs(tmp_path)
    assert [one.state for one in watcher.list()] == [JobState.FAILED]
    fake_jobs(tmp_path, steps=50).resume(job)
    assert watcher.list()[0].attempt == 2
    jobs.wait(job)
    assert [one.state for one in watcher.list()] == [JobState.SUCCEEDED]


def test_a_deleted_job_leaves_the_index(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=5)
    job = jobs.queue(train_recipe())
    jobs.wait(job)
    jobs.list()
    jobs.delete(job)
    assert list(jobs.list()) == []
    assert JobIndex(tmp_path / "index.sqlite3").read() == {}
