"""The numbers of a job that is no training: files made, proofs passed, answers right.

Owns what such a job has brought so far. Refuses to know widgets and files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from academy_desktop.text.formats import MISSING, Formats
from academy_desktop.text.marking import N_
from trainers.events import Answered, AnyEvent, Certified, Exported


@dataclass(frozen=True)
class Figure:
    """One number that matters, in words: `Loss`, `0.412`, `held-out 0.455`; each as short as it can be."""

    label: str
    value: str
    hint: str = ""


@dataclass
class Results:
    """The results of an export, a certificate or an evaluation, each by what it is about."""

    exported: dict[str, Exported] = field(default_factory=dict)
    certified: dict[str, Certified] = field(default_factory=dict)
    answered: dict[str, Answered] = field(default_factory=dict)

    def fold_all(self, events: Iterable[AnyEvent]) -> None:
        """Take new events; what a later attempt says of the same thing counts."""
        for event in events:
            match event.payload:
                case Exported() as one:
                    self.exported[one.path] = one
                case Certified() as one:
                    self.certified[one.path] = one
                case Answered() as one:
                    self.answered[one.target] = one
                case _:
                    pass

    def figures(self, kind: str, formats: Formats, translate: Callable[[str], str]) -> tuple[Figure, ...]:
        """What this kind of job has to show."""
        match kind:
            case "export":
                return self._export(formats, translate)
            case "certify":
                return self._certify(formats, translate)
            case "evaluate":
                return self._evaluate(formats, translate)
        return ()

    def _export(self, formats: Formats, translate: Callable[[str], str]) -> tuple[Figure, ...]:
        done = list(self.exported.values())
        size = sum(one.size_bytes for one in done) if done else None
        peak = max((one.peak_rss_bytes for one in done), default=0)
        newest = f"{done[-1].format} {done[-1].quant}".strip() if done else ""
        return (
            Figure(translate(N_("Files")), formats.integer(len(done)) if done else MISSING, newest),
            Figure(translate(N_("Size")), formats.size(size)),
            Figure(translate(N_("Memory")), formats.size(peak or None), translate(N_("at most"))),
        )

    def _certify(self, formats: Formats, translate: Callable[[str], str]) -> tuple[Figure, ...]:
        done = list(self.certified.values())
        passed = sum(one.passed for one in done)
        value = f"{formats.integer(passed)} / {formats.integer(len(done))}" if done else MISSING
        return (Figure(translate(N_("Proofs passed")), value),)

    def _evaluate(self, formats: Formats, translate: Callable[[str], str]) -> tuple[Figure, ...]:
        names = {"base": translate(N_("Before")), "tuned": translate(N_("After"))}
        hint = translate(N_("right, of {rows} rows"))
        if not self.answered:
            return (Figure(translate(N_("Right answers")), MISSING),)
        return tuple(
            Figure(
                names.get(one.target, one.target),
                formats.percent(one.exact_match),
                hint.format(rows=formats.integer(one.rows)),
            )
            for one in self.answered.values()
        )
