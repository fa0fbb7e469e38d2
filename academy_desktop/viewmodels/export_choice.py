"""Which files can be made of a finished run, what each is good for, and how large it will be.

Owns the list of formats with their number formats, the user's ticks, and the estimate. Refuses to know how
a file is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.models.inspection import inspect
from academy_desktop.core.reader import JobSummary
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.certificate import FORMAT_TITLES
from trainers.errors import AcademyError
from trainers.exporting.base_model import read_header
from trainers.layout import RunDir
from trainers.recipe import ExportFormat, ExportItem, Quant, TrainRecipe
from trainers.recipe_file import read_recipe

#: Format → what it is good for.
FORMATS: Final[dict[ExportFormat, str]] = {
    "gguf": N_("One file with all in it, for llama.cpp, Ollama, LM Studio and Venom."),
    "merged": N_("A folder with the base model and what it learned, for transformers and vLLM."),
    "adapter": N_("Only what was learned, as PEFT keeps it. Small; needs the base model beside it."),
    "lora-gguf": N_("Only what was learned, for llama.cpp: loaded on top of the base model’s GGUF file."),
}

#: Format → the number formats it can be written in, the usual one first. An adapter keeps its own.
QUANTS: Final[dict[ExportFormat, tuple[Quant, ...]]] = {
    "gguf": ("q8_0", "q6_k", "q5_k_m", "q4_k_m", "f16", "bf16", "f32"),
    "merged": ("f16", "bf16", "f32"),
    "adapter": (),
    "lora-gguf": ("f16", "f32"),
}

#: Number format → what it means for the user.
QUANT_WORDS: Final[dict[str, str]] = {
    "q8_0": N_("8 bit: small, and hardly a difference"),
    "q6_k": N_("6 bit: smaller still, and hardly a difference"),
    "q5_k_m": N_("5 bit: small, and seldom a difference"),
    "q4_k_m": N_("4 bit: smallest, for little memory"),
    "f16": N_("16 bit: as good as exact"),
    "bf16": N_("16 bit, for newer graphics cards"),
    "f32": N_("32 bit: exact, and large"),
}

#: Bytes of one weight. Q8_0 keeps 32 weights of a byte each with a scale of two bytes; the mixtures keep some
#: matrices in six bits (Q6_K: 256 weights in 210 bytes), about one in six of those of a usual model.
WEIGHT_BYTES: Final[dict[str, float]] = {
    "f32": 4.0,
    "f16": 2.0,
    "bf16": 2.0,
    "q8_0": 34 / 32,
    "q6_k": 210 / 256,
    "q5_k_m": (5 * 176 + 210) / 6 / 256,
    "q4_k_m": (5 * 144 + 210) / 6 / 256,
}

#: What weighing by an importance matrix means for the user.
WEIGHING: Final = N_(
    "Formats with a K are rounded most carefully where your rows use the model most. Takes longer."
)

#: Ticked when nobody chose anything yet.
FIRST_CHOICE: Final = ExportItem(format="gguf", quant="q8_0")


@dataclass(frozen=True)
class Measures:
    """What sizes follow from: weights of the base model and of the adapter, and the adapter's own bytes.

    None where it could not be found out.
    """

    parameters: int | None = None
    adapter_parameters: int | None = None
    adapter_bytes: int | None = None


@dataclass(frozen=True)
class QuantChoice:
    """One number format of a format, with its tick."""

    item: ExportItem
    title: str
    words: str
    size: str
    ticked: bool


@dataclass(frozen=True)
class WeighChoice:
    """Whether K-quants are weighed by the training rows, with its tick; `offered` when one is wanted."""

    title: str
    words: str
    ticked: bool
    offered: bool


@dataclass(frozen=True)
class FormatChoice:
    """One format; `choices` are its number formats, a single one without a title for an adapter.

    `weighing` is None where rounding cannot be weighed.
    """

    format: ExportFormat
    title: str
    words: str
    choices: tuple[QuantChoice, ...]
    weighing: WeighChoice | None = None

    @property
    def ticked(self) -> bool:
        """Whether anything of this format is wanted."""
        return any(choice.ticked for choice in self.choices)


def measure(job: JobSummary) -> Measures:
    """Look at a run's base model and adapter; reads headers only, blocks, belongs into a thread."""
    run = RunDir(Path(job.run_dir))
    weights = run.adapter / "adapter_model.safetensors"
    parameters: int | None = None
    try:
        recipe = read_recipe(run.recipe)
        if isinstance(recipe, TrainRecipe):
            path = Path(recipe.model.path)
            parameters = inspect(path, recipe.model.id, path.name, "folder").parameters or None
    except AcademyError:
        pass  # the base model was moved: the export will say so; sizes stay unknown
    try:
        header = read_header(weights)
        size_bytes = weights.stat().st_size
    except (AcademyError, OSError):
        return Measures(parameters)
    return Measures(parameters, sum(_count(entry["shape"]) for entry in header.values()), size_bytes)


