"""Why a row is dropped."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a row was dropped; values are part of the protocol."""

    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    EMPTY_PROMPT = "empty_prompt"
    EMPTY_ANSWER = "empty_answer"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    SAME_ANSWERS = "same_answers"
    NOT_SUCCESSFUL = "not_successful"
    BAD_ROLES = "bad_roles"
    UNPARSABLE = "unparsable"
