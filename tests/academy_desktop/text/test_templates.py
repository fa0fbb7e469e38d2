from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from academy_desktop.text import audits, checks, considerate, recipes, words
from academy_desktop.text.errors import ERRORS, UNKNOWN_CODE
from academy_desktop.text.errors.recipes import RECIPE_PROBLEM
from academy_desktop.text.templates import UNKNOWN, fields, fill

HOSTILE = "{path} [x|y] {0} {} %s %(path)s \\1 ]]{{ | ünï"


def templates() -> Iterator[str]:
    """Every template there is."""
    for text in (*ERRORS.values(), UNKNOWN_CODE, RECIPE_PROBLEM):
        yield from text
    for check in checks.CHECKS.values():
        yield from check
    for table in (
        checks.ENGINE_REASONS, recipes.PROBLEMS, audits.DEFECTS, words.WARNINGS, words.REASONS, words.DROPS,
        words.STATE_SENTENCES, words.HELD, words.HELD_BRIEF, considerate.SHUTDOWN,
    ):  # fmt: skip
        yield from table.values()


ALL = sorted(set(filter(None, templates())))


@pytest.mark.parametrize(
    ("template", "facts", "filled"),
    [
        ("Plain.", {}, "Plain."),
        ("{a} and {b}.", {"a": "1", "b": "2"}, "1 and 2."),
        ("{a} and {b}.", {"a": "1"}, f"1 and {UNKNOWN}."),
        ("The file[ {path}] is empty.", {"path": "/a"}, "The file /a is empty."),
        ("The file[ {path}] is empty.", {}, "The file is empty."),
        ("[{count} rows|Some rows] left.", {"count": "3"}, "3 rows left."),
        ("[{count} rows|Some rows] left.", {}, "Some rows left."),
        ("[{a} of {b}|None].", {"a": "1"}, "None."),
        ("[{a}|{b}].", {"b": "2"}, "2."),
        ("[{a}][{b}][{c}].", {"b": "2"}, "2."),
        ("[always].", {}, "always."),
        ("{a}", {"a": ""}, ""),
        ("", {"a": "1"}, ""),
    ],
)
def test_facts_enter_and_what_is_missing_leaves(template: str, facts: dict[str, str], filled: str) -> None:
    assert fill(template, facts) == filled


@given(st.text(), st.text())
def test_a_fact_is_never_read_as_a_template(one: str, other: str) -> None:
    assert fill("<[{a}]|{b}>", {"a": one, "b": other}) == f"<{one}|{other}>"


@given(st.text(alphabet="{}[]|ab_1 "), st.dictionaries(st.sampled_from(["a", "b", "ab"]), st.text()))
def test_filling_never_fails(template: str, facts: dict[str, str]) -> None:
    assert isinstance(fill(template, facts), str)


def test_a_template_names_its_facts() -> None:
    assert fields("[{a} {b_2}|{c}] {a} {D} {} {0}") == {"a", "b_2", "c"}


@pytest.mark.parametrize("template", ALL)
def test_every_template_is_well_formed(template: str) -> None:
    """No bracket, brace or bar is left over, whatever facts there are."""
    mentioned = sorted(fields(template))
    for facts in ({}, dict.fromkeys(mentioned, "x"), *({name: "x"} for name in mentioned)):
        filled = fill(template, facts)
        assert not set("{}[]|") & set(filled)
        assert "  " not in filled
        assert filled == filled.strip()


@pytest.mark.parametrize("template", ALL)
def test_every_template_shows_hostile_facts_as_they_are(template: str) -> None:
    filled = fill(template, dict.fromkeys(fields(template), HOSTILE))
    assert HOSTILE in filled or not fields(template)
    assert filled.count(HOSTILE) <= len(fields(template))


@pytest.mark.parametrize("template", ALL)
def test_with_all_facts_every_fact_is_told_or_gives_way_to_a_better_one(template: str) -> None:
    facts = {name: f"<{name}>" for name in fields(template)}
    filled = fill(template, facts)
    otherwise = {
        name for part in template.split("|")[1:] for name in fields(part.partition("]")[0]) if "|" in template
    }
    assert {name for name in facts if f"<{name}>" not in filled} <= otherwise
