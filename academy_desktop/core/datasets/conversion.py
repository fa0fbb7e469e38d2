"""How the values of a row's fields become what is stored of it: one function for each way of asking.

A value that is none of its kind gives a reason, never an exception. Refuses to know columns, and which form
a row has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from academy_desktop.core.datasets.dialogues import is_dialogue, read_dialogue
from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.datasets.rows import Content, Messages, shared_turns
from academy_desktop.core.datasets.turns import read_tools, read_turn, read_turns, with_system

_LABELS = {"true": True, "1": True, "good": True, "false": False, "0": False, "bad": False}
#: What the result of a successful lesson says.
_SUCCESS = ("sukces", "success", "✅")


def question(values: Mapping[str, Any]) -> Content | Reason:
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


def conversation(values: Mapping[str, Any]) -> Content | Reason:
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
    if isinstance(prompt, str) and is_dialogue(prompt):
        prompt = read_dialogue(prompt)
        return prompt if isinstance(prompt, Reason) else with_system(prompt, system)
    if isinstance(prompt, str):
        return with_system([{"role": "user", "content": prompt}], system)
    messages = read_turns([] if prompt is None else prompt)
    return messages if isinstance(messages, Reason) else with_system(messages, system)


def _answer(value: object) -> Messages | Reason:
    """Answering turns: a text, a conversation in one text, one turn or several."""
    if isinstance(value, str) and is_dialogue(value):
        return read_dialogue(value)
    if isinstance(value, str):
        return [{"role": "assistant", "content": value}]
    if isinstance(value, dict):
        turn = read_turn(value)
        return turn if isinstance(turn, Reason) else [turn]
    return read_turns(value)


def preference(values: Mapping[str, Any]) -> Content | Reason:
    """What was asked, and a better and a worse answer; what both begin with was asked."""
    before, chosen, rejected = _asked(values), _answer(values["chosen"]), _answer(values["rejected"])
    if isinstance(before, Reason):
        return before
    if isinstance(chosen, Reason):
        return chosen
    if isinstance(rejected, Reason):
        return rejected
    same = shared_turns(chosen, rejected)
    shared = chosen[:same]
    if shared[: len(before)] == before:
        before = []
    return {"messages": [*before, *shared], "chosen": chosen[same:], "rejected": rejected[same:]}


def labelled(values: Mapping[str, Any]) -> Content | Reason:
    """An answer that somebody found good or bad."""
    label, messages = read_label(values["label"]), _asked(values)
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


def read_label(value: object) -> bool | None:
    """Read a verdict: good or bad, in the usual spellings."""
    if isinstance(value, bool):
        return value
    return _LABELS.get(str(value).strip().casefold()) if isinstance(value, (str, int)) else None


def lesson(values: Mapping[str, Any]) -> Content | Reason:
    """A Venom lesson: the situation asks, what was done and what came of it answers."""
    parts = [values["situation"], values["action"], values["result"], values.get("feedback") or ""]
    if not all(isinstance(part, str) for part in parts):
        return Reason.WRONG_TYPE
    situation, action, result, feedback = parts
    if not any(mark in result.casefold() for mark in _SUCCESS):
        return Reason.NOT_SUCCESSFUL
    answer = "\n\n".join(part for part in (action, result, feedback) if part.strip())
    return {"messages": [{"role": "user", "content": situation}, {"role": "assistant", "content": answer}]}


def tree(values: Mapping[str, Any]) -> Content | Reason:
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


def dialogue(values: Mapping[str, Any]) -> Content | Reason:
    """A conversation that stands in one text."""
    text, system = values["text"], values.get("system")
    if not isinstance(text, str) or not (system is None or isinstance(system, str)):
        return Reason.WRONG_TYPE
    messages = read_dialogue(text)
    return messages if isinstance(messages, Reason) else {"messages": with_system(messages, system)}


def plain(values: Mapping[str, Any]) -> Content | Reason:
    """A text as it stands."""
    text = values["text"]
    return {"text": text} if isinstance(text, str) else Reason.WRONG_TYPE
