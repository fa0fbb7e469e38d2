"""Damage to the newest checkpoint of an interrupted run: it is skipped for the newest good one, in words."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from academy_desktop.core.states import JobState
from tests.chaos.driving import fake_jobs, train_recipe
from tests.chaos.trials import Case, Trial
from trainers.checkpoint import MANIFEST
from trainers.events import CheckpointSkipped, Resumed
from trainers.layout import RunDir

STEPS = 20
SAVE_EVERY = 4
#: The run dies in this step; its newest checkpoint is of step 16, the one before of step 12.
DIES_IN = 18
NEWEST, BEFORE = 16, 12

Damage = Callable[[Path, random.Random], None]


def cut(checkpoint: Path, chance: random.Random) -> None:
    """A file ends too early."""
    path = _any_file(checkpoint, chance)
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def zeroed(checkpoint: Path, chance: random.Random) -> None:
    """A file of the right size holds nothing, as some disks leave it after a power cut."""
    path = _any_file(checkpoint, chance)
    path.write_bytes(bytes(path.stat().st_size))


def flipped(checkpoint: Path, chance: random.Random) -> None:
    """One bit of a file the manifest vouches for is another one."""
    path = chance.choice([one for one in _files(checkpoint) if one.name != MANIFEST])
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def missing(checkpoint: Path, chance: random.Random) -> None:
    """A file is gone."""
    _any_file(checkpoint, chance).unlink()


def wrong_size(checkpoint: Path, chance: random.Random) -> None:
    """The manifest says another size than a file has."""
    manifest = json.loads((checkpoint / MANIFEST).read_bytes())
    chance.choice(manifest["files"])["size_bytes"] += chance.choice([-1, 1, 4096])
    (checkpoint / MANIFEST).write_text(json.dumps(manifest))


def wrong_step(checkpoint: Path, chance: random.Random) -> None:
    """The folder is named after a step that its manifest does not know."""
    manifest = json.loads((checkpoint / MANIFEST).read_bytes())
    manifest["step"] += chance.choice([-1, 1, 1000])
    (checkpoint / MANIFEST).write_text(json.dumps(manifest))


DAMAGES: tuple[Damage, ...] = (cut, zeroed, flipped, missing, wrong_size, wrong_step)


class Damaged:
    """Trials on copies of one interrupted run."""

    def __init__(self, root: Path) -> None:
        jobs = fake_jobs(root, steps=STEPS, step_s=0.0, save_every=SAVE_EVERY)
        whole = jobs.queue(train_recipe())
        jobs.wait(whole)
        self._losses = [step.loss for step in jobs.history(whole).steps]
        dying = fake_jobs(root, steps=STEPS, step_s=0.0, save_every=SAVE_EVERY, failure=f"exit@{DIES_IN}")
        self._broken = dying.queue(train_recipe())
        dying.wait(self._broken)
        self._jobs = jobs
        self._root = root

    def trial(self, case: Case) -> str | None:
        """Damage the newest checkpoint of a copy, resume it, and compare with an undisturbed run."""
        run = self._copy(case.number)
        damage = case.random.choice(DAMAGES)
        damage(run.checkpoints / f"step-{NEWEST}", case.random)
        self._jobs.resume(run.job)
        ended = self._jobs.wait(run.job)
        problem = self._wrong(run.job, ended.state)
        self._jobs.delete(run.job)
        return f"{damage.__name__}: {problem}" if problem else None

    def _wrong(self, job: str, state: JobState) -> str | None:
        if state is not JobState.SUCCEEDED:
            return f"the resumed run is {state}"
        told = [event.payload for event in self._jobs.follow(job)]
        skipped = [one.path for one in told if isinstance(one, CheckpointSkipped)]
        if skipped != [f"checkpoints/step-{NEWEST}"]:
            return f"skipped {skipped}"
        resumed = [one.from_step for one in told if isinstance(one, Resumed)]
        if resumed != [BEFORE]:
            return f"resumed from {resumed}"
        if [step.loss for step in self._jobs.history(job).steps] != self._losses:
            return "the losses differ from those of an undisturbed run"
        return None

    def _copy(self, number: int) -> RunDir:
        source = RunDir(Path(self._jobs.get(self._broken).run_dir))
        name = f"{source.job[:16]}{number:06x}"
        shutil.copytree(source.path, source.path.with_name(name))
        return RunDir(source.path.with_name(name))


def damaged(root: Path) -> Trial:
    """Trials that damage checkpoints."""
    return Damaged(root).trial


def _files(checkpoint: Path) -> list[Path]:
    return sorted(path for path in checkpoint.rglob("*") if path.is_file())


def _any_file(checkpoint: Path, chance: random.Random) -> Path:
    return chance.choice([path for path in _files(checkpoint) if path.stat().st_size])
