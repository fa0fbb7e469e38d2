"""The forms that rows come in, how to tell them, and how a row becomes a conversation.

A form has fields; a mapping says which column holds which field. Owns the conversion and the reasons why a
row is no row of its form. Refuses to know files, lengths and duplicates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from academy_desktop.core.datasets.readers import Record
from trainers.errors import AcademyError, ErrorCode

Messages = list[dict[str, str]]


class Form(StrEnum):
    """How a row says what is asked and what is answered."""

    MESSAGES = "messages"
    ALPACA = "alpaca"
    PROMPT_COMPLETION = "prompt_completion"
    QUESTION_ANSWER = "question_answer"


class Reason(StrEnum):
    """Why a row was dropped; values are part of the protocol."""

    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    EMPTY_PROMPT = "empty_prompt"
    EMPTY_ANSWER = "empty_answer"
    TOO_SHORT = "too_short"
    DUPLICATE = "duplicate"
    BAD_ROLES = "bad_roles"
    UNPARSABLE = "unparsable"


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a form and the column names it is known by, the usual one first."""

    name: str
    columns: tuple[str, ...]
    required: bool = True


_FIELDS: dict[Form, tuple[_Field, ...]] = {
    Form.MESSAGES: (
        _Field("messages", ("messages", "conversations", "conversation")),
        _Field("system", ("system",), required=False),
    ),
    Form.ALPACA: (
        _Field("instruction", ("instruction",)),
        _Field("input", ("input", "context"), required=False),
        _Field("output", ("output", "response")),
        _Field("system", ("system",), required=False),
    ),
    Form.PROMPT_COMPLETION: (
        _Field("prompt", ("prompt",)),
        _Field("completion", ("completion", "response", "output")),
        _Field("system", ("system",), required=False),
    ),
    Form.QUESTION_ANSWER: (
        _Field("question", ("question",)),
        _Field("answer", ("answer",)),
        _Field("system", ("system",), required=False),
    ),
}
_ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "model": "assistant",
}  # fmt: skip
#: Preference pairs are no answers to learn by heart: a conversation beside these columns is only half a row.
_PREFERENCE = frozenset({"chosen", "rejected"})


@dataclass(frozen=True, slots=True)
class Detection:
    """A form, the column of each field, and the share of the rows looked at that have all required fields."""

    form: Form
    mapping: dict[str, str]
    confidence: float


def field_names(form: Form) -> tuple[str, ...]:
    """Names of the form's fields, for a mapping."""
    return tuple(field.name for field in _FIELDS[form])


def detect(
    records: Sequence[Record], path: str, form: Form | None = None, mapping: Mapping[str, str] | None = None
) -> Detection:
    """Tell the form of rows from a sample of them; a form or columns that were named are taken as given.

    Raises:
        AcademyError: `form_unknown` when no form fits any row; `mapping_invalid` when a named field belongs
            to no form, or a named column is in no row.
    """
    rows = [record.value for record in records if not record.damaged and isinstance(record.value, dict)]
    columns = list(dict.fromkeys(str(column) for row in rows for column in row))
    named = dict(mapping or {})
    forms = [form] if form is not None else list(Form)
    candidates = [
        _candidate(each, rows, columns, named) for each in forms if named.keys() <= set(field_names(each))
    ]
    if not candidates:
        raise _bad_field(named, forms)
    for name, column in named.items():
        if rows and column not in columns:
            raise AcademyError(
                ErrorCode.MAPPING_INVALID, path=path, field=name, column=column, known=", ".join(columns)
            )
    best = max(candidates, key=lambda candidate: candidate.confidence)
    if rows and best.confidence == 0.0 and form is None:
        raise AcademyError(ErrorCode.FORM_UNKNOWN, path=path, columns=", ".join(columns))
    return best


def convert(value: object, detection: Detection) -> Messages | Reason:
    """Turn one row into a conversation, or say why it is none."""
    if not isinstance(value, dict):
        return Reason.NOT_AN_OBJECT
    values = {name: value.get(column) for name, column in detection.mapping.items()}
    for field in _FIELDS[detection.form]:
        if field.required and values.get(field.name) is None:
            return Reason.MISSING_FIELD
    if detection.form is Form.MESSAGES:
        return _conversation(values["messages"], values.get("system"))
    return _question(detection.form, values)


def _candidate(
    form: Form, rows: Sequence[dict[str, Any]], columns: Sequence[str], named: Mapping[str, str]
) -> Detection:
    mapping = {}
    for field in _FIELDS[form]:
        column = named.get(field.name) or _column(field, columns)
        if column is not None:
            mapping[field.name] = column
    required = [mapping.get(field.name) for field in _FIELDS[form] if field.required]
    fitting = 0
    if None not in required and (named or not columns or not set(columns) >= _PREFERENCE):
        fitting = sum(all(row.get(column) is not None for column in required if column) for row in rows)
    return Detection(form, mapping, fitting / len(rows) if rows else 0.0)


def _column(field: _Field, columns: Sequence[str]) -> str | None:
    """The column that a field is in: the usual name first, letter case and outer spaces aside."""
    known = {column.strip().casefold(): column for column in reversed(columns)}
    for name in field.columns:
        if name in known:
            return name if name in columns else known[name]
    return None


def _bad_field(named: Mapping[str, str], forms: Iterable[Form]) -> AcademyError:
    known = list(dict.fromkeys(name for form in forms for name in field_names(form)))
    wrong = next((name for name in named if name not in known), next(iter(named)))
    return AcademyError(ErrorCode.MAPPING_INVALID, field=wrong, column=named[wrong], known=", ".join(known))


def _question(form: Form, values: Mapping[str, object]) -> Messages | Reason:
    """A conversation of one question and one answer."""
    if any(value is not None and not isinstance(value, str) for value in values.values()):
        return Reason.WRONG_TYPE
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    asked, answered = (texts[field.name] for field in _FIELDS[form] if field.required)
    extra = texts.get("input", "")
    if extra.strip():
        asked = f"{asked}\n\n{extra}" if asked.strip() else extra
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return _with_system(messages, texts.get("system"))


def _conversation(value: object, system: object) -> Messages | Reason:
    """A conversation as it stands, its roles brought to the three usual names."""
    if not isinstance(value, list) or not (system is None or isinstance(system, str)):
        return Reason.WRONG_TYPE
    messages: Messages = []
    for turn in value:
        if not isinstance(turn, dict):
            return Reason.WRONG_TYPE
        role, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
        if role is None or content is None:
            return Reason.MISSING_FIELD
        if not isinstance(role, str) or not isinstance(content, str):
            return Reason.WRONG_TYPE
        if role.casefold() not in _ROLES:
            return Reason.BAD_ROLES
        messages.append({"role": _ROLES[role.casefold()], "content": content})
    return _with_system(messages, system)


def _with_system(messages: Messages, system: str | None) -> Messages:
    if not system or not system.strip() or (messages and messages[0]["role"] == "system"):
        return messages
    return [{"role": "system", "content": system}, *messages]
