"""The answers of a run to its fixed questions: which question and which step are looked at.

Owns the choice, which follows the newest step until somebody looks at another one, and the words around the
answers. Refuses to know widgets and who asks the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.timeline import SampleTimeline
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.recipe_form import Choice
from academy_desktop.viewmodels.word_difference import Said, differences
from trainers.events import AnyEvent, Forgetting, Resumed, Sampled

#: Stands for all questions, one below the other.
ALL = "all"
#: Of a question, as many characters stand in a list.
MOST_SHOWN = 90


class Samples(QObject):
    """`changed()` after new answers and after another choice."""

    changed = Signal()

    def __init__(
        self, formats: Formats, translate: Callable[[str], str], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._formats = formats
        self._gettext = translate
        self._timeline = SampleTimeline()
        self._question = ALL
        self._step: int | None = None

    def apply(self, events: Iterable[AnyEvent]) -> None:
        """Take new events in the order in which they were written."""
        touched = False
        for event in events:
            match event.payload:
                case Sampled() | Forgetting() as said:
                    self._timeline.fold(said)
                case Resumed(from_step=from_step):
                    self._timeline.supersede(from_step)
                case _:
                    continue
            touched = True
        if touched:
            self.changed.emit()

    def clear(self) -> None:
        """Forget all, for another run."""
        self._timeline = SampleTimeline()
        self._question, self._step = ALL, None
        self.changed.emit()

    # what can be chosen

    @property
    def is_empty(self) -> bool:
        """Whether nobody answered anything yet."""
        return not self._timeline.questions

    @property
    def questions(self) -> tuple[Choice, ...]:
        """All questions at once, and each by itself."""
        known = self._timeline.questions.values()
        single = [Choice(str(one.index), _brief(one.prompt)) for one in known]
        return (Choice(ALL, self._gettext(N_("All questions"))), *single)

    @property
    def question(self) -> str:
        """Which of them is looked at."""
        return self._question

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps after which the model answered."""
        return self._timeline.steps

    @property
    def step(self) -> int | None:
        """The step that is looked at: the newest, unless another one was chosen."""
        if self._step in self.steps:
            return self._step
        return self.steps[-1] if self.steps else None

    def choose_question(self, question: str) -> None:
        """Look at a question, or at all."""
        if question != self._question:
            self._question = question
            self.changed.emit()

    def choose_step(self, step: int) -> None:
        """Look at a step; the last one follows what comes."""
        wanted = None if self.steps and step == self.steps[-1] else step
        if wanted != self._step:
            self._step = wanted
            self.changed.emit()

    # what is said

    @property
    def when(self) -> str:
        """When the model answered so: `After step 40`."""
        if self.step is None:
            return self._gettext(N_("In training"))
        return self._gettext(N_("After step {step}")).format(step=self._formats.integer(self.step))

    @property
    def base(self) -> list[Said]:
        """What the base says; marked is what the model no longer says."""
        return self._side(0)

    @property
    def tuned(self) -> list[Said]:
        """What the model says; marked is what the base does not say."""
        return self._side(1)

    @property
    def expected(self) -> str:
        """What the dataset answers to the question that is looked at, or nothing."""
        known = self._timeline.questions
        if self._question == ALL or int(self._question) not in known:
            return ""
        said = known[int(self._question)].expected
        return self._gettext(N_("Your data says: {answer}")).format(answer=said) if said else ""

    @property
    def forgetting(self) -> str:
        """How everyday questions go at the step that is looked at, in a sentence, or nothing."""
        found = self._timeline.forgetting(self.step)
        if found is None or not found.base_loss:
            return ""
        change = found.loss / found.base_loss - 1
        template = N_("Everyday questions: loss {loss}, as before training.")
        if abs(change) >= 0.005:
            template = (
                N_("Everyday questions: loss {loss}, {share} above the base's {base}.")
                if change > 0
                else N_("Everyday questions: loss {loss}, {share} below the base's {base}.")
            )
        return self._gettext(template).format(
            loss=self._formats.decimal(found.loss, 2),
            base=self._formats.decimal(found.base_loss, 2),
            share=self._formats.percent(abs(change)),
        )

    def _side(self, side: int) -> list[Said]:
        asked = self._timeline.questions
        if self._question != ALL:
            return self._answers(int(self._question))[side] if int(self._question) in asked else []
        parts: list[Said] = []
        for index, one in asked.items():
            gap = "\n\n" if parts else ""
            parts += [Said(f"{gap}{_brief(one.prompt)}\n", "caption"), *self._answers(index)[side]]
        return parts

    def _answers(self, index: int) -> tuple[list[Said], list[Said]]:
        base = self._timeline.base(index)
        tuned = None if self.step is None else self._timeline.tuned(index, self.step)
        if base is None or tuned is None:
            return self._alone(base), self._alone(tuned)
        before, after = differences(base.answer, tuned.answer)
        return self._ended(before, base), self._ended(after, tuned)

    def _alone(self, one: Sampled | None) -> list[Said]:
        return [] if one is None else self._ended([Said(one.answer)], one)

    def _ended(self, parts: list[Said], one: Sampled) -> list[Said]:
        """The answer with a word on how it ended, where that is not of itself."""
        if not one.answer:
            return [Said(self._gettext(N_("(no answer)")), "cut")]
        return parts if one.ended else [*parts, Said(" …", "cut")]


def _brief(prompt: str) -> str:
    """A question in one line."""
    line = " ".join(prompt.split())
    return line if len(line) <= MOST_SHOWN else f"{line[: MOST_SHOWN - 1]}…"
