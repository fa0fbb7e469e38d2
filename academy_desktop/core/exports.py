"""Exports of finished runs: ordered as jobs, listed from the run, copied to where they are wanted.

Owns the orders and the copies. The files themselves are made, proven and asked by trainers; refuses to know
formats.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from academy_desktop.core.jobs import Jobs
from trainers.digest import sha256_of
from trainers.errors import AcademyError, ErrorCode
from trainers.evaluation import Evaluation
from trainers.exporting.certificate import Certificate
from trainers.exporting.record import Export, certificate_path, companions, find_exports
from trainers.files import read_regular
from trainers.layout import Purpose, RunDir
from trainers.recipe import CertifyRecipe, EvaluateRecipe, ExportItem, ExportRecipe
from trainers.space import disk_full, is_full


@dataclass(frozen=True)
class FinishedExport:
    """An export that lies whole in its run, its certificate if it was proven, and what lies beside it."""

    export: Export
    certificate: Certificate | None
    has_modelfile: bool = False
    has_card: bool = False

    @classmethod
    def look(cls, export: Export) -> FinishedExport:
        """Return an export with what lies beside it."""
        modelfile, card = companions(export.path)
        return cls(export, _certificate(export.certificate), modelfile.is_file(), card.is_file())


class Exports:
    """The exports of all runs of one data directory."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    # orders

    def queue(self, job: str, items: Sequence[ExportItem]) -> str:
        """Order exports of a run; returns the id of the export job.

        Raises:
            AcademyError: `job_unknown`, `job_without_adapter`; as `Jobs.queue`.
        """
        run, name, purpose = self._parent(job)
        recipe = ExportRecipe(name=name, parent=run.job, parent_dir=str(run.path), items=tuple(items))
        return self._jobs.queue(recipe, purpose=purpose)

    def queue_certificate(self, job: str, exports: Sequence[str] = ()) -> str:
        """Order the proof of the named exports, or of all; returns the id of the job.

        Raises:
            AcademyError: `job_unknown`, `job_without_adapter`, `export_unknown`, `export_damaged`; as
                `Jobs.queue`.
        """
        run, name, purpose = self._parent(job)
        found = find_exports(run.exports, exports)
        names = tuple(export.name for export in found)
        recipe = CertifyRecipe(name=name, parent=run.job, parent_dir=str(run.path), exports=names)
        return self._jobs.queue(recipe, purpose=purpose)

    def queue_evaluation(
        self, job: str, targets: Sequence[str], rows: int = 50, max_new_tokens: int = 64
    ) -> str:
        """Order answers of `targets` (base, tuned, GGUF exports) to held-out rows; returns the job's id.

        Raises:
            AcademyError: `job_unknown`, `job_without_adapter`, `export_unknown`; as `Jobs.queue`.
        """
        run, name, purpose = self._parent(job)
        named = [target for target in targets if target not in {"base", "tuned"}]
        if named:
            find_exports(run.exports, named)
        recipe = EvaluateRecipe(
            name=name,
            parent=run.job,
            parent_dir=str(run.path),
            targets=tuple(targets),
            rows=rows,
            max_new_tokens=max_new_tokens,
        )
        return self._jobs.queue(recipe, purpose=purpose)

    # results

    def finished(self, job: str, names: Sequence[str] = ()) -> tuple[FinishedExport, ...]:
        """Return the named exports of a run, or all of them, with their certificates.

        Raises:
            AcademyError: `job_unknown`, `export_unknown`, `export_damaged`.
        """
        folder = self._run(job).exports
        if not names and not any(folder.glob("*.json")):
            return ()
        exports = find_exports(folder, names)
        return tuple(FinishedExport.look(export) for export in exports)

    def evaluation(self, job: str) -> Evaluation:
        """Return what an evaluation job found.

        Raises:
            AcademyError: `job_unknown`; `export_damaged` when its result cannot be read.
        """
        path = self._run(job).evaluation
        try:
            return Evaluation.model_validate_json(read_regular(path))
        except (OSError, ValidationError) as error:
            raise AcademyError(ErrorCode.EXPORT_DAMAGED, path=str(path)) from error

    def name_of(self, job: str, given: str) -> str:
        """Return the name of an export that is named by its name or by the path of a copy of it.

        Raises:
            AcademyError: `job_unknown`, `export_unknown`; `export_damaged` for a copy that is not the export.
        """
        folder = self._run(job).exports
        path = Path(given)
        if path.name == given or path.resolve().parent == folder.resolve():
            return path.name
        if not path.exists():
            raise AcademyError(ErrorCode.FILE_NOT_FOUND, path=given)
        export = find_exports(folder, [path.name])[0]
        if sha256_of(path) != export.record.sha256:
            raise AcademyError(ErrorCode.EXPORT_DAMAGED, path=given, detail="sha256")
        return path.name

    def copy(self, export: Export, folder: Path) -> Path:
        """Copy an export, with its certificate, Modelfile and card, into `folder`; returns the copy's path.

        Written aside, made durable, renamed. What is there already is kept; the same content counts as done.

        Raises:
            AcademyError: `output_exists`, `output_not_writable`, `disk_full`.
        """
        target = folder / export.name
        if target.exists() and sha256_of(target) != export.record.sha256:
            raise AcademyError(ErrorCode.OUTPUT_EXISTS, path=str(target))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                if shutil.disk_usage(folder).free < export.record.size_bytes:
                    raise disk_full(folder, export.record.size_bytes)
                _copy_aside(export.path, target)
            beside = zip(
                (export.certificate, *companions(export.path)),
                (certificate_path(target), *companions(target)),
                strict=True,
            )
            for source, copy in beside:
                if source.is_file():
                    _copy_aside(source, copy)
        except OSError as error:
            if is_full(error):
                raise disk_full(folder, export.record.size_bytes) from error
            detail = error.strerror or str(error)
            raise AcademyError(ErrorCode.OUTPUT_NOT_WRITABLE, path=str(folder), detail=detail) from error
        return target

    # inside

    def _run(self, job: str) -> RunDir:
        return RunDir(Path(self._jobs.get(job).run_dir))

    def _parent(self, job: str) -> tuple[RunDir, str, Purpose]:
        """Return a run that has an adapter, its name and what it is for."""
        summary = self._jobs.get(job)
        run = RunDir(Path(summary.run_dir))
        if not (run.adapter / "adapter_config.json").is_file():
            raise AcademyError(ErrorCode.JOB_WITHOUT_ADAPTER, job=summary.id, state=summary.state)
        return run, summary.name, summary.purpose


def _certificate(path: Path) -> Certificate | None:
    try:
        return Certificate.model_validate_json(read_regular(path))
    except (OSError, ValidationError):
        return None  # not proven, or not by a version that this one understands


def _copy_aside(source: Path, target: Path) -> None:
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        if source.is_dir():
            shutil.copytree(source, aside)
        else:
            shutil.copyfile(source, aside)
        for file in sorted(aside.rglob("*")) if aside.is_dir() else [aside]:
            if file.is_file():
                with file.open("rb+") as stream:
                    os.fsync(stream.fileno())
        aside.replace(target)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)
