"""A scripted trainer without torch that speaks the whole protocol: for tests and for the window's design.

    python -P -m trainers.fake RUN_DIR ATTEMPT

Owns a made-up run: plausible numbers, real events, real checkpoints, real obedience. The same seed gives the
same losses, across any number of resumes. Refuses to compute anything. Environment variables are its script:

    ACADEMY_FAKE_STEPS        optimizer updates in the run (60)
    ACADEMY_FAKE_STEP_S       seconds per update (0.05)
    ACADEMY_FAKE_LOADING_S    seconds before the first update (0)
    ACADEMY_FAKE_SAVE_EVERY   updates between checkpoints (10)
    ACADEMY_FAKE_FAIL         NAME@STEP: crash, oom, nonfinite, disk_full, exit, abort, hang, spin,
                              halt, grandchild
"""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainers import checkpoint
from trainers.errors import AcademyError, ErrorCode
from trainers.events import (
    Answered,
    Certified,
    Ended,
    Evaluated,
    Exported,
    Nonfinite,
    Progress,
    Resumed,
    Sampled,
    Started,
    Step,
)
from trainers.layout import write_atomically
from trainers.recipe import CertifyRecipe, EvaluateRecipe, ExportRecipe, TrainRecipe
from trainers.recipe_file import read_recipe
from trainers.session import Session, run_job

_TOKENS_PER_STEP = 512
_NO_HASH = "0" * 64
_STUBBORN_CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


@dataclass(frozen=True)
class Script:
    """What the environment says about the run."""

    steps: int
    step_s: float
    loading_s: float
    save_every: int
    failure: str
    fail_at: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Script:
        """Read the script; what is not said has a default."""
        failure, _, fail_at = environment.get("ACADEMY_FAKE_FAIL", "").partition("@")
        return cls(
            steps=int(environment.get("ACADEMY_FAKE_STEPS", "60")),
            step_s=float(environment.get("ACADEMY_FAKE_STEP_S", "0.05")),
            loading_s=float(environment.get("ACADEMY_FAKE_LOADING_S", "0")),
            save_every=int(environment.get("ACADEMY_FAKE_SAVE_EVERY", "10")),
            failure=failure,
            fail_at=int(fail_at or "1"),
        )


class FakeTraining:
    """A run whose whole state is a step number and a random state, both kept in its checkpoints."""

    def __init__(self, session: Session, recipe: TrainRecipe, script: Script) -> None:
        self._session = session
        self._recipe = recipe
        self._script = script
        self._step = 0
        self._random = recipe.training.seed
        self._loss: float | None = None

    def run(self) -> Ended:
        """From the newest good checkpoint to the end, or to where the user stops it."""
        self._session.wait_for_room()
        self._session.phase("loading", self._recipe.model.id)
        time.sleep(self._script.loading_s)
        self._session.emit(self._started())
        if self._session.attempt > 1:
            self._resume()
        self._session.phase("training")
        while self._step < self._script.steps:
            stopped = self._session.between_steps(self._save, self._sample)
            if stopped is not None:
                self._save()
                return Ended(state="stopped", reason=stopped, step=self._step, loss=self._loss)
            self._advance()
        self._evaluate()
        self._save()
        return Ended(state="succeeded", step=self._step, loss=self._loss)

    def _started(self) -> Started:
        return Started(
            kind="train",
            engine="fake",
            reason="scripted",
            device_name="none",
            precision="fp32",
            threads=1,
            total_steps=self._script.steps,
            num_epochs=self._recipe.training.num_epochs,
            train_rows=self._script.steps * 4,
            eval_rows=8,
            trainable_parameters=1_000_000,
            supervised_tokens=self._script.steps * _TOKENS_PER_STEP,
        )

    def _resume(self) -> None:
        search = checkpoint.newest_good(self._session.run_dir.checkpoints)
        for skipped in search.skipped:
            self._session.emit(skipped)
        if search.found is not None:
            state = json.loads((search.found / "state.json").read_bytes())
            self._step, self._random, self._loss = state["step"], state["random"], state["loss"]
        name = f"checkpoints/{search.found.name}" if search.found is not None else None
        self._session.emit(Resumed(from_step=self._step, checkpoint=name))

    def _advance(self) -> None:
        time.sleep(self._script.step_s)
        step = self._step + 1
        if self._script.failure and step == self._script.fail_at:
            _fail(self._script.failure, step, self._session)
        self._random = (self._random * 6364136223846793005 + step) % 2**64
        share = step / self._script.steps
        self._loss = 0.1 + 2.4 * math.exp(-4 * share) * (0.9 + 0.2 * self._random / 2**64)
        self._step = step
        left = self._script.steps - step
        self._session.emit(
            Step(
                step=step,
                total_steps=self._script.steps,
                epoch=share * self._recipe.training.num_epochs,
                loss=self._loss,
                learning_rate=self._recipe.training.learning_rate * (1 - share),
                grad_norm=self._loss / 2,
                supervised_tokens=_TOKENS_PER_STEP // 4,
                tokens=_TOKENS_PER_STEP,
                step_s=self._script.step_s,
                eta_s=left * self._script.step_s,
            )
        )
        if step % self._script.save_every == 0 and left:
            self._evaluate()
            self._save()

    def _evaluate(self) -> None:
        loss = (self._loss or 0.0) + 0.1
        self._session.emit(Evaluated(step=self._step, loss=loss, supervised_tokens=1000, seconds=0.0))

    def _sample(self) -> None:
        for step in (0, self._step):
            self._session.emit(
                Sampled(
                    step=step,
                    index=0,
                    by="tuned" if step else "base",
                    prompt="What did you learn?",
                    answer=f"{step} of {self._script.steps} steps.",
                    ended=True,
                    seconds=0.0,
                )
            )

    def _save(self) -> None:
        state = {"step": self._step, "random": self._random, "loss": self._loss}
        folder = self._session.run_dir.checkpoints
        saved = self._session.write(
            lambda: checkpoint.save(
                folder,
                self._step,
                lambda aside: write_atomically(aside / "state.json", json.dumps(state).encode()),
                self._session.sync,
            )
        )
        self._session.emit(saved)
        self._session.write(lambda: checkpoint.prune(folder, self._recipe.checkpoints.keep))


