from __future__ import annotations

from pathlib import Path

import pytest

from academy_desktop.core.datasets.sources import find_sources
from trainers.errors import AcademyError, ErrorCode


def test_a_folder_gives_its_files_by_name_and_passes_over_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    for name in ("b.jsonl", "a.csv.gz", "sub/c.parquet", ".hidden/d.json", "notes.png", "sub/.e.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    single = tmp_path / "one.bin"
    found = [source.name for source in find_sources([single, folder])]
    assert found == ["one.bin", "a.csv.gz", "b.jsonl", "sub/c.parquet"]


def test_a_link_out_of_the_folder_is_refused_and_one_within_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    (folder / "a.jsonl").write_text("{}")
    (folder / "b.jsonl").symlink_to(folder / "a.jsonl")
    assert [source.name for source in find_sources([folder])] == ["a.jsonl", "b.jsonl"]
    (tmp_path / "secret.jsonl").write_text("{}")
    (folder / "c.jsonl").symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(AcademyError) as caught:
        list(find_sources([folder]))
    assert (caught.value.code, caught.value.facts["path"]) == (
        ErrorCode.FILE_UNREADABLE,
        str(folder / "c.jsonl"),
    )


def test_a_folder_without_rows_is_empty(tmp_path: Path) -> None:
    with pytest.raises(AcademyError) as caught:
        list(find_sources([tmp_path]))
    assert caught.value.code is ErrorCode.FILE_EMPTY
