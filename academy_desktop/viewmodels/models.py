"""The Models page: which base models there are, whether they can be trained, and the way to the demo model.

Owns the list, the selection and the one fetch that may be in progress. Refuses to know widgets and how a
model is judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.models import Model
from academy_desktop.core.tasks import Progress
from academy_desktop.text.formats import MISSING, Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description, Messages
from academy_desktop.viewmodels.background import as_academy, in_thread
from academy_desktop.viewmodels.figures import Figure
from academy_desktop.viewmodels.records import Record, Records, Tone
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError, Fact

SOURCE_WORDS = {
    "app": N_("Made here"),
    "folder": N_("Added folder"),
    "huggingface": N_("Hugging Face cache"),
}

#: What the demo model's fetch says it does → words.
FETCH_WORDS = {
    "downloading": N_("Downloading about 100 MB …"),
    "unpacking": N_("Unpacking …"),
    "checking": N_("Checking the file …"),
    "reading weights": N_("Reading the weights …"),
    "reading tokenizer": N_("Reading the tokenizer …"),
    "writing": N_("Writing the model …"),
    "done": N_("Done."),
}


class ModelSource(Protocol):
    """The base models of this computer; every call may block and belongs into a thread."""

    def list(self) -> Sequence[Model]:
        """Every model found."""
        ...

    def add(self, path: Path) -> Model:
        """Remember a folder elsewhere."""
        ...


class DemoSource(Protocol):
    """The way to the demo model; every call may block and belongs into a thread."""

    @property
    def is_here(self) -> bool:
        """Whether the model is ready."""
        ...

    def fetch(self, progress: Progress) -> Model:
        """Make the model ready; `progress` gets steps done, steps in all, and what is done now."""
        ...


class _GivenUpError(Exception):
    """Raised out of the progress of a fetch that the user cancelled; the fetch clears up after itself."""


class BaseModels(QObject):
    """Signals: `changed()`, `told(Description)` for what went wrong."""

    changed = Signal()
    told = Signal(object)

    def __init__(
        self,
        source: ModelSource,
        demo: DemoSource,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.records = Records(self)
        self._source = source
        self._demo = demo
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._supervisor = supervisor
        self._found: tuple[Model, ...] | None = None
        self._shown = ""
        self._demo_is_here = False
        self._is_adding = False
        self._is_fetching = False
        self._fetched: tuple[int, int, str] = (0, 0, "")
        self._give_up = Event()
        self._due = asyncio.Event()
        self._due.set()

    @property
    def is_known(self) -> bool:
        """Whether the models were looked at yet."""
        return self._found is not None

    @property
    def all(self) -> tuple[Model, ...]:
        """The models, in the order of the list."""
        return self._found or ()

    @property
    def trainable(self) -> tuple[Model, ...]:
        """The models that can be trained."""
        return tuple(model for model in self.all if model.trainable)

    @property
    def shown(self) -> Model | None:
        """The model that is shown."""
        return next((model for model in self.all if model.id == self._shown), None)

    def refresh(self) -> None:
        """Look at the models at the next chance."""
        self._due.set()

    def read(self) -> tuple[Sequence[Model], bool]:
        """Look at the models, and whether the demo's is there; blocks, belongs into a thread."""
        return self._source.list(), self._demo.is_here

    async def follow(self) -> None:
        """Look at the models whenever that is due, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                self.take(*await asyncio.to_thread(self.read))
            except (AcademyError, OSError) as error:
                self._tell(error)

    def take(self, found: Sequence[Model], demo_is_here: bool) -> None:
        """Take the models that were found; those that can be trained come first."""
        self._found = tuple(sorted(found, key=lambda model: not model.trainable))
        self._demo_is_here = demo_is_here
        if self.shown is None:
            self._shown = self._found[0].id if self._found else ""
        self.records.update([self._record(model) for model in self._found])
        self.changed.emit()

    def select(self, model_id: str) -> None:
        """Show this model."""
        if model_id != self._shown:
            self._shown = model_id
            self.changed.emit()

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The numbers of the model that is shown."""
        model = self.shown
        if model is None:
            return ()
        return (
            Figure(self._gettext(N_("Parameters")), self._parameters(model)),
            Figure(self._gettext(N_("Size")), self._formats.size(model.bytes)),
            Figure(self._gettext(N_("Architecture")), _architecture(model) or MISSING),
        )

    @property
    def origin(self) -> str:
        """Where the model that is shown came from."""
        return self._origin(self.shown) if self.shown else ""

    @property
    def verdict(self) -> str:
        """Whether the model that is shown can be trained, in a sentence."""
        model = self.shown
        if model is None:
            return ""
        if model.trainable:
            return self._gettext(N_("Everything is there: you can train this model."))
        return self._why_not(model).sentence

    @property
    def next_step(self) -> str:
        """What can be done about a model that cannot be trained."""
        model = self.shown
        return "" if model is None or model.trainable else self._why_not(model).next_step

    @property
    def badge(self) -> str:
        """The same in a word or two."""
        return self._badge(self.shown) if self.shown else ""

    @property
    def is_adding(self) -> bool:
        """Whether a folder is being looked at."""
        return self._is_adding

    def add(self, folder: str) -> None:
        """Remember a model's folder, and show it."""
        if folder and not self._is_adding:
            self._is_adding = True
            self.changed.emit()
            self._supervisor.start(self._add(Path(folder)), "add model")

    @property
    def offers_demo(self) -> bool:
        """Whether the demo model could be fetched, or is being fetched."""
        return self._is_fetching or (self.is_known and not self._demo_is_here)

    @property
    def is_fetching(self) -> bool:
        """Whether the demo model is on its way."""
        return self._is_fetching

    @property
    def is_cancelling(self) -> bool:
        """Whether the fetch is about to be given up."""
        return self._is_fetching and self._give_up.is_set()

    @property
    def share_fetched(self) -> float:
        """How much of the fetch is done, 0 to 1."""
        done, total, _ = self._fetched
        return min(done / total, 1.0) if total else 0.0

    @property
    def fetch_progress(self) -> str:
        """What the fetch does now."""
        if self.is_cancelling:
            return self._gettext(N_("Cancelling, once this step is over …"))
        _, _, detail = self._fetched
        return self._gettext(FETCH_WORDS[detail]) if detail in FETCH_WORDS else detail

    def fetch_demo(self) -> None:
        """Make the demo model ready, and show it."""
        if not self._is_fetching:
            self._is_fetching = True
            self._fetched = (0, 0, "downloading")
            self._give_up = Event()
            self.changed.emit()
            self._supervisor.start(self._fetch(), "demo model")

    def cancel_fetch(self) -> None:
        """Give the fetch up: nothing of it is kept."""
        if self._is_fetching:
            self._give_up.set()
            self.changed.emit()

    async def _add(self, folder: Path) -> None:
        try:
            self._shown = (await asyncio.to_thread(self._source.add, folder)).id
        except (AcademyError, OSError) as error:
            self._tell(error)
        finally:
            self._is_adding = False
            self.refresh()
            self.changed.emit()

    async def _fetch(self) -> None:
        try:
            model = await in_thread(lambda: self._demo.fetch(self._note), self._give_up, self.changed.emit)
        except _GivenUpError:
            pass  # the offer is there again, as it was
        except (AcademyError, OSError) as error:
            self._tell(error)
        else:
            self._shown = model.id
            self._demo_is_here = True
        finally:
            self._is_fetching = False
            self.refresh()
            self.changed.emit()

    def _note(self, done: int, total: int, detail: str) -> None:
        """Called in the thread: one assignment, which the next look sees."""
        if self._give_up.is_set():
            raise _GivenUpError
        self._fetched = (done, total, detail)

    def _tell(self, error: AcademyError | OSError) -> None:
        known = as_academy(error)
        self.told.emit(self._messages.describe(known.code, known.facts))

    def _record(self, model: Model) -> Record:
        facts = (self._parameters(model), self._formats.size(model.bytes), self._origin(model))
        subtitle = " · ".join(fact for fact in facts if fact != MISSING)
        tone: Tone = "success" if model.trainable else "neutral"
        return Record(model.id, model.name, subtitle, badge=self._badge(model), tone=tone)

    def _badge(self, model: Model) -> str:
        return self._gettext(N_("Can be trained") if model.trainable else N_("Not trainable"))

    def _origin(self, model: Model) -> str:
        return self._gettext(SOURCE_WORDS[model.source]) if model.source in SOURCE_WORDS else model.source

    def _parameters(self, model: Model) -> str:
        """`135 M`, `1.7 B`: as models are named."""
        count = model.parameters
        if not count:
            return MISSING
        if count >= 10**9:
            return f"{self._formats.decimal(count / 1e9, 1)} B"
        if count >= 10**6:
            return f"{self._formats.decimal(count / 1e6, 0)} M"
        return self._formats.integer(count)

    def _why_not(self, model: Model) -> Description:
        facts: dict[str, Fact] = {"path": model.path, "architecture": model.architecture}
        return self._messages.describe(model.reason, facts)


def _architecture(model: Model) -> str:
    """`Llama` for `LlamaForCausalLM`."""
    return "GGUF" if model.architecture == "gguf" else model.architecture.removesuffix("ForCausalLM")
