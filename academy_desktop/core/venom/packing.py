"""From a finished run to the parcel that a server's models folder takes.

Owns the adapter's id and its description for the server (`metadata.json`, version 2). Refuses to know where
the parcel goes. Nothing in it tells paths or names of this computer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from academy_desktop.core.exports import Exports, FinishedExport
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.models import Models
from academy_desktop.core.models.inspection import slug
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.venom.names import Naming
from academy_desktop.core.venom.placement import GGUF, Parcel, Part
from trainers.digest import sha256_of_file
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.base_model import read_header
from trainers.exporting.certificate import Certificate
from trainers.exporting.record import Export
from trainers.files import read_regular
from trainers.layout import RunDir
from trainers.recipe import ExportItem, TrainRecipe
from trainers.recipe_file import read_train_recipe

#: What a server needs beside the PEFT files: the adapter for llama.cpp.
LORA_GGUF: Final = ExportItem(format="lora-gguf", quant="f16")
CONFIG_NAME: Final = "adapter_config.json"
WEIGHTS_NAME: Final = "adapter_model.safetensors"
METADATA_VERSION: Final = 2
#: Of the run's name in the adapter's id.
_NAME_LENGTH = 40


@dataclass(frozen=True)
class FinishedRun:
    """A run that has an adapter. `weights_sha256` is the adapter's identity."""

    summary: JobSummary
    run: RunDir
    recipe: TrainRecipe
    weights_sha256: str
    base_names: tuple[str, ...]

    @property
    def adapter_id(self) -> str:
        """Slug of the run's name, eight digits of the weights' hash: other weights are another adapter."""
        name = slug(self.recipe.name or self.recipe.model.id)[:_NAME_LENGTH].strip("-")
        return f"{name}-{self.weights_sha256[:8]}"


class Packing:
    """Makes parcels of the runs of one data directory."""

    def __init__(self, jobs: Jobs, exports: Exports, models: Models) -> None:
        self._jobs = jobs
        self._exports = exports
        self._models = models

    def open(self, job: str) -> FinishedRun:
        """Read a finished run.

        Raises:
            AcademyError: `job_unknown`, `job_without_adapter`, `adapter_damaged`; as `read_train_recipe`.
        """
        summary = self._jobs.get(job)
        run = RunDir(Path(summary.run_dir))
        if not (run.adapter / CONFIG_NAME).is_file():
            raise AcademyError(ErrorCode.JOB_WITHOUT_ADAPTER, job=summary.id, state=summary.state)
        recipe = read_train_recipe(run.path)
        try:
            read_header(run.adapter / WEIGHTS_NAME)  # before a long file is hashed that is none
            weights = sha256_of_file(run.adapter / WEIGHTS_NAME)
        except AcademyError as error:
            detail = str(error.facts.get("detail", ""))
            raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=str(run.adapter), detail=detail) from error
        except OSError as error:
            detail = error.strerror or str(error)
            raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=str(run.adapter), detail=detail) from error
        return FinishedRun(summary, run, recipe, weights, self._base_names(recipe))

    def gguf(self, run: FinishedRun) -> Export | None:
        """Return the run's adapter as GGUF, if it is there, whole, and of these weights."""
        try:
            (found,) = self._exports.finished(run.summary.id, [LORA_GGUF.name])
        except AcademyError:
            return None
        export = found.export
        if export.record.adapter_sha256 != run.weights_sha256:
            return None
        return export if sha256_of_file(export.path) == export.record.sha256 else None

    def order_gguf(self, run: FinishedRun) -> str:
        """Order the adapter as GGUF; returns the id of the job.

        Raises:
            AcademyError: as `Exports.queue`.
        """
        return self._exports.queue(run.summary.id, [LORA_GGUF])

    def certificate(self, gguf: Export) -> Certificate | None:
        """Return the certificate of the adapter as it lies there now; one of an older file is none."""
        found = FinishedExport.look(gguf).certificate
        return found if found is not None and found.export.sha256 == gguf.record.sha256 else None

    def order_certificate(self, run: FinishedRun) -> str:
        """Order the certificate of the adapter as GGUF; returns the id of the job.

        Raises:
            AcademyError: as `Exports.queue_certificate`.
        """
        return self._exports.queue_certificate(run.summary.id, [LORA_GGUF.name])

    def parcel(
        self,
        run: FinishedRun,
        gguf: Export,
        naming: Naming,
        runtime: str,
        certificate: Certificate | None = None,
    ) -> Parcel:
        """Put together what will lie in the server's folder.

        Raises:
            AcademyError: `adapter_damaged`.
        """
        path = run.run.adapter / CONFIG_NAME
        try:
            config = json.loads(read_regular(path))
            # The path of the base model on this computer means nothing on another.
            config["base_model_name_or_path"] = naming.base_model
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=str(path)) from error
        parts = (
            Part(CONFIG_NAME, content=json.dumps(config, indent=2, sort_keys=True).encode() + b"\n"),
            Part(WEIGHTS_NAME, source=run.run.adapter / WEIGHTS_NAME, sha256=run.weights_sha256),
            Part(GGUF, source=gguf.path, sha256=gguf.record.sha256),
        )
        metadata = _metadata(run, naming, runtime) | {"certificate": _proof(certificate)}
        log = f"{run.adapter_id}: trained with Academy Desktop as {run.summary.id}\n"
        return Parcel(run.adapter_id, metadata, parts, log)

    def _base_names(self, recipe: TrainRecipe) -> tuple[str, ...]:
        """What the base model is called here, the surest name first."""
        try:
            known = [self._models.get(recipe.model.path).name]
        except AcademyError:  # it was moved or deleted since
            known = []
        return (*known, recipe.model.id, Path(recipe.model.path).name)


def _metadata(run: FinishedRun, naming: Naming, runtime: str) -> dict[str, Any]:
    recipe, summary = run.recipe, run.summary
    finished = summary.ended_at or summary.created_at
    return {
        "metadata_version": METADATA_VERSION,
        "adapter_id": run.adapter_id,
        "run_id": summary.id,
        "job_id": summary.id,
        "source_flow": "desktop",
        "source": "academy-desktop",
        "created_at": _iso(finished),
        "started_at": _iso(summary.started_at or summary.created_at),
        "finished_at": _iso(finished),
        "base_model": naming.base_model,
        "requested_base_model": naming.base_model,
        "effective_base_model": naming.base_model,
        "requested_runtime_id": runtime,
        "effective_runtime_id": runtime,
        "dataset_path": None,
        "parameters": {
            "lora_rank": recipe.lora.rank,
            "learning_rate": recipe.training.learning_rate,
            "num_epochs": recipe.training.num_epochs,
            "batch_size": recipe.training.batch_size,
            "max_seq_length": recipe.training.max_seq_length,
            "training_base_model": naming.base_model,
        },
    }


def _proof(certificate: Certificate | None) -> dict[str, Any]:
    """What the description says about the proof; an adapter that was sent without one says so."""
    if certificate is None:
        return {"passed": None, "overridden": True}
    return {
        "passed": certificate.passed,
        "overridden": not certificate.passed,
        "created_at": _iso(certificate.created_at),
        "sha256": certificate.export.sha256,
        "rows": certificate.rows,
        "top1_agreement": certificate.top1_agreement,
        "mean_kl": certificate.mean_kl,
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
