"""That a template which would keep a computer busy ends in an error, and an honest one goes unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from tests.chaos.hostile_words import TEMPLATES
from trainers.errors import AcademyError
from trainers.rendering import render_template

MESSAGES: Sequence[dict[str, Any]] = [
    {"role": "user", "content": "Say a"}, {"role": "assistant", "content": "a"},
]  # fmt: skip

#: What real templates do with loops, joins, filters and numbers.
HONEST: Mapping[str, str] = {
    "loops": "{% for m in messages %}{{ loop.index0 ~ '/' ~ loop.length ~ m['content'] | trim }}"
    "{% if not loop.last %}{{ '-' * 3 }}{% endif %}{% endfor %}",
    "a namespace": "{% set ns = namespace(n=0) %}"
    "{% for m in messages[::-1] %}{% set ns.n = ns.n + 2 ** 3 %}{% endfor %}{{ ns.n }}",
    "macros": "{% macro show(m) %}[{{ m.role | upper }}]{% endmacro %}"
    "{% for m in messages %}{{ show(m) }}{% endfor %}",
    "filters": "{{ messages | tojson(indent=4) }}"
    "{{ messages | map(attribute='role') | join(', ') }}{{ '%s!' % 'a' }}{{ 1700000000 | string }}",
    "conditions": "{% for m in messages if m.role == 'user' %}{{ loop.revindex }}{% else %}none{% endfor %}"
    "{{ 7 % 2 }}",
    "items": "{% for k, v in messages[0].items() %}"
    "{{ k }}={{ v.replace('a', 'bb').split(' ') | join('_') }};{% endfor %}",
    "texts": "{{ ('a' ~ 1 ~ none) }}{{ unknown ~ '!' }}{{ 'x' | indent(2, true) }}{{ '{:>4}'.format(7) }}",
}

#: These end in words, and not by a bound.
HARMLESS = {"a date of a megabyte", "zeros", "a thousand ifs", "a thousand brackets"}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_template_writes_what_it_writes_for_others(name: str) -> None:
    template = HONEST[name]
    rendered = render_jinja_template(conversations=[list(MESSAGES)], chat_template=template)
    assert [render_template(template, MESSAGES)] == list(rendered[0])


@pytest.mark.parametrize("name", sorted(TEMPLATES.keys() - HARMLESS))
def test_a_hostile_template_is_ended(name: str) -> None:
    with pytest.raises(AcademyError):
        render_template(TEMPLATES[name], MESSAGES)


def test_a_long_conversation_is_within_the_bounds() -> None:
    long = [{"role": "user", "content": "word " * 2000}] * 2000
    template = "{% for m in messages %}{{ m.role ~ ': ' ~ m.content }}\n{% endfor %}"
    assert len(render_template(template, long)) == 2000 * (10000 + len("user: \n"))
