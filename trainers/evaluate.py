"""An evaluation job: base, trained model and exported files answer held-out rows; a rule scores them.

Owns `evaluation.json` and the score. Refuses to judge whether an export is true to its model: that is
a proof's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trainers.errors import AcademyError, ErrorCode
from trainers.evaluation import EvaluatedRow, Evaluation, TargetScore
from trainers.events import Answered, Payload, Phase
from trainers.exporting.gguf_subject import GgufSubject
from trainers.exporting.parent import HeldOutRow, Parent
from trainers.exporting.record import find_exports
from trainers.exporting.reference import TransformersModel
from trainers.exporting.subject import Subject, ids_of
from trainers.exporting.watch import CancelledError, Watch
from trainers.layout import RunDir, write_record
from trainers.llama_client import LlamaClient
from trainers.recipe import EvaluateRecipe
from trainers.rendering import Renderer

#: Rows answered between two looks at the commands.
CHUNK = 16


@dataclass(frozen=True)
class Answers:
    """Texts of one target, in the order of the rows, and how many of them it ended by itself."""

    texts: list[str]
    ended: int
    seconds: float


def run_evaluate(
    recipe: EvaluateRecipe, run_dir: Path, emit: Callable[[Payload], None], cancelled: Callable[[], bool]
) -> None:
    """Let each target of a recipe answer the first held-out rows; returns early when `cancelled` says so.

    Raises:
        AcademyError: `job_without_adapter`, `no_held_out_rows`, `export_unknown`, `llama_cpp_missing`,
            `llama_cpp_failed`, or as `Renderer.load`.
    """
    parent = Parent.open(recipe.parent, Path(recipe.parent_dir))
    rows = parent.held_out_rows(recipe.rows)
    files = _files(parent, recipe.targets)
    watch = Watch(emit, cancelled)
    asking = _Asking(Renderer.load(parent.model_dir), rows, recipe.max_new_tokens, watch)
    models = _Models(parent, files)
    found: dict[str, Answers] = {}
    try:
        for target in recipe.targets:
            watch.check()
            emit(Phase(name="loading", detail=target))
            with models.opened(target) as subject:
                emit(Phase(name="evaluating", detail=target))
                found[target] = asking.ask(subject)
            emit(_answered(target, rows, found[target]))
    except CancelledError:
        return
    write_record(RunDir(run_dir).evaluation, _evaluation(rows, found))


def normalized(text: str) -> str:
    """Return a text as it is compared: white space at the ends and runs of it do not count."""
    return " ".join(text.split())


class _Models:
    """Opens targets; the model in transformers is loaded once, when it is first needed."""

    def __init__(self, parent: Parent, files: dict[str, Path]) -> None:
        self._parent = parent
        self._files = files
        self._loaded: TransformersModel | None = None

    @contextmanager
    def opened(self, target: str) -> Iterator[Subject]:
        if target in self._files:
            with LlamaClient(self._files[target]) as client:
                yield GgufSubject(client)
            return
        if self._loaded is None:
            self._loaded = TransformersModel.load(self._parent.model_dir, self._parent.adapter)
        if target == "tuned":
            yield self._loaded
            return
        with self._loaded.without_adapter():
            yield self._loaded


@dataclass(frozen=True)
class _Asking:
    """The same questions for every target."""

    renderer: Renderer
    rows: Sequence[HeldOutRow]
    max_new_tokens: int
    watch: Watch

    def ask(self, subject: Subject) -> Answers:
        begun = time.monotonic()
        prompts = [ids_of(subject, row) for row in self.rows]
        # Rows of similar length go together, so that little is computed for padding.
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        texts, ended = [""] * len(prompts), 0
        for start in range(0, len(order), CHUNK):
            self.watch.progress(start, len(order), "rows")
            indices = order[start : start + CHUNK]
            answers = subject.generate([prompts[index] for index in indices], self.max_new_tokens)
            for index, answer in zip(indices, answers, strict=True):
                texts[index] = self.renderer.decode(answer.ids)
                ended += answer.ended
        self.watch.progress(len(order), len(order), "rows")
        return Answers(texts, ended, time.monotonic() - begun)


def _files(parent: Parent, targets: Sequence[str]) -> dict[str, Path]:
    """Return the paths of those targets that are exports, all of them GGUF models."""
    names = [target for target in targets if target not in {"base", "tuned"}]
    exports = find_exports(parent.run.exports, names) if names else []
    for export in exports:
        if export.record.format != "gguf":
            raise AcademyError(ErrorCode.EXPORT_UNKNOWN, export=export.name, known="gguf")
    return {export.name: export.path for export in exports}


def _answered(target: str, rows: Sequence[HeldOutRow], answers: Answers) -> Answered:
    score = _score(rows, answers)
    return Answered(
        target=target,
        rows=score.rows,
        exact_match=score.exact_match,
        end_of_turn_rate=score.end_of_turn_rate,
        seconds=score.seconds,
    )


def _score(rows: Sequence[HeldOutRow], answers: Answers) -> TargetScore:
    pairs = zip(rows, answers.texts, strict=True)
    right = sum(normalized(row.expected) == normalized(text) for row, text in pairs)
    count = len(rows)
    return TargetScore(
        rows=count,
        exact_match=right / count,
        end_of_turn_rate=answers.ended / count,
        seconds=answers.seconds,
    )


def _evaluation(rows: Sequence[HeldOutRow], found: dict[str, Answers]) -> Evaluation:
    return Evaluation(
        targets={target: _score(rows, answers) for target, answers in found.items()},
        rows=tuple(
            EvaluatedRow(
                row=row.id,
                prompt=row.question,
                expected=row.expected,
                answers={target: answers.texts[place] for target, answers in found.items()},
            )
            for place, row in enumerate(rows)
        ),
    )
