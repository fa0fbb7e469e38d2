from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.datasets.forms import Form, field_names
from academy_desktop.core.datasets.importing import Cancelled
from academy_desktop.core.datasets.peeking import Peek, Reading, peek
from academy_desktop.viewmodels.import_preview import AUTO, MOST_CHARACTERS, ImportPreview
from tests.academy_desktop.made_data import write_rows
from tests.academy_desktop.viewmodels.making import in_loop, seen, words

TICKETS: list[dict[str, object]] = [
    {"ticket": f"Lamp {n} is dark", "reply": f"Turn {n} on", "agent": "Jo"} for n in range(30)
]


@pytest.fixture
def preview(qapp: QApplication) -> ImportPreview:
    said = words()
    return ImportPreview(said.messages, said.formats, said.gettext)


def looked(preview: ImportPreview, path: Path, rows: Sequence[dict[str, object]]) -> ImportPreview:
    preview.show([write_rows(path, rows)])
    preview.look()
    return preview


def text(preview: ImportPreview) -> str:
    return "".join(part.text for part in preview.parts)


def problem(preview: ImportPreview) -> str:
    return preview.problem.title if preview.problem else ""


def columns(preview: ImportPreview) -> dict[str, str]:
    return {line.name: line.column for line in preview.fields}


def test_what_is_detected_is_named_with_how_sure_that_is(preview: ImportPreview, tmp_path: Path) -> None:
    assert preview.forms[0] == (AUTO, "Detect the form")
    rows: list[dict[str, object]] = [{"question": f"Q {n}?", "answer": f"A {n}"} for n in range(9)]
    looked(preview, tmp_path / "a.jsonl", [*rows, {"question": "Q?"}])
    assert preview.forms[0] == (AUTO, "Detected: Questions and answers")
    assert preview.sureness == "nearly certain: 90% of the first 10 rows have these columns"
    assert columns(preview) == {"question": "question", "answer": "answer", "system": ""}
    assert (preview.is_ready, preview.question, preview.missing) == (True, "", ())
    assert preview.summary.startswith("1 of the first 10 rows will be dropped. A field")
    assert text(preview).startswith("Row 1\nuser  Q 0?\nassistant  A 0\n")


def test_columns_are_chosen_one_by_one_and_the_rows_follow(preview: ImportPreview, tmp_path: Path) -> None:
    looked(preview, tmp_path / "a.jsonl", TICKETS)
    assert preview.forms[0] == (AUTO, "Not recognised")
    assert preview.columns == ("ticket", "reply", "agent")
    assert "Say which column holds the question" in preview.question
    assert not preview.is_ready
    preview.choose_column("question", "ticket")
    preview.look()
    assert preview.question == "Still without a column: Answer."
    assert not preview.is_ready
    preview.choose_column("answer", "reply")
    preview.look()
    assert (preview.is_ready, preview.form) == (True, Form.QUESTION_ANSWER)
    assert preview.reading.mapping == {"question": "ticket", "answer": "reply", "system": ""}
    assert "assistant  Turn 0 on" in text(preview)
    preview.choose_form(AUTO)
    preview.look()
    assert not preview.is_ready


@pytest.mark.parametrize("form", list(Form))
def test_every_form_can_be_chosen_and_every_field_of_it_mapped(
    preview: ImportPreview, tmp_path: Path, form: Form
) -> None:
    looked(preview, tmp_path / "a.jsonl", TICKETS)
    preview.choose_form(form)
    preview.look()
    assert [line.name for line in preview.fields] == list(field_names(form))
    for line in preview.fields:
        preview.choose_column(line.name, "ticket")
    preview.look()
    assert set(columns(preview).values()) == {"ticket"}
    assert preview.is_ready
    assert text(preview)


def test_what_is_said_of_some_files_is_not_said_of_others(preview: ImportPreview, tmp_path: Path) -> None:
    looked(preview, tmp_path / "a.jsonl", TICKETS)
    preview.choose_column("question", "ticket")
    preview.show([tmp_path / "b.jsonl"])
    assert preview.reading == Reading()
    preview.look()
    assert problem(preview) == "The file is not there"
    assert not preview.is_ready
    preview.show([])
    assert (problem(preview), preview.parts, preview.summary) == ("", (), "")


def test_an_encoding_is_asked_for_only_where_it_matters(preview: ImportPreview, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("question,answer\nFarbe?,grün\n".encode("windows-1252"))
    preview.show([path])
    preview.look()
    assert preview.is_about_encoding
    assert preview.problem is not None
    assert "line 2" in preview.problem.sentence
    assert "below" in preview.problem.next_step
    preview.choose_encoding("windows-1252")
    preview.look()
    assert (problem(preview), preview.is_ready) == ("", True)
    assert "grün" in text(preview)


def test_long_texts_are_cut_and_pairs_told_apart(preview: ImportPreview, tmp_path: Path) -> None:
    row: dict[str, object] = {"prompt": "Why?", "chosen": "So. " * 200, "rejected": "No."}
    looked(preview, tmp_path / "a.jsonl", [row])
    assert max(len(part.text) for part in preview.parts) <= MOST_CHARACTERS + 2
    assert [part.text for part in preview.parts if part.tone == "worse"] == ["No."]


def test_a_look_that_is_out_of_date_is_given_up(qapp: QApplication, tmp_path: Path) -> None:
    said, begun = words(), threading.Event()

    def slow(files: Sequence[Path], reading: Reading, cancelled: Callable[[], bool]) -> Peek:
        if reading.form is None:
            begun.set()
            while not cancelled():
                pass
            raise Cancelled
        return peek(files, reading, cancelled)

    async def work() -> None:
        preview = ImportPreview(said.messages, said.formats, said.gettext, slow)
        follower = asyncio.ensure_future(preview.follow())
        preview.show([write_rows(tmp_path / "a.jsonl", TICKETS)])
        await seen(begun.is_set, "the first look")
        preview.choose_form("question_answer")
        await seen(lambda: preview.is_known, "the second look")
        assert preview.missing == ("Question", "Answer")
        follower.cancel()

    in_loop(qapp, work())
