"""The values of a long JSON list, one after the other, without the whole list in memory.

Owns the parting. Refuses to know what the values mean.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

#: The longest value, in characters.
VALUE_CHARACTERS = 16 << 20

_SPACE = re.compile(r"\s*")


def read_list(chunks: Iterable[bytes]) -> Iterator[Any]:
    """Yield the values of a list that comes in chunks of UTF-8.

    Raises:
        ValueError: it is no list, is cut short, or one of its values cannot be read.
    """
    decode = json.JSONDecoder().raw_decode
    pieces = _decoded(chunks)
    text = _space_off(next(pieces, ""), 0)
    place = 1  # after the bracket
    while True:
        try:
            place = _after_space(text, place)
            if text[place : place + 1] == "]":
                return
            value, end = decode(text, place)
            end = _after_space(text, end)
            mark = text[end]  # a number may go on in the next chunk, so its end has to be seen
        except (json.JSONDecodeError, IndexError) as error:
            text, place = text[place:], 0
            more = next(pieces, "")
            if not more or len(text) > VALUE_CHARACTERS:
                raise ValueError(f"the list is damaged or cut short ({error})") from error
            text += more
            continue
        except RecursionError as error:
            raise ValueError("it is nested too deep") from error
        except ValueError as error:  # Python reads no number of more than some thousand digits
            raise ValueError("it holds a number that is too long") from error
        if mark not in ",]":
            raise ValueError("the list is damaged")
        yield value
        if mark == "]":
            return
        place = end + 1


def _decoded(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _space_off(text: str, place: int) -> str:
    return text[_after_space(text, place) :]


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place
