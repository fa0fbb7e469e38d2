"""Asks reference and export the same questions and counts the differences.

Owns the arithmetic of agreement. Refuses to judge: bounds are elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.parent import HeldOutRow
from trainers.exporting.subject import Answer, Logits, Subject, ids_of
from trainers.exporting.watch import Watch
from trainers.rendering import IGNORED, Renderer

#: The reference's scores are kept for the next export up to this size, and computed again beyond it.
KEPT_BYTES = 256 * 1024 * 1024
#: A text may be a whole book.
TEXT_TOKENS = 512


@dataclass(frozen=True)
class Question:
    """A held-out row as the reference sees it.

    After `ids[position]` the token `targets[i]` should follow, for each supervised position.
    """

    row: HeldOutRow
    prompt: tuple[int, ...]
    ids: tuple[int, ...]
    positions: tuple[int, ...]
    targets: tuple[int, ...]

    @classmethod
    def ask(cls, renderer: Renderer, row: HeldOutRow) -> Question:
        """Render one row."""
        if row.text:
            return cls._of_text(renderer, row)
        rendered = renderer.render(row.messages)
        trained = [place for place, label in enumerate(rendered.labels) if place > 0 and label != IGNORED]
        return cls(
            row=row,
            prompt=tuple(renderer.prompt(row.prompt).ids),
            ids=tuple(rendered.ids),
            positions=tuple(place - 1 for place in trained),
            targets=tuple(rendered.ids[place] for place in trained),
        )

    @classmethod
    def _of_text(cls, renderer: Renderer, row: HeldOutRow) -> Question:
        """All of a text is learned, as far as it is looked at."""
        ids = (*renderer.beginning, *renderer.encode(row.text))[:TEXT_TOKENS]
        prompt = (*renderer.beginning, *renderer.encode(row.opening))
        return cls(row, prompt, ids, tuple(range(len(ids) - 1)), ids[1:])


@dataclass
class Measures:
    """Sums over all questions so far; shares and means are derived."""

    rows: int = 0
    equal_prompts: int = 0
    positions: int = 0
    agreements: int = 0
    kl_sum: float = 0.0
    max_kl: float = 0.0
    loss_sum: float = 0.0
    reference_loss_sum: float = 0.0
    answers: int = 0
    equal_answers: int = 0
    ended: int = 0
    reference_ended: int = 0

    def add_scores(self, reference: Logits, found: Logits, targets: Sequence[int]) -> None:
        """Count one row's positions. Divergence is KL(reference ‖ export) in nats."""
        expected, actual = _log_softmax(reference), _log_softmax(found)
        divergences = np.sum(np.exp(expected) * (expected - actual), axis=-1)
        rows = np.arange(len(targets))
        self.positions += len(targets)
        self.agreements += int(np.sum(reference.argmax(-1) == found.argmax(-1)))
        self.kl_sum += float(divergences.sum())
        # Not `max`: it would pass over a NaN.
        self.max_kl = float(np.maximum(self.max_kl, divergences.max(initial=0.0)))
        self.loss_sum -= float(actual[rows, list(targets)].sum())
        self.reference_loss_sum -= float(expected[rows, list(targets)].sum())

    @property
    def top1_agreement(self) -> float:
        """Share of positions with the same best next token."""
        return self.agreements / self.positions

    @property
    def mean_kl(self) -> float:
        """Mean divergence in nats per token."""
        return self.kl_sum / self.positions

    @property
    def perplexity(self) -> float:
        """Of the expected answers, under the export."""
        return _exp(self.loss_sum / self.positions)

    @property
    def reference_perplexity(self) -> float:
        """Of the expected answers, under the reference."""
        return _exp(self.reference_loss_sum / self.positions)

    @property
    def greedy_equal(self) -> float:
        """Share of greedy answers with the same text."""
        return self.equal_answers / self.answers

    @property
    def eos_rate(self) -> float:
        """Share of answers that the export ended by itself."""
        return self.ended / self.answers

    @property
    def reference_eos_rate(self) -> float:
        """Share of answers that the reference ended by itself."""
        return self.reference_ended / self.answers


@dataclass
class Examiner:
    """The reference and its answers, kept for every export that is compared with it."""

    reference: Subject
    renderer: Renderer
    questions: Sequence[Question]
    generated: int
    max_new_tokens: int
    watch: Watch
    _answers: list[Answer] | None = None
    _scores: dict[int, Logits] = field(default_factory=dict)
    _kept_bytes: int = 0

    def examine(self, subject: Subject) -> Measures:
        """Ask the subject everything.

        Raises:
            AcademyError: `export_damaged` for another vocabulary, or whatever the subject raises.
        """
        measures = Measures()
        for number, question in enumerate(self.questions):
            self.watch.progress(number, len(self.questions), "rows")
            measures.rows += 1
            measures.equal_prompts += self._own_prompt(subject, question) == list(question.prompt)
            expected = self._reference_scores(number)
            found = subject.logits(question.ids, question.positions)
            if found.shape != expected.shape:
                detail = f"vocabulary of {found.shape[-1]}, expected {expected.shape[-1]}"
                raise AcademyError(ErrorCode.EXPORT_DAMAGED, path="", detail=detail)
            measures.add_scores(expected, found, question.targets)
        self._compare_answers(subject, measures)
        self.watch.progress(len(self.questions), len(self.questions), "rows")
        return measures

    def _compare_answers(self, subject: Subject, measures: Measures) -> None:
        asked = self.questions[: self.generated]
        if self._answers is None:
            self._answers = self.reference.generate(
                [question.prompt for question in asked], self.max_new_tokens
            )
            self.watch.check()
        # The export answers its own prompts: that is what its users will get.
        prompts = [self._own_prompt(subject, question) or list(question.prompt) for question in asked]
        answers = subject.generate(prompts, self.max_new_tokens)
        for expected, answer in zip(self._answers, answers, strict=True):
            measures.answers += 1
            measures.equal_answers += self.renderer.decode(expected.ids) == self.renderer.decode(answer.ids)
            measures.ended += answer.ended
            measures.reference_ended += expected.ended

    def _own_prompt(self, subject: Subject, question: Question) -> list[int] | None:
        """Return the prompt by the subject's own template, or None when that fails."""
        try:
            return ids_of(subject, question.row)
        except AcademyError as error:
            if error.code is ErrorCode.TEMPLATE_FAILED:
                return None
            raise

    def _reference_scores(self, number: int) -> Logits:
        known = self._scores.get(number)
        if known is not None:
            return known
        question = self.questions[number]
        scores = self.reference.logits(question.ids, question.positions)
        if self._kept_bytes + scores.nbytes <= KEPT_BYTES:
            self._scores[number] = scores
            self._kept_bytes += scores.nbytes
        return scores


def _exp(loss: float) -> float:
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def _log_softmax(scores: Logits) -> NDArray[np.float64]:
    wide = scores.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    return wide
