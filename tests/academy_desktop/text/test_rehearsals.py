"""The words of rehearsals and trials."""

from __future__ import annotations

import gettext

import pytest

from academy_desktop.core.rehearsal_record import Change, RehearsalProblem
from academy_desktop.text.audits import DEFECT_NAMES
from academy_desktop.text.formats import Formats
from academy_desktop.text.messages import Messages
from academy_desktop.text.rehearsals import CHECKS, RehearsalWords
from trainers.errors import ErrorCode
from trainers.exporting.certificate import MEANINGS
from trainers.rendering.defects import DefectCode

WORDS = RehearsalWords(str, Formats(), Messages(gettext.NullTranslations()))


def problem(code: str, **facts: str | float | None) -> str:
    return WORDS.problem(RehearsalProblem(code=code, stage="rows", facts=dict(facts)))


def test_every_check_and_every_defect_has_a_few_words() -> None:
    assert set(CHECKS) == set(MEANINGS)
    assert set(DEFECT_NAMES) >= set(DefectCode)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            problem("defect", defect="answer_truncated", rows=3, of=120),
            "3 of 120 rows: Answers cut off.",
        ),
        (
            problem("loss_not_falling", first=2.5, last=2.75),
            (
                "The loss did not fall: 2.500 at the beginning, 2.750 at the end. Look at the rows and the "
                "learning rate."
            ),
        ),
        (
            problem(
                "certificate_failed", export="gguf-f16.gguf", checks="prompt_tokens, mean_kl", detail=None
            ),
            (
                "gguf-f16.gguf does not behave like the trained model: the chat template is lost, other "
                "probabilities."
            ),
        ),
    ],
)
def test_a_problem_is_a_sentence(said: str, expected: str) -> None:
    assert said == expected


def test_an_error_code_brings_its_own_words_and_its_next_step() -> None:
    said = problem(ErrorCode.LLAMA_CPP_MISSING)
    assert "llama.cpp" in said
    assert said.count(".") > 1


def test_a_learning_rate_is_written_as_people_write_it() -> None:
    said = WORDS.change(Change(code="learning_rate", facts={"before": 5e-05, "after": 0.003}))
    assert said == "a learning rate of 0.003 instead of 0.00005, as a miniature needs it"