def _fail(name: str, step: int, session: Session) -> None:
    """Go wrong in the way that the script asks for."""
    match name:
        case "crash":
            raise RuntimeError("scripted crash")
        case "oom":
            raise MemoryError
        case "nonfinite":
            session.emit(Nonfinite(step=step, what="loss"))
            raise AcademyError(ErrorCode.NONFINITE_LOSS, step=step)
        case "disk_full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        case "exit":
            os._exit(3)
        case "abort":
            os.abort()
        case "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        case "spin":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                pass
        case "halt":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "grandchild":
            child = subprocess.Popen([sys.executable, "-P", "-S", "-c", _STUBBORN_CHILD])
            write_atomically(session.run_dir.path / "grandchild.pid", str(child.pid).encode())
        case _:
            raise ValueError(f"ACADEMY_FAKE_FAIL: {name}")


def _export(session: Session, recipe: ExportRecipe, script: Script) -> Ended:
    session.emit(Started(kind="export", engine="fake"))
    session.phase("writing")
    for number, item in enumerate(recipe.items, start=1):
        time.sleep(script.step_s)
        session.emit(Progress(done=number, total=len(recipe.items), unit="tensors"))
        session.emit(
            Exported(
                path=f"exports/{item.name}",
                format=item.format,
                quant=item.quant,
                size_bytes=0,
                sha256=_NO_HASH,
                seconds=script.step_s,
                peak_rss_bytes=0,
            )
        )
    return Ended(state="succeeded")


def _certify(session: Session, recipe: CertifyRecipe, script: Script) -> Ended:
    session.emit(Started(kind="certify", engine="fake"))
    session.phase("proving")
    for name in recipe.exports:
        time.sleep(script.step_s)
        certificate = f"exports/{name}.certificate.json"
        session.emit(Certified(path=f"exports/{name}", certificate=certificate, passed=True))
    return Ended(state="succeeded")


def _evaluate(session: Session, recipe: EvaluateRecipe, script: Script) -> Ended:
    session.emit(Started(kind="evaluate", engine="fake"))
    session.phase("proving")
    for target in recipe.targets:
        time.sleep(script.step_s)
        score = 0.0 if target == "base" else 1.0
        session.emit(
            Answered(
                target=target,
                rows=recipe.rows,
                exact_match=score,
                end_of_turn_rate=score,
                seconds=script.step_s,
            )
        )
    return Ended(state="succeeded")


def _work(session: Session) -> Ended:
    recipe = read_recipe(session.run_dir.recipe)
    script = Script.read(os.environ)
    match recipe:
        case TrainRecipe():
            return FakeTraining(session, recipe, script).run()
        case ExportRecipe():
            return _export(session, recipe, script)
        case CertifyRecipe():
            return _certify(session, recipe, script)
        case EvaluateRecipe():
            return _evaluate(session, recipe, script)


if __name__ == "__main__":
    sys.exit(run_job(Path(sys.argv[1]), int(sys.argv[2]), _work))
