"""The shape of an error's words: title, sentence with the facts, next step.

Owns that shape. Refuses to know any error: the modules beside this one do, one for each part of the product.
"""

from __future__ import annotations

from typing import NamedTuple


class ErrorText(NamedTuple):
    """The three texts of one error code, as templates."""

    title: str
    sentence: str
    next_step: str
