"""A model's chat template: jinja2 in the sandbox that the template was written for.

The environment equals that of transformers' `apply_chat_template` (block trimming, loop controls, `tojson`,
`raise_exception`, `strftime_now`, the `generation` tag), so that both write the same text. Refuses to know
tokens.

A template is a stranger's program: the sandbox keeps it from the computer, `bounds` sees to it that it ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import Environment, nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser

from trainers.errors import AcademyError, ErrorCode
from trainers.rendering.bounds import BoundedEnvironment, bounded, budget

#: `role` and `content`, and for tools `tool_calls`, `name` and `tool_call_id`.
Message = Mapping[str, Any]
Tool = Mapping[str, Any]

#: Of the date that a template asks for, in characters.
_LONGEST_FORM = 1000


class ChatTemplate:
    """A compiled chat template and the special tokens that it may name (`bos_token`, `eos_token`, …)."""

    def __init__(self, source: str, special_tokens: Mapping[str, str] | None = None) -> None:
        self.source = source
        self._special_tokens = dict(special_tokens or {})
        try:
            self._compiled = _environment().from_string(source)
        except (TemplateError, RecursionError, MemoryError, SyntaxError, ValueError) as error:
            raise AcademyError(ErrorCode.TEMPLATE_FAILED, detail=str(error)) from error

    def render(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool = False,
        tools: Sequence[Tool] | None = None,
    ) -> str:
        """Return the conversation's text; with `add_generation_prompt` it ends where an answer would begin.

        `tools` are the functions that the model may call, as JSON schemas.

        Raises:
            AcademyError: `template_failed` with the template's own words, whatever it raised.
        """
        try:
            with budget():
                return self._compiled.render(
                    messages=[dict(message) for message in messages],
                    tools=[dict(tool) for tool in tools] if tools else None,
                    documents=None,
                    add_generation_prompt=add_generation_prompt,
                    **self._special_tokens,
                )
        except Exception as error:  # a template is a stranger's program: it may raise anything
            detail = str(error) or type(error).__name__
            raise AcademyError(ErrorCode.TEMPLATE_FAILED, detail=detail) from error


def render_template(
    source: str,
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool = False,
    special_tokens: Mapping[str, str] | None = None,
) -> str:
    """Render `messages` by the text of a template, such as the one embedded in a GGUF file.

    Raises:
        AcademyError: `template_failed`.
    """
    template = ChatTemplate(source, special_tokens)
    return template.render(messages, add_generation_prompt=add_generation_prompt)


class _GenerationTag(Extension):
    """`{% generation %}…{% endgeneration %}`: marks answers for others; the text goes through unchanged."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        """Turn the block into a call, so that it has a scope of its own as under transformers."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_unchanged"), [], [], body).set_lineno(line)

    def _unchanged(self, caller: Callable[[], str]) -> str:
        return caller()


def _environment() -> BoundedEnvironment:
    environment = BoundedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, loopcontrols]
    )
    environment.filters["tojson"] = bounded(_tojson)
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _tojson(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # jinja2's own filter escapes HTML characters, which would end up in the prompt.
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> str:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form[:_LONGEST_FORM])
