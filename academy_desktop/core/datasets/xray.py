"""What a model would learn from a dataset: rows as they are rendered, their lengths, and their defects.

Owns the counting. Rendering and masking are those of `trainers.rendering`, which training uses too; needs no
torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from academy_desktop.core.datasets.library import Row
from trainers.errors import AcademyError
from trainers.rendering import Note, Rendered, Renderer

#: Width of a bar of the length histogram, in tokens.
BIN_TOKENS = 64

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Stretch:
    """A range of characters of a rendered row: trained, or only read."""

    start: int
    end: int
    trained: bool


@dataclass(frozen=True)
class Preview:
    """One row as a model sees it."""

    text: str
    stretches: tuple[Stretch, ...]
    tokens: int
    supervised_tokens: int


@dataclass(frozen=True)
class Problem:
    """One defect of one row; `text.audits` has its words."""

    row: int
    code: str
    facts: dict[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True)
class Audit:
    """What rendering all rows of a dataset showed."""

    rows: int
    supervised_tokens: int
    truncated: int
    zero_label: int
    missing_eos: int
    double_bos: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Lengths:
    """Token lengths of rows. `histogram` counts rows by the first token of their bin."""

    count: int
    mean: float
    p50: int
    p95: int
    longest: int
    histogram: dict[int, int]
    supervised_tokens: int


def preview(renderer: Renderer, row: Row) -> Preview:
    """Render one row and part its text into what is trained and what is not.

    Raises:
        AcademyError: `template_failed`.
    """
    rendered = renderer.render(row.messages)
    stretches: list[Stretch] = []
    place = 0
    for span in rendered.spans:
        if span.start > place:
            stretches.append(Stretch(place, span.start, trained=False))
        stretches.append(Stretch(span.start, span.end, trained=True))
        place = span.end
    if place < len(rendered.text):
        stretches.append(Stretch(place, len(rendered.text), trained=False))
    return Preview(rendered.text, tuple(stretches), len(rendered.ids), rendered.supervised_tokens)


def audit(
    renderer: Renderer, rows: Iterable[Row], max_length: int, progress: Progress | None = None
) -> Audit:
    """Render every row, cut at `max_length` tokens, and name each defect."""
    found: Counter[str] = Counter()
    problems: list[Problem] = []
    count = supervised = 0
    for count, row in enumerate(rows, start=1):
        try:
            rendered = renderer.render(row.messages, max_length)
        except AcademyError as error:
            problems.append(Problem(row.id, error.code, {"detail": str(error.facts.get("detail", ""))}))
            continue
        supervised += rendered.supervised_tokens
        defects = _defects(renderer, rendered, max_length)
        found.update(code for code, _ in defects)
        problems += [Problem(row.id, code, facts) for code, facts in defects]
        if progress:
            progress(count)
    return Audit(
        rows=count,
        supervised_tokens=supervised,
        truncated=found["answer_truncated"],
        zero_label=found["nothing_supervised"],
        missing_eos=found[Note.MISSING_END_OF_TURN],
        double_bos=found["double_bos"],
        problems=tuple(problems),
    )


def lengths(renderer: Renderer, rows: Iterable[Row], progress: Progress | None = None) -> Lengths:
    """Count the tokens of every row; a row that the template refuses is left out.

    Raises:
        ValueError: there are no rows.
    """
    tokens: list[int] = []
    supervised = 0
    for count, row in enumerate(rows, start=1):
        try:
            rendered = renderer.render(row.messages)
        except AcademyError:
            continue  # the audit names it
        tokens.append(len(rendered.ids))
        supervised += rendered.supervised_tokens
        if progress:
            progress(count)
    if not tokens:
        raise ValueError("no rows")
    tokens.sort()
    bins = Counter(length // BIN_TOKENS * BIN_TOKENS for length in tokens)
    return Lengths(
        count=len(tokens),
        mean=sum(tokens) / len(tokens),
        p50=_percentile(tokens, 0.50),
        p95=_percentile(tokens, 0.95),
        longest=tokens[-1],
        histogram=dict(sorted(bins.items())),
        supervised_tokens=supervised,
    )


def _defects(
    renderer: Renderer, rendered: Rendered, max_length: int
) -> list[tuple[str, dict[str, str | int]]]:
    defects: list[tuple[str, dict[str, str | int]]] = []
    if rendered.truncated:
        defects.append(("answer_truncated", {"max_length": max_length}))
    if not rendered.supervised_tokens:
        defects.append(("nothing_supervised", {}))
    bos = renderer.bos_token_id
    if bos is not None and rendered.ids[:2] == [bos, bos]:
        defects.append(("double_bos", {}))
    defects += [(note.value, {}) for note in rendered.notes]
    return defects


def _percentile(ordered: list[int], share: float) -> int:
    """Nearest-rank percentile of an ordered list."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
