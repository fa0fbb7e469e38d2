"""Makes exports and proofs of a finished run, and changes finished files as a fault would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from numpy.typing import NDArray
from peft import PeftModel
from transformers import AutoModelForCausalLM

from tests.trainers.tiny_model import write_run
from trainers.digest import sha256_of, size_of
from trainers.errors import AcademyError, ErrorCode
from trainers.events import Payload
from trainers.exporting.certificate import Certificate
from trainers.exporting.certify import run_certify
from trainers.exporting.job import run_export
from trainers.exporting.record import ExportRecord, certificate_path, record_path
from trainers.exporting.watch import Watch
from trainers.layout import RunDir, write_record
from trainers.recipe import CertifyRecipe, ExportFormat, ExportItem, ExportRecipe, Quant

Item = tuple[ExportFormat, Quant]

QUIET = Watch(lambda _: None, lambda: False)


def never() -> bool:
    return False


def export(
    parent: RunDir,
    *items: Item | ExportItem,
    emit: Callable[[Payload], None] = lambda _: None,
    cancelled: Callable[[], bool] = never,
    run_dir: Path | None = None,
) -> list[Path]:
    """Run an export job; returns where the exports should lie."""
    chosen = tuple(
        one if isinstance(one, ExportItem) else ExportItem(format=one[0], quant=one[1]) for one in items
    )
    recipe = ExportRecipe(parent=parent.job, parent_dir=str(parent.path), items=chosen)
    folder = run_dir or parent.path.with_name("export-job")
    if not folder.exists():
        write_run(folder, recipe)
    run_export(recipe, folder, emit, cancelled)
    return [parent.exports / item.name for item in chosen]


def certify(parent: RunDir, *names: str, rows: int = 12) -> dict[str, Certificate]:
    """Run a proof job; returns the certificates by the names of the exports."""
    recipe = CertifyRecipe(
        parent=parent.job, parent_dir=str(parent.path), exports=names, rows=rows, max_new_tokens=12
    )
    folder = parent.path.with_name("certify-job")
    if not folder.exists():
        write_run(folder, recipe)
    run_certify(recipe, folder, lambda _: None, never)
    return {name: read_certificate(parent.exports / name) for name in names}


def read_certificate(path: Path) -> Certificate:
    return Certificate.model_validate_json(certificate_path(path).read_bytes())


def vouch(path: Path, parent: RunDir, kind: str, quant: str, *, converted: bool = False) -> None:
    """Write the record of a file as if an export had made it."""
    record = ExportRecord(
        format=kind,
        quant=quant,
        size_bytes=size_of(path),
        sha256=sha256_of(path),
        base="tied",
        adapter_sha256=sha256_of(parent.adapter / "adapter_model.safetensors"),
        converted=converted,
    )
    write_record(record_path(path), record)


@contextmanager
def refusal(code: ErrorCode) -> Iterator[dict[str, Any]]:
    facts: dict[str, Any] = {}
    with pytest.raises(AcademyError) as caught:
        yield facts
    assert caught.value.code is code
    facts.update(caught.value.facts)


def merged_by_peft(model: Path, adapter: Path | None) -> dict[str, torch.Tensor]:
    """The weights as PEFT itself merges them."""
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    if adapter is None:
        return dict(base.state_dict())
    merged = PeftModel.from_pretrained(base, adapter).merge_and_unload()
    return dict(merged.state_dict())


@dataclass
class Gguf:
    """A GGUF file taken apart: metadata with types, and stored tensors."""

    metadata: dict[str, tuple[Any, GGUFValueType, GGUFValueType | None]]
    tensors: dict[str, tuple[NDArray[Any], GGMLQuantizationType]]

    @classmethod
    def read(cls, path: Path) -> Gguf:
        reader = GGUFReader(path)
        metadata = {
            field.name: (field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None)
            for field in reader.fields.values()
            if not field.name.startswith("GGUF.")
        }
        tensors = {one.name: (np.array(one.data), one.tensor_type) for one in reader.tensors}
        return cls(metadata, tensors)

    def write(self, path: Path) -> None:
        metadata = dict(self.metadata)
        writer = GGUFWriter(path, metadata.pop("general.architecture")[0])
        for key, (value, kind, inner) in metadata.items():
            writer.add_key_value(key, value, kind, inner)
        for name, (values, stored) in self.tensors.items():
            writer.add_tensor(name, values, raw_dtype=stored)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()

    def value(self, key: str) -> Any:
        return self.metadata[key][0]

    def set(self, key: str, value: object) -> None:
        self.metadata[key] = (value, *self.metadata[key][1:])

    def scale(self, name: str, factor: float) -> None:
        values, stored = self.tensors[name]
        self.tensors[name] = ((values * factor).astype(values.dtype), stored)
