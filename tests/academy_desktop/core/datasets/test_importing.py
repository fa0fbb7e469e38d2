from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.core.datasets.forms import Form
from academy_desktop.core.datasets.importing import Cancelled, Importer, ImportOptions, Tally, content_hash
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.quality import Profile
from academy_desktop.core.datasets.reasons import Reason
from trainers.errors import AcademyError, ErrorCode


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "datasets")


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def pairs(path: Path, count: int) -> Path:
    return lines(path, *({"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(count)))


def imported(folder: Path, *files: Path, **options: Any) -> Tally:
    return Importer(folder, ImportOptions(**options)).run(files)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def talks(folder: Path) -> list[list[tuple[str, str]]]:
    return [
        [(message["role"], message["content"]) for message in row["messages"]]
        for side in ("train", "eval")
        for row in rows(folder / f"{side}.jsonl")
    ]


def everything(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


PAIR = [("user", "Why?"), ("assistant", "Because.")]
AS_MESSAGES = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]


@pytest.mark.parametrize(
    ("row", "form", "mapping"),
    [
        ({"messages": AS_MESSAGES}, Form.MESSAGES, {"messages": "messages"}),
        (
            {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Because."}]},
            Form.SHAREGPT,
            {"conversations": "conversations"},
        ),
        (
            {"instruction": "Why?", "input": "", "output": "Because."},
            Form.ALPACA,
            {"instruction": "instruction", "input": "input", "output": "output"},
        ),
        (
            {"prompt": "Why?", "completion": "Because."},
            Form.PROMPT_COMPLETION,
            {"prompt": "prompt", "completion": "completion"},
        ),
        (
            {"Question": "Why?", "Answer": "Because."},
            Form.QUESTION_ANSWER,
            {"question": "Question", "answer": "Answer"},
        ),
    ],
)
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_every_form_is_told_from_a_file(
    folder: Path, tmp_path: Path, row: dict[str, Any], form: Form, mapping: dict[str, str], suffix: str
) -> None:
    tally = imported(folder, lines(tmp_path / f"a.{suffix}", row))
    assert (tally.form, tally.mapping, tally.confidence) == (form, mapping, 1.0)
    assert talks(folder) == [PAIR]


@pytest.mark.parametrize(
    ("name", "header", "form"),
    [
        ("a.csv", "question,answer", Form.QUESTION_ANSWER),
        ("a.csv", "prompt;completion", Form.PROMPT_COMPLETION),
        ("a.tsv", "instruction\toutput", Form.ALPACA),
    ],
)
def test_every_form_is_told_from_a_table(
    folder: Path, tmp_path: Path, name: str, header: str, form: Form
) -> None:
    mark = next(mark for mark in ",;\t" if mark in header)
    path = tmp_path / name
    path.write_text(f"{header}\nWhy?{mark}Because.\n")
    assert imported(folder, path).form is form
    assert talks(folder) == [PAIR]


def test_columns_are_mapped_and_the_rest_is_left(folder: Path, tmp_path: Path) -> None:
    row = {"id": 7, "frage": "Why?", "antwort": "Because.", "rolle": "Be brief."}
    mapping = {"question": "frage", "answer": "antwort", "system": "rolle"}
    tally = imported(folder, lines(tmp_path / "a.jsonl", row), mapping=mapping)
    assert (tally.form, tally.mapping) == (Form.QUESTION_ANSWER, mapping)
    assert talks(folder) == [[("system", "Be brief."), *PAIR]]


def test_a_named_form_drops_what_is_none(folder: Path, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"prompt": "a", "completion": "b"}, {"messages": AS_MESSAGES})
    tally = imported(folder, path, form=Form.MESSAGES)
    assert (tally.form, dict(tally.dropped)) == (Form.MESSAGES, {Reason.MISSING_FIELD: 1})
    assert talks(folder) == [PAIR]


def test_dropped_rows_are_counted_and_kept_to_be_looked_at(folder: Path, tmp_path: Path) -> None:
    bad: list[tuple[object, Reason]] = [
        ([1, 2], Reason.NOT_AN_OBJECT),
        ("text", Reason.NOT_AN_OBJECT),
        ({"question": "a"}, Reason.MISSING_FIELD),
        ({"question": "a", "answer": None}, Reason.MISSING_FIELD),
        ({"question": "a", "answer": 3}, Reason.WRONG_TYPE),
        ({"question": "a", "answer": {"b": 1.5}}, Reason.WRONG_TYPE),
        ({"question": " ", "answer": "a long enough answer"}, Reason.EMPTY_PROMPT),
        ({"question": "a long enough question", "answer": "\n"}, Reason.EMPTY_ANSWER),
        ({"question": "a long enough question", "answer": "no"}, Reason.TOO_SHORT),
        ({"question": "What is 3, then?", "answer": "It is 3, then."}, Reason.DUPLICATE),
    ]
    good = [{"question": f"What is {n}, then?", "answer": f"It is {n}, then."} for n in range(10)]
    raw = [json.dumps(row) + "\n" for row, _ in bad]
    path = lines(tmp_path / "a.jsonl", *good, *raw, "{broken\n", '{"question": "half \\ud800"}\n')
    tally = imported(folder, path, profile=Profile.STRICT)
    dropped = rows(folder / "dropped.jsonl")
    assert [(row["source"], row["reason"], row["row"]) for row in dropped[: len(bad)]] == [
        ({"file": "a.jsonl", "row": number}, reason, row) for number, (row, reason) in enumerate(bad, 11)
    ]
    assert [row["reason"] for row in dropped[len(bad) :]] == [Reason.UNPARSABLE] * 2
    assert (tally.rows_in, tally.train_rows + tally.eval_rows) == (22, 10)
    assert tally.rows_in == tally.train_rows + tally.eval_rows + tally.dropped.total()
    assert tally.dropped.total() == len(dropped)
    for reason in tally.dropped:
        assert sum(row["reason"] == reason for row in dropped) == tally.dropped[reason]


def test_roles_that_cannot_be_trained_are_dropped(folder: Path, tmp_path: Path) -> None:
    twice = {"messages": [AS_MESSAGES[1], AS_MESSAGES[0]]}
    tool = {"messages": [AS_MESSAGES[0], {"role": "tool", "content": "x"}]}
    path = lines(tmp_path / "a.jsonl", {"messages": AS_MESSAGES}, twice, tool)
    assert dict(imported(folder, path).dropped) == {Reason.BAD_ROLES: 2}


def test_what_strict_json_does_not_know_is_dropped_as_strict_json(folder: Path, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"question": "a", "answer": "b"}, '{"question": "a", "answer": NaN}\n')
    imported(folder, path)
    (line,) = (folder / "dropped.jsonl").read_text("utf-8").splitlines()

    def constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    assert json.loads(line, parse_constant=constant)["row"] == {"question": "a", "answer": "NaN"}


def test_rows_keep_their_number_in_their_file(folder: Path, tmp_path: Path) -> None:
    first = lines(
        tmp_path / "a.jsonl", {"question": "a", "answer": "b"}, "\n", {"question": "c", "answer": "d"}
    )
    second = tmp_path / "b.csv"
    second.write_text("question,answer\ne,f\n")
    imported(folder, first, second, eval_fraction=0.0)
    kept = rows(folder / "train.jsonl")
    assert [row["id"] for row in kept] == [1, 2, 3]
    assert [(row["source"]["file"], row["source"]["row"]) for row in kept] == [
        ("a.jsonl", 1), ("a.jsonl", 3), ("b.csv", 1),
    ]  # fmt: skip


def test_the_tally_tells_the_files_and_the_hash_of_what_was_written(folder: Path, tmp_path: Path) -> None:
    path = pairs(tmp_path / "a.jsonl", 30)
    tally = imported(folder, path)
    (source,) = tally.sources
    assert (source.name, source.size_bytes) == ("a.jsonl", path.stat().st_size)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    both = (folder / "train.jsonl").read_bytes() + (folder / "eval.jsonl").read_bytes()
    assert tally.sha256 == hashlib.sha256(both).hexdigest()
    assert tally.sha256 == content_hash(folder / "train.jsonl", folder / "eval.jsonl")
    assert sorted(path.name for path in folder.iterdir()) == [
        "dropped.jsonl", "eval.idx", "eval.jsonl", "train.idx", "train.jsonl",
    ]  # fmt: skip


def test_the_split_is_the_same_every_time_and_by_the_seed(tmp_path: Path) -> None:
    path = pairs(tmp_path / "a.jsonl", 50)
    made: list[dict[str, bytes]] = []
    for number, seed in enumerate((1, 1, 2)):
        (tmp_path / str(number)).mkdir()
        tally = imported(tmp_path / str(number), path, seed=seed, eval_fraction=0.2)
        assert (tally.train_rows, tally.eval_rows) == (40, 10)
        made.append(everything(tmp_path / str(number)))
    assert made[0] == made[1]
    assert made[0]["eval.jsonl"] != made[2]["eval.jsonl"]


def test_rows_stay_in_their_order_on_either_side(folder: Path, tmp_path: Path) -> None:
    imported(folder, pairs(tmp_path / "a.jsonl", 50), eval_fraction=0.5)
    for side in ("train", "eval"):
        numbers = [row["id"] for row in rows(folder / f"{side}.jsonl")]
        assert numbers == sorted(numbers)
        assert len(numbers) == 25


def test_no_files_are_no_import(folder: Path) -> None:
    with pytest.raises((AcademyError, ValueError)):
        imported(folder)


# the library, around an import that fails


def test_the_same_content_is_the_same_dataset(library: Library, tmp_path: Path) -> None:
    first = library.import_files([pairs(tmp_path / "a.jsonl", 30)], "Replies")
    (tmp_path / "elsewhere").mkdir()
    again = library.import_files([pairs(tmp_path / "elsewhere" / "a.jsonl", 30)], "Replies")
    assert (again.id, again.sha256, again.created_at) == (first.id, first.sha256, first.created_at)
    other = library.import_files([pairs(tmp_path / "a.jsonl", 31)], "Replies")
    assert other.id != first.id
    assert other.id.rpartition("-")[0] == first.id.rpartition("-")[0] == "replies"


def test_a_dataset_is_never_written_again(library: Library, tmp_path: Path) -> None:
    manifest = library.import_files([pairs(tmp_path / "a.jsonl", 30)], "Replies")
    before = [(path, path.stat().st_mtime_ns, path.stat().st_ino) for path in library.root.rglob("*")]
    library.import_files([tmp_path / "a.jsonl"], "Replies")
    library.verify(manifest.id)
    list(library.rows(manifest.id))
    assert [(path, path.stat().st_mtime_ns, path.stat().st_ino) for path in library.root.rglob("*")] == before


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", ErrorCode.FILE_EMPTY),
        ("Hello there", ErrorCode.FILE_NOT_ITS_FORMAT),
        ('{"words": "Lorem"}\n', ErrorCode.FORM_UNKNOWN),
        ('{"question": "a", "answer": ""}\n', ErrorCode.NOTHING_LEFT),
        (None, ErrorCode.FILE_NOT_FOUND),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_refused_import_leaves_the_library_as_it_was(
    library: Library, tmp_path: Path, content: str | None, code: ErrorCode, place: int
) -> None:
    kept = library.import_files([pairs(tmp_path / "kept.jsonl", 30)], "Kept")
    before = everything(library.root)
    bad = tmp_path / "bad.jsonl"
    if content is not None:
        bad.write_text(content)
    files = [bad] if code is ErrorCode.NOTHING_LEFT else [pairs(tmp_path / "a.jsonl", 30)]
    if bad not in files:
        files.insert(place, bad)
    with pytest.raises(AcademyError) as caught:
        library.import_files(files, "Bad")
    assert caught.value.code is code
    assert everything(library.root) == before
    assert [path.name for path in library.root.iterdir()] == [kept.id]


def test_a_mapping_that_does_not_fit_leaves_the_library_as_it_was(library: Library, tmp_path: Path) -> None:
    path = pairs(tmp_path / "a.jsonl", 30)
    with pytest.raises(AcademyError, match="mapping_invalid"):
        library.import_files([path], "a", mapping={"question": "ask"})
    assert list(library.root.iterdir()) == []


def test_an_import_may_be_cancelled_at_any_moment(library: Library, tmp_path: Path) -> None:
    kept = library.import_files([pairs(tmp_path / "kept.jsonl", 30)], "Kept")
    before = everything(library.root)
    path = pairs(tmp_path / "a.jsonl", 9000)
    asked = 0

    def counting() -> bool:
        nonlocal asked
        asked += 1
        return False

    (tmp_path / "work").mkdir()
    Importer(tmp_path / "work", ImportOptions(), None, counting).run([path])
    assert asked > 4
    for moment in range(1, asked + 1):
        seen = iter(range(1, asked + 1))
        with pytest.raises(Cancelled):
            library.import_files([path], "a", cancelled=lambda: next(seen) == moment)  # noqa: B023
        assert everything(library.root) == before
        assert [path.name for path in library.root.iterdir()] == [kept.id]


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Let this process write no file beyond a size: what a full disk or a quota does, without filling one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size_bytes", [0, 100, 1000, 10_000, 20_000])
def test_wherever_the_disk_is_full_the_library_stays_as_it_was(
    library: Library, tmp_path: Path, size_bytes: int
) -> None:
    kept = library.import_files([pairs(tmp_path / "kept.jsonl", 30)], "Kept")
    before = everything(library.root)
    path = pairs(tmp_path / "a.jsonl", 200)
    with pytest.raises(AcademyError) as caught, largest_file(size_bytes):
        library.import_files([path], "a")
    assert (caught.value.code, caught.value.facts["path"]) == (ErrorCode.DISK_FULL, str(library.root))
    assert everything(library.root) == before
    assert [path.name for path in library.root.iterdir()] == [kept.id]
    assert library.import_files([path], "a").rows_kept == 200


def test_a_bug_in_a_caller_leaves_the_library_as_it_was(library: Library, tmp_path: Path) -> None:
    def breaking(done: int, total: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        library.import_files([pairs(tmp_path / "a.jsonl", 30)], "a", progress=breaking)
    assert list(library.root.iterdir()) == []
