from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from academy_desktop.core.datasets import trees
from academy_desktop.core.datasets.forms import Form
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.readers import Record
from trainers.errors import AcademyError, ErrorCode

MAPPING = {"id": "message_id", "parent": "parent_id", "role": "role", "text": "text", "rank": "rank"}


def message(name: str, parent: str | None, text: str, rank: int | None = None) -> dict[str, object]:
    role = "prompter" if name.startswith("q") else "assistant"
    return {"message_id": name, "parent_id": parent, "role": role, "text": text, "rank": rank}


MESSAGES = [
    message("q1", None, "How far is the moon?"),
    message("a1", "q1", "Quite far.", 1),
    message("a2", "q1", "About 384,400 km.", 0),
    message("q2", "a2", "In miles, please?"),
    message("a3", "q2", "About 238,900 miles."),
    message("q3", "a1", "How far is far?"),
    message("q4", None, "And the sun?"),
    message("a4", "q4", "About 150 million km."),
    message("q5", "a4", "Nobody answers this"),
]


def gathered(*messages: object) -> list[Record]:
    return list(trees.gather((Record(row, one) for row, one in enumerate(messages, 1)), MAPPING, "a"))


def test_messages_in_any_order_become_conversations_over_the_best_answers(tmp_path: Path) -> None:
    shuffled = random.Random(3).sample(MESSAGES, len(MESSAGES))
    path = tmp_path / "messages.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in shuffled))
    library = Library(tmp_path / "datasets")
    made = library.import_files([path], "Moon", eval_fraction=0.0)
    assert (made.format, made.rows_in, made.rows_kept, made.dropped) == (Form.OASST_FLAT, 2, 2, {})
    said = {tuple(turn["content"] for turn in row.messages) for row in library.rows(made.id)}
    assert said == {
        ("How far is the moon?", "About 384,400 km.", "In miles, please?", "About 238,900 miles."),
        ("And the sun?", "About 150 million km."),
    }
    rows = {row.messages[0]["content"]: row.row for row in library.rows(made.id)}
    assert rows["And the sun?"] == 1 + shuffled.index(MESSAGES[6])


def test_what_belongs_to_no_conversation_is_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"
    orphan, twice = message("a9", "gone", "Lost"), message("a1", None, "Again")
    lines = [json.dumps(one) for one in (*MESSAGES, orphan, twice, {"message_id": "x"}, 7)]
    path.write_text("\n".join([*lines, "{torn"]))
    made = Library(tmp_path / "datasets").import_files([path], "Moon", eval_fraction=0.0)
    assert made.rows_kept == 2
    assert made.dropped == {"missing_field": 3, "not_an_object": 1, "unparsable": 1}


def test_messages_that_answer_each_other_make_no_end() -> None:
    found = gathered(message("q1", "a1", "One"), message("a1", "q1", "Two"))
    assert [one.value["text"] for one in found] == ["One", "Two"]
    assert not any("messages" in one.value for one in found)


def test_a_long_chain_is_no_matter() -> None:
    chain = [message("q0", None, "Start")] + [
        message(f"{'aq'[n % 2]}{n + 1}", f"{'qa'[n % 2]}{n}", str(n)) for n in range(20_001)
    ]
    (found,) = gathered(*chain)
    assert len(found.value["messages"]) == 20_002


def test_more_than_can_be_gathered_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "GATHERED_CHARACTERS", 30)
    path = tmp_path / "messages.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in MESSAGES))
    with pytest.raises(AcademyError) as caught:
        Library(tmp_path / "datasets").import_files([path], "Moon")
    assert caught.value.code is ErrorCode.FILE_UNREADABLE
