"""Mends for defective rows: pure functions from a conversation, a pair of them or a text to a better one.

Owns which defect has a mend and what it does. A mend changes as little as it can; None means that the row is
to be left out. Refuses to know files and versions.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from academy_desktop.core.datasets.rows import shared_turns
from trainers.rendering.defects import DefectCode, content, is_empty, misplaced_turn
from trainers.rendering.mojibake import mend_mojibake

Turn = dict[str, Any]
Turns = list[Turn]


def mend(turns: Sequence[Turn], codes: Sequence[str], special_texts: Sequence[str]) -> Turns | None:
    """Mend the defects named by `codes`; without a mend for any of them, the turns as they are."""
    mends: Mapping[DefectCode, Callable[[Turns], Turns]] = {
        DefectCode.TOOL_CALLS_NOT_RENDERED: spell_calls,
        DefectCode.EMPTY_TURN: drop_empty,
        DefectCode.SYSTEM_SWALLOWED: fold_system,
        DefectCode.ROLES_OUT_OF_ORDER: reorder,
    }
    mended = _text_mends(turns, codes, special_texts)
    for code, change in mends.items():
        if code in codes:
            mended = change(mended)
    has_answer = any(turn.get("role") == "assistant" for turn in mended)
    return mended if has_answer else None


def mend_pair(
    asked: Sequence[Turn],
    chosen: Sequence[Turn],
    rejected: Sequence[Turn],
    codes: Sequence[str],
    special_texts: Sequence[str],
) -> tuple[Turns, Turns, Turns] | None:
    """Mend a question with its better and its worse answer: each as a conversation of its own.

    What both then begin with was asked. None where no pair of two answers is left.
    """
    better = mend([*asked, *chosen], codes, special_texts)
    worse = mend([*asked, *rejected], codes, special_texts)
    if better is None or worse is None or better == worse:
        return None
    same = shared_turns(better, worse)
    ends = (better[same:], worse[same:])
    is_pair = bool(same) and all(end[0].get("role") == "assistant" for end in ends)
    return (better[:same], *ends) if is_pair else None


def mend_text(text: str, codes: Sequence[str], special_texts: Sequence[str]) -> str | None:
    """Mend a plain text; None where nothing of it is left."""
    (mended,) = _text_mends([{"content": text}], codes, special_texts)
    return content(mended) if content(mended).strip() else None


def can_mend(code: str) -> bool:
    """Whether a mend of the rows exists for a defect."""
    return code in {
        DefectCode.MOJIBAKE,
        DefectCode.SPECIAL_TOKEN_IN_TEXT,
        DefectCode.TOOL_CALLS_NOT_RENDERED,
        DefectCode.EMPTY_TURN,
        DefectCode.SYSTEM_SWALLOWED,
        DefectCode.ROLES_OUT_OF_ORDER,
        DefectCode.NO_ASSISTANT_TURN,
    }


def _text_mends(turns: Sequence[Turn], codes: Sequence[str], special_texts: Sequence[str]) -> Turns:
    """Mend what is wrong with the words themselves."""
    mended = [dict(turn) for turn in turns]
    if DefectCode.MOJIBAKE in codes:
        mended = reread(mended)
    if DefectCode.SPECIAL_TOKEN_IN_TEXT in codes or DefectCode.DOUBLE_BOS in codes:
        mended = strip_texts(mended, special_texts)
    return mended


def reread(turns: Turns) -> Turns:
    """Read misread letters again."""
    return [_said(turn, mend_mojibake(content(turn))) for turn in turns]


def strip_texts(turns: Turns, texts: Sequence[str]) -> Turns:
    """Take texts out of every turn, until none is left: what stood around one may be another."""
    if not texts:
        return turns
    pattern = re.compile("|".join(map(re.escape, texts)))
    return [_said(turn, _without(pattern, content(turn))) for turn in turns]


def drop_empty(turns: Turns) -> Turns:
    """Leave out empty turns, a question with its answer and an answer with its question."""
    kept: Turns = []
    skip_answer = False
    for turn in turns:
        role = turn.get("role")
        if skip_answer and role != "user":
            continue
        skip_answer = False
        if not is_empty(turn):
            kept.append(turn)
        elif role == "user":
            skip_answer = True
        elif role == "assistant" and kept and kept[-1].get("role") == "user":
            kept.pop()
    return kept


def fold_system(turns: Turns) -> Turns:
    """Put what the system turn says in front of the first question."""
    said = "\n\n".join(content(turn).strip() for turn in turns if turn.get("role") == "system")
    others = [turn for turn in turns if turn.get("role") != "system"]
    first = next((turn for turn in others if turn.get("role") == "user"), None)
    if first is None or not said:
        return others
    return [_said(turn, f"{said}\n\n{content(turn)}") if turn is first else turn for turn in others]


def reorder(turns: Turns) -> Turns:
    """Put the system turn first and join turns of one speaker; what still does not fit is left out."""
    system = [turn for turn in turns if turn.get("role") == "system"]
    merged: Turns = []
    for turn in (*system, *(turn for turn in turns if turn.get("role") != "system")):
        same = merged and merged[-1].get("role") == turn.get("role") != "tool"
        if same and not (merged[-1].get("tool_calls") or turn.get("tool_calls")):
            merged[-1] = _said(merged[-1], f"{content(merged[-1])}\n\n{content(turn)}")
        else:
            merged.append(turn)
    while (place := misplaced_turn(merged)) is not None:
        del merged[place]
    return merged


def spell_calls(turns: Turns) -> Turns:
    """Write calls of tools into the text of their turn, and what a tool said as the user's words."""
    spelled: Turns = []
    for turn in turns:
        calls = turn.get("tool_calls") or ()
        plain = {key: value for key, value in turn.items() if key in {"role", "content"}}
        written = "\n".join(json.dumps(_call(call), ensure_ascii=False) for call in calls)
        said = "\n".join(part for part in (content(turn), written) if part)
        role = "user" if turn.get("role") == "tool" else turn.get("role")
        if role == "user" and spelled and spelled[-1].get("role") == "user":
            spelled[-1] = _said(spelled[-1], f"{content(spelled[-1])}\n{said}")
        else:
            spelled.append({**plain, "role": role, "content": said})
    return spelled


def _said(turn: Turn, text: str) -> Turn:
    return {**turn, "content": text} if text != content(turn) else turn


def _without(pattern: re.Pattern[str], text: str) -> str:
    while (less := pattern.sub("", text)) != text:
        text = less
    return text


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    known: Mapping[str, Any] = function if isinstance(function, Mapping) else call
    arguments = known.get("arguments")
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError):  # as it was written, then
            arguments = json.loads(arguments)
    return {"name": known.get("name"), "arguments": arguments}
