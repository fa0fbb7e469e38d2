"""A proof job: does each export behave like base + adapter in transformers, on held-out rows?

Owns the order of the proof and which programs play reference and subject. Refuses to know bounds and
arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

from trainers.digest import sha256_of
from trainers.errors import AcademyError, ErrorCode
from trainers.events import Certified, Payload, Phase
from trainers.exporting.adapter import WEIGHTS_NAME, Adapter
from trainers.exporting.card import model_card
from trainers.exporting.certificate import Certificate, Check, certificate, judge, yes_or_no
from trainers.exporting.comparison import Examiner, Measures, Question
from trainers.exporting.folders import MergedFolder
from trainers.exporting.gguf_kquant import K_QUANTS
from trainers.exporting.gguf_lora import GgufLora
from trainers.exporting.gguf_model import GgufModel
from trainers.exporting.gguf_plan import plan_gguf
from trainers.exporting.gguf_subject import GgufSubject
from trainers.exporting.inspection import Findings, compare_gguf, inspect_gguf, inspect_merged
from trainers.exporting.parent import Parent
from trainers.exporting.record import Export, card_path, find_exports
from trainers.exporting.reference import TransformersModel
from trainers.exporting.staging import clear_leftovers, require_space, staged
from trainers.exporting.subject import Subject
from trainers.exporting.thresholds import bounds_for
from trainers.exporting.watch import CancelledError, Watch
from trainers.layout import write_atomically, write_record
from trainers.llama_client import LlamaClient
from trainers.recipe import CertifyRecipe
from trainers.rendering import Renderer

#: The base model that a LoRA for llama.cpp is loaded upon.
_BASE_NAME, _BASE_QUANT = "base.gguf", "f16"
_AGAIN_NAME = "again.gguf"


def run_certify(
    recipe: CertifyRecipe, run_dir: Path, emit: Callable[[Payload], None], cancelled: Callable[[], bool]
) -> None:
    """Write a certificate beside each export; returns early when `cancelled` says so.

    An export that is damaged or that llama.cpp refuses gets a certificate too: one that says no.

    Raises:
        AcademyError: `job_without_adapter`, `no_held_out_rows`, `export_unknown`, `export_damaged`,
            `llama_cpp_missing`, `disk_full`, or as `Renderer.load`.
    """
    parent = Parent.open(recipe.parent, Path(recipe.parent_dir))
    exports = find_exports(parent.run.exports, recipe.exports)
    rows = parent.held_out_rows(max(recipe.rows, recipe.generated_rows))
    clear_leftovers(run_dir, parent.run.exports)
    watch = Watch(emit, cancelled)
    emit(Phase(name="loading"))
    renderer = Renderer.load(parent.model_dir)
    questions = [Question.ask(renderer, row) for row in rows]
    try:
        watch.check()
        reference = TransformersModel.load(parent.model_dir, parent.adapter)
        examiner = Examiner(
            reference, renderer, questions[: recipe.rows], recipe.generated_rows, recipe.max_new_tokens, watch
        )
        with ExitStack() as stack:
            proof = _Proof(parent, run_dir, renderer, examiner, watch, stack)
            for export in exports:
                emit(proof.certify(export))
    except CancelledError:
        return


#: What says about the export that it is bad, and not about the proof.
_SAYS_NO = frozenset(
    {
        ErrorCode.LLAMA_CPP_FAILED, ErrorCode.EXPORT_DAMAGED,
        ErrorCode.MODEL_DAMAGED, ErrorCode.MODEL_INCOMPLETE,
    }
)  # fmt: skip


@dataclass
class _Proof:
    """One job's reference, and the base model for llama.cpp once it was needed."""

    parent: Parent
    run_dir: Path
    renderer: Renderer
    examiner: Examiner
    watch: Watch
    stack: ExitStack
    base_file: Path | None = None

    def certify(self, export: Export) -> Certified:
        """Examine one export and write its certificate."""
        self.watch.emit(Phase(name="proving", detail=export.name))
        verdict = self._examine(export)
        write_record(export.certificate, verdict)
        card = model_card(self.parent, export.name, export.record, verdict)
        write_atomically(card_path(export.path), card.encode())
        folder = self.parent.run.path
        return Certified(
            path=export.path.relative_to(folder).as_posix(),
            certificate=export.certificate.relative_to(folder).as_posix(),
            passed=verdict.passed,
        )

    def _examine(self, export: Export) -> Certificate:
        checks = [
            yes_or_no("intact", sha256_of(export.path) == export.record.sha256),
            yes_or_no("same_adapter", self.parent.adapter_sha256() == export.record.adapter_sha256),
        ]
        measures: Measures | None = None
        types: dict[str, int] = {}
        if all(check.passed for check in checks):
            try:
                types, looked = self._look_inside(export)
                checks += looked
                with self._opened(export) as subject:
                    checks += self._end_token(subject)
                    measures = self.examiner.examine(subject)
            except AcademyError as error:
                if error.code not in _SAYS_NO:
                    raise
                checks.append(yes_or_no("loads", False, str(error.facts.get("detail", ""))))
            else:
                checks.append(yes_or_no("loads", True))
                checks += judge(measures, bounds_for(export.record.format, export.record.quant))
        return certificate(export, checks, measures, time.time(), types)

    def _look_inside(self, export: Export) -> tuple[dict[str, int], list[Check]]:
        """Return the tensors of each number format in a GGUF file, and whether all is as planned."""
        found = self._inspect(export)
        checks = [yes_or_no("tensors", not found.tensors, found.tensors)]
        if found.types:
            checks.append(yes_or_no("metadata", not found.metadata, found.metadata))
        return found.types, checks

    def _inspect(self, export: Export) -> Findings:
        """Compare what the export holds with what it should hold.

        Raises:
            AcademyError: `export_damaged` when it cannot be read at all.
        """
        record = export.record
        name = f"{self.parent.base_id} {self.parent.job}"
        model_dir, adapter = self.parent.model_dir, Adapter.load(self.parent.adapter)
        try:
            match record.format:
                case "gguf" if record.converted:
                    return self._compare_converted(export, name, adapter)
                case "gguf":
                    quant = "f32" if record.quant in K_QUANTS else record.quant
                    return inspect_gguf(export.path, GgufModel(name, model_dir, adapter, quant), self.watch)
                case "lora-gguf":
                    plan = GgufLora(name, model_dir, adapter, record.quant)
                    return inspect_gguf(export.path, plan, self.watch)
                case "merged":
                    merged = MergedFolder(model_dir, adapter, record.quant)
                    return Findings(inspect_merged(export.path, merged, self.watch), "", {})
                case _:
                    same = sha256_of(export.path / WEIGHTS_NAME) == record.adapter_sha256
                    return Findings("" if same else WEIGHTS_NAME, "", {})
        except (OSError, ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            raise AcademyError(ErrorCode.EXPORT_DAMAGED, path=str(export.path), detail=str(error)) from error

    def _compare_converted(self, export: Export, name: str, adapter: Adapter) -> Findings:
        """Have base and adapter converted once more: only the converter knows what it makes of them."""
        quant = "f32" if export.record.quant in K_QUANTS else export.record.quant
        plan = plan_gguf(name, self.parent.model_dir, adapter, quant)
        require_space(self.run_dir, plan.size_bytes)
        with staged(self.run_dir, _AGAIN_NAME, plan.size_bytes) as path:
            plan.write(path, self.watch)
            return compare_gguf(export.path, path, self.watch)

    @contextmanager
    def _opened(self, export: Export) -> Iterator[Subject]:
        match export.record.format:
            case "gguf":
                with LlamaClient(export.path) as client:
                    yield GgufSubject(client)
            case "lora-gguf":
                with LlamaClient(self._base(), lora=export.path) as client:
                    yield GgufSubject(client)
            case "adapter":
                yield _load_folder(self.parent.model_dir, export.path)
            case _:
                yield _load_folder(export.path, None)

    def _base(self) -> Path:
        """Return the base model as a GGUF file, made once and gone with the job."""
        if self.base_file is None:
            plan = GgufModel("base", self.parent.model_dir, None, _BASE_QUANT)
            require_space(self.run_dir, plan.size_bytes)
            path = self.stack.enter_context(staged(self.run_dir, _BASE_NAME, plan.size_bytes))
            plan.write(path, self.watch)
            self.base_file = path
        return self.base_file

    def _end_token(self, subject: Subject) -> list[Check]:
        """A GGUF must itself name the tokens that end an answer; a folder has them from the base model."""
        if not isinstance(subject, GgufSubject):
            return []
        missing = sorted(self.renderer.end_of_turn_ids - subject.end_ids)
        eos = self.renderer.eos_token_id
        if missing:
            return [yes_or_no("end_token", False, f"not ended by {missing}")]
        if eos is not None and subject.eos_id != eos:
            return [yes_or_no("end_token", False, f"eos {subject.eos_id}, expected {eos}")]
        return [yes_or_no("end_token", True)]


def _load_folder(model_dir: Path, adapter: Path | None) -> TransformersModel:
    try:
        return TransformersModel.load(model_dir, adapter)
    except (OSError, ValueError, RuntimeError, SafetensorError, AcademyError) as error:
        path = adapter or model_dir
        raise AcademyError(ErrorCode.EXPORT_DAMAGED, path=str(path), detail=str(error)) from error
