"""The forms that rows come in, how to tell them, and how a row becomes what is stored.

A form has fields; a mapping says which column holds which field. Owns the conversion and the reasons why a
row is no row of its form. Refuses to know files, lengths and duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from academy_desktop.core.datasets.readers import Record
from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Content, Messages, RowKind
from academy_desktop.core.datasets.turns import read_tools, read_turn, read_turns, with_system
from trainers.errors import AcademyError, ErrorCode

__all__ = ["Detection", "Form", "Messages", "Reason", "convert", "detect", "field_names", "kind_of"]


class Form(StrEnum):
    """How a row says what is asked and what is answered; the more telling come first."""

    PREFERENCE = "preference"
    KTO = "kto"
    LESSON = "lesson"
    OASST = "oasst"
    SHAREGPT = "sharegpt"
    MESSAGES = "messages"
    ALPACA = "alpaca"
    DOLLY = "dolly"
    PROMPT_COMPLETION = "prompt_completion"
    QUESTION_ANSWER = "question_answer"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a form and the column names it is known by, the usual one first."""

    name: str
    columns: tuple[str, ...]
    required: bool = True


_SYSTEM = _Field("system", ("system", "system_prompt"), required=False)
_TOOLS = _Field("tools", ("tools", "functions"), required=False)
_FIELDS: dict[Form, tuple[_Field, ...]] = {
    Form.PREFERENCE: (
        _Field(
            "prompt",
            ("prompt", "question", "instruction", "conversations", "messages", "input"),
            required=False,
        ),
        _Field("chosen", ("chosen",)),
        _Field("rejected", ("rejected",)),
        _SYSTEM,
    ),
    Form.KTO: (
        _Field("prompt", ("prompt", "question", "instruction", "conversations", "messages")),
        _Field("completion", ("completion", "response", "answer", "output"), required=False),
        _Field("label", ("label", "kto_tag")),
        _SYSTEM,
    ),
    Form.LESSON: (
        _Field("situation", ("situation",)),
        _Field("action", ("action",)),
        _Field("result", ("result",)),
        _Field("feedback", ("feedback",), required=False),
    ),
    Form.OASST: (_Field("prompt", ("prompt",)), _Field("tree", ("message_tree_id",))),
    Form.SHAREGPT: (
        _Field("conversations", ("conversations", "conversation", "messages")),
        _SYSTEM,
        _TOOLS,
    ),
    Form.MESSAGES: (_Field("messages", ("messages", "conversations", "conversation")), _SYSTEM, _TOOLS),
    Form.ALPACA: (
        _Field("instruction", ("instruction",)),
        _Field("input", ("input", "context"), required=False),
        _Field("output", ("output", "response")),
        _SYSTEM,
    ),
    Form.DOLLY: (
        _Field("instruction", ("instruction",)),
        _Field("context", ("context",), required=False),
        _Field("response", ("response",)),
        _SYSTEM,
    ),
    Form.PROMPT_COMPLETION: (
        _Field("prompt", ("prompt",)),
        _Field("completion", ("completion", "response", "output")),
        _SYSTEM,
    ),
    Form.QUESTION_ANSWER: (_Field("question", ("question",)), _Field("answer", ("answer",)), _SYSTEM),
    Form.TEXT: (_Field("text", ("text", "content", "passage")),),
}
_KINDS = {Form.PREFERENCE: RowKind.PREFERENCE, Form.KTO: RowKind.KTO, Form.TEXT: RowKind.TEXT}
#: A conversation or a prompt beside these columns is only half a row.
_PREFERENCE = frozenset({"chosen", "rejected"})
_LABELS = {"true": True, "1": True, "good": True, "false": False, "0": False, "bad": False}
#: What the result of a successful lesson says.
_SUCCESS = ("sukces", "success", "✅")


@dataclass(frozen=True, slots=True)
class Detection:
    """A form, the column of each field, and the share of the rows looked at that have all required fields."""

    form: Form
    mapping: dict[str, str]
    confidence: float


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
    best = max(candidates, key=_weight)
    if rows and best.confidence == 0.0 and form is None:
        raise AcademyError(ErrorCode.FORM_UNKNOWN, path=path, columns=", ".join(columns))
    return best


def convert(value: object, detection: Detection) -> Content | Reason:
    """Turn one row into what is stored of it, or say why it is none."""
    if not isinstance(value, dict):
        return Reason.NOT_AN_OBJECT
    values = {name: value.get(column) for name, column in detection.mapping.items()}
    for field in _FIELDS[detection.form]:
        if field.required and values.get(field.name) is None:
            return Reason.MISSING_FIELD
    return _CONVERTERS.get(detection.form, _question)(values)


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
        column = named.get(field.name) or _column(field, columns)
        if column is not None:
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
            return _label(row[mapping["label"]]) is not None
        case Form.OASST:
            return isinstance(row[mapping["prompt"]], dict)
        case _:
            return True


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


