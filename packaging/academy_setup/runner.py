"""Runs the steps that are not done yet, in order, and remembers those that are.

Owns the order, the stamps and the words around a step. Refuses to know what a step does.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from academy_setup.checkout import Checkout
from academy_setup.failures import SetupError, too_little_disk
from academy_setup.guard import guarded
from academy_setup.installer import Installer
from academy_setup.stamps import Result, Stamp, Stamps
from academy_setup.voice import Voice

GIGABYTE = 10**9


@dataclass(frozen=True)
class Workshop:
    """What a step works with: the checkout, its stamps, a voice, an installer."""

    checkout: Checkout
    stamps: Stamps
    voice: Voice
    installer: Installer

    def result(self, step: str) -> Result:
        """What an earlier step found out; empty if it found nothing."""
        stamp = self.stamps.read(step)
        return stamp.result if stamp else {}

    @property
    def venv_id(self) -> str:
        """The name of this very `.venv`: everything in it is to be done again when there is another one."""
        return self.result("venv").get("id", "")

    @property
    def site_packages(self) -> Path:
        """Where the packages of `.venv` lie, once it is made."""
        return self.checkout.site_packages(self.result("venv")["python"])


def _always(_workshop: Workshop) -> bool:
    return True


@dataclass(frozen=True)
class Step:
    """One step: `inputs` is a digest of all that it depends on, `do` does it and says what it found out.

    `holds` is asked on later starts and has to be quick; `sound` is asked by a repair, and True spares the
    step; `size` is what the step adds to the disk, in bytes.
    """

    name: str
    title: str
    inputs: Callable[[Workshop], str]
    do: Callable[[Workshop], Result]
    holds: Callable[[Workshop], bool] = field(default=_always)
    sound: Callable[[Workshop], bool] = field(default=lambda _: False)
    wanted: Callable[[Workshop], bool] = field(default=_always)
    size: int | Callable[[Workshop], int] = 0


def is_done(workshop: Workshop, step: Step) -> bool:
    """Whether the step was finished with the inputs of today and still holds."""
    stamp = workshop.stamps.read(step.name)
    return stamp is not None and stamp.inputs == step.inputs(workshop) and step.holds(workshop)


def is_ready(workshop: Workshop, steps: Sequence[Step]) -> bool:
    """Whether nothing at all is to be done."""
    return all(is_done(workshop, step) for step in steps if step.wanted(workshop))


def set_up(checkout: Checkout, voice: Voice, steps: Sequence[Step], *, afresh: bool = False) -> None:
    """Does what is not done yet; `afresh` trusts no stamp. After a SetupError the next call goes on there."""
    stamps = Stamps(checkout.state)
    workshop = Workshop(checkout, stamps, voice, Installer(checkout, voice))
    if not afresh and is_ready(workshop, steps):
        return
    _check_ownership(checkout)
    waiting = "Another set-up of this folder is running; waiting for it …"
    with guarded(checkout.state / "lock", lambda: voice.say(waiting)) as lock:
        workshop = Workshop(checkout, stamps, voice, Installer(checkout, voice, lock))
        if afresh:
            _forget(workshop, steps)
        _do_all(workshop, steps)


def _forget(workshop: Workshop, steps: Sequence[Step]) -> None:
    for step in steps:
        if not step.sound(workshop):
            workshop.stamps.forget(step.name)


def _do_all(workshop: Workshop, steps: Sequence[Step]) -> None:
    for number, step in enumerate(steps):
        if not step.wanted(workshop) or is_done(workshop, step):
            continue
        _check_disk(workshop, steps[number:])
        # Taken away first: a step that is interrupted must not keep the stamp of its last success.
        workshop.stamps.forget(step.name)
        workshop.voice.begin(
            f"[{_count(workshop, steps[: number + 1])}/{_count(workshop, steps)}] {step.title}"
        )
        inputs = step.inputs(workshop)
        result = step.do(workshop)
        workshop.stamps.write(step.name, Stamp(inputs, result))
        workshop.voice.done()


def _count(workshop: Workshop, steps: Sequence[Step]) -> int:
    return sum(step.wanted(workshop) for step in steps)


def _check_disk(workshop: Workshop, steps: Sequence[Step]) -> None:
    """Counts only steps that were never done: an update replaces more than it adds."""
    undone = [step for step in steps if step.wanted(workshop) and workshop.stamps.read(step.name) is None]
    needed = sum(step.size(workshop) if callable(step.size) else step.size for step in undone)
    free = shutil.disk_usage(workshop.checkout.root).free
    if free < needed:
        raise SetupError(too_little_disk(workshop.checkout.root, needed, free))


def _check_ownership(checkout: Checkout) -> None:
    """Refuses a `.venv` that somebody else made: it may be dear to them."""
    if _holds_anything(checkout.venv) and not checkout.state.exists():
        raise SetupError(
            f"There already is an environment in {checkout.venv} that was not made by this set-up. "
            "Rename or delete that folder, then start the same command again."
        )


def _holds_anything(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
