"""What a run answered to its fixed questions, step by step, and how everyday questions go meanwhile.

Owns the newest answer of each question, step and side: a resumed run repeats some. Refuses to know files.
"""

from __future__ import annotations

from typing import Any

from trainers.events import Forgetting, Sampled


class SampleTimeline:
    """Answers by step and question; the base's are those before training."""

    def __init__(self) -> None:
        self._base: dict[int, Sampled] = {}
        self._tuned: dict[int, dict[int, Sampled]] = {}
        self._forgetting: dict[int, Forgetting] = {}

    def fold(self, said: Sampled | Forgetting) -> None:
        """Take in one event; of equals the later one counts."""
        match said:
            case Sampled(by="base"):
                self._base[said.index] = said
            case Sampled():
                self._tuned.setdefault(said.step, {})[said.index] = said
            case Forgetting():
                self._forgetting[said.step] = said

    def supersede(self, from_step: int) -> None:
        """Forget what came after a step: a resumed attempt says it again."""
        self._tuned = {step: answers for step, answers in self._tuned.items() if step <= from_step}
        self._forgetting = {step: one for step, one in self._forgetting.items() if step <= from_step}

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps after which the model answered, in their order."""
        return tuple(sorted(self._tuned))

    @property
    def questions(self) -> dict[int, Sampled]:
        """One answer to each question, by its number: it holds what was asked, and what is expected."""
        found = dict(self._base)
        for step in self.steps:
            found |= self._tuned[step]
        return dict(sorted(found.items()))

    def base(self, index: int) -> Sampled | None:
        """What the base answers."""
        return self._base.get(index)

    def tuned(self, index: int, step: int) -> Sampled | None:
        """What the model answers after a step."""
        return self._tuned.get(step, {}).get(index)

    def forgetting(self, step: int | None = None) -> Forgetting | None:
        """How everyday questions go at a step, or by the newest word on it."""
        known = sorted(self._forgetting)
        at = known[-1] if step is None and known else step
        return None if at is None else self._forgetting.get(at)

    def newest(self) -> list[dict[str, Any]]:
        """The newest answer to each question beside the base's, for a program."""
        found = []
        for index, one in self.questions.items():
            step = max((at for at in self.steps if index in self._tuned[at]), default=None)
            tuned = None if step is None else self._tuned[step][index]
            base = self._base.get(index)
            found.append(
                {
                    "index": index,
                    "prompt": one.prompt,
                    "expected": one.expected,
                    "base": base.answer if base else None,
                    "tuned": tuned.answer if tuned else None,
                    "step": step,
                }
            )
        return found
