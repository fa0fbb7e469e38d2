from __future__ import annotations

import ast
import gettext
import inspect
from typing import get_args

import pytest

from academy_desktop.core.estimate import budget
from academy_desktop.text.formats import Formats
from academy_desktop.text.guide import BUDGETS, METHODS, GuideWords
from trainers.errors import Fact
from trainers.recipe import Method

WORDS = GuideWords(gettext.NullTranslations().gettext, Formats())
FACTS: dict[str, Fact] = {"epochs": 2, "wanted": 4, "steps": 1200, "percent": 31, "seconds": 754.2}


@pytest.mark.parametrize("outcome", get_args(budget.Outcome))
@pytest.mark.parametrize("epochs", [1, 2])
def test_every_outcome_is_a_sentence(outcome: str, epochs: int) -> None:
    said = WORDS.fitted(outcome, FACTS | {"epochs": epochs}, "Batch size 1")
    assert "about 12 min" in said
    assert said.endswith(" To fit into the memory: Batch size 1.")
    assert not set("{}") & set(said)
    assert ("once" in said) == (epochs == 1 and outcome in {"whole", "fewer"})


def test_large_numbers_are_grouped() -> None:
    assert WORDS.fitted("part", FACTS).startswith("There is time for 1,200 steps, which see about 31 %")


def test_every_method_has_words_and_every_budget_minutes() -> None:
    assert set(METHODS) == set(get_args(Method))
    assert all(meaning.endswith(".") for _, meaning in METHODS.values())
    assert [minutes for _, minutes in BUDGETS.values()] == sorted({15, 180, 480})


def test_the_facts_of_a_sentence_are_those_that_are_given() -> None:
    given = {
        str(key.value)
        for node in ast.walk(ast.parse(inspect.getsource(budget)))
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    assert set(FACTS) <= given
