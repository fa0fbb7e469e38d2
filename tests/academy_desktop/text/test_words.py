from __future__ import annotations

import ast
import gettext
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

import trainers
from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.states import Facts, JobState, derive
from academy_desktop.text import audits, considerate, words
from academy_desktop.text.messages import Messages
from trainers.errors import ErrorCode
from trainers.events import Ended, Phase, Started
from trainers.layout import ExitRecord, Label
from trainers.recipe import CertifyRecipe, EvaluateRecipe, ExportRecipe, TrainRecipe
from trainers.rendering import Note

TRAINERS = Path(next(iter(trainers.__path__)))


@pytest.fixture
def messages() -> Messages:
    return Messages(gettext.NullTranslations())


def literals(model: type[Any], field: str) -> set[str]:
    return set(get_args(model.model_fields[field].annotation))


def emitted(name: str) -> Iterator[str]:
    """The codes that the trainers hand to an event called `name`."""
    for path in TRAINERS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                for keyword in node.keywords:
                    if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                        yield str(keyword.value.value)


def test_every_state_has_a_word_and_a_sentence(messages: Messages) -> None:
    for state in JobState:
        assert messages.state(state) == words.STATES[state]
        assert messages.outcome(state) == words.STATE_SENTENCES[state]
    assert set(words.STATES) == set(words.STATE_SENTENCES) == set(JobState)


def test_every_end_of_a_job_is_a_state() -> None:
    assert set(OVER) == literals(Ended, "state") < set(JobState)


def test_every_phase_and_kind_has_a_name(messages: Messages) -> None:
    assert set(words.PHASES) == literals(Phase, "name")
    purposes = literals(Label, "purpose") - {""}
    assert set(words.KINDS) - purposes == literals(Started, "kind")
    recipes = (TrainRecipe, ExportRecipe, CertifyRecipe, EvaluateRecipe)
    assert set(words.KINDS) - purposes == {str(recipe.model_fields["kind"].default) for recipe in recipes}
    assert purposes < set(words.KINDS)
    assert messages.phase("proving") == words.PHASES["proving"]
    assert messages.kind("train") == "Training"


def test_every_reason_of_a_drop_has_words(messages: Messages) -> None:
    assert set(words.DROPS) == set(words.DROPS_BRIEF) == set(Reason)
    assert all(messages.drop_reason(reason) == words.DROPS[reason] for reason in Reason)


def test_every_defect_of_a_row_has_words() -> None:
    assert {*Note, "answer_truncated", "nothing_supervised", "double_bos"} <= set(audits.DEFECTS)


def test_every_warning_of_the_trainers_has_words() -> None:
    codes = set(emitted("Warned"))
    assert codes
    assert codes <= {*words.WARNINGS, *ErrorCode}
    assert not set(words.WARNINGS) & set(ErrorCode) - {"no_held_out_rows"}


OVER: tuple[Literal["succeeded", "stopped", "failed"], ...] = ("succeeded", "stopped", "failed")
ENDS: list[Facts] = [
    Facts(launched=False),
    Facts(launched=True, host_alive=False, host_state="running"),
    *(Facts(launched=True, ended=state) for state in OVER),
    *(Facts(launched=True, ended="stopped", ended_reason=reason) for reason in ("user", "suspended")),
    *(Facts(launched=True, ended="failed", ended_reason=code) for code in ErrorCode),
    *(
        Facts(launched=True, exit=ExitRecord.model_validate({"reason": reason, "ended_at": 0.0}))
        for reason in literals(ExitRecord, "reason")
    ),
    *(
        Facts(launched=True, exit=ExitRecord(reason="signalled", signal=number.name, ended_at=0.0))
        for number in signal.Signals
    ),
]


@pytest.mark.parametrize("facts", ENDS)
def test_however_a_job_ended_there_is_a_sentence(messages: Messages, facts: Facts) -> None:
    verdict = derive(facts)
    said = messages.outcome(verdict.state, verdict.reason)
    assert said.endswith(".")
    assert verdict.reason == "" or said != words.STATE_SENTENCES[verdict.state]
    if verdict.state in {JobState.STOPPED, JobState.INTERRUPTED}:
        assert any(hint in said for hint in ("esume", "go on", "checkpoint")), said


TABLES: Mapping[str, Mapping[str, str]] = {
    "sentences": words.STATE_SENTENCES, "reasons": words.REASONS, "drops": words.DROPS,
    "warnings": words.WARNINGS, "defects": audits.DEFECTS, "held": words.HELD,
    "shutdown": considerate.SHUTDOWN,
}  # fmt: skip
NAMES: Mapping[str, Mapping[str, str]] = {
    "states": words.STATES, "phases": words.PHASES, "kinds": words.KINDS, "brief": words.DROPS_BRIEF,
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_sentences_end_with_a_full_stop_and_begin_large(table: Mapping[str, str]) -> None:
    for sentence in table.values():
        assert sentence.endswith(".")
        assert not sentence.endswith("..")
        assert sentence.lstrip("[{")[0].isupper() or sentence.startswith("[{")


@pytest.mark.parametrize("table", NAMES.values(), ids=NAMES)
def test_names_do_not_end_with_a_full_stop(table: Mapping[str, str]) -> None:
    assert not any(name.endswith(".") for name in table.values())
    assert len(set(table.values())) == len(table)


def test_a_word_of_a_later_version_is_shown_as_it_is(messages: Messages) -> None:
    assert messages.phase("warming_up") == "warming up"
    assert messages.drop_reason("too_purple") == "too purple"
    assert messages.outcome("running", "odd") == words.STATE_SENTENCES["running"]
    assert messages.warning("rows_truncated", {"rows": 1200, "max_length": 512}) == (
        "1,200 rows were longer than the limit of 512 tokens and were cut."
    )
