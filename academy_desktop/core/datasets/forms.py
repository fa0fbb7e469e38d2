"""The forms that rows come in, how to tell them, and how a row becomes what is stored.

A form has fields; a mapping says which column holds which field. Owns the fields and the telling;
`conversion` reads the values. Refuses to know files, lengths and duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from academy_desktop.core.datasets import conversion
from academy_desktop.core.datasets.dialogues import is_dialogue
from academy_desktop.core.datasets.readers import Record
from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Content, RowKind
from trainers.errors import AcademyError, ErrorCode

__all__ = [
    "Detection",
    "Field",
    "Form",
    "convert",
    "converter",
    "detect",
    "field_names",
    "fields_of",
    "kind_of",
]


class Form(StrEnum):
    """How a row says what is asked and what is answered; the more telling come first."""

    PREFERENCE = "preference"
    KTO = "kto"
    LESSON = "lesson"
    OASST = "oasst"
    OASST_FLAT = "oasst_flat"
    SHAREGPT = "sharegpt"
    MESSAGES = "messages"
    ALPACA = "alpaca"
    DOLLY = "dolly"
    PROMPT_COMPLETION = "prompt_completion"
    QUESTION_ANSWER = "question_answer"
    DIALOGUE = "dialogue"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form and the column names it is known by, the usual one first."""

    name: str
    columns: tuple[str, ...]
    required: bool = True


_SYSTEM = Field("system", ("system", "system_prompt"), required=False)
_TOOLS = Field("tools", ("tools", "functions"), required=False)
_FIELDS: dict[Form, tuple[Field, ...]] = {
    Form.PREFERENCE: (
        Field(
            "prompt",
            ("prompt", "question", "instruction", "conversations", "messages", "input"),
            required=False,
        ),
        Field("chosen", ("chosen",)),
        Field("rejected", ("rejected",)),
        _SYSTEM,
    ),
    Form.KTO: (
        Field("prompt", ("prompt", "question", "instruction", "conversations", "messages")),
        Field("completion", ("completion", "response", "answer", "output"), required=False),
        Field("label", ("label", "kto_tag")),
        _SYSTEM,
    ),
    Form.LESSON: (
        Field("situation", ("situation",)),
        Field("action", ("action",)),
        Field("result", ("result",)),
        Field("feedback", ("feedback",), required=False),
    ),
    Form.OASST: (Field("prompt", ("prompt",)), Field("tree", ("message_tree_id",))),
    Form.OASST_FLAT: (
        Field("id", ("message_id",)),
        Field("parent", ("parent_id",), required=False),
        Field("role", ("role",)),
        Field("text", ("text", "content")),
        Field("rank", ("rank",), required=False),
    ),
    Form.SHAREGPT: (
        Field("conversations", ("conversations", "conversation", "messages")),
        _SYSTEM,
        _TOOLS,
    ),
    Form.MESSAGES: (Field("messages", ("messages", "conversations", "conversation")), _SYSTEM, _TOOLS),
    Form.ALPACA: (
        Field("instruction", ("instruction",)),
        Field("input", ("input", "context"), required=False),
        Field("output", ("output", "response")),
        _SYSTEM,
    ),
    Form.DOLLY: (
        Field("instruction", ("instruction",)),
        Field("context", ("context",), required=False),
        Field("response", ("response",)),
        _SYSTEM,
    ),
    Form.PROMPT_COMPLETION: (
        Field("prompt", ("prompt",)),
        Field("completion", ("completion", "response", "output")),
        _SYSTEM,
    ),
    Form.QUESTION_ANSWER: (Field("question", ("question",)), Field("answer", ("answer",)), _SYSTEM),
    Form.DIALOGUE: (Field("text", ("text", "content", "conversation", "chat", "prompt")), _SYSTEM),
    Form.TEXT: (Field("text", ("text", "content", "passage")),),
}
_KINDS = {Form.PREFERENCE: RowKind.PREFERENCE, Form.KTO: RowKind.KTO, Form.TEXT: RowKind.TEXT}
#: A conversation or a prompt beside these columns is only half a row.
_PREFERENCE = frozenset({"chosen", "rejected"})


@dataclass(frozen=True, slots=True)
class Detection:
    """A form, the column of each field, and the share of the rows looked at that have all required fields."""

    form: Form
    mapping: dict[str, str]
    confidence: float


def fields_of(form: Form) -> tuple[Field, ...]:
    """The form's fields, the most telling first."""
    return _FIELDS[form]


