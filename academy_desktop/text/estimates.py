"""A forecast in words: whether a run fits, what it takes, and what would fit instead.

Owns the English originals, marked for translation. Refuses to know how a forecast is made and where it is
shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_

#: Item of the memory → what it is called, and what it is in a few words.
TERMS: Final = {
    "program": (N_("The trainer itself"), N_("Python, PyTorch and libraries")),
    "weights": (N_("Weights of the model"), N_("as they are kept while training")),
    "adapter": (N_("Adapter"), N_("what is learned")),
    "gradients": (N_("Gradients"), N_("one per number of the adapter")),
    "optimizer": (N_("Optimizer"), N_("two more per number of the adapter")),
    "activations": (N_("Activations"), N_("grow with batch size and length of the rows")),
    "logits": (N_("Logits"), N_("one per learned token and word of the vocabulary")),
    "reserve": (N_("Held in reserve"), N_("by the system’s allocator, between batches")),
    "loading": (N_("While loading"), N_("more than training takes, for a moment")),
}

#: Item of the disk → what it is called.
DISK_TERMS: Final = {
    "checkpoints": N_("Checkpoints"),
    "adapter": N_("Adapter"),
    "export": N_("One merged export in 16 bit"),
}

#: Field of a recipe → how a change to it is offered.
CHANGES: Final = {
    "training.batch_size": N_("batch size {value}"),
    "training.gradient_accumulation_steps": N_("{value} batches per step"),
    "training.max_seq_length": N_("rows of at most {value} tokens"),
    "hardware.quantization": N_("weights in 4 bit ({value})"),
}


#: Items below this are not worth a line.
LEAST_SHOWN_BYTES = 512 * 1024


class SpanFacts(Protocol):
    """From the least to the most that is likely."""

    @property
    def low(self) -> float:
        """The least."""
        ...

    @property
    def high(self) -> float:
        """The most."""
        ...


class ForecastFacts(Protocol):
    """A forecast, as its sentences need it; bytes and seconds."""

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""
        ...

    @property
    def engine(self) -> str:
        """What it is trained with."""
        ...

    @property
    def memory(self) -> object:
        """The items of the memory that decides, an attribute each."""
        ...

    @property
    def memory_bytes(self) -> float:
        """Their sum."""
        ...

    @property
    def memory_range(self) -> SpanFacts:
        """The range of the sum."""
        ...

    @property
    def limit_bytes(self) -> int:
        """What there is of that memory."""
        ...

    @property
    def disk(self) -> Mapping[str, float]:
        """The items on the disk."""
        ...

    @property
    def disk_bytes(self) -> float:
        """Their sum."""
        ...

    @property
    def disk_free_bytes(self) -> int:
        """What there is on the disk."""
        ...

    @property
    def seconds(self) -> float:
        """From the start to the end."""
        ...

    @property
    def seconds_range(self) -> SpanFacts:
        """The range of that."""
        ...

    @property
    def fits_memory(self) -> bool:
        """Whether the memory will do."""
        ...

    @property
    def fits_disk(self) -> bool:
        """Whether the disk will do."""
        ...

    @property
    def is_tight(self) -> bool:
        """Whether it fits, but perhaps not."""
        ...

    @property
    def counted(self) -> bool:
        """Whether every row was counted."""
        ...

    @property
    def runs(self) -> int:
        """Runs that the figures have learned from."""
        ...


class EstimateWords:
    """Words for forecasts, in one language."""

    def __init__(self, gettext: Callable[[str], str], formats: Formats) -> None:
        self._gettext = gettext
        self._formats = formats

    def verdict(self, found: ForecastFacts) -> str:
        """Whether it fits: a few words."""
        if not found.fits_memory:
            return self._gettext(N_("This does not fit into the memory"))
        if not found.fits_disk:
            return self._gettext(N_("This does not fit on the disk"))
        if found.is_tight:
            return self._gettext(N_("This fits, but only just"))
        return self._gettext(N_("This fits"))

    def memory(self, found: ForecastFacts) -> str:
        """How much memory, of how much."""
        said = N_("About {size} of memory ({low} to {high}); {limit} are free.")
        if found.device == "cuda":
            said = N_("About {size} on the graphics card ({low} to {high}); {limit} are free there.")
        size = self._formats.size
        return self._say(
            said,
            size=size(found.memory_bytes),
            low=size(found.memory_range.low),
            high=size(found.memory_range.high),
            limit=size(found.limit_bytes),
        )

    def time(self, found: ForecastFacts) -> str:
        """How long."""
        brief = self._formats.duration
        said = N_("About {seconds} ({low} to {high}).")
        return self._say(
            said,
            seconds=brief(found.seconds),
            low=brief(found.seconds_range.low),
            high=brief(found.seconds_range.high),
        )

    def disk(self, found: ForecastFacts) -> str:
        """How much on the disk, of how much."""
        size = self._formats.size
        said = N_("About {size} on the disk, with one export; {free} are free.")
        return self._say(said, size=size(found.disk_bytes), free=size(found.disk_free_bytes))

    def held(self, found: ForecastFacts) -> Sequence[tuple[str, float]]:
        """Each item of the memory and its bytes, the largest first, without what is next to nothing."""
        held: Mapping[str, float] = vars(found.memory)
        ordered = sorted(held, key=lambda name: -held[name])
        return [(name, held[name]) for name in ordered if held[name] >= LEAST_SHOWN_BYTES]

    def items(self, found: ForecastFacts) -> Sequence[tuple[str, str]]:
        """Each item of the memory in words, and its size, the largest first."""
        return [(self.term(name), self.size(value)) for name, value in self.held(found)]

    def size(self, value: float) -> str:
        """An amount of bytes."""
        return self._formats.size(value)

    def term(self, name: str) -> str:
        """What an item of the memory is called."""
        return self._gettext(TERMS[name][0]) if name in TERMS else name

    def meaning(self, name: str) -> str:
        """What an item of the memory is."""
        return self._gettext(TERMS[name][1]) if name in TERMS else ""

    def nearest(self, fields: Sequence[tuple[str, int | str]]) -> str:
        """What would fit: `This would fit: batch size 1, 8 batches per step.`."""
        changes = [
            self._say(CHANGES[path], value=self._value(value)) for path, value in fields if path in CHANGES
        ]
        return self._say(N_("This would fit: {changes}."), changes=", ".join(changes))

    def basis(self, found: ForecastFacts) -> str:
        """What the figures stand on."""
        if found.runs:
            many = N_("Learned from {count} finished runs of this kind on this computer.")
            one = N_("Learned from 1 finished run of this kind on this computer.")
            said = self._say(one if found.runs == 1 else many, count=self._formats.integer(found.runs))
        else:
            said = self._gettext(N_("No run of this kind has finished here yet; each one makes this better."))
        if not found.counted:
            said += " " + self._gettext(N_("The length of the rows is told from a sample."))
        return said

    def _value(self, value: int | str) -> str:
        return self._formats.integer(value) if isinstance(value, int) else value.upper()

    def _say(self, template: str, **facts: str) -> str:
        return self._gettext(template).format(**facts)
