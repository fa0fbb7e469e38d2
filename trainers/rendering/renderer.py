"""The renderer of one model: its tokenizer and its chat template, as read from the model's folder."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, islice, starmap
from operator import itemgetter, le
from pathlib import Path

from tokenizers import Tokenizer

from trainers.errors import AcademyError
from trainers.rendering.model_files import read_model_files
from trainers.rendering.spans import Note, Span, TurnFinder
from trainers.rendering.template import ChatTemplate, Message, Tool
from trainers.rendering.words import WordMemory

#: The label of a token that is not trained (torch's `cross_entropy` ignores it).
IGNORED = -100

_PROBE: tuple[Message, ...] = ({"role": "user", "content": "ask"}, {"role": "assistant", "content": "probe"})


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation as a model is trained on it.

    `ids`, `labels` and `offsets` have one entry per token kept; `runs` are the half-open ranges of those that
    are trained. `text` and `spans` are those of the whole conversation even when it was truncated. Offsets
    and spans count characters of `text`.
    """

    text: str
    ids: list[int]
    labels: list[int]
    offsets: list[tuple[int, int]]
    runs: tuple[tuple[int, int], ...]
    spans: tuple[Span, ...]
    truncated: bool
    notes: tuple[Note, ...]

    @property
    def supervised_tokens(self) -> int:
        """Number of tokens that are trained."""
        return sum(end - start for start, end in self.runs)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation up to where the answer begins."""

    text: str
    ids: list[int]


class Renderer:
    """Renders conversations for one tokenizer and one chat template.

    `special_tokens` maps names (`bos_token`, `eos_token`, `pad_token`, …) to texts. `end_ids` are further ids
    that end an answer (`eos_token_id` of generation_config.json). The tokenizer becomes the renderer's own.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        chat_template: str,
        special_tokens: Mapping[str, str],
        *,
        end_ids: Iterable[int] = (),
    ) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._beginning = _beginning(tokenizer)
        # The template writes every special token itself. Without special tokens a post-processor only trims
        # white space off offsets, which would move a token out of its place.
        tokenizer.post_processor = None
        self._tokenizer = tokenizer
        self._words = WordMemory(tokenizer)
        self._template = ChatTemplate(chat_template, special_tokens)
        self._special_tokens = dict(special_tokens)
        self._added = frozenset(tokenizer.get_added_tokens_decoder())
        self._end_ids = frozenset(end_ids) | self._declared_end_ids() | self._probed_end_ids()

    @classmethod
    def load(cls, model_dir: Path) -> Renderer:
        """Read tokenizer, chat template and special tokens from a model's folder (Hugging Face layout).

        Raises:
            AcademyError: `model_without_tokenizer`, `model_without_chat_template`, `model_damaged` or
                `template_failed`.
        """
        files = read_model_files(model_dir)
        return cls(files.tokenizer, files.chat_template, files.special_tokens, end_ids=files.end_ids)

    @property
    def chat_template(self) -> str:
        """The template's text."""
        return self._template.source

    @property
    def special_tokens(self) -> dict[str, str]:
        """Texts of the special tokens by name, as handed to the template."""
        return dict(self._special_tokens)

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens, added ones included."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def eos_token_id(self) -> int | None:
        """Id of the tokenizer's end-of-text token, if it names one."""
        return self._special_id("eos_token")

    @property
    def bos_token_id(self) -> int | None:
        """Id of the tokenizer's begin-of-text token, if it names one."""
        return self._special_id("bos_token")

    @property
    def beginning(self) -> tuple[int, ...]:
        """Ids that the tokenizer puts before a plain text: none, or the begin token."""
        return self._beginning

    @property
    def pad_token_id(self) -> int:
        """Id that fills batches: the pad token, else the end-of-text token, else any token (it is masked)."""
        for known in (self._special_id("pad_token"), self.eos_token_id):
            if known is not None:
                return known
        return min(self._end_ids, default=0)

    @property
    def special_texts(self) -> tuple[str, ...]:
        """Texts that the tokenizer takes for special tokens wherever they stand, the longest first."""
        added = self._tokenizer.get_added_tokens_decoder().values()
        return tuple(sorted({token.content for token in added if token.special}, key=len, reverse=True))

    @property
    def end_of_turn_ids(self) -> frozenset[int]:
        """Ids that end an answer: eos, generation_config.json's, and the one that the template writes."""
        return self._end_ids

    def render(
        self,
        messages: Sequence[Message],
        max_length: int | None = None,
        tools: Sequence[Tool] | None = None,
        asked: int = 0,
    ) -> Rendered:
        """Render, tokenize and label a conversation; ids and labels beyond `max_length` tokens are cut off.

        Of a judged answer the first `asked` turns are its question: what the assistant says there is given,
        and not learned.

        Raises:
            AcademyError: `template_failed`.
        """
        text = self._template.render(messages, tools=tools)
        ids, offsets = self._tokenize(text)
        ends = list(starmap(Span, compress(offsets, map(self._end_ids.__contains__, ids))))
        spans, notes = TurnFinder(self._template, messages, text, ends, tools).find()
        if asked:
            answers = sum(turn["role"] == "assistant" for turn in messages[asked:])
            spans = spans[len(spans) - answers :]
        truncated = max_length is not None and len(ids) > max_length
        if truncated:
            ids, offsets = ids[:max_length], offsets[:max_length]
        runs = _runs(offsets, spans)
        return Rendered(text, ids, _labels(ids, runs), offsets, runs, spans, truncated, notes)

    def text(self, messages: Sequence[Message], tools: Sequence[Tool] | None = None) -> str:
        """Render a conversation and no more.

        Raises:
            AcademyError: `template_failed`.
        """
        return self._template.render(messages, tools=tools)

    def prompt(self, messages: Sequence[Message], tools: Sequence[Tool] | None = None) -> Prompt:
        """Render a conversation so that it ends where the assistant's answer begins.

        Raises:
            AcademyError: `template_failed`.
        """
        text = self._template.render(messages, add_generation_prompt=True, tools=tools)
        return Prompt(text, self._tokenize(text)[0])

    def encode(self, text: str) -> list[int]:
        """Token ids of a text as it stands: nothing is added."""
        return self._tokenize(text)[0]

    def tokens(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """As `encode`, and the range of characters that each token stands for."""
        return self._tokenize(text)

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        """Text of token ids; special tokens are left out unless asked for."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=skip_special)

    def _tokenize(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        return self._words.tokens(text)

    def _special_id(self, name: str) -> int | None:
        token = self._special_tokens.get(name)
        return None if token is None else self._tokenizer.token_to_id(token)

    def _declared_end_ids(self) -> frozenset[int]:
        eos = self.eos_token_id
        return frozenset() if eos is None else frozenset({eos})

    def _probed_end_ids(self) -> frozenset[int]:
        """The added token that the template writes after an answer: many models name another one as eos."""
        try:
            text = self._template.render(_PROBE)
        except AcademyError:
            return frozenset()  # the first real conversation will say why
        answer = text.rfind(_PROBE[-1]["content"])
        for token, (start, _) in zip(*self._tokenize(text), strict=True):
            if start > answer >= 0 and token in self._added:
                return frozenset({token})
        return frozenset()


def _runs(offsets: Sequence[tuple[int, int]], spans: Sequence[Span]) -> tuple[tuple[int, int], ...]:
    """Ranges of tokens that start inside a span. Spans are in order."""
    starts = list(map(itemgetter(0), offsets))
    if all(map(le, starts, islice(starts, 1, None))):
        found = ((bisect_left(starts, span.start), bisect_left(starts, span.end)) for span in spans)
        return tuple((first, end) for first, end in found if first < end)
    return _runs_out_of_order(starts, spans)


def _runs_out_of_order(starts: Sequence[int], spans: Sequence[Span]) -> tuple[tuple[int, int], ...]:
    """As `_runs`, for a tokenizer whose offsets do not grow: each token is looked at by itself."""
    runs: list[tuple[int, int]] = []
    for place, start in enumerate(starts):
        if any(span.start <= start < span.end for span in spans):
            if runs and runs[-1][1] == place:
                runs[-1] = (runs[-1][0], place + 1)
            else:
                runs.append((place, place + 1))
    return tuple(runs)


def _labels(ids: list[int], runs: Sequence[tuple[int, int]]) -> list[int]:
    """Labels: the id of a token in a run, else `IGNORED`."""
    labels = [IGNORED] * len(ids)
    for start, end in runs:
        labels[start:end] = ids[start:end]
    return labels


def _beginning(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Ids that a tokenizer's own post-processor puts before a text."""
    whole, bare = (tokenizer.encode("a", add_special_tokens=special).ids for special in (True, False))
    places = range(len(whole) - len(bare) + 1)
    start = next((place for place in places if whole[place : place + len(bare)] == bare), 0)
    return tuple(whole[:start])