def usual_fields(form: Form) -> tuple[Field, ...]:
    """The fields by which people know the form: those beside system text and tools."""
    return tuple(field for field in _FIELDS[form] if field not in {_SYSTEM, _TOOLS})


def field_names(form: Form) -> tuple[str, ...]:
    """Names of the form's fields, for a mapping."""
    return tuple(field.name for field in _FIELDS[form])


def kind_of(form: Form) -> RowKind:
    """What rows of this form are stored as."""
    return _KINDS.get(form, RowKind.CHAT)


def detect(
    records: Sequence[Record], path: str, form: Form | None = None, mapping: Mapping[str, str] | None = None
) -> Detection:
    """Tell the form of rows from a sample of them; a form or columns that were named are taken as given.

    A field that is mapped to no column (an empty name) is left out.

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
        if rows and column and column not in columns:
            raise AcademyError(
                ErrorCode.MAPPING_INVALID, path=path, field=name, column=column, known=", ".join(columns)
            )
    best = max(candidates, key=_weight)
    if rows and best.confidence == 0.0 and form is None:
        raise AcademyError(ErrorCode.FORM_UNKNOWN, path=path, columns=", ".join(columns))
    return best


def convert(value: object, detection: Detection) -> Content | Reason:
    """Turn one row into what is stored of it, or say why it is none."""
    return converter(detection)(value)


def converter(detection: Detection) -> Callable[[object], Content | Reason]:
    """`convert` for many rows that are recognised alike."""
    columns = tuple(detection.mapping.items())
    required = tuple(field.name for field in _FIELDS[detection.form] if field.required)
    read = _CONVERTERS.get(detection.form, conversion.question)

    def converted(value: object) -> Content | Reason:
        if not isinstance(value, dict):
            return Reason.NOT_AN_OBJECT
        values = {name: value.get(column) for name, column in columns}
        for name in required:
            if values.get(name) is None:
                return Reason.MISSING_FIELD
        return read(values)

    return converted


def _weight(candidate: Detection) -> tuple[float, int]:
    """How well a form fits: by rows, then by how many fields stand under their usual names."""
    fields = {field.name: field for field in _FIELDS[candidate.form]}
    usual = sum(
        fields[name].columns[0] == column.strip().casefold() for name, column in candidate.mapping.items()
    )
    return candidate.confidence, usual


def _candidate(
    form: Form, rows: Sequence[dict[str, Any]], columns: Sequence[str], named: Mapping[str, str]
) -> Detection:
    mapping = {}
    for field in _FIELDS[form]:
        column = named[field.name] if field.name in named else _column(field, columns)
        if column:
            mapping[field.name] = column
    required = [mapping.get(field.name) for field in _FIELDS[form] if field.required]
    fitting = 0
    if None not in required and (named or form is Form.PREFERENCE or not set(columns) >= _PREFERENCE):
        fitting = sum(
            all(row.get(column) is not None for column in required if column) and _looks(form, row, mapping)
            for row in rows
        )
    return Detection(form, mapping, fitting / len(rows) if rows else 0.0)


def _looks(form: Form, row: Mapping[str, Any], mapping: Mapping[str, str]) -> bool:
    """Whether values look as the form wants them where names alone cannot tell."""
    match form:
        case Form.SHAREGPT | Form.MESSAGES:
            turns = row[mapping[field_names(form)[0]]]
            first = turns[0] if isinstance(turns, list) and turns else None
            speaks_from = isinstance(first, dict) and "from" in first
            return speaks_from is (form is Form.SHAREGPT)
        case Form.KTO:
            return conversion.read_label(row[mapping["label"]]) is not None
        case Form.OASST:
            return isinstance(row[mapping["prompt"]], dict)
        case Form.OASST_FLAT:
            return isinstance(row[mapping["role"]], str)
        case Form.DIALOGUE:
            return is_dialogue(row[mapping["text"]])
        case Form.TEXT:
            return not is_dialogue(row[mapping["text"]])
        case _:
            return True


def _column(field: Field, columns: Sequence[str]) -> str | None:
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


_CONVERTERS: Mapping[Form, Callable[[Mapping[str, Any]], Content | Reason]] = {
    Form.PREFERENCE: conversion.preference,
    Form.KTO: conversion.labelled,
    Form.LESSON: conversion.lesson,
    Form.OASST: conversion.tree,
    Form.SHAREGPT: conversion.conversation,
    Form.MESSAGES: conversion.conversation,
    Form.DIALOGUE: conversion.dialogue,
    Form.TEXT: conversion.plain,
}
