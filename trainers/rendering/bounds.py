"""Bounds on what a chat template may do: turns of its loops, calls, and the sizes of what it makes.

Owns the bounds. A template of a real model stays far below all of them; one that was made to keep a computer
busy, or to fill its memory, is ended by an error. Refuses to know what is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from types import CodeType
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

#: Units that one rendering may spend: a character that is written costs one, a turn of a loop or a call more.
MOST_UNITS = 100_000_000
TURN_UNITS, CALL_UNITS = 200, 2000
#: Longest text or list that a product may make, and largest number that a filter or a method may be given.
MOST_LENGTH = 20_000_000
MOST_NUMBER = 1_000_000
#: A power has no more digits than that, roughly.
MOST_POWER_BITS = 4096
_WIDE = re.compile(r"\d{7,}")

#: What is left to spend; a list of one number, so that nested renderings share it.
_left: ContextVar[list[int] | None] = ContextVar("left", default=None)


@contextmanager
def budget() -> Iterator[None]:
    """Let a rendering spend as much as one may; outside of it nothing is counted."""
    token = _left.set([MOST_UNITS])
    try:
        yield
    finally:
        _left.reset(token)


def spend(units: int) -> None:
    """Count units.

    Raises:
        TemplateRuntimeError: there are none left.
    """
    left = _left.get()
    if left is None:
        return
    left[0] -= units
    if left[0] < 0:
        raise TemplateRuntimeError("the template does more than any conversation needs")


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox, with loops, calls, filters and operators counted."""

    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(finalize=_written, **options)
        self.globals.pop("lipsum", None)
        for name, filter_ in list(self.filters.items()):
            self.filters[name] = bounded(filter_)
        self.filters["_turns"], self.filters["_joined"] = _turns, _joined

    def compile(self, source: Any, *arguments: Any, **options: Any) -> Any:
        """Have every loop and every `~` counted, then compile."""
        tree = self.parse(source) if isinstance(source, str) else source
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "_turns", [], [], None, None, lineno=loop.lineno)
        _count_joins(tree)
        tree.set_environment(self)
        compiled: CodeType | str = super().compile(tree, *arguments, **options)
        return compiled

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse what would be too large; count the rest."""
        match operator:
            case "**":
                _require_small_power(left, right)
            case "*":
                _require_short(left, right)
                _require_short(right, left)
            case "%" if isinstance(left, str) and _WIDE.search(left):
                raise TemplateRuntimeError("a field is too wide")
        made = super().call_binop(context, operator, left, right)
        return _counted(made)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Count calls, of macros and of methods; bound what texts are asked to become."""
        spend(CALL_UNITS)
        # the sandbox wraps the methods that format
        owner = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        if isinstance(owner, str):
            _require_small_numbers(args, kwargs)
            _require_short_text(owner, getattr(__obj, "__name__", ""), args)
        made = super().call(__context, __obj, *args, **kwargs)
        return _counted(made) if isinstance(owner, str) else made


def _written(value: Any) -> Any:
    spend(len(value) if isinstance(value, str) else 1)
    return value


def _counted(value: Any) -> Any:
    if isinstance(value, str | list | tuple):
        spend(len(value))
    return value


def _turns(values: Iterable[Any]) -> Iterable[Any]:
    """Count the turns of a loop; what jinja would refuse to loop over it refuses as it is."""
    try:
        found = iter(values)
    except TypeError:
        return values
    return _counting(found)


def _counting(values: Iterator[Any]) -> Iterator[Any]:
    for value in values:
        spend(TURN_UNITS)
        yield value


def _joined(values: Sequence[Any]) -> str:
    """What `~` does, counted."""
    texts = [str(value) for value in values]
    spend(sum(map(len, texts)))
    return "".join(texts)


def _count_joins(node: nodes.Node) -> None:
    for name, value in node.iter_fields():
        if isinstance(value, nodes.Concat):
            setattr(node, name, _as_filter(value))
        elif isinstance(value, list):
            value[:] = [_as_filter(one) if isinstance(one, nodes.Concat) else one for one in value]
    for child in node.iter_child_nodes():
        _count_joins(child)


def _as_filter(node: nodes.Concat) -> nodes.Filter:
    texts = nodes.List(node.nodes, lineno=node.lineno)
    return nodes.Filter(texts, "_joined", [], [], None, None, lineno=node.lineno)


def bounded(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that counts what it does, and refuses what would be too large."""
    own = 2 if hasattr(filter_, "jinja_pass_arg") else 1  # what comes before is not the template's to choose

    @wraps(filter_)  # what a filter wants to be handed stands in its attributes
    def within(*args: Any, **kwargs: Any) -> Any:
        _require_small_numbers(args[own:], kwargs)
        spend(TURN_UNITS)
        for text in args:
            if isinstance(text, str):
                _require_short_text(text, filter_.__name__.removeprefix("do_").removeprefix("sync_do_"), args)
        if isinstance(args[0], str) and _WIDE.search(args[0]) and filter_.__name__ == "do_format":
            raise TemplateRuntimeError("a field is too wide")
        return _counted(filter_(*args, **kwargs))

    return within


def _require_small_numbers(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    for value in (*args, *kwargs.values()):
        if isinstance(value, int) and abs(value) > MOST_NUMBER:
            raise TemplateRuntimeError("a number is too large")


def _require_short_text(text: str, method: str, args: Sequence[Any]) -> None:
    """Bound what a text grows to where each of its characters, or of another's parts, is replaced by many."""
    if method in {"format", "format_map"} and _WIDE.search(text):
        raise TemplateRuntimeError("a field is too wide")
    if method in {"replace", "join", "indent", "translate", "expandtabs"}:
        longest = max((len(one) for one in args if isinstance(one, str | list | tuple)), default=0)
        widest = max((one for one in args if isinstance(one, int)), default=0)
        if len(text) * max(longest if method in {"replace", "join"} else 0, widest) > MOST_LENGTH * 10:
            raise TemplateRuntimeError("a text is too long")


def _require_short(value: Any, times: Any) -> None:
    if isinstance(value, str | list | tuple) and isinstance(times, int) and len(value) * times > MOST_LENGTH:
        raise TemplateRuntimeError("a text is too long")


def _require_small_power(base: Any, exponent: Any) -> None:
    if (
        isinstance(base, int)
        and isinstance(exponent, int)
        and abs(exponent) * base.bit_length() > MOST_POWER_BITS
    ):
        raise TemplateRuntimeError("a number is too large")
