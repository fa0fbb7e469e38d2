from __future__ import annotations

import json
from pathlib import Path

import pytest

from academy_desktop.core.datasets.handing_out import OutForm, write_out
from academy_desktop.core.datasets.library import Library
from trainers.errors import AcademyError

ASKED = {"role": "user", "content": "What is a lamp?"}
ANSWERED = {"role": "assistant", "content": "A thing that shines."}
CHATS = [
    [{"role": "system", "content": "Be brief."}, ASKED, ANSWERED],
    [
        ASKED,
        ANSWERED,
        {"role": "user", "content": "And a cat?"},
        {"role": "assistant", "content": "Not one."},
    ],
    [{"role": "user", "content": "Short?"}, {"role": "assistant", "content": "Yes."}],
]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in CHATS))
    library = Library(tmp_path / "datasets")
    library.import_files([path], "chats", eval_fraction=0.0)
    return library


def test_the_form_of_venom_s_upload_has_what_fits_it(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert write_out(library, "chats", OutForm.ALPACA, out) == (1, 2)
    (row,) = map(json.loads, out.read_text().splitlines())
    assert row == {
        "instruction": "Be brief.\n\nWhat is a lamp?",
        "input": "",
        "output": "A thing that shines.",
    }
    again = library.import_files([out], "again", eval_fraction=0.0)
    assert (again.format.value, again.rows_kept) == ("alpaca", 1)


def test_conversations_go_out_as_they_are(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert write_out(library, "chats", OutForm.MESSAGES, out) == (3, 0)
    assert [json.loads(line)["messages"] for line in out.read_text().splitlines()] == CHATS


def test_a_file_that_cannot_be_written_leaves_nothing(library: Library, tmp_path: Path) -> None:
    with pytest.raises(AcademyError):
        write_out(library, "chats", OutForm.MESSAGES, tmp_path / "nowhere" / "out.jsonl")
    assert not (tmp_path / "nowhere").exists()