def _question(values: Mapping[str, Any]) -> Content | Reason:
    """One question and one answer, under whatever names."""
    if any(value is not None and not isinstance(value, str) for value in values.values()):
        return Reason.WRONG_TYPE
    names = (("instruction", "output"), ("instruction", "response"), ("prompt", "completion"))
    ask, answer = next((pair for pair in names if {*pair} <= values.keys()), ("question", "answer"))
    asked, extra = values[ask], values.get("input") or values.get("context") or ""
    if extra.strip():
        asked = f"{asked}\n\n{extra}" if asked.strip() else extra
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": values[answer]}]
    return {"messages": with_system(messages, values.get("system"))}


def _conversation(values: Mapping[str, Any]) -> Content | Reason:
    """A conversation as it stands, its roles brought to the usual names, and the tools it may call."""
    system, tools = values.get("system"), values.get("tools")
    if not (system is None or isinstance(system, str)):
        return Reason.WRONG_TYPE
    messages = read_turns(values.get("messages", values.get("conversations")))
    if isinstance(messages, Reason):
        return messages
    content: Content = {"messages": with_system(messages, system)}
    if tools:
        described = read_tools(tools)
        if isinstance(described, Reason):
            return described
        if described:
            content["tools"] = described
    return content


def _asked(values: Mapping[str, Any]) -> Messages | Reason:
    """The turns before an answer: a text is one question."""
    prompt, system = values.get("prompt"), values.get("system")
    if not (system is None or isinstance(system, str)):
        return Reason.WRONG_TYPE
    if isinstance(prompt, str):
        return with_system([{"role": "user", "content": prompt}], system)
    messages = read_turns([] if prompt is None else prompt)
    return messages if isinstance(messages, Reason) else with_system(messages, system)


def _answer(value: object) -> Messages | Reason:
    """Answering turns: a text, one turn or several."""
    if isinstance(value, str):
        return [{"role": "assistant", "content": value}]
    if isinstance(value, dict):
        turn = read_turn(value)
        return turn if isinstance(turn, Reason) else [turn]
    return read_turns(value)


def _preference(values: Mapping[str, Any]) -> Content | Reason:
    """What was asked, and a better and a worse answer; what both begin with was asked."""
    before, chosen, rejected = _asked(values), _answer(values["chosen"]), _answer(values["rejected"])
    if isinstance(before, Reason):
        return before
    if isinstance(chosen, Reason):
        return chosen
    if isinstance(rejected, Reason):
        return rejected
    same = 0
    while same < min(len(chosen), len(rejected)) - 1 and chosen[same] == rejected[same]:
        same += 1
    shared = chosen[:same]
    if shared[: len(before)] == before:
        before = []
    return {"messages": [*before, *shared], "chosen": chosen[same:], "rejected": rejected[same:]}


def _labelled(values: Mapping[str, Any]) -> Content | Reason:
    """An answer that somebody found good or bad."""
    label, messages = _label(values["label"]), _asked(values)
    if label is None:
        return Reason.WRONG_TYPE
    if isinstance(messages, Reason):
        return messages
    if values.get("completion") is not None:
        answer = _answer(values["completion"])
        if isinstance(answer, Reason):
            return answer
        messages = [*messages, *answer]
    return {"messages": messages, "label": label}


def _label(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return _LABELS.get(str(value).strip().casefold()) if isinstance(value, (str, int)) else None


def _lesson(values: Mapping[str, Any]) -> Content | Reason:
    """A Venom lesson: the situation asks, what was done and what came of it answers."""
    parts = [values["situation"], values["action"], values["result"], values.get("feedback") or ""]
    if not all(isinstance(part, str) for part in parts):
        return Reason.WRONG_TYPE
    situation, action, result, feedback = parts
    if not any(mark in result.casefold() for mark in _SUCCESS):
        return Reason.NOT_SUCCESSFUL
    answer = "\n\n".join(part for part in (action, result, feedback) if part.strip())
    return {"messages": [{"role": "user", "content": situation}, {"role": "assistant", "content": answer}]}


def _tree(values: Mapping[str, Any]) -> Content | Reason:
    """A tree of messages: the way down over the best answers, to the last that the assistant gave."""
    messages: Messages = []
    node = values["prompt"]
    while isinstance(node, dict):
        turn = read_turn({"role": node.get("role"), "content": node.get("text")})
        if isinstance(turn, Reason):
            return turn
        messages.append(turn)
        replies = [reply for reply in node.get("replies") or () if isinstance(reply, dict)]
        node = min(replies, key=_rank, default=None)
    while messages and messages[-1]["role"] == "user":
        messages.pop()
    return {"messages": messages}


def _rank(reply: Mapping[str, Any]) -> float:
    rank = reply.get("rank")
    return float(rank) if isinstance(rank, (int, float)) else float("inf")


def _plain(values: Mapping[str, Any]) -> Content | Reason:
    text = values["text"]
    return {"text": text} if isinstance(text, str) else Reason.WRONG_TYPE


_CONVERTERS: Mapping[Form, Callable[[Mapping[str, Any]], Content | Reason]] = {
    Form.PREFERENCE: _preference,
    Form.KTO: _labelled,
    Form.LESSON: _lesson,
    Form.OASST: _tree,
    Form.SHAREGPT: _conversation,
    Form.MESSAGES: _conversation,
    Form.TEXT: _plain,
}
