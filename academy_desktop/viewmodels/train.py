"""The Train page: what is trained on which rows, with which values, and whether it can begin.

Owns the choices and the way from them to a queued job. Refuses to know widgets and how a job is run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.recipe_yaml import dump_recipe
from academy_desktop.core.recipes import METHODS
from academy_desktop.text.formats import Formats
from academy_desktop.text.guide import GuideWords
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.recipe_fields import NAME, Value
from academy_desktop.viewmodels.recipe_form import Choice, RecipeForm, preset_choices
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.train_advice import Advice
from academy_desktop.viewmodels.train_sources import DatasetFacts, ModelFacts, Presets, Sources, Stock, look
from academy_desktop.viewmodels.train_values import Filling
from academy_desktop.viewmodels.train_words import Doing, TrainWords
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import write_atomically
from trainers.recipe import Method, TrainRecipe

#: What the page is: nothing is known yet, something is missing, or there is a form.
State = Literal["reading", "no_dataset", "no_model", "ready"]


class Train(QObject):
    """Signals: `changed()` for anything shown, `started(job id)`, `told(Description)` for what went wrong."""

    changed = Signal()
    started = Signal(str)
    told = Signal(object)

    def __init__(
        self,
        sources: Sources,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        usual_preset: Callable[[], str] = lambda: "balanced",
        parent: QObject | None = None,
    ) -> None:
        """`usual_preset`: what is filled in where nothing was trained yet."""
        super().__init__(parent)
        self._sources = sources
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._supervisor = supervisor
        self._usual_preset = usual_preset
        self._words, self._guide = TrainWords(translate, formats), GuideWords(translate, formats)
        self.form = RecipeForm(messages, formats, translate)
        self.advice = Advice(self, sources.recipes, self._guide, messages, translate, self)
        self.advice.changed.connect(self.changed)
        self.changed.connect(self.advice.look)
        self._stock: Stock | None = None
        self._brought: tuple[ModelFacts, ...] = ()
        self._due = asyncio.Event()
        self._due.set()
        self._doing: Doing = ""
        self._dataset = ""
        self._model = ""
        self._filling = Filling(self.form)
        self._source = ""
        self._file_problems: tuple[str, ...] = ()

    # what is shown

    @property
    def state(self) -> State:
        """What the page is now."""
        if self._stock is None:
            return "reading"
        if not self._stock.datasets:
            return "no_dataset"
        return "ready" if self._stock.models else "no_model"

    @property
    def doing(self) -> Doing:
        """What is on its way."""
        return self._doing

    @property
    def datasets(self) -> tuple[Choice, ...]:
        """The datasets, the newest first."""
        found = self._stock.datasets if self._stock else ()
        return tuple(Choice(one.id, one.name, self._words.rows(one.train_rows)) for one in reversed(found))

    @property
    def models(self) -> tuple[Choice, ...]:
        """The models that can be trained."""
        found = self._stock.models if self._stock else ()
        return tuple(Choice(one.id, one.name, self._formats.size(one.bytes)) for one in found)

    @property
    def presets(self) -> tuple[Choice, ...]:
        """The presets, the quickest first."""
        return preset_choices(tuple(self._presets), self._gettext)

    @property
    def methods(self) -> tuple[Choice, ...]:
        """What can be learned from the rows of the dataset that is chosen."""
        chosen = self._chosen_dataset
        fitting = METHODS[chosen.kind] if chosen else ()
        return tuple(Choice(method, *self._guide.method(method)) for method in fitting)

    @property
    def method(self) -> str:
        """What is learned."""
        return self.form.method

    @property
    def dataset(self) -> str:
        """The id of the dataset that is chosen."""
        return self._dataset

    @property
    def model(self) -> str:
        """The id of the model that is chosen."""
        return self._model

    @property
    def preset(self) -> str:
        """The preset that the values were filled in from, or nothing."""
        return self._filling.preset

    @property
    def default_name(self) -> str:
        """What the run is called when nobody names it."""
        chosen = self._chosen_dataset
        return chosen.name if chosen else ""

    @property
    def source(self) -> str:
        """Where the values in the form came from: a sentence, or nothing."""
        return self._source

    @property
    def file_problems(self) -> tuple[str, ...]:
        """What is wrong in the recipe file that was to be opened."""
        return self._file_problems

    @property
    def summary(self) -> str:
        """What will happen: rows, epochs, steps."""
        chosen, recipe = self._chosen_dataset, self.form.filled()
        if chosen is None or recipe is None:
            return ""
        return self._words.summary(chosen, recipe)

    @property
    def draft(self) -> TrainRecipe | None:
        """The recipe that the form shows, with its dataset by id alone; None while something is wrong."""
        recipe, model = self.form.filled(), self._chosen_model
        if self.state != "ready" or recipe is None or model is None or self._chosen_dataset is None:
            return None
        return self._about(recipe, model)

    @property
    def basis(self) -> TrainRecipe | None:
        """What was filled in, with model and dataset; None while there is none."""
        recipe, model = self._filling.basis, self._chosen_model
        if recipe is None or model is None or self._chosen_dataset is None:
            return None
        return self._about(recipe, model)

    @property
    def changes(self) -> str:
        """How many values were changed by hand: a sentence, or nothing."""
        return self._words.changes(len(self.form.changed))

    @property
    def reason(self) -> str:
        """Why the run cannot begin: a sentence, or nothing when it can."""
        if self.state != "ready":
            return self._gettext(N_("A dataset and a model are needed first."))
        wrong = self._words.wrong(tuple(self.form.problems.values()))
        fitting = N_("Values for this time are being chosen.") if self.advice.is_fitting else ""
        return wrong or self._words.doing(self._doing) or (fitting and self._gettext(fitting))

    @property
    def can_start(self) -> bool:
        """Whether everything is there and right."""
        return not self.reason

    # what the user does

    def refresh(self) -> None:
        """Look for datasets and models at the next chance; what is chosen and typed stays."""
        self._due.set()

    async def follow(self) -> None:
        """Look for datasets and models whenever that is due, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                self.take(await asyncio.to_thread(self.read))
            except AcademyError as error:
                self._tell(error)

    def read(self) -> Stock:
        """Look for everything that can be chosen; blocks, belongs into a thread."""
        return look(self._sources, self._presets)

    def take(self, stock: Stock) -> None:
        """Take what was found; the first time the form is filled in."""
        first = self.state != "ready"
        known = {one.path for one in stock.models}
        brought = tuple(one for one in self._brought if one.path not in known)
        self._stock = stock = replace(stock, models=(*stock.models, *brought))
        self._filling.presets = self._presets
        if stock.failure is not None:
            self._tell(stock.failure)
        if self.state == "ready":
            if first:
                self._fill_in(stock)
            if self._dataset not in {one.id for one in stock.datasets}:
                self._dataset = stock.datasets[-1].id
            if self._model not in {one.id for one in stock.models}:
                self._model = stock.models[0].id
            self._settle()
        self.changed.emit()

    def choose_dataset(self, dataset: str) -> None:
        """Train on this dataset; one that is not known yet is chosen once it appears."""
        if dataset and dataset != self._dataset:
            self._dataset = dataset
            self._settle()
            self.changed.emit()

    def choose_model(self, model: str) -> None:
        """Train this model; one that is not known yet is chosen once it appears."""
        if model and model != self._model:
            self._model = model
            self._settle()
            self.changed.emit()

    def choose_method(self, method: str) -> None:
        """Learn this from the rows, if it is something that they can teach."""
        chosen = self._chosen_dataset
        found = next((one for one in METHODS[chosen.kind] if one == method), None) if chosen else None
        if found is not None and found != self.form.method:
            self._follow(found)
            self.changed.emit()

    def choose_preset(self, preset: str) -> None:
        """Fill in the values of a preset; what was changed by hand gives way."""
        if preset in self._presets:
            self._filling.from_preset(preset)
            self._source = ""
            self.changed.emit()

    def reset(self, path: str) -> None:
        """Put back what was filled into a field."""
        if self.form.reset(path):
            self.changed.emit()

    def reset_all(self) -> None:
        """Put back what was filled into all fields."""
        for path in self.form.changed:
            self.form.reset(path)
        self.changed.emit()

    def use_nearest(self, path: str) -> None:
        """Put what would do in place of what is wrong with a field."""
        for other, value in self.form.nearest(path):
            self.form.set(other, value)
        self.changed.emit()

    def set(self, path: str, value: Value) -> None:
        """Somebody typed into a field."""
        if self.form.set(path, value):
            self.changed.emit()

    def start(self) -> None:
        """Queue the run; `started` says when that is done."""
        if self.can_start:
            self._do("starting", self._start())

    def save(self, path: Path) -> None:
        """Write the recipe into a file."""
        if self.can_start:
            self._do("saving", self._save(path))

    def open(self, path: Path) -> None:
        """Fill in the values of a recipe file, unless something in it is wrong."""
        if self.state == "ready" and not self._doing:
            self._do("opening", self._open(path))

    def dismiss_problems(self) -> None:
        """The user has read what is wrong in the file."""
        self._file_problems = ()
        self.changed.emit()

    # inside

    @property
    def _presets(self) -> Presets:
        return (self._stock.presets if self._stock else None) or {}

    @property
    def _chosen_model(self) -> ModelFacts | None:
        found = self._stock.models if self._stock else ()
        return next((one for one in found if one.id == self._model), None)

    @property
    def _chosen_dataset(self) -> DatasetFacts | None:
        found = self._stock.datasets if self._stock else ()
        return next((one for one in found if one.id == self._dataset), None)

    def _about(self, recipe: TrainRecipe, model: ModelFacts) -> TrainRecipe:
        """A recipe with the model and the dataset that are chosen, the latter by its id alone."""
        chosen = recipe.dataset.model_copy(update={"id": self._dataset, "path": ""})
        base = recipe.model.model_copy(update={"id": model.id, "path": model.path})
        return recipe.model_copy(update={"model": base, "dataset": chosen})

    def _settle(self) -> None:
        """Bring method and values in line with the dataset and the model that are chosen."""
        chosen, model = self._chosen_dataset, self._chosen_model
        self._filling.longest = model.max_seq_length if model else None
        if chosen is None or self._filling.basis is None:
            return
        fitting = METHODS[chosen.kind]
        self._follow(self.form.method if self.form.method in fitting else fitting[0])

    def _follow(self, method: Method) -> None:
        if self._filling.follow(method, self._usual()):
            self._source = ""

    def _usual(self) -> str:
        """The preset that is usual here, or the first there is; nothing where there is none."""
        usual = self._usual_preset()
        return usual if usual in self._presets else next(iter(self._presets), "")

    def _do(self, doing: Doing, work: Coroutine[Any, Any, None]) -> None:
        self._doing = doing
        self.changed.emit()
        self._supervisor.start(self._finish(work), doing)

    async def _finish(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except AcademyError as error:
            self._tell(error)
        finally:
            self._doing = ""
            self.changed.emit()

    def _fill_in(self, stock: Stock) -> None:
        """Begin where the last run began, or with the usual preset."""
        if stock.last is None:
            self._filling.from_preset(self._usual())
            return
        name, recipe = stock.last
        self._filling.from_recipe(recipe)
        self._dataset = self._dataset or recipe.dataset.id
        self._model = self._model or recipe.model.id
        self._source = self._gettext(N_("Filled in as in your last run, “{name}”.")).format(name=name)

    async def _start(self) -> None:
        recipe = await self.made()
        misfits = await asyncio.to_thread(self._sources.recipes.misfits, recipe)
        if misfits:
            self.form.blame(misfits)
            return
        job = await asyncio.to_thread(self._sources.jobs.queue, recipe, recipe.name)
        self.started.emit(job)

    async def _save(self, path: Path) -> None:
        recipe = await self.made()
        await asyncio.to_thread(_write, path, dump_recipe(recipe))
        self._source = self._gettext(N_("Saved as {path}.")).format(path=path)

    async def made(self) -> TrainRecipe:
        """The recipe that the page shows, over the files as they are now.

        Raises:
            AcademyError: what keeps dataset or model from being used.
        """
        preset = next(iter(self._presets), self._usual_preset())
        name = str(self.form.value(NAME)).strip()
        made = self._sources.recipes.make
        models = self._stock.models if self._stock else ()
        model = next((one.path for one in models if one.id == self._model), self._model)
        blank = await asyncio.to_thread(made, self._dataset, model, preset, name)
        return self.form.fill(blank)

    async def _open(self, path: Path) -> None:
        problems = await asyncio.to_thread(self._sources.recipes.check, path)
        line = self._gettext(N_("Line {line}: {problem}"))
        self._file_problems = tuple(
            line.format(line=one.line, problem=self._messages.problem(one.code, one.facts))
            for one in problems
        )
        if problems:
            return
        recipe = await asyncio.to_thread(self._sources.recipes.read, path)
        model = await asyncio.to_thread(self._sources.models.get, recipe.model.path)
        stock = await asyncio.to_thread(self.read)
        self._brought = (*(one for one in self._brought if one.path != model.path), model)
        self._filling.from_recipe(recipe)
        self.form.set(NAME, recipe.name)
        self._dataset, self._model = recipe.dataset.id, model.id
        self.take(stock)
        self._source = self._gettext(N_("Filled in from {path}.")).format(path=path)

    def _tell(self, error: AcademyError) -> None:
        self.told.emit(self._messages.describe(error.code, error.facts))


def _write(path: Path, content: bytes) -> None:
    """Write a file of the user's; blocks.

    Raises:
        AcademyError: `output_not_writable`.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        detail = error.strerror or str(error)
        raise AcademyError(ErrorCode.OUTPUT_NOT_WRITABLE, path=str(path), detail=detail) from error
