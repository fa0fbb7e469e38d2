"""Fills facts into sentences without ever failing.

A template names facts in braces and puts what may be missing into brackets: `The file[ {path}] is empty.`
A bracket is dropped whole when one of its facts is missing, or gives way to what stands after a bar:
`[{count} rows|Some rows]`.
Owns this small syntax. Refuses to know languages and codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Stands for a fact that a sentence cannot do without and did not get.
UNKNOWN = "?"

_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_FIELD = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


def fields(template: str) -> frozenset[str]:
    """The names of the facts that a template mentions."""
    return frozenset(_FIELD.findall(template))


def fill(template: str, facts: Mapping[str, str]) -> str:
    """Return the template with its facts in place; `facts` are already words.

    What a fact contains (braces, brackets) is never read as part of the template.
    """
    pieces: list[str] = []
    start = 0
    for optional in _OPTIONAL.finditer(template):
        pieces.append(_insert(template[start : optional.start()], facts))
        full, _, otherwise = optional[1].partition("|")
        pieces.append(_insert(full if fields(full) <= facts.keys() else otherwise, facts))
        start = optional.end()
    pieces.append(_insert(template[start:], facts))
    return "".join(pieces)


def _insert(piece: str, facts: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda field: facts.get(field[1], UNKNOWN), piece)
