from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.core.datasets.importing import Cancelled
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.manifest import DatasetManifest
from trainers.errors import AcademyError, ErrorCode


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "data" / "datasets")


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def pairs(path: Path, count: int, first: int = 0) -> Path:
    rows = [{"question": f"What is {n}?", "answer": f"It is {n}, é."} for n in range(first, first + count)]
    return lines(path, *rows)


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@contextmanager
def refusal(code: ErrorCode) -> Iterator[dict[str, Any]]:
    facts: dict[str, Any] = {}
    with pytest.raises(AcademyError) as caught:
        yield facts
    assert caught.value.code is code
    facts.update(caught.value.facts)


def test_an_import_is_counted_split_and_stored(library: Library, tmp_path: Path) -> None:
    path = lines(
        tmp_path / "rows.jsonl",
        *({"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(40)),
        {"question": "What is 1?", "answer": "It is 1."},
        {"question": "What is this?"},
        {"question": "What is that?", "answer": 3},
        {"question": " ", "answer": "b"},
        {"question": "Why?", "answer": ""},
        [1, 2],
        "{broken\n",
    )
    manifest = library.import_files([path], "My rows!", seed=1)
    assert manifest.id == f"my-rows-{manifest.sha256[:8]}"
    assert (manifest.format, manifest.rows_in, manifest.rows_kept) == ("question_answer", 47, 40)
    assert (manifest.train_rows, manifest.eval_rows) == (36, 4)
    assert dict(manifest.dropped) == {
        "duplicate": 1, "empty_answer": 1, "empty_prompt": 1, "missing_field": 1, "not_an_object": 1,
        "unparsable": 1, "wrong_type": 1,
    }  # fmt: skip
    assert manifest.few_rows == 100
    assert manifest.seconds > 0
    assert 0.8 < manifest.confidence < 1
    assert dict(manifest.mapping) == {"question": "question", "answer": "answer"}
    assert [(source.name, source.size_bytes) for source in manifest.sources] == [
        ("rows.jsonl", path.stat().st_size)
    ]
    stored = json.loads((library.root / manifest.id / "dataset.json").read_text("utf-8"))
    assert "seconds" not in stored
    assert stored["v"] == 1


def test_rows_are_read_back_with_their_source(library: Library, tmp_path: Path) -> None:
    manifest = library.import_files([pairs(tmp_path / "a.jsonl", 20)], "a")
    rows = [*library.rows(manifest.id, "train"), *library.rows(manifest.id, "eval")]
    assert sorted(row.id for row in rows) == list(range(1, 21))
    for row in rows:
        assert (row.file, row.row) == ("a.jsonl", row.id)
        assert [message["role"] for message in row.messages] == ["user", "assistant"]
        assert row.messages[1]["content"] == f"It is {row.id - 1}, é."


def test_dropped_rows_can_be_looked_at(library: Library, tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl", '{"question": "a\n', {"question": "a", "answer": "b"}, {"question": "c"}
    )
    manifest = library.import_files([path], "a")
    dropped = [
        json.loads(line)
        for line in (library.root / manifest.id / "dropped.jsonl").read_text("utf-8").splitlines()
    ]
    assert dropped == [
        {"source": {"file": "a.jsonl", "row": 1}, "reason": "unparsable", "row": '{"question": "a'},
        {"source": {"file": "a.jsonl", "row": 3}, "reason": "missing_field", "row": {"question": "c"}},
    ]


def test_equal_content_is_the_same_dataset_whatever_the_kind_of_file(
    library: Library, tmp_path: Path
) -> None:
    first = library.import_files([pairs(tmp_path / "a.jsonl", 20)], "a")
    before = everything(library.root)
    again = library.import_files([tmp_path / "a.jsonl"], "a")
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert everything(library.root) == before
    assert library.import_files([tmp_path / "a.jsonl"], "a", seed=2).id != first.id
    assert len(library.list()) == 2


def test_a_damaged_dataset_is_told_and_mended_by_importing_again(library: Library, tmp_path: Path) -> None:
    manifest = library.import_files([pairs(tmp_path / "a.jsonl", 20)], "a")
    assert library.verify(manifest.id) == manifest.model_copy(update={"seconds": 0.0})
    train = library.root / manifest.id / "train.jsonl"
    content = train.read_bytes()
    train.write_bytes(content.replace(b"It is 3", b"It is 4"))
    with refusal(ErrorCode.DATASET_DAMAGED) as facts:
        library.verify(manifest.id)
    assert facts["dataset"] == manifest.id
    assert library.import_files([tmp_path / "a.jsonl"], "a").id == manifest.id
    assert train.read_bytes() == content
    assert [entry.id for entry in library.list()] == [manifest.id]
    assert len(list(library.root.glob(".damaged-*/train.jsonl"))) == 1
    train.unlink()
    with refusal(ErrorCode.DATASET_DAMAGED):
        library.verify(manifest.id)


def test_a_torn_row_is_told(library: Library, tmp_path: Path) -> None:
    manifest = library.import_files([pairs(tmp_path / "a.jsonl", 20)], "a")
    train = library.root / manifest.id / "train.jsonl"
    train.write_bytes(train.read_bytes()[:-9])
    with refusal(ErrorCode.DATASET_DAMAGED):
        list(library.rows(manifest.id))


def test_held_out_files_are_held_out_as_they_are(library: Library, tmp_path: Path) -> None:
    learn = lines(
        tmp_path / "learn.jsonl",
        *({"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(10)),
        {"question": "what is  101?", "answer": "A leak."},
    )
    manifest = library.import_files([learn], "a", eval_files=[pairs(tmp_path / "test.jsonl", 5, 100)])
    assert (manifest.train_rows, manifest.eval_rows, dict(manifest.dropped)) == (10, 5, {"duplicate": 1})
    assert {row.file for row in library.rows(manifest.id, "eval")} == {"test.jsonl"}


def test_several_files_are_one_dataset(library: Library, tmp_path: Path) -> None:
    files = [pairs(tmp_path / "a.jsonl", 10), pairs(tmp_path / "b.json", 15, 5)]
    manifest = library.import_files(files, "both", eval_fraction=0.0)
    assert (manifest.rows_in, manifest.rows_kept, manifest.eval_rows) == (25, 20, 0)
    assert [source.name for source in manifest.sources] == ["a.jsonl", "b.json"]


def test_a_second_file_of_another_form_is_refused(library: Library, tmp_path: Path) -> None:
    other = lines(tmp_path / "b.jsonl", {"prompt": "a", "completion": "b"})
    with refusal(ErrorCode.FORM_UNKNOWN) as facts:
        library.import_files([pairs(tmp_path / "a.jsonl", 10), other], "both")
    assert facts["columns"] == "prompt, completion"


def test_duplicates_are_kept_on_request_and_stay_on_one_side(library: Library, tmp_path: Path) -> None:
    row = {"question": "What is 3?", "answer": "It is 3, é."}
    path = lines(
        pairs(tmp_path / "a.jsonl", 10), *[row] * 5, *({"question": f"{n}", "answer": "b"} for n in range(10))
    )
    manifest = library.import_files([path], "a", dedup=False, eval_fraction=0.5)
    assert manifest.rows_kept == 15
    sides = [
        {row.messages[0]["content"] for row in library.rows(manifest.id, side)} for side in ("train", "eval")
    ]
    assert not sides[0] & sides[1]


def test_nothing_left_says_why(library: Library, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"question": "a", "answer": ""}, {"question": "b", "answer": " "}, [])
    with refusal(ErrorCode.NOTHING_LEFT) as facts:
        library.import_files([path], "a")
    assert facts == {"rows_in": 3, "empty_answer": 2, "not_an_object": 1}
    assert everything(library.root) == {}


def test_a_file_without_rows_is_empty(library: Library, tmp_path: Path) -> None:
    for name, content in (("a.json", "[]"), ("a.csv", "question,answer\n"), ("a.jsonl", "")):
        (tmp_path / name).write_text(content)
        with refusal(ErrorCode.FILE_EMPTY) as facts:
            library.import_files([tmp_path / name], "a")
        assert facts == {"path": str(tmp_path / name)}


def test_progress_ends_at_the_total(library: Library, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = pairs(tmp_path / "a.jsonl", 20)
    library.import_files([path], "a", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_a_cancelled_import_leaves_nothing(library: Library, tmp_path: Path) -> None:
    kept = library.import_files([pairs(tmp_path / "a.jsonl", 20)], "a")
    before = everything(library.root)
    with pytest.raises(Cancelled):
        library.import_files([pairs(tmp_path / "b.jsonl", 20, 50)], "b", cancelled=lambda: True)
    assert everything(library.root) == before
    assert [manifest.id for manifest in library.list()] == [kept.id]


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Let this process write no file beyond a size: what a full disk or a quota does, without filling one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("stage", ["rows", "dropped", "manifest"])
def test_a_full_disk_at_any_stage_loses_nothing(library: Library, tmp_path: Path, stage: str) -> None:
    library.import_files([pairs(tmp_path / "a.jsonl", 20)], "a")
    before = everything(library.root)
    path = tmp_path / "b.jsonl"
    if stage == "rows":
        pairs(path, 500)
    elif stage == "dropped":
        lines(path, {"question": "a", "answer": "b"}, *({"question": "x" * 50} for _ in range(500)))
    else:
        lines(path, {"question": "a", "answer": "b"}, {"question": "c", "answer": "d"})
    limit = 300 if stage == "manifest" else 16_000
    with refusal(ErrorCode.DISK_FULL) as facts, largest_file(limit):
        library.import_files([path], "b")
    assert facts == {"path": str(library.root)}
    assert everything(library.root) == before


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "datasets").write_text("a file")
    with refusal(ErrorCode.DATA_DIR_NOT_WRITABLE) as facts:
        Library(tmp_path / "datasets").import_files([pairs(tmp_path / "a.jsonl", 20)], "a")
    assert facts["path"] == str(tmp_path / "datasets")


def test_a_dataset_is_found_by_id_and_by_its_only_name(library: Library, tmp_path: Path) -> None:
    assert library.list() == ()
    first = library.import_files([pairs(tmp_path / "a.jsonl", 20)], "Replies")
    assert library.get(first.id).id == library.get("replies").id == first.id
    assert library.folder("Replies") == library.root / first.id
    second = library.import_files([tmp_path / "a.jsonl"], "Replies", eval_fraction=0.5)
    with refusal(ErrorCode.DATASET_UNKNOWN) as facts:
        library.get("replies")
    assert set(str(facts["near"]).split(", ")) == {first.id, second.id}


@pytest.mark.parametrize("key", ["replise", "../datasets", "", "."])
def test_an_unknown_dataset_names_the_nearest(library: Library, tmp_path: Path, key: str) -> None:
    library.import_files([pairs(tmp_path / "a.jsonl", 20)], "Replies")
    with refusal(ErrorCode.DATASET_UNKNOWN) as facts:
        library.get(key)
    assert facts["dataset"] == key
    assert facts["near"] in {None, "Replies"} or str(facts["near"]).startswith("replies-")
    assert key != "replise" or facts["near"]


def test_a_damaged_manifest_does_not_hide_the_others(library: Library, tmp_path: Path) -> None:
    first = library.import_files([pairs(tmp_path / "a.jsonl", 20)], "a")
    second = library.import_files([pairs(tmp_path / "b.jsonl", 20, 50)], "b")
    path = library.root / first.id / "dataset.json"
    path.write_text("{")
    assert [manifest.id for manifest in library.list()] == [second.id]
    with refusal(ErrorCode.DATASET_DAMAGED):
        library.get(first.id)
    path.write_text('{"v": 2}')
    with refusal(ErrorCode.PROTOCOL_NEWER):
        library.get(first.id)


def test_a_newer_field_in_a_manifest_is_ignored() -> None:
    fields: dict[str, Any] = {
        "v": 1, "id": "a-00000000", "name": "a", "created_at": 1.0, "sha256": "0" * 64, "format": "alpaca",
        "sources": [], "mapping": {}, "profile": "lenient", "seed": 1, "eval_fraction": 0.1, "rows_in": 60,
        "rows_kept": 60, "dropped": {}, "train_rows": 54, "eval_rows": 6, "parents": [], "colour": "blue",
    }  # fmt: skip
    manifest = DatasetManifest.model_validate(fields)
    assert manifest.few_rows is None
    assert json.loads(manifest.model_dump_json()) == {k: v for k, v in fields.items() if k != "colour"}
