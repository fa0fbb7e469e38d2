"""The datasets of one data directory: imported once, then never changed.

A dataset is written into a folder of its own beside the others and enters the library by a rename, so that it
is there whole or not at all. Refuses to know what the rows are for.
"""

from __future__ import annotations

import difflib
import re
import time
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic_core import from_json

from academy_desktop.core.datasets.encodings import Encoding
from academy_desktop.core.datasets.forms import Form, kind_of
from academy_desktop.core.datasets.importing import Importer, ImportOptions, Progress, Tally, content_hash
from academy_desktop.core.datasets.lineage import Edits, Written, write_edited, write_mixed
from academy_desktop.core.datasets.manifest import MANIFEST_NAME, DatasetManifest, read_manifest
from academy_desktop.core.datasets.near import NearDups
from academy_desktop.core.datasets.quality import Profile
from academy_desktop.core.datasets.rows import Messages
from academy_desktop.core.work_folder import work_folder
from trainers.errors import AcademyError, ErrorCode
from trainers.files import lines_of, open_regular, sync_folder
from trainers.layout import write_record
from trainers.space import is_full

Split = Literal["train", "eval"]

#: The most that a mix repeats rows.
MAX_WEIGHT = 100

_WORK_PREFIX = ".import-"


@dataclass(frozen=True, slots=True)
class Row:
    """One stored row: where it came from, and the conversation."""

    id: int
    file: str
    row: int
    messages: Messages


class Library:
    """The folder `datasets/` of a data directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def import_files(
        self,
        files: Sequence[Path],
        name: str,
        *,
        format: str = "auto",  # noqa: A002 - the option's name on the command line and in dataset.json
        mapping: Mapping[str, str] | None = None,
        profile: str = "balanced",
        eval_fraction: float = 0.1,
        seed: int = 3407,
        dedup: bool = True,
        near_dups: str = "apart",
        encoding: str = "auto",
        eval_files: Sequence[Path] = (),
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> DatasetManifest:
        """Make a dataset of files; equal content under the same name is the dataset that is there already.

        Rows of `eval_files` are held out as they are, and then nothing else is. `progress` gets bytes done
        and bytes in all.

        Raises:
            AcademyError: `file_not_found`, `file_unreadable`, `file_empty`, `file_not_its_format`,
                `file_encoding`, `form_unknown`, `mapping_invalid`, `nothing_left`, `disk_full` or
                `data_dir_not_writable`; the library is as before.
            Cancelled: `cancelled` answered True; the library is as before.
        """
        begun = time.monotonic()
        form = None if format == "auto" else Form(format)
        options = ImportOptions(
            form,
            mapping,
            Profile(profile),
            eval_fraction,
            seed,
            dedup,
            NearDups(near_dups),
            Encoding(encoding),
        )
        with self._writing(), work_folder(self.root, _WORK_PREFIX) as work:
            tally = Importer(work, options, progress, cancelled).run(files, eval_files)
            manifest = _manifest(name, options, tally)
            write_record(work / MANIFEST_NAME, manifest)
            stored = self._publish(work, manifest)
        seconds = time.monotonic() - begun
        return stored.model_copy(update={"seconds": seconds, "confidence": tally.confidence})

    def edit(self, key: str, edits: Edits, name: str = "") -> DatasetManifest:
        """Make a version of a dataset with rows left out or changed; see `lineage.Edits`.

        Raises:
            AcademyError: as `get` and `lineage.write_edited`; `disk_full` or `data_dir_not_writable`.
        """
        parent = self.get(key)
        with self._writing(), work_folder(self.root, _WORK_PREFIX) as work:
            written = write_edited(self.root / parent.id, work, edits)
            manifest = _descendant([parent], name or parent.name, written)
            write_record(work / MANIFEST_NAME, manifest)
            return self._publish(work, manifest)

    def mix(self, parts: Sequence[tuple[str, float]], name: str, seed: int = 3407) -> DatasetManifest:
        """Make a dataset of others: `weight` times the rows to learn of each, all held-out rows once.

        Raises:
            AcademyError: as `get`; `mapping_invalid` for parts of different kinds or a weight below 0;
                `nothing_left`, `disk_full` or `data_dir_not_writable`.
        """
        begun = time.monotonic()
        parents = [self.get(key) for key, _ in parts]
        kinds = dict.fromkeys(parent.kind for parent in parents)
        if len(kinds) != 1:
            raise AcademyError(ErrorCode.MAPPING_INVALID, key=", ".join(kinds), detail="one kind of rows")
        for key, weight in parts:
            if not 0 <= weight <= MAX_WEIGHT:
                detail = f"a weight of 0 to {MAX_WEIGHT}"
                raise AcademyError(ErrorCode.MAPPING_INVALID, key=f"{key}={weight}", detail=detail)
        sources = [
            (self.root / parent.id, weight) for parent, (_, weight) in zip(parents, parts, strict=True)
        ]
        with self._writing(), work_folder(self.root, _WORK_PREFIX) as work:
            written = write_mixed(sources, work, seed)
            weights = {parent.id: weight for parent, (_, weight) in zip(parents, parts, strict=True)}
            manifest = _descendant(parents, name, written, seed=seed, weights=weights)
            write_record(work / MANIFEST_NAME, manifest)
            stored = self._publish(work, manifest)
        return stored.model_copy(update={"seconds": time.monotonic() - begun})

    def list(self) -> tuple[DatasetManifest, ...]:
        """The datasets, oldest first; a folder whose manifest cannot be read is left out."""
        found = []
        for folder in self._folders():
            try:
                found.append(read_manifest(folder))
            except AcademyError:
                continue  # `get` says what is wrong with it
        return tuple(sorted(found, key=lambda manifest: (manifest.created_at, manifest.id)))

    def get(self, key: str) -> DatasetManifest:
        """The dataset with this id, or the only one with this name.

        Raises:
            AcademyError: `dataset_unknown` with the nearest id, `dataset_damaged` or `protocol_newer`.
        """
        names = [folder.name for folder in self._folders()]
        if key in names:
            return read_manifest(self.root / key)
        datasets = self.list()
        same_name = [manifest for manifest in datasets if manifest.name.casefold() == key.casefold()]
        if len(same_name) == 1:
            return same_name[0]
        if same_name:
            near = ", ".join(manifest.id for manifest in same_name)
            raise AcademyError(ErrorCode.DATASET_UNKNOWN, dataset=key, near=near, matches=len(same_name))
        known = [*names, *(manifest.name for manifest in datasets)]
        nearest = next(iter(difflib.get_close_matches(key, known, n=1)), None)
        raise AcademyError(ErrorCode.DATASET_UNKNOWN, dataset=key, near=nearest)

    def folder(self, key: str) -> Path:
        """The folder of a dataset; raises as `get`."""
        return self.root / self.get(key).id

    def rows(self, key: str, split: Split = "train") -> Iterator[Row]:
        """Read the rows of one side in order.

        Raises:
            AcademyError: as `get`, and `dataset_damaged` at a row that is none.
        """
        dataset = self.get(key).id
        path = self.root / dataset / f"{split}.jsonl"
        try:
            with open_regular(path) as stream:
                for line in lines_of(stream):
                    row = from_json(line)
                    yield Row(row["id"], row["source"]["file"], row["source"]["row"], row.get("messages", []))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AcademyError(ErrorCode.DATASET_DAMAGED, dataset=dataset, path=str(path)) from error

    def verify(self, key: str) -> DatasetManifest:
        """Hash the rows again and hold them against the manifest.

        Raises:
            AcademyError: as `get`, and `dataset_damaged` when the rows are not those that were imported.
        """
        manifest = self.get(key)
        folder = self.root / manifest.id
        try:
            found = content_hash(folder / "train.jsonl", folder / "eval.jsonl")
        except OSError:
            found = ""
        if found != manifest.sha256:
            raise AcademyError(ErrorCode.DATASET_DAMAGED, dataset=manifest.id, path=str(folder))
        return manifest

    def _folders(self) -> Iterator[Path]:
        if not self.root.is_dir():
            return
        for folder in sorted(self.root.iterdir()):
            if not folder.name.startswith(".") and (folder / MANIFEST_NAME).is_file():
                yield folder

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what goes wrong with writing into its code; reading has codes of its own by then."""
        try:
            yield
        except OSError as error:
            if is_full(error):
                raise AcademyError(ErrorCode.DISK_FULL, path=str(self.root)) from error
            detail = error.strerror or str(error)
            raise AcademyError(ErrorCode.DATA_DIR_NOT_WRITABLE, path=str(self.root), detail=detail) from error

    def _publish(self, work: Path, manifest: DatasetManifest) -> DatasetManifest:
        """Rename an import into place; a sound dataset of the same id stays, a damaged one is moved aside."""
        target = self.root / manifest.id
        if target.exists():
            try:
                return self.verify(manifest.id)
            except AcademyError:
                target.rename(self.root / f".damaged-{manifest.id}-{uuid.uuid4().hex[:6]}")
        sync_folder(work)
        work.rename(target)
        sync_folder(self.root)
        return manifest


