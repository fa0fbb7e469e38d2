from __future__ import annotations

import pytest

from academy_desktop.text.errors.venom import VENOM
from academy_desktop.text.errors.venom_push import VENOM_PUSH
from academy_desktop.text.venom_window import DIALOG_STEPS, NEXT_STEPS, VenomWindowWords
from tests.academy_desktop.viewmodels.making import words
from trainers.errors import ErrorCode, Fact


@pytest.fixture
def said() -> VenomWindowWords:
    loaded = words()
    return VenomWindowWords(loaded.gettext, loaded.messages)


@pytest.mark.parametrize("code", sorted({*VENOM, *VENOM_PUSH, *NEXT_STEPS}))
def test_no_next_step_in_the_window_leads_to_the_command_line(said: VenomWindowWords, code: str) -> None:
    for told in (said.describe(code, {}), said.describe_here(code, {})):
        assert told.next_step.endswith(".")
        assert "--" not in told.next_step
        assert "academy venom" not in told.next_step


def test_in_its_dialog_a_connection_need_not_be_edited_first(said: VenomWindowWords) -> None:
    for code in {*VENOM, *VENOM_PUSH, *DIALOG_STEPS}:
        assert "edit the connection" not in said.describe_here(code, {}).next_step.lower(), code


def test_title_and_sentence_stay_those_of_the_error(said: VenomWindowWords) -> None:
    facts: dict[str, Fact] = {
        "runtime": "ollama",
        "model": "smollm2:135m",
        "pull": "smollm2:135m",
        "known": "",
    }
    told = said.describe(ErrorCode.VENOM_MODEL_MISSING, facts)
    plain = words().messages.describe(ErrorCode.VENOM_MODEL_MISSING, facts)
    assert (told.title, told.sentence) == (plain.title, plain.sentence)
    assert told.next_step.startswith("Get it there with “ollama pull smollm2:135m”, or choose another model")


def test_a_trouble_without_an_own_way_in_the_window_is_told_as_everywhere(said: VenomWindowWords) -> None:
    facts: dict[str, Fact] = {"url": "http://127.0.0.1:8000"}
    plain = words().messages.describe(ErrorCode.VENOM_DISABLED, facts)
    assert said.describe(ErrorCode.VENOM_DISABLED, facts) == plain
