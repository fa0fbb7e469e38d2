from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.manifest import DatasetManifest
from trainers.errors import AcademyError, ErrorCode


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "datasets")


def made(library: Library, tmp_path: Path, name: str, count: int, **row: object) -> DatasetManifest:
    path = tmp_path / f"{name}.jsonl"
    rows = [{"question": f"What is {name} {n}?", "answer": f"It is {n}.", **row} for n in range(count)]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return library.import_files([path], name, eval_fraction=0.2)


def stored(library: Library, manifest: DatasetManifest, split: str = "train") -> list[dict[str, Any]]:
    path = library.folder(manifest.id) / f"{split}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    places = array("Q", path.with_suffix(".idx").read_bytes())
    assert [path.read_bytes()[place:].split(b"\n")[0] + b"\n" for place in places] == lines
    return [json.loads(line) for line in lines]


def test_an_edit_leaves_rows_out_and_changes_rows_and_the_old_version_stays(
    library: Library, tmp_path: Path
) -> None:
    old = made(library, tmp_path, "a", 10)
    before = stored(library, old)
    new_turns = [{"role": "user", "content": "Now?"}, {"role": "assistant", "content": "Yes."}]
    new = library.edit(old.id, {0: None, 1: {"messages": new_turns}})
    after = stored(library, new)
    assert after == [{**before[1], "messages": new_turns}, *before[2:]]
    assert stored(library, new, "eval") == stored(library, old, "eval")
    assert (new.parents, new.excluded_rows, new.edited_rows) == ((old.id,), 1, 1)
    assert (new.rows_in, new.rows_kept) == (10, 9)
    assert library.verify(old.id) == old.model_copy(update={"seconds": 0.0})
    assert library.verify(new.id) == new


@pytest.mark.parametrize(
    ("edits", "code"),
    [
        ({10: None}, ErrorCode.MAPPING_INVALID),
        ({-1: None}, ErrorCode.MAPPING_INVALID),
        ({0: {"messages": []}}, ErrorCode.MAPPING_INVALID),
        (dict.fromkeys(range(10)), ErrorCode.NOTHING_LEFT),
    ],
)
def test_an_edit_that_cannot_be_leaves_the_library_as_it_was(
    library: Library, tmp_path: Path, edits: dict[int, Any], code: ErrorCode
) -> None:
    old = made(library, tmp_path, "a", 10)
    with pytest.raises(AcademyError) as caught:
        library.edit(old.id, edits)
    assert caught.value.code is code
    assert [path.name for path in library.root.iterdir()] == [old.id]


def test_a_mix_takes_rows_by_weight_and_keeps_the_sides(library: Library, tmp_path: Path) -> None:
    one, other = made(library, tmp_path, "a", 50), made(library, tmp_path, "b", 50)
    mix = library.mix([(one.id, 2.0), (other.id, 0.5)], "Mix", seed=1)
    files = [row["source"]["file"] for row in stored(library, mix)]
    assert files.count("a.jsonl") == 80
    assert 10 <= files.count("b.jsonl") <= 30
    assert (mix.eval_rows, mix.parents) == (20, (one.id, other.id))
    assert mix.weights == {one.id: 2.0, other.id: 0.5}
    ids = [row["id"] for split in ("train", "eval") for row in stored(library, mix, split)]
    assert ids == list(range(1, mix.rows_kept + 1))
    assert library.mix([(one.id, 2.0), (other.id, 0.5)], "Mix", seed=1).id == mix.id


def test_rows_of_two_kinds_do_not_mix(library: Library, tmp_path: Path) -> None:
    chat = made(library, tmp_path, "a", 10)
    path = tmp_path / "text.jsonl"
    path.write_text('{"text": "one"}\n{"text": "two"}\n')
    text = library.import_files([path], "text")
    with pytest.raises(AcademyError) as caught:
        library.mix([(chat.id, 1.0), (text.id, 1.0)], "Mix")
    assert caught.value.code is ErrorCode.MAPPING_INVALID
