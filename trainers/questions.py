"""What a model is asked at every evaluation: the questions of a recipe, or those of its dataset's rows.

Owns the choice and the way to token ids. Refuses to know who answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from trainers.errors import AcademyError
from trainers.general import GENERAL
from trainers.recipe import Samples, TrainRecipe
from trainers.rendering import Message, Renderer
from trainers.rows import Example, read_rows

#: Asked when somebody wants answers of a run whose recipe asks nothing.
_USUAL = Samples().count
#: Of a plain text, as many tokens are given and the rest is the model's.
TEXT_TOKENS = 24
#: Shorter questions are taken first, of so many rows: reading a long one takes time and memory each time.
SHORT_TOKENS, LOOKED_AT = 256, 200


@dataclass(frozen=True)
class Question:
    """One question: what a person reads of it, what the model reads, and what the dataset answers."""

    text: str
    ids: tuple[int, ...]
    expected: str = ""


def questions_of(recipe: TrainRecipe, renderer: Renderer) -> list[Question]:
    """Return the recipe's questions, or those of the first held-out rows, or else of the first rows.

    What a template cannot render is left out: an answer more is not worth a run.

    Raises:
        AcademyError: `dataset_damaged`.
    """
    room = recipe.training.max_seq_length - recipe.samples.max_new_tokens
    asked = _known(renderer, recipe) if recipe.samples.prompts else _of_rows(renderer, recipe, room)
    return [Question(one.text, one.ids[-room:], one.expected) for one in asked]


def general_examples(recipe: TrainRecipe, renderer: Renderer) -> tuple[Example, ...]:
    """Return everyday questions with their answers; for a model that continues plain texts, as such."""
    return tuple(chain.from_iterable(_general(renderer, *pair, recipe) for pair in GENERAL))


def _of_rows(renderer: Renderer, recipe: TrainRecipe, room: int) -> list[Question]:
    """Return the questions of the first rows that are short; of longer ones where there are not enough."""
    folder = Path(recipe.dataset.path)
    rows = chain.from_iterable(read_rows(folder / f"{part}.jsonl") for part in ("eval", "train"))
    most = recipe.samples.count or _USUAL
    short: list[Question] = []
    longer: list[Question] = []
    for row in islice(rows, LOOKED_AT):
        one = _of_row(renderer, row)
        if one is not None and len(one.ids) <= room:
            (short if len(one.ids) <= SHORT_TOKENS else longer).append(one)
        if len(short) == most:
            break
    return [*short, *longer][:most]


def _known(renderer: Renderer, recipe: TrainRecipe) -> Iterator[Question]:
    for prompt in recipe.samples.prompts:
        if recipe.method == "pretrain":
            yield Question(prompt, _as_text(renderer, prompt))
        elif (ids := _asked(renderer, [{"role": "user", "content": prompt}])) is not None:
            yield Question(prompt, ids)


def _of_row(renderer: Renderer, row: Mapping[str, Any]) -> Question | None:
    if "text" in row:
        return _beginning(renderer, row["text"])
    turns = [*row["messages"], *row.get("chosen", ())]
    while turns and turns[-1]["role"] != "assistant":
        turns.pop()
    if not turns:
        return None
    *before, answer = turns
    ids = _asked(renderer, before, row.get("tools"))
    said = next((turn["content"] for turn in reversed(before) if turn["role"] != "assistant"), "")
    # Of an answer that was judged bad, nobody expects it again.
    expected = "" if row.get("label") is False else answer["content"]
    return None if ids is None else Question(said, ids, expected)


def _beginning(renderer: Renderer, text: str) -> Question | None:
    """The beginning of a text as a question, and what comes next as the answer."""
    ids = renderer.encode(text)
    given = min(TEXT_TOKENS, len(ids) // 2)
    if not given:
        return None
    asked = (*renderer.beginning, *ids[:given])
    return Question(renderer.decode(ids[:given]), asked, renderer.decode(ids[given:]))


def _as_text(renderer: Renderer, text: str) -> tuple[int, ...]:
    """As a text is learned: begun as the tokenizer does."""
    return (*renderer.beginning, *renderer.encode(text))


def _asked(renderer: Renderer, turns: list[Message], tools: Any = None) -> tuple[int, ...] | None:
    try:
        return tuple(renderer.prompt(turns, tools).ids) or None
    except AcademyError:
        return None


def _general(renderer: Renderer, question: str, answer: str, recipe: TrainRecipe) -> Iterator[Example]:
    if recipe.method == "pretrain":
        ids = _as_text(renderer, f"{question}\n{answer}")
        yield Example(ids, ids)
        return
    turns = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    try:
        rendered = renderer.render(turns, recipe.training.max_seq_length)
    except AcademyError:
        return
    example = Example(tuple(rendered.ids), tuple(rendered.labels))
    if example.teaches:
        yield example
