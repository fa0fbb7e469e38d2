"""The forms of rows in words: their names, their fields, and how sure it is that rows have one.

Owns the English originals, by the values that the core names them with. Refuses to know how a form is told.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.marking import N_

#: Form → its name.
FORM_NAMES: Final = {
    "question_answer": N_("Questions and answers"),
    "alpaca": N_("Instructions"),
    "prompt_completion": N_("Prompts and completions"),
    "messages": N_("Conversations"),
    "sharegpt": N_("Conversations, ShareGPT"),
    "dolly": N_("Instructions, Dolly"),
    "oasst": N_("Trees of messages"),
    "oasst_flat": N_("Messages, one per row"),
    "dialogue": N_("Conversations in one text"),
    "preference": N_("Better and worse answers"),
    "kto": N_("Answers with a verdict"),
    "lesson": N_("Venom lessons"),
    "text": N_("Plain text"),
}

#: Field of a form → what it holds.
FIELD_NAMES: Final = {
    "prompt": N_("Prompt"),
    "chosen": N_("Better answer"),
    "rejected": N_("Worse answer"),
    "system": N_("System text"),
    "completion": N_("Completion"),
    "label": N_("Verdict"),
    "situation": N_("Situation"),
    "action": N_("Action"),
    "result": N_("Result"),
    "feedback": N_("Feedback"),
    "tree": N_("Id of the tree"),
    "id": N_("Id of the message"),
    "parent": N_("Id of the message before"),
    "role": N_("Speaker"),
    "text": N_("Text"),
    "rank": N_("Rank among the answers"),
    "conversations": N_("Turns"),
    "messages": N_("Turns"),
    "tools": N_("Tools"),
    "instruction": N_("Instruction"),
    "input": N_("Input"),
    "output": N_("Answer"),
    "context": N_("Context"),
    "response": N_("Answer"),
    "question": N_("Question"),
    "answer": N_("Answer"),
}

#: From this share of fitting rows on → how sure that is; the surest first.
_SURE: Final = (
    (1.0, N_("certain")),
    (0.9, N_("nearly certain")),
    (0.6, N_("likely")),
    (0.0, N_("unsure")),
)

#: Encoding → its name; the usual one first.
ENCODING_NAMES: Final = {
    "auto": N_("UTF-8, or as its first bytes say"),
    "windows-1252": N_("Western European (Windows-1252)"),
    "iso-8859-1": N_("Western European (ISO 8859-1)"),
    "iso-8859-15": N_("Western European (ISO 8859-15)"),
    "windows-1250": N_("Central European (Windows-1250)"),
    "iso-8859-2": N_("Central European (ISO 8859-2)"),
    "windows-1251": N_("Cyrillic (Windows-1251)"),
    "koi8-r": N_("Cyrillic (KOI8-R)"),
    "shift_jis": N_("Japanese (Shift JIS)"),
    "euc-kr": N_("Korean (EUC-KR)"),
    "gb18030": N_("Chinese (GB 18030)"),
    "big5": N_("Chinese, traditional (Big5)"),
    "utf-16-le": N_("UTF-16, little endian"),
    "utf-16-be": N_("UTF-16, big endian"),
    "utf-8": N_("UTF-8, whatever its first bytes say"),
}


def sureness(confidence: float) -> str:
    """The word for a share of fitting rows, 0 to 1; to be translated."""
    return next(word for least, word in _SURE if confidence >= least)
