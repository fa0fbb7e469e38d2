"""The sample timeline of a run: the same questions answered by the base and by the model as it learns.

Owns the events about it, and the alarm when everyday questions get worse. It disturbs nothing: no random
number is drawn, and what goes wrong here ends the timeline and not the run. Refuses to know engines.
"""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from trainers.engines.protocol import Engine
from trainers.errors import AcademyError
from trainers.events import Forgetting, Sampled, Warned, parse_line
from trainers.questions import Question, general_examples, questions_of
from trainers.recipe import TrainRecipe
from trainers.rendering import Renderer
from trainers.rows import Example
from trainers.session import Session

#: Of what was asked and answered, an event holds as many characters.
MOST_CHARACTERS = 1500
CUT = "…"

T = TypeVar("T")


class _Said:
    """What earlier attempts and rollbacks of the run have said already."""

    def __init__(self) -> None:
        self.base: dict[int, str] = {}
        self.base_loss: float | None = None
        self.alarmed = False

    @classmethod
    def read(cls, events: Path) -> _Said:
        said = cls()
        for line in events.read_bytes().splitlines() if events.exists() else ():
            try:
                payload = parse_line(line).payload
            except (ValueError, AcademyError):
                continue  # a damaged line costs its own event, as for every other reader
            match payload:
                case Sampled(by="base"):
                    said.base[payload.index] = payload.prompt
                case Forgetting():
                    said.base_loss = payload.base_loss
                case Warned(code="forgotten"):
                    said.alarmed = True
        return said


class Timeline:
    """Asks the model of one run, through the rollbacks of an attempt."""

    def __init__(self, recipe: TrainRecipe, session: Session, renderer: Renderer) -> None:
        self._recipe = recipe
        self._session = session
        self._renderer = renderer
        self._said = _Said.read(session.run_dir.events)
        self._works = True

    def begin(self, engine: Engine) -> None:
        """Let the base answer, unless it has; right after the first step, which so need not wait for it."""
        if self.follows:
            self._ask_base(engine, asks=self._asks, scores=self._scores)

    @property
    def follows(self) -> bool:
        """Whether there is something to say at every evaluation."""
        return self._works and self._recipe.evaluation.max_rows > 0 and (self._asks or self._scores)

    def follow(self, engine: Engine, step: int) -> None:
        """Let the model answer as it is after a step that is evaluated."""
        if self.follows and self._asks:
            self._answer(engine, step)
        if self.follows and self._scores:
            self._score(engine, step)

    def ask_now(self, engine: Engine, step: int) -> None:
        """Let the base and the model answer because somebody wants it, whatever the recipe says."""
        self._works = True
        self._ask_base(engine, asks=True, scores=False)
        if self._works:
            self._answer(engine, step)
            if not self._questions:
                detail = "no row makes a question"
                self._session.emit(Warned(code="samples_failed", facts={"detail": detail}))

    @property
    def _asks(self) -> bool:
        return self._recipe.samples.count > 0

    @property
    def _scores(self) -> bool:
        return self._recipe.evaluation.forgetting is not None

    @cached_property
    def _questions(self) -> list[Question]:
        return questions_of(self._recipe, self._renderer)

    @cached_property
    def _general(self) -> tuple[Example, ...]:
        return general_examples(self._recipe, self._renderer)

    def _ask_base(self, engine: Engine, *, asks: bool, scores: bool) -> None:
        questions = self._tried(lambda: self._questions) if asks else []
        if questions is None:
            return
        asked = dict(enumerate(cut(one.text) for one in questions))
        missing = asks and self._said.base != asked
        unscored = scores and self._said.base_loss is None
        if not missing and not unscored:
            return
        self._session.phase("evaluating")
        with engine.as_base():
            if missing:
                self._answer(engine, 0, base=True)
                if self._works:
                    self._said.base = asked
            if unscored and self._works:
                self._score(engine, 0)
        self._session.phase("training")

    def _answer(self, engine: Engine, step: int, *, base: bool = False) -> None:
        questions, most = self._tried(lambda: self._questions), self._recipe.samples.max_new_tokens
        if not questions:
            return
        begun = time.monotonic()
        prompts = [one.ids for one in questions]
        found = self._tried(lambda: engine.answer(prompts, self._renderer.end_of_turn_ids, most))
        seconds = (time.monotonic() - begun) / len(questions)
        for index, (question, ids) in enumerate(zip(questions, found or (), strict=found is not None)):
            self._session.emit(
                Sampled(
                    step=step,
                    index=index,
                    by="base" if base else "tuned",
                    prompt=cut(question.text),
                    answer=cut(self._renderer.decode(ids).strip()),
                    ended=len(ids) < most,
                    expected=cut(question.expected),
                    seconds=seconds,
                )
            )

    def _score(self, engine: Engine, step: int) -> None:
        general = self._tried(lambda: self._general)
        if not general:
            return
        begun = time.monotonic()
        score = self._tried(lambda: engine.evaluate(general, plain=True))
        if score is None or not math.isfinite(score.loss):
            return
        if step == 0:
            self._said.base_loss = score.loss
        base = self._said.base_loss
        if base is None:
            return
        self._session.emit(
            Forgetting(
                step=step,
                loss=score.loss,
                base_loss=base,
                supervised_tokens=score.supervised_tokens,
                seconds=time.monotonic() - begun,
            )
        )
        self._alarm(step, score.loss, base)

    def _alarm(self, step: int, loss: float, base: float) -> None:
        """Say once per run that the model forgets."""
        most = self._recipe.evaluation.forgetting
        if self._said.alarmed or most is None or loss <= base * (1 + most):
            return
        self._said.alarmed = True
        more = round(100 * (loss / base - 1))
        self._session.emit(
            Warned(
                code="forgotten",
                facts={"step": step, "loss": round(loss, 3), "base": round(base, 3), "percent": more},
            )
        )

    def _tried(self, ask: Callable[[], T]) -> T | None:
        """Ask an engine; what it cannot do ends the timeline of this attempt, is told, and costs no more."""
        try:
            return ask()
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self._works = False
            detail = f"{type(error).__name__}: {error}".splitlines()[0][:500]
            self._session.emit(Warned(code="samples_failed", facts={"detail": detail}))
            return None


def cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text that fits into an event, with a mark where something is missing."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= most else whole[: most - len(CUT)] + CUT
