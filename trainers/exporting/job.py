"""An export job: makes each file that the recipe names and moves it into the run that it belongs to.

Owns the order: plan everything, look for space, write aside, make durable, hash, move, record, tell. Refuses
to know formats.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from trainers.digest import sha256_of, size_of
from trainers.errors import AcademyError, ErrorCode
from trainers.events import Exported, Payload, Phase, Warned
from trainers.exporting.adapter import Adapter
from trainers.exporting.card import model_card
from trainers.exporting.folders import AdapterFolder, MergedFolder
from trainers.exporting.gguf_config import ModelConfig
from trainers.exporting.gguf_converted import GgufConverted, adds_bos
from trainers.exporting.gguf_kquant import K_QUANTS, GgufKQuant
from trainers.exporting.gguf_lora import GgufLora
from trainers.exporting.gguf_plan import plan_gguf
from trainers.exporting.gguf_vocabulary import Vocabulary
from trainers.exporting.importance import training_rows
from trainers.exporting.modelfile import make_modelfile
from trainers.exporting.parent import Parent
from trainers.exporting.record import ExportRecord, card_path, modelfile_path
from trainers.exporting.staging import clear_leftovers, make_durable, put_in_place, require_space, staged
from trainers.exporting.watch import CancelledError, Watch, peak_rss_bytes
from trainers.recipe import ExportItem, ExportRecipe


class Plan(Protocol):
    """One export, checked and ready to be written."""

    @property
    def size_bytes(self) -> int:
        """How much space it takes at most."""

    def write(self, path: Path, watch: Watch) -> str | None:
        """Write it at `path`, which does not exist; returns its SHA-256 where that came out by the way."""


def run_export(
    recipe: ExportRecipe, run_dir: Path, emit: Callable[[Payload], None], cancelled: Callable[[], bool]
) -> None:
    """Make the exports of a recipe; returns early, leaving nothing half done, when `cancelled` says so.

    Raises:
        AcademyError: `job_without_adapter`, `adapter_damaged`, `adapter_unsupported`,
            `architecture_unsupported`, `tokenizer_unsupported`, `quant_unsupported`, `model_damaged`,
            `model_incomplete`, `disk_full`, `output_not_writable`, `package_missing`, `llama_cpp_missing`,
            `llama_cpp_failed`; for an importance matrix as `training_rows`.
    """
    watch = Watch(emit, cancelled)
    parent = Parent.open(recipe.parent, Path(recipe.parent_dir))
    clear_leftovers(run_dir, parent.run.exports)
    emit(Phase(name="loading"))
    adapter = Adapter.load(parent.adapter)
    plans = [(item, _plan(item, parent, adapter)) for item in recipe.items]
    require_space(run_dir, sum(plan.size_bytes for _, plan in plans))
    try:
        for item, plan in plans:
            watch.check()
            emit(_make(item, plan, parent, run_dir, watch))
    except CancelledError:
        return


def _plan(item: ExportItem, parent: Parent, adapter: Adapter) -> Plan:
    name = f"{parent.base_id} {parent.job}"
    match item.format:
        case "adapter":
            return AdapterFolder(parent.adapter, parent.base_id)
        case "merged":
            return MergedFolder(parent.model_dir, adapter, item.quant)
        case "gguf" if item.quant in K_QUANTS:
            rows = training_rows(parent) if item.importance else ()
            return GgufKQuant(name, parent.model_dir, adapter, item.quant, rows)
        case "gguf":
            return plan_gguf(name, parent.model_dir, adapter, item.quant)
        case "lora-gguf":
            return GgufLora(name, parent.model_dir, adapter, item.quant)


def _make(item: ExportItem, plan: Plan, parent: Parent, run_dir: Path, watch: Watch) -> Exported:
    begun = time.monotonic()
    quant = "" if item.format == "adapter" else item.quant
    with staged(run_dir, item.name, plan.size_bytes) as path:
        watch.emit(Phase(name="writing", detail=item.name))
        digest = plan.write(path, watch)
        watch.emit(Phase(name="saving", detail=item.name))
        make_durable(path)
        record = ExportRecord(
            format=item.format,
            quant=quant,
            size_bytes=size_of(path),
            sha256=digest or sha256_of(path),
            base=parent.base_id,
            adapter_sha256=parent.adapter_sha256(),
            importance=item.importance,
            converted=isinstance(plan, GgufKQuant | GgufConverted) and plan.is_converted,
        )
        card_path(path).write_text(model_card(parent, path.name, record, None), "utf-8")
        if item.format == "gguf":
            _write_modelfile(path, parent, record.converted, watch)
        watch.check()
        target = put_in_place(path, parent.run.exports, record)
    return Exported(
        path=target.relative_to(parent.run.path).as_posix(),
        format=item.format,
        quant=quant,
        size_bytes=record.size_bytes,
        sha256=record.sha256,
        seconds=time.monotonic() - begun,
        peak_rss_bytes=peak_rss_bytes(),
    )


def _write_modelfile(path: Path, parent: Parent, converted: bool, watch: Watch) -> None:
    """Write Ollama's Modelfile, or say why there is none: the file itself is as good without."""
    try:
        begins = adds_bos(path) if converted else _vocabulary(parent).adds_bos
        made = make_modelfile(parent.model_dir, begins, parent.system_prompt())
    except AcademyError as error:
        if error.code is not ErrorCode.TEMPLATE_UNKNOWN:
            raise
        watch.emit(Warned(code=error.code, facts=error.facts))
        return
    modelfile_path(path).write_text(made.text(path.name), "utf-8")


def _vocabulary(parent: Parent) -> Vocabulary:
    return Vocabulary.load(parent.model_dir, ModelConfig.load(parent.model_dir).vocabulary)
