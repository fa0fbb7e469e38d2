from __future__ import annotations

import ast
import gettext
import math
from pathlib import Path

import pytest

from academy_desktop.core.states import JobState
from academy_desktop.text import words
from academy_desktop.text.errors import ERRORS
from academy_desktop.text.messages import Messages
from trainers.errors import ErrorCode, Fact

TYPICAL: dict[str, Fact] = {
    "path": "/home/ada/rows.jsonl",
    "expected": "JSON",
    "found": "a ZIP archive",
    "detail": "no closing quote.",
    "needed_bytes": 5 * 1024**3,
    "free_bytes": 300 * 1024**2,
    "key": "training.lerning_rate",
    "line": 1204,
    "nearest": "learning_rate",
    "value": 5.0,
    "bound": "at most 0.01",
    "job": "20261124-064744-3f9a1c",
    "state": "running",
    "model": "smollm2",
    "dataset": "replies-1f0c22ab",
    "architecture": "mamba",
    "quant": "q4_k_m",
    "rows_in": 1200,
    "dropped": "empty_answer 1200",
    "format": "gguf",
}


class Shouting(gettext.NullTranslations):
    """A language that is easy to recognise."""

    def gettext(self, message: str) -> str:
        return f"«{message}»"


@pytest.fixture
def messages() -> Messages:
    return Messages(gettext.NullTranslations())


@pytest.mark.parametrize("code", list(ErrorCode))
@pytest.mark.parametrize("facts", [{}, TYPICAL, dict.fromkeys(TYPICAL)], ids=["none", "typical", "null"])
def test_every_code_has_sentences(messages: Messages, code: ErrorCode, facts: dict[str, Fact]) -> None:
    said = messages.describe(code, facts)
    for text in (said.title, said.sentence, said.next_step):
        assert text
        assert not set("{}[]?|") & set(text), text
        assert "  " not in text
        assert ".." not in text
        assert " ." not in text
    assert said.sentence.endswith(".")
    assert said.next_step.endswith(".")
    assert not said.title.endswith(".")


def test_facts_are_written_for_people(messages: Messages) -> None:
    facts: dict[str, Fact] = {"path": "/data", "needed_bytes": 5 * 1024**3, "free_bytes": 300 * 1024**2}
    said = messages.describe("disk_full", facts).sentence.replace("\u00a0", " ")
    assert said == "There is not enough room at /data: 5.0 GiB are needed, 300 MiB are free."


def test_a_pause_for_room_says_how_much_and_where(messages: Messages) -> None:
    facts: dict[str, Fact] = {"path": "/home", "needed_bytes": 5 * 1024**3}
    said = messages.outcome("paused", "disk_full", facts).replace("\u00a0", " ")
    assert said.startswith("Paused: the disk is full. 5.0 GiB are needed on /home. The run goes on by itself")
    assert messages.outcome("paused", "disk_full").startswith("Paused: the disk is full. The run goes on")
    assert messages.outcome("failed", "disk_full", facts).endswith("Nothing that was there before is lost.")


def test_facts_are_never_read_as_templates(messages: Messages) -> None:
    assert "{path} [x]" in messages.describe("file_empty", {"path": "{path} [x]"}).sentence


def test_surprising_facts_do_not_raise(messages: Messages) -> None:
    facts: dict[str, Fact] = {"needed_bytes": "much", "free_bytes": -1, "path": True, "line": math.inf}
    for code in ErrorCode:
        assert messages.describe(code, facts).sentence


def test_an_unknown_code_is_said_to_be_unknown(messages: Messages) -> None:
    assert "from_the_future" in messages.describe("from_the_future", {}).sentence
    assert "from_the_future" in messages.warning("from_the_future")


def test_no_table_lags_behind() -> None:
    assert set(ERRORS) == set(ErrorCode)
    assert set(words.STATES) == set(words.STATE_SENTENCES) == set(JobState)


REASONS = ["", "user", "suspended", "host_lost", "SIGKILL", "SIGXYZ", "out_of_memory", "odd"]


@pytest.mark.parametrize("reason", REASONS)
def test_every_outcome_has_a_sentence(messages: Messages, reason: str) -> None:
    for state in JobState:
        assert messages.outcome(state, reason).endswith(".")


def test_texts_come_from_the_translations_handed_in() -> None:
    shouting = Messages(Shouting())
    assert shouting.state("running") == "«Running»"
    assert shouting.describe("file_empty", {}).title == "«The file is empty»"
    assert shouting.drop_reason("duplicate").startswith("«")


def test_no_formatted_string_is_ever_marked_for_translation() -> None:
    package = Path(words.__file__).parents[1]
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"N_", "_"}:
                assert not any(isinstance(argument, ast.JoinedStr) for argument in node.args), path
