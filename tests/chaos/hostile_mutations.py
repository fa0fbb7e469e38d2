"""Changes of a good file, drawn at random: bytes of any file, and values of the texts that have a structure.

Owns the changes and the values that are known to break readers. Refuses to know who reads.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Change = Callable[[bytes, random.Random], bytes]

#: A number and a nesting that JSON allows and most code does not expect.
HUGE = "1" + "0" * 400
DEEP = "[" * 3000 + "]" * 3000

#: Texts that stand for a value in JSON.
VALUES = (
    "null", "true", "-1", "0", "1", "2147483648", "9223372036854775808", "18446744073709551616", "-1e999",
    "1e308", "NaN", "Infinity", "1.5", '""', '"\\u0000"', '"\\ud800"', '"\\u00b2"',
    '"../../../outside/precious"', '"/dev/zero"', '"~"', "[]", "{}", "[[]]", '{"v": 1}', '["a"]', HUGE,
    DEEP, '"' + "x" * 100_000 + '"', "[" + "0," * 20_000 + "0]", '"%s%n{0}{{7*7}}"',
    '"\\u202e\\u0007\\u001b[2J"', '"<img src=x><b>"',
)  # fmt: skip
#: And in YAML.
SCALARS = (
    "null", "~", "!!python/object/apply:os.system ['touch {canary}']", "!!python/name:os.system", "&a [*a]",
    "*unknown", "!!binary aGk=", "!!timestamp 2001-01-01", "!!set {a, b}", "0o777", "1_000", "0x1F", ".inf",
    ".nan", "-1", "1e999", HUGE, "[[[[[[[[[[[[]]]]]]]]]]]]", "{a: {b: {c: d}}}", "|\n  text\n  more", "'",
    '"', "@", "`", "%", "\t", "\x00", "\ufeff", "9" * 5000, "[" * 1500, "? a", "<<: *x", "!!float x",
    "!!int 1__2", "!<tag:x> y", "2001-99-99", "12:34:56", "=", "!!omap [a: 1]", "'/dev/zero'",
    "../../outside/precious",
)  # fmt: skip


def flip(content: bytes, chance: random.Random) -> bytes:
    """A few bits are others."""
    changed = bytearray(content or b"\0")
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(content: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return content[: chance.randrange(len(content) + 1)]


def zero(content: bytes, chance: random.Random) -> bytes:
    """A stretch holds nothing, as some disks leave it after a power cut."""
    start, length = chance.randrange(len(content) + 1), chance.randrange(1, 4097)
    return content[:start] + bytes(len(content[start : start + length])) + content[start + length :]


def insert(content: bytes, chance: random.Random) -> bytes:
    """Something stands in between that does not belong there."""
    start = chance.randrange(len(content) + 1)
    return content[:start] + chance.randbytes(chance.randrange(1, 64)) + content[start:]


def repeat(content: bytes, chance: random.Random) -> bytes:
    """A stretch is there many times."""
    start = chance.randrange(len(content) + 1)
    stretch = content[start : start + chance.randrange(1, 256)]
    return content[:start] + stretch * chance.choice([2, 10, 500]) + content[start:]


def number(content: bytes, chance: random.Random) -> bytes:
    """A binary number is an extreme one."""
    if len(content) < 16:
        return flip(content, chance)
    size = chance.choice([4, 8])
    start = chance.randrange(min(len(content) - size, 4096))
    extreme = chance.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, 10**9])
    return (
        content[:start]
        + (extreme & ((1 << (8 * size)) - 1)).to_bytes(size, "little")
        + content[start + size :]
    )


BYTES: Sequence[Change] = (flip, cut, zero, insert, repeat, number)


def json_value(content: bytes, chance: random.Random) -> bytes:
    """A value of a JSON text is one that nobody expects, or its key is gone, or there twice."""
    try:
        document = json.loads(content)
    except ValueError:
        return flip(content, chance)
    places = list(_places(document))
    if not places:
        return chance.choice(VALUES).encode()
    parent, key = chance.choice(places)
    mark = "\x01mark\x01"
    kind = chance.random()
    if kind < 0.15:
        del parent[key]
    elif kind < 0.25 and isinstance(parent, dict):
        parent[f"{key}x"] = parent.pop(key)
    else:
        parent[key] = mark
    text: str = json.dumps(document).replace(json.dumps(mark), chance.choice(VALUES))
    return text.encode()


def json_line(content: bytes, chance: random.Random) -> bytes:
    """As `json_value`, in one of many lines; or the lines are in another order."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return chance.choice(VALUES).encode() + b"\n"
    if chance.random() < 0.1:
        chance.shuffle(lines)
        return b"".join(lines)
    place = chance.randrange(len(lines))
    lines[place] = json_value(lines[place], chance) + b"\n"
    return b"".join(lines)


def yaml_scalar(content: bytes, chance: random.Random) -> bytes:
    """A value of a YAML text is one that nobody expects."""
    lines = content.decode("utf-8", "replace").splitlines()
    place = chance.randrange(len(lines))
    key, colon, _ = lines[place].partition(":")
    value = chance.choice(SCALARS)
    lines[place] = f"{key}{colon or ':'} {value}" if chance.random() < 0.8 else value
    return "\n".join(lines).encode("utf-8", "surrogatepass") + b"\n"


def change_for(name: str, chance: random.Random) -> Change:
    """Draw a change that makes sense for a file of this name."""
    structured: dict[str, Change] = {".json": json_value, ".jsonl": json_line, ".yaml": yaml_scalar}
    suffix = name[name.rfind(".") :] if "." in name else ""
    if suffix in structured and chance.random() < 0.7:
        return structured[suffix]
    return chance.choice(BYTES)


def _places(document: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    pending = [document]
    while pending:
        one = pending.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            found.append((one, key))
            pending.append(one[key])
    return found
