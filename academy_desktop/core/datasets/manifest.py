"""`dataset.json`: what a dataset is, where it came from and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from academy_desktop.core.datasets.forms import Form
from academy_desktop.core.datasets.near import NearDups
from academy_desktop.core.datasets.quality import FEW_ROWS, Profile
from academy_desktop.core.datasets.rows import RowKind
from trainers.errors import AcademyError, ErrorCode
from trainers.files import read_regular
from trainers.layout import PROTOCOL_VERSION, Record

MANIFEST_NAME = "dataset.json"


class SourceEntry(Record):
    """One file that rows came from."""

    name: str
    size_bytes: int
    sha256: str


class DatasetManifest(Record):
    """A dataset. `sha256` is over the bytes of `train.jsonl` followed by those of `eval.jsonl`."""

    id: str
    name: str
    created_at: float
    sha256: str
    format: Form
    sources: tuple[SourceEntry, ...]
    mapping: Mapping[str, str]
    profile: Profile
    seed: int
    eval_fraction: float
    rows_in: int
    rows_kept: int
    dropped: Mapping[str, int]
    train_rows: int
    eval_rows: int
    parents: tuple[str, ...] = ()
    # What follows is left out where it says nothing, so that an older manifest is written as it was read.
    kind: RowKind = Field(RowKind.CHAT, exclude_if=lambda kind: kind is RowKind.CHAT)
    near_dups: NearDups = Field(NearDups.KEEP, exclude_if=lambda choice: choice is NearDups.KEEP)
    conflicting_rows: int = Field(0, exclude_if=lambda rows: not rows)
    near_rows: int = Field(0, exclude_if=lambda rows: not rows)
    excluded_rows: int = Field(0, exclude_if=lambda rows: not rows)
    edited_rows: int = Field(0, exclude_if=lambda rows: not rows)
    weights: Mapping[str, float] = Field(default_factory=dict, exclude_if=lambda weights: not weights)
    seconds: float = Field(0.0, exclude=True, description="Time the import took; not stored.")
    confidence: float = Field(1.0, exclude=True, description="Certainty of the detected form; not stored.")

    @property
    def few_rows(self) -> int | None:
        """The number of rows that the profile thinks advisable, if there are fewer; else None."""
        advisable = FEW_ROWS[self.profile]
        return advisable if self.rows_kept < advisable else None


def read_manifest(folder: Path) -> DatasetManifest:
    """Read the manifest in a dataset's folder.

    Raises:
        AcademyError: `dataset_damaged`, or `protocol_newer` when a newer version wrote it.
    """
    path = folder / MANIFEST_NAME
    try:
        raw: Any = json.loads(read_regular(path))
        version = raw.get("v") if isinstance(raw, dict) else None
        if isinstance(version, int) and version > PROTOCOL_VERSION:
            raise AcademyError(
                ErrorCode.PROTOCOL_NEWER, path=str(path), found=version, known=PROTOCOL_VERSION
            )
        manifest = DatasetManifest.model_validate(raw)
    except (OSError, ValueError, RecursionError, ValidationError) as error:
        raise AcademyError(ErrorCode.DATASET_DAMAGED, dataset=folder.name, path=str(path)) from error
    if manifest.id != folder.name:  # its rows are looked for under its id
        detail = f"it calls itself {manifest.id}"
        raise AcademyError(ErrorCode.DATASET_DAMAGED, dataset=folder.name, path=str(path), detail=detail)
    return manifest
