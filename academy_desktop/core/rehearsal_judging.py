"""What a rehearsal's rows, jobs and files say about the real run.

Owns the rules from findings to problems, and which of them are serious. Refuses to know how the findings came
to be, and sentences.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence

from academy_desktop.core.exports import FinishedExport
from academy_desktop.core.rehearsal_record import RehearsalProblem, StageName
from trainers.errors import AcademyError, ErrorCode
from trainers.evaluation import Evaluation
from trainers.events import AnyEvent, FactValue, Nonfinite, Step, Warned
from trainers.recipe import Method

#: Defects of rows that make the run fail, and those that make it worth nothing where most rows have them.
FATAL_DEFECT = "template_failed"
GRAVE_DEFECTS = frozenset({"nothing_supervised", "missing_end_of_turn", "turn_not_located", "double_bos"})
#: A defect that most rows have is the format's fault, and serious.
MOST = 0.5
#: What says something about this computer, and not about the run.
_OF_THIS_COMPUTER = frozenset({ErrorCode.LLAMA_CPP_MISSING, ErrorCode.PACKAGE_MISSING})
#: A format that cannot be had, where there are others.
_OF_THE_FORMAT = frozenset(
    {ErrorCode.ADAPTER_UNSUPPORTED, ErrorCode.ARCHITECTURE_UNSUPPORTED, ErrorCode.TOKENIZER_UNSUPPORTED}
)


def of_rows(defects: Mapping[str, int], rows: int) -> Iterator[RehearsalProblem]:
    """What the audit of all rows found; `defects` counts rows."""
    for code, count in sorted(defects.items(), key=lambda one: -one[1]):
        serious = code == FATAL_DEFECT or (code in GRAVE_DEFECTS and count > MOST * rows)
        facts: dict[str, FactValue] = {"defect": code, "rows": count, "of": rows}
        yield RehearsalProblem(code="defect", stage="rows", serious=serious, facts=facts)


def of_training(events: Sequence[AnyEvent], method: Method) -> Iterator[RehearsalProblem]:
    """What the training said: whether its numbers broke, and whether the loss fell."""
    broken = next((one.payload for one in events if isinstance(one.payload, Nonfinite)), None)
    if broken is not None:
        yield RehearsalProblem(code=ErrorCode.NONFINITE_LOSS, stage="training", facts={"step": broken.step})
    losses = [one.payload.loss for one in events if isinstance(one.payload, Step)]
    quarter = max(len(losses) // 4, 1)
    if len(losses) >= 4:
        first, last = statistics.fmean(losses[:quarter]), statistics.fmean(losses[-quarter:])
        if not last < first:
            # preferences are learned slowly: that so few steps show nothing says nothing
            yield RehearsalProblem(
                code="loss_not_falling",
                stage="training",
                serious=method in {"sft", "pretrain"},
                facts={"first": first, "last": last},
            )


def of_exporting(events: Iterable[AnyEvent]) -> Iterator[RehearsalProblem]:
    """What an export that was made warned of."""
    for event in events:
        if isinstance(event.payload, Warned):
            yield RehearsalProblem(
                code=event.payload.code, stage="exporting", serious=False, facts=event.payload.facts
            )


def of_certificates(exports: Iterable[FinishedExport]) -> Iterator[RehearsalProblem]:
    """Which exports do not behave like the model that was trained, and in what."""
    for one in exports:
        if one.certificate is None or one.certificate.passed:
            continue
        failed = [check for check in one.certificate.checks if not check.passed]
        yield RehearsalProblem(
            code=ErrorCode.CERTIFICATE_FAILED,
            stage="proving",
            facts={
                "export": one.export.name,
                "checks": ", ".join(check.id for check in failed),
                "detail": next((check.detail for check in failed if check.detail), None),
            },
        )


def of_answers(found: Evaluation, *, is_miniature: bool) -> Iterator[RehearsalProblem]:
    """Whether answers end by themselves: a model that knows nothing need not."""
    tuned = found.targets.get("tuned")
    if not is_miniature and tuned is not None and tuned.end_of_turn_rate == 0.0:
        yield RehearsalProblem(
            code="never_ends", stage="answering", serious=False, facts={"rows": tuned.rows}
        )


def of_failure(error: AcademyError, stage: StageName, *, others: bool = False) -> RehearsalProblem:
    """A stage that failed; `others`: a format could be had beside the one that failed."""
    light = error.code in _OF_THIS_COMPUTER or (others and error.code in _OF_THE_FORMAT)
    return RehearsalProblem(code=error.code, stage=stage, serious=not light, facts=dict(error.facts))
