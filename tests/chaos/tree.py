"""Stops, quits and crashes of all that has children: soon after no process is left, and no half-made file.

Every process of a trial inherits a mark in its environment, by which it is found wherever it has gone, and a
folder for temporary files of its own. What a kill leaves behind in files may stay until the next start.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from academy_desktop.core.exports import Exports
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.core.states import JobState
from tests.chaos.adopt import PROBE, order
from tests.chaos.driving import fake_jobs, host_record, is_running, train_recipe, trainer_pid, until
from tests.chaos.leftovers import command_of, marked, unfinished
from tests.chaos.taught import Taught
from tests.chaos.trials import Case, TooLateError, Trial
from tests.windows import WindowProcess, window_environment
from trainers.errors import AcademyError
from trainers.layout import RunDir, write_atomically
from trainers.recipe import ExportItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.trainers.tiny_model import Tiny

MARK = "ACADEMY_CHAOS_MARK"
GONE_S = 5.0
#: A machine that is busy with other things, where no time is judged.
PATIENT_S = 60.0
#: Longest wait for a run that goes on to its end.
LONGEST_S = 300.0
#: One trial in fifteen is about the demo model, one in ten about exports of a real run.
DEMO_EVERY, DEMO_AT = 15, 7
EXPORT_EVERY, EXPORT_AT = 10, 3

#: Of a scripted run.
STEPS, STEP_S, SAVE_EVERY = 60, 0.02, 3
#: What the real exports of a trial are: one by llama.cpp's own child, where it is there.
ITEMS = (ExportItem(format="merged", quant="f16"), ExportItem(format="gguf", quant="q4_k_m"))


class Tree:
    """Trials over one data directory."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.data = DataDir(root).open()
        self._taught = Taught(root)
        self._ways: tuple[Callable[[Case], str | None], ...] = (
            self._killed_trainer, self._killed_host, self._killed_both, self._stopped, self._ended_in_queue,
            self._closed_window, self._killed_window, self._stopping_window, self._killed_task,
            self._interrupted_command, self._killed_import,
        )  # fmt: skip

    def trial(self, case: Case) -> str | None:
        """Start something, end it, and look for what is left."""
        self._mark = secrets.token_hex(8)
        self._temporary = self._root / "temporary" / self._mark[:6]
        self._temporary.mkdir(parents=True)
        way = self._ways[case.number % len(self._ways)]
        if case.number % EXPORT_EVERY == EXPORT_AT:
            way = self._exporting
        if case.number % DEMO_EVERY == DEMO_AT:
            way = self._demo_model
        try:
            problem = way(case)
        finally:
            self._end_all()
        if problem is None and (left := [path.name for path in self._temporary.iterdir()]):
            problem = f"temporary files are left: {left}"
        shutil.rmtree(self._temporary)
        return f"{way.__name__.strip('_')}: {problem}" if problem else None

    # runs

    def _killed_trainer(self, case: Case) -> str | None:
        """Its host lives: it has to put everything in order at once, grandchildren too."""
        jobs = self._fake(f"grandchild@{case.random.randrange(2, STEPS)}")
        run = self._running(jobs, case)
        os.kill(trainer_pid(run), signal.SIGKILL)
        jobs.wait(run.job)
        return self._gone(case) or self._unfinished(run) or self._resumed(jobs, run)

    def _killed_host(self, case: Case) -> str | None:
        jobs = self._fake()
        run = self._running(jobs, case)
        self._kill_host(run)
        return self._gone(case) or self._resumed(jobs, run)

    def _killed_both(self, case: Case) -> str | None:
        jobs = self._fake()
        run = self._running(jobs, case)
        trainer = trainer_pid(run)
        self._kill_host(run)
        with suppress(ProcessLookupError):
            os.kill(trainer, signal.SIGKILL)
        return self._gone(case) or self._resumed(jobs, run)

    def _stopped(self, case: Case) -> str | None:
        jobs = self._fake()
        run = self._running(jobs, case)
        case.random.choice([jobs.stop, jobs.suspend, jobs.kill])(run.job)
        jobs.wait(run.job)
        return self._gone(case) or self._unfinished(run) or self._resumed(jobs, run)

    def _ended_in_queue(self, case: Case) -> str | None:
        """Of two runs the one that waits loses its host, or is stopped; then the other is stopped."""
        jobs = self._fake()
        first = self._running(jobs, case)
        second = RunDir(Path(jobs.get(jobs.queue(train_recipe())).run_dir))
        until(lambda: jobs.get(second.job).state is JobState.QUEUED, "the queue")
        if case.random.random() < 0.5:
            self._kill_host(second)
        else:
            jobs.stop(second.job)
        with suppress(AcademyError):
            jobs.stop(first.job)
        for run in (first, second):
            jobs.wait(run.job)
        return self._gone(case) or self._resumed(jobs, second)

    # windows

    def _closed_window(self, case: Case) -> str | None:
        """Closed with a run in progress, which goes on and is stopped by somebody else."""
        return self._window(case, lambda window: order(window, "leave"))

    def _stopping_window(self, case: Case) -> str | None:
        """Ended by the system (a log-out) or by Ctrl-C."""
        number = case.random.choice([signal.SIGTERM, signal.SIGINT])
        return self._window(case, lambda window: window.process.send_signal(number))

    def _killed_window(self, case: Case) -> str | None:
        problem = self._window(case, lambda window: window.kill())
        with self._open_window() as window:  # the next one takes away what this one could not
            window.hear("open")
            order(window, "leave")
            window.ended()
        return problem or self._gone(case)

    def _window(self, case: Case, end: Callable[[WindowProcess], object]) -> str | None:
        jobs = self._fake()
        with self._open_window() as window:
            window.hear("open")
            order(window, "show", page=case.random.choice(["runs", "home", "datasets", "train"]))
            run = self._running(jobs, case)
            end(window)
            window.ended()
        self._stop(jobs, run)
        return self._gone(case) or self._unfinished(run)

    def _open_window(self) -> WindowProcess:
        return WindowProcess(PROBE, str(self._root), environment=window_environment(**self._environment))

    # short tasks and commands

    def _killed_task(self, case: Case) -> str | None:
        """Whoever asked for a check of every row is killed, or hears Ctrl-C; the workers end with it."""
        out = self._temporary.with_name(f"{self._mark}.xray")
        request = {
            "model": str(self._rows.model_ref.path), "files": [str(self._many_rows)], "max_length": 512,
            "out": str(out), "keep_tokens": True, "workers": 2,
        }  # fmt: skip
        command = ["-m", "tests.chaos.asker", str(self._root), "xray", json.dumps(request)]
        problem = self._command(case, command, latest_s=4.0)
        shutil.rmtree(out, ignore_errors=True)
        return problem

    def _interrupted_command(self, case: Case) -> str | None:
        """`academy jobs follow` goes; the run stays, and is stopped."""
        jobs = self._fake()
        run = self._running(jobs, case)
        problem = self._command(case, self._academy("jobs", "follow", run.job), latest_s=1.5, alone=False)
        self._stop(jobs, run)
        return problem or self._gone(case) or self._unfinished(run)

    def _killed_import(self, case: Case) -> str | None:
        """A killed import leaves its folder to the next one."""
        arguments = ("data", "import", str(self._many_rows), "--name", "many")
        problem = self._command(case, self._academy(*arguments), latest_s=3.0)
        few = self._rows.dataset / "train.jsonl"
        subprocess.run(
            [sys.executable, *self._academy("data", "import", str(few), "--name", "few")],
            env=window_environment(**self._environment), capture_output=True, check=True,
        )  # fmt: skip
        left = [path.name for path in self.data.datasets.iterdir() if path.name.startswith(".")]
        return problem or (f"{left} are left" if left else None)

    def _academy(self, *arguments: str) -> Sequence[str]:
        return ["-m", "academy_desktop", "--data-dir", str(self._root), "--quiet", *arguments]

    def _command(
        self, case: Case, arguments: Sequence[str], latest_s: float, *, alone: bool = True
    ) -> str | None:
        """Start a command and end it at a random moment; `alone`: nothing else of the trial may live on."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=window_environment(**self._environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(case.random.uniform(0.3, latest_s))
        process.send_signal(case.random.choice([signal.SIGKILL, signal.SIGINT, signal.SIGTERM]))
        try:
            process.wait(PATIENT_S if case.patient else GONE_S)
        except subprocess.TimeoutExpired:
            return "the command goes on"
        return self._gone(case) if alone else None

    # real work

    def _exporting(self, case: Case) -> str | None:
        """An export or a certificate of a real run loses its host, its trainer or its own child."""
        jobs, parent = self._marked_jobs(), self._parent
        exports = Exports(jobs)
        job = exports.queue(parent, ITEMS)
        if case.random.random() < 0.4:
            jobs.wait(job)
            job = exports.queue_certificate(parent)
        run = RunDir(Path(jobs.get(job).run_dir))
        trainer_pid(run)
        time.sleep(case.random.uniform(0, 8.0))
        return self._bereaved(case, jobs, run)

    def _demo_model(self, case: Case) -> str | None:
        """A real run on the demo model, at any moment of its first seconds."""
        jobs = self._marked_jobs()
        job = jobs.queue(self._taught.recipe(case.random.choice(["demo model, cpu", "demo model, peft"])))
        run = RunDir(Path(jobs.get(job).run_dir))
        trainer_pid(run)
        time.sleep(case.random.uniform(0, 12.0))
        return self._bereaved(case, jobs, run)

    def _bereaved(self, case: Case, jobs: Jobs, run: RunDir) -> str | None:
        """Kill the host, the trainer, or a child of it; or stop the job."""
        what = case.random.choice(["host", "trainer", "child", "stop", "kill"])
        host, trainer = self._host(run), trainer_pid(run)
        match what:
            case "host":
                self._kill_host(run)
            case "stop" | "kill":
                with suppress(AcademyError):  # it may be over by now
                    jobs.command(run.job, what)
            case _:
                children = [pid for pid in marked(MARK, self._mark) if pid not in {host, trainer}]
                chosen = case.random.choice(children) if children and what == "child" else trainer
                with suppress(ProcessLookupError):
                    os.kill(chosen, signal.SIGKILL)
        jobs.wait(run.job)
        problem = self._gone(case)
        if problem is None and what != "host":
            problem = self._unfinished(run)
        if problem is None and jobs.get(run.job).state.can_resume:
            problem = self._resumed(jobs, run)
        return f"{what} of {jobs.get(run.job).kind}: {problem}" if problem else None

    # inside

    @property
    def _environment(self) -> Mapping[str, str]:
        return {MARK: self._mark, "TMPDIR": str(self._temporary)}

    def _fake(self, failure: str = "") -> Jobs:
        return fake_jobs(
            self._root,
            steps=STEPS,
            step_s=STEP_S,
            save_every=SAVE_EVERY,
            failure=failure,
            more=self._environment,
        )

    def _marked_jobs(self) -> Jobs:
        environment = {**os.environ, **self._environment}
        return Jobs(self.data, Path(sys.executable), environment=environment)

    def _running(self, jobs: Jobs, case: Case) -> RunDir:
        """A run at a random moment of its life."""
        run = RunDir(Path(jobs.get(jobs.queue(train_recipe())).run_dir))
        wanted = case.random.randrange(STEPS - 20)
        until(lambda: jobs.get(run.job).step >= wanted, f"step {wanted}")
        time.sleep(case.random.uniform(0, 0.05))
        if not is_running(trainer_pid(run)):
            raise TooLateError
        return run

    def _stop(self, jobs: Jobs, run: RunDir) -> None:
        with suppress(AcademyError):  # it may be over by now
            jobs.stop(run.job)
        jobs.wait(run.job)

    def _host(self, run: RunDir) -> int:
        record = until(lambda: host_record(run), "the host")
        return record.pid

    def _kill_host(self, run: RunDir) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._host(run), signal.SIGKILL)

    def _gone(self, case: Case) -> str | None:
        """Whether every process of this trial ends in time."""
        begun = time.monotonic()
        while left := marked(MARK, self._mark):
            if time.monotonic() - begun > (PATIENT_S if case.patient else GONE_S):
                return f"processes are left: {[command_of(pid) for pid in left]}"
            time.sleep(0.02)
        case.note("gone_s", time.monotonic() - begun)
        return None

    def _unfinished(self, run: RunDir) -> str | None:
        left = unfinished(run.path)
        return f"half-made files are left: {left}" if left else None

    def _resumed(self, jobs: Jobs, run: RunDir) -> str | None:
        """Whether nothing that is left refuses the next attempt, which leaves nothing behind."""
        # a process that has given its memory back may hold its files for a moment longer
        until(lambda: jobs.get(run.job).state.can_resume, "a state that can be resumed")
        jobs.resume(run.job)
        ended = jobs.wait(run.job, LONGEST_S)
        if ended.state is not JobState.SUCCEEDED:
            return f"resumed, it is {ended.state} {ended.reason} {ended.facts}"
        return self._unfinished(run)

    def _end_all(self) -> None:
        """Leave no process behind, whatever the trial has found."""
        for pid in marked(MARK, self._mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @cached_property
    def _parent(self) -> str:
        """A real run that has ended well."""
        jobs = self._taught.jobs
        job = jobs.queue(self._taught.recipe("cpu, one thread"))
        assert jobs.wait(job).state is JobState.SUCCEEDED
        return job

    @cached_property
    def _rows(self) -> Tiny:
        return self._taught.tiny

    @cached_property
    def _many_rows(self) -> Path:
        """More rows than any trial waits for."""
        lines = (self._rows.dataset / "train.jsonl").read_bytes().splitlines()
        rows = [json.loads(line) for line in lines]
        text = "".join(
            json.dumps({**row, "id": number, "messages": [
                {**turn, "content": f"{turn['content']} {number}"} for turn in row["messages"]
            ]}) + "\n"
            for number, row in enumerate(rows * 4000, start=1)
        )  # fmt: skip
        path = self._root / "many.jsonl"
        write_atomically(path, text.encode())
        return path


def tree(root: Path) -> Trial:
    """Trials that end things."""
    return Tree(root).trial
