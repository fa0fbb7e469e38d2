"""SIGKILL of whoever writes labels and the index: the file stays sound, and nothing acknowledged is lost."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from academy_desktop.core.paths import DataDir
from tests.chaos.driving import fake_jobs, train_recipe
from tests.chaos.trials import Case, Trial

#: Jobs that are renamed, deleted and brought back.
JOBS = 6
#: From the writer's first word to the kill, at most, in seconds.
LATEST_S = 0.15


class Killed:
    """Trials over one data directory with a few finished jobs."""

    def __init__(self, root: Path) -> None:
        self._root = root
        jobs = fake_jobs(root, steps=2, step_s=0.0)
        self._names = [jobs.queue(train_recipe(), name="first") for _ in range(JOBS)]
        for name in self._names:
            jobs.wait(name)
        self._told = dict.fromkeys(self._names, "first")

    def trial(self, case: Case) -> str | None:
        """Kill a writer at a random moment; look at the file, then at the jobs with fresh eyes."""
        seed = case.random.randrange(10**9)
        begun = self._write_until_killed(seed, case.random.uniform(0, LATEST_S))
        index = DataDir(self._root).index
        with sqlite3.connect(index) as database:
            (sound,) = database.execute("PRAGMA integrity_check").fetchone()
        database.close()
        if sound != "ok":
            return f"the index says {sound}"
        self._bring_back()
        found = {job.id: job.name for job in fake_jobs(self._root).list()}
        if set(found) != set(self._names):
            return f"{len(found)} of {JOBS} jobs are listed"
        for job, name in found.items():
            allowed = {self._told[job], begun[1] if begun[0] == job else self._told[job]}
            if name not in allowed:
                return f"job {job} is called {name} and not {allowed}"
            self._told[job] = name
        return None

    def _write_until_killed(self, seed: int, after_s: float) -> tuple[str, str]:
        """Returns the job and the name of a change that was begun and not acknowledged."""
        command = [sys.executable, "-m", "tests.chaos.index_writer", str(self._root), str(seed)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            if writer.stdout is None:
                raise AssertionError("no pipe")
            lines = [writer.stdout.readline()]
            time.sleep(after_s)
            writer.kill()
            lines += writer.stdout.readlines()
        begun = ("", "")
        for line in lines:
            if not line.endswith("\n"):
                continue
            what, job, told = line.split()
            if what == "done":
                self._told[job] = told
                begun = ("", "")
            else:
                begun = (job, told)
        return begun

    def _bring_back(self) -> None:
        """A kill between deleting and bringing back leaves a job in the trash: whole, and to be had again."""
        data = DataDir(self._root)
        for name in self._names:
            if not data.run(name).path.exists() and (data.trash / name).exists():
                shutil.move(data.trash / name, data.run(name).path)


def killed_writer(root: Path) -> Trial:
    """Trials that kill the writer."""
    return Killed(root).trial
