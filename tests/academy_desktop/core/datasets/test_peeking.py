from __future__ import annotations

import json
from pathlib import Path

import pytest

from academy_desktop.core.datasets.encodings import Encoding
from academy_desktop.core.datasets.forms import Form
from academy_desktop.core.datasets.importing import SAMPLE_ROWS, Cancelled
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.peeking import SHOWN_ROWS, Reading, peek
from academy_desktop.core.datasets.quality import Profile
from academy_desktop.core.datasets.reasons import Reason
from trainers.errors import AcademyError, ErrorCode


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def questions(count: int) -> list[dict[str, str]]:
    return [{"question": f"What is {n}?", "answer": f"It is {n}."} for n in range(count)]


def test_the_first_rows_are_shown_as_they_will_be_stored(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", *questions(500))
    found = peek([path], Reading())
    assert found.detection is not None
    assert (found.file, found.files, found.columns) == ("a.jsonl", 1, ("question", "answer"))
    assert (found.detection.form, found.looked_at, found.dropped) == (Form.QUESTION_ANSWER, SAMPLE_ROWS, {})
    library = Library(tmp_path / "datasets")
    made = library.import_files([path], "a", eval_fraction=0.0)
    stored = [(row.row, row.messages) for row, _ in zip(library.rows(made.id), range(SHOWN_ROWS))]  # noqa: B905
    assert [(one.row, (one.content or {}).get("messages")) for one in found.rows] == stored


def test_what_will_be_dropped_is_told_with_its_reason(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", *questions(2), {"question": "Why?", "answer": ""}, 7, {"answer": "x"})
    path.write_bytes(path.read_bytes() + b"{torn\n")
    found = peek([path], Reading())
    assert [one.reason for one in found.rows[2:]] == [
        Reason.EMPTY_ANSWER,
        Reason.NOT_AN_OBJECT,
        Reason.MISSING_FIELD,
    ]
    assert (found.looked_at, found.dropped[Reason.UNPARSABLE]) == (6, 1)
    strict = peek([path], Reading(profile=Profile.STRICT))
    assert strict.dropped[Reason.TOO_SHORT] == 3


def test_an_unknown_form_leaves_the_columns_and_a_mapping_settles_it(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"ticket": "Dark", "reply": "On"})
    found = peek([path], Reading())
    assert (found.detection, found.columns, found.rows) == (None, ("ticket", "reply"), ())
    mapped = peek([path], Reading(Form.QUESTION_ANSWER, {"question": "ticket", "answer": "reply"}))
    assert mapped.rows[0].content == {
        "messages": [{"role": "user", "content": "Dark"}, {"role": "assistant", "content": "On"}]
    }


def test_folders_and_several_files_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    for name in ("b.jsonl", "a.jsonl"):
        lines(folder / name, *questions(3))
    found = peek([folder, lines(tmp_path / "c.jsonl", *questions(3))], Reading())
    assert (found.file, found.files) == ("a.jsonl", 3)
    assert found.size_bytes == 3 * (tmp_path / "c.jsonl").stat().st_size


def test_messages_one_per_row_are_shown_as_conversations(tmp_path: Path) -> None:
    asked = {"message_id": "a", "parent_id": None, "role": "prompter", "text": "Why?"}
    answered = {"message_id": "b", "parent_id": "a", "role": "assistant", "text": "Because."}
    found = peek([lines(tmp_path / "a.jsonl", answered, asked)], Reading())
    (row,) = found.rows
    assert row.row == 2
    assert [turn["content"] for turn in (row.content or {}).get("messages", [])] == ["Why?", "Because."]


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("question,answer\nFarbe?,grün\n".encode("windows-1252"))
    with pytest.raises(AcademyError) as caught:
        peek([path], Reading())
    assert caught.value.code is ErrorCode.FILE_ENCODING
    assert peek([path], Reading(encoding=Encoding.WINDOWS_1252)).looked_at == 1


def test_who_no_longer_wants_the_look_ends_it(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        peek([lines(tmp_path / "a.jsonl", *questions(3))], Reading(), lambda: True)