def _count(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def expected_bytes(item: ExportItem, measures: Measures) -> int | None:
    """About how large an export will be, or None when nobody knows."""
    match item.format:
        case "adapter":
            return measures.adapter_bytes
        case "lora-gguf":
            weights = measures.adapter_parameters
        case _:
            weights = measures.parameters
    return None if weights is None else round(weights * WEIGHT_BYTES[item.quant])


class ExportChoice(QObject):
    """The ticks; `changed()` after one did or the measures became known."""

    changed = Signal()

    def __init__(
        self, formats: Formats, translate: Callable[[str], str], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._formats = formats
        self._gettext = translate
        self._ticked = {FIRST_CHOICE}
        self._weighed = False
        self._measures = Measures()

    @property
    def items(self) -> tuple[ExportItem, ...]:
        """What is wanted, in the order of the page."""
        wanted = (item for form in FORMATS for item in items_of(form) if item in self._ticked)
        weighed = {"importance": True} if self._weighed else {}
        return tuple(item.model_copy(update=weighed if item.can_weigh else {}) for item in wanted)

    @property
    def formats(self) -> tuple[FormatChoice, ...]:
        """All that could be wanted."""
        return tuple(self._format(form) for form in FORMATS)

    @property
    def summary(self) -> str:
        """How many files that makes, and how much disk they need together."""
        items = self.items
        if not items:
            return self._gettext(N_("Tick at least one format."))
        sizes = [expected_bytes(item, self._measures) for item in items]
        known = [size for size in sizes if size is not None]
        said = N_("1 export") if len(items) == 1 else N_("{count} exports")
        count = self._gettext(said).format(count=self._formats.integer(len(items)))
        if len(known) < len(sizes):
            return count
        return f"{count}, {self._about(sum(known))}"

    def tick(self, item: ExportItem, wanted: bool) -> None:
        """Want an export, or no longer."""
        if wanted != (item in self._ticked):
            self._ticked ^= {item}
            self.changed.emit()

    def tick_format(self, form: ExportFormat, wanted: bool) -> None:
        """Want a format in its usual number format, or nothing of it any longer."""
        items = items_of(form)
        ticked = {item for item in items if item in self._ticked}
        if wanted and not ticked:
            self.tick(items[0], True)
        elif not wanted and ticked:
            self._ticked -= ticked
            self.changed.emit()

    def weigh(self, wanted: bool) -> None:
        """Want K-quants to be weighed by the training rows, or no longer."""
        if wanted != self._weighed:
            self._weighed = wanted
            self.changed.emit()

    def take(self, measures: Measures) -> None:
        """Take what sizes follow from."""
        if measures != self._measures:
            self._measures = measures
            self.changed.emit()

    def _format(self, form: ExportFormat) -> FormatChoice:
        choices = tuple(self._quant(item, bool(QUANTS[form])) for item in items_of(form))
        titles = self._gettext(FORMAT_TITLES[form]), self._gettext(FORMATS[form])
        return FormatChoice(form, *titles, choices, self._weighing(form))

    def _weighing(self, form: ExportFormat) -> WeighChoice | None:
        known = [item for item in items_of(form) if item.can_weigh]
        if not known:
            return None
        title = ExportItem.model_fields["importance"].title or ""
        offered = any(item in self._ticked for item in known)
        return WeighChoice(self._gettext(title), self._gettext(WEIGHING), self._weighed, offered)

    def _quant(self, item: ExportItem, named: bool) -> QuantChoice:
        size = expected_bytes(item, self._measures)
        return QuantChoice(
            item,
            item.quant.upper() if named else "",
            self._gettext(QUANT_WORDS[item.quant]) if named else "",
            "" if size is None else self._about(size),
            item in self._ticked,
        )

    def _about(self, size_bytes: int) -> str:
        return self._gettext(N_("about {size}")).format(size=self._formats.size(size_bytes))


def items_of(form: ExportFormat) -> tuple[ExportItem, ...]:
    """Every export of a format, the usual one first."""
    return tuple(ExportItem(format=form, quant=quant) for quant in QUANTS[form] or ("f16",))
