"""The small file beside each export that says what it is, and how the exports of a run are found.

Owns `<name>.json`; an export counts as finished only when this is there. Refuses to know formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from trainers.errors import AcademyError, ErrorCode
from trainers.files import read_regular
from trainers.layout import Record


class ExportRecord(Record):
    """`exports/<name>.json`. `quant` is empty for an adapter, which keeps the numbers it was trained in.

    `importance`: rounding was weighed by how the training rows use the model. `converted`: llama.cpp's own
    converter wrote it.
    """

    format: str
    quant: str
    size_bytes: int
    sha256: str
    base: str
    adapter_sha256: str
    importance: bool = False
    converted: bool = False


@dataclass(frozen=True)
class Export:
    """A finished export below a run's `exports/`."""

    name: str
    path: Path
    record: ExportRecord

    @property
    def certificate(self) -> Path:
        """Where its certificate lies once there is one."""
        return certificate_path(self.path)


def record_path(path: Path) -> Path:
    """Return where the record of the export at `path` lies."""
    return path.with_name(f"{path.name}.json")


def certificate_path(path: Path) -> Path:
    """Return where the certificate of the export at `path` lies."""
    return path.with_name(f"{path.name}.certificate.json")


def modelfile_path(path: Path) -> Path:
    """Return where Ollama's Modelfile of the export at `path` lies, if it has one."""
    return path.with_name(f"{path.name}.Modelfile")


def card_path(path: Path) -> Path:
    """Return where the model card of the export at `path` lies."""
    return path.with_name(f"{path.name}.README.md")


def companions(path: Path) -> tuple[Path, ...]:
    """Return the paths of the texts beside the export at `path`, whether they are there or not."""
    return modelfile_path(path), card_path(path)


def find_exports(folder: Path, names: Sequence[str] = ()) -> list[Export]:
    """Return the named exports in their order, or all of them sorted by name.

    Raises:
        AcademyError: `export_unknown`, or `export_damaged` for a record that cannot be read.
    """
    known = _known_names(folder)
    for name in names:
        if name not in known:
            raise AcademyError(ErrorCode.EXPORT_UNKNOWN, export=name, known=", ".join(known))
    if not known:
        raise AcademyError(ErrorCode.EXPORT_UNKNOWN, export="", known="")
    return [Export(name, folder / name, _read_record(folder / name)) for name in names or known]


def _known_names(folder: Path) -> list[str]:
    records = (entry.name.removesuffix(".json") for entry in folder.glob("*.json"))
    return sorted(name for name in records if (folder / name).exists())


def _read_record(path: Path) -> ExportRecord:
    try:
        return ExportRecord.model_validate_json(read_regular(record_path(path)))
    except (OSError, ValidationError) as error:
        detail = type(error).__name__
        raise AcademyError(ErrorCode.EXPORT_DAMAGED, path=str(record_path(path)), detail=detail) from error
