from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.core.datasets.forms import Form
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.manifest import DatasetManifest, read_manifest
from academy_desktop.core.datasets.quality import FEW_ROWS, Profile
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import write_record

FIELDS: dict[str, Any] = {
    "v": 1, "id": "replies-1f0c22ab", "name": "Replies", "created_at": 1.5, "sha256": "0" * 64,
    "format": "question_answer", "sources": [{"v": 1, "name": "a.csv", "size_bytes": 7, "sha256": "1" * 64}],
    "mapping": {"question": "Frage"}, "profile": "strict", "seed": 1, "eval_fraction": 0.1, "rows_in": 200,
    "rows_kept": 149, "dropped": {"duplicate": 51}, "train_rows": 134, "eval_rows": 15, "parents": ["other"],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / str(FIELDS["id"])
    path.mkdir()
    return path


def written(folder: Path, **changes: object) -> Path:
    (folder / "dataset.json").write_text(json.dumps({**FIELDS, **changes}))
    return folder


def refused(folder: Path) -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        read_manifest(folder)
    return caught.value


def test_what_is_written_is_read_back(folder: Path) -> None:
    manifest = read_manifest(written(folder))
    assert (manifest.format, manifest.profile) == (Form.QUESTION_ANSWER, Profile.STRICT)
    assert (manifest.sources[0].name, manifest.parents) == ("a.csv", ("other",))
    write_record(folder / "dataset.json", manifest)
    assert read_manifest(folder) == manifest
    assert json.loads((folder / "dataset.json").read_text("utf-8")) == FIELDS


def test_how_the_import_went_is_not_stored(folder: Path) -> None:
    manifest = read_manifest(written(folder)).model_copy(update={"seconds": 3.0, "confidence": 0.5})
    write_record(folder / "dataset.json", manifest)
    assert read_manifest(folder).seconds == 0.0
    assert "confidence" not in (folder / "dataset.json").read_text()


@pytest.mark.parametrize("profile", list(Profile))
def test_few_rows_are_few_by_the_profile(folder: Path, profile: Profile) -> None:
    least = FEW_ROWS[profile]
    assert read_manifest(written(folder, profile=profile, rows_kept=least)).few_rows is None
    assert read_manifest(written(folder, profile=profile, rows_kept=least - 1)).few_rows == least


@pytest.mark.parametrize("version", [2, 3, 10**9])
def test_a_newer_version_is_refused_as_such(folder: Path, version: int) -> None:
    error = refused(written(folder, v=version, format="video"))
    assert error.code is ErrorCode.PROTOCOL_NEWER
    assert (error.facts["found"], error.facts["known"]) == (version, 1)


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", "{}", '{"v": 1}', "\x00", "[" * 100_000, '{"v": "1"}', '{"v": null}',
        json.dumps({**FIELDS, "v": 0}), json.dumps({**FIELDS, "format": "video"}),
        json.dumps({**FIELDS, "rows_in": "many"}), json.dumps({**FIELDS, "sources": {}}),
        json.dumps({name: value for name, value in FIELDS.items() if name != "sha256"}),
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_refused(folder: Path, content: str) -> None:
    (folder / "dataset.json").write_text(content)
    error = refused(folder)
    assert (error.code, error.facts["dataset"]) == (ErrorCode.DATASET_DAMAGED, folder.name)


def test_a_manifest_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "dataset.json").write_bytes(b"\xff\xfe{}")
    assert refused(folder).code is ErrorCode.DATASET_DAMAGED
    (folder / "dataset.json").unlink()
    assert refused(folder).code is ErrorCode.DATASET_DAMAGED


@pytest.mark.parametrize("name", ["../../etc", "/etc", "other-00000000", ""])
def test_a_manifest_under_another_name_is_refused(folder: Path, name: str) -> None:
    error = refused(written(folder, id=name))
    assert error.code is ErrorCode.DATASET_DAMAGED
    library = Library(folder.parent)
    assert library.list() == ()
    with pytest.raises(AcademyError, match="dataset_damaged"):
        library.folder(folder.name)


def test_fields_of_later_versions_are_ignored(folder: Path) -> None:
    manifest = read_manifest(written(folder, colour="blue"))
    assert manifest == DatasetManifest.model_validate(FIELDS)
