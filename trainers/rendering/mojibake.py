"""Text that was written as UTF-8 and read as Windows-1252 or Latin-1: `naÃ¯ve`, `itâ€™s`.

Owns finding and mending it. Careful rather than complete: what could be meant as it stands
stays. Refuses to know rows.
"""

from __future__ import annotations

import re

#: Characters that a byte 0x80 to 0xBF becomes under Windows-1252; the five that it has no letter for stay.
_HIGH = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xC0)}
_BYTES = {letter: byte for byte, letter in _HIGH.items()} | {chr(byte): byte for byte in range(0x80, 0x100)}
_TAIL = "[" + re.escape("".join({*_HIGH.values(), *map(chr, range(0x80, 0xC0))})) + "]"

#: A sequence of three or four bytes is never meant; one of two begins with the letters that stand for U+0080
#: to U+00FF, or comes twice in a row (Greek, Cyrillic). After a capital such a pair may end a word: `“MAÇÃ”`.
_PATTERN = re.compile(
    f"[\xf0-\xf4]{_TAIL}{{3}}|[\xe0-\xef]{_TAIL}{{2}}"
    f"|(?:[\xc4-\xdf]{_TAIL}){{2,}}"
    f"|(?<![A-Z\xc0-\xde])[\xc2\xc3]{_TAIL}"
)

#: What stands for a character that could not be read: what it was is lost.
REPLACEMENT = "\ufffd"


def mend_mojibake(text: str) -> str:
    """Return the text with every misread sequence read again; one that is no UTF-8 stays."""
    return text if text.isascii() else _PATTERN.sub(_reread, text)


def has_mojibake(text: str) -> bool:
    """Whether something was misread, or lost."""
    return not text.isascii() and (REPLACEMENT in text or mend_mojibake(text) != text)


def _reread(found: re.Match[str]) -> str:
    try:
        return bytes(_BYTES[letter] for letter in found.group()).decode("utf-8")
    except UnicodeDecodeError:
        return found.group()
