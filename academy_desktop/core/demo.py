"""The guided demo: the whole way from rows to a proven file, on a small model and an invented language.

Owns the order of the stages and the score. Everything else is what any user would do: import, recipe, run,
export, certificate, evaluation. Refuses to know screens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.exports import FinishedExport
from academy_desktop.core.job_steps import abandon, follow_to_end
from academy_desktop.core.models import Model
from academy_desktop.core.samples import DEFAULT_SEED, as_json_lines, generate, score
from academy_desktop.core.work_folder import work_folder
from academy_desktop.core.workshop import Workshop
from trainers.evaluation import Evaluation
from trainers.events import AnyEvent, Exported
from trainers.recipe import ExportItem

StageName = Literal["model", "dataset", "training", "exporting", "proving", "scoring"]
STAGES: tuple[StageName, ...] = ("model", "dataset", "training", "exporting", "proving", "scoring")

ITEMS = (
    ExportItem(format="adapter"),
    ExportItem(format="merged", quant="f16"),
    ExportItem(format="gguf", quant="f16"),
    ExportItem(format="gguf", quant="q8_0"),
    ExportItem(format="lora-gguf", quant="f16"),
)
#: The file that people will use: its score is held against the trained model's.
SCORED_EXPORT = "gguf-q8_0.gguf"
ROWS = 50
#: The longest command of the language has fewer than twenty tokens.
ANSWER_TOKENS = 24


class Audience(Protocol):
    """Whoever watches a demo."""

    def stage(self, name: StageName) -> None:
        """A stage begins."""

    def told(self, done: int, total: int, detail: str) -> None:
        """How far the stage is, where no job runs."""

    def job(self, job: str) -> None:
        """A job of the stage was queued."""

    def event(self, event: AnyEvent) -> None:
        """The stage's job said something."""


@dataclass(frozen=True)
class Outcome:
    """What came out. Scores are shares of right answers to held-out requests, from 0 to 1."""

    dataset: DatasetManifest
    job: str
    base_score: float
    tuned_score: float
    export_score: float
    exports: tuple[FinishedExport, ...]
    exported: tuple[Exported, ...]

    @property
    def passed(self) -> bool:
        """Whether every export was proven."""
        return all(one.certificate is not None and one.certificate.passed for one in self.exports)


class Demo:
    """Runs the demo in a workshop, once."""

    def __init__(self, workshop: Workshop, samples: Path, audience: Audience) -> None:
        """`samples`: the folder with the rows of the default seed."""
        self._workshop = workshop
        self._samples = samples
        self._audience = audience

    def run(self, seed: int = DEFAULT_SEED, *, fast: bool = False) -> Outcome:
        """Go the whole way; blocks for minutes.

        Raises:
            AcademyError: whatever stopped a stage; what was made before stays.
        """
        model = self._model()
        dataset = self._dataset(seed)
        job = self._train(dataset, model, "demo-fast" if fast else "demo")
        exported = self._export(job)
        self._follow(self._workshop.exports.queue_certificate(job), "proving")
        evaluation = self._evaluate(job)
        return Outcome(
            dataset=dataset,
            job=job,
            base_score=_share(evaluation, "base"),
            tuned_score=_share(evaluation, "tuned"),
            export_score=_share(evaluation, SCORED_EXPORT),
            exports=self._workshop.exports.finished(job),
            exported=exported,
        )

    def _model(self) -> Model:
        self._audience.stage("model")
        return self._workshop.demo_model.fetch(self._audience.told)

    def _dataset(self, seed: int) -> DatasetManifest:
        self._audience.stage("dataset")
        with self._rows(seed) as (train, held_out):
            return self._workshop.datasets.import_files(
                [train], f"demo-{seed}", format="alpaca", seed=seed, eval_files=[held_out]
            )

    @contextmanager
    def _rows(self, seed: int) -> Iterator[tuple[Path, Path]]:
        """Give the two sample files of a seed; those of the default seed are part of the project."""
        if seed == DEFAULT_SEED:
            yield self._samples / "requests.jsonl", self._samples / "requests-held-out.jsonl"
            return
        rows = generate(seed)
        with work_folder(self._workshop.data.tmp, "demo-rows.") as folder:
            train, held_out = folder / "requests.jsonl", folder / "requests-held-out.jsonl"
            train.write_bytes(as_json_lines(rows.train))
            held_out.write_bytes(as_json_lines(rows.eval))
            yield train, held_out

    def _train(self, dataset: DatasetManifest, model: Model, preset: str) -> str:
        recipe = self._workshop.recipes.make(dataset.id, model.id, preset, name="Demo")
        return self._follow(self._workshop.jobs.queue(recipe), "training")[0]

    def _export(self, job: str) -> tuple[Exported, ...]:
        _, events = self._follow(self._workshop.exports.queue(job, ITEMS), "exporting")
        return tuple(event.payload for event in events if isinstance(event.payload, Exported))

    def _evaluate(self, job: str) -> Evaluation:
        order = self._workshop.exports.queue_evaluation(
            job, ("base", "tuned", SCORED_EXPORT), ROWS, ANSWER_TOKENS
        )
        return self._workshop.exports.evaluation(self._follow(order, "scoring")[0])

    def _follow(self, job: str, stage: StageName) -> tuple[str, Sequence[AnyEvent]]:
        """Wait for a job; one that is interrupted here (Ctrl-C) is stopped, for nobody would come back."""
        try:
            self._audience.stage(stage)
            self._audience.job(job)
        except BaseException:
            abandon(self._workshop.jobs, job)
            raise
        return job, follow_to_end(self._workshop.jobs, job, self._audience.event)


def _share(evaluation: Evaluation, target: str) -> float:
    """Return the share of rows whose answer is the expected command."""
    right = sum(score(row.answers[target], row.expected) for row in evaluation.rows)
    return right / len(evaluation.rows)