def _manifest(name: str, options: ImportOptions, tally: Tally) -> DatasetManifest:
    return DatasetManifest(
        id=f"{_slug(name)}-{tally.sha256[:8]}",
        name=name,
        created_at=time.time(),
        sha256=tally.sha256,
        format=tally.form,
        sources=tuple(tally.sources),
        mapping=tally.mapping,
        profile=options.profile,
        seed=options.seed,
        eval_fraction=options.eval_fraction,
        rows_in=tally.rows_in,
        rows_kept=tally.train_rows + tally.eval_rows,
        dropped=dict(sorted(tally.dropped.items())),
        train_rows=tally.train_rows,
        eval_rows=tally.eval_rows,
        kind=kind_of(tally.form),
        near_dups=options.near_dups,
        conflicting_rows=tally.conflicting_rows,
        near_rows=tally.near_rows,
    )


def _descendant(
    parents: Sequence[DatasetManifest], name: str, written: Written, **changes: Any
) -> DatasetManifest:
    """The manifest of a dataset that is made of others: what it does not change it has from the first."""
    facts: dict[str, Any] = {
        "id": f"{_slug(name)}-{written.sha256[:8]}",
        "name": name,
        "created_at": time.time(),
        "sha256": written.sha256,
        "sources": tuple(dict.fromkeys(one for parent in parents for one in parent.sources)),
        "rows_in": sum(parent.rows_kept for parent in parents),
        "rows_kept": written.rows,
        "dropped": {},
        "train_rows": written.train_rows,
        "eval_rows": written.eval_rows,
        "conflicting_rows": 0,
        "near_rows": 0,
        "parents": tuple(parent.id for parent in parents),
        "excluded_rows": written.excluded_rows,
        "edited_rows": written.edited_rows,
        "weights": {},
    }
    return parents[0].model_copy(update={**facts, **changes})


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "dataset"
