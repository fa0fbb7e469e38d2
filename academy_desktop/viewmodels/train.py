"""The Train page: what is trained on which rows, with which values, and whether it can begin.

Owns the choices and the way from them to a queued job. Refuses to know widgets and how a job is run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.recipe_yaml import dump_recipe
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.viewmodels.recipe_form import NAME, Choice, RecipeForm, Value, preset_choices
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.train_sources import DatasetFacts, ModelFacts, Sources, Stock, look
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import write_atomically
from trainers.order import total_steps
from trainers.recipe import TrainRecipe

#: What the page is: nothing is known yet, something is missing, or there is a form.
State = Literal["reading", "no_dataset", "no_model", "ready"]
Doing = Literal["", "starting", "saving", "opening"]


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
        self.form = RecipeForm(messages, formats, translate)
        self._stock: Stock | None = None
        self._brought: tuple[ModelFacts, ...] = ()
        self._due = asyncio.Event()
        self._due.set()
        self._doing: Doing = ""
        self._dataset = ""
        self._model = ""
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
        return tuple(Choice(one.id, one.name, self._rows(one.train_rows)) for one in reversed(found))

    @property
    def models(self) -> tuple[Choice, ...]:
        """The models that can be trained."""
        found = self._stock.models if self._stock else ()
        return tuple(Choice(one.id, one.name, self._formats.size(one.bytes)) for one in found)

    @property
    def presets(self) -> tuple[Choice, ...]:
        """The presets, the quickest first."""
        return preset_choices(tuple(self._preset_recipes), self._gettext)

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
        """The preset whose values the form has, or nothing."""
        recipes = self._preset_recipes
        return next((one.id for one in self.presets if self.form.holds(recipes[one.id])), "")

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
        training = recipe.training
        per_step = training.batch_size * training.gradient_accumulation_steps
        steps = total_steps(chosen.train_rows, training.num_epochs, per_step, training.max_steps)
        of_rows = self._gettext(N_("{steps} of {rows}"))
        parts = [
            self._rows(chosen.train_rows),
            self._count(training.num_epochs, N_("1 epoch"), N_("{count} epochs")),
            of_rows.format(
                steps=self._count(steps, N_("1 step"), N_("{count} steps")), rows=self._rows(per_step)
            ),
        ]
        held_out = min(chosen.eval_rows, recipe.evaluation.max_rows)
        if held_out:
            many = N_("checked on {count} held-out rows")
            parts.append(self._count(held_out, N_("checked on 1 held-out row"), many))
        return " · ".join(parts)

    @property
    def draft(self) -> TrainRecipe | None:
        """The recipe that the form shows, with its dataset by id alone; None while something is wrong."""
        recipe = self.form.filled() if self.state == "ready" else None
        models = self._stock.models if self._stock else ()
        model = next((one for one in models if one.id == self._model), None)
        if recipe is None or model is None or self._chosen_dataset is None:
            return None
        chosen = recipe.dataset.model_copy(update={"id": self._dataset})
        base = recipe.model.model_copy(update={"id": model.id, "path": model.path})
        return recipe.model_copy(update={"model": base, "dataset": chosen})

    @property
    def reason(self) -> str:
        """Why the run cannot begin: a sentence, or nothing when it can."""
        if self.state != "ready":
            return self._gettext(N_("A dataset and a model are needed first."))
        problems = tuple(self.form.problems.values())
        if len(problems) > 1:
            said = self._gettext(N_("{count} values cannot be right. {first}"))
            return said.format(count=self._formats.integer(len(problems)), first=problems[0])
        if problems:
            return problems[0]
        match self._doing:
            case "starting":
                return self._gettext(N_("The run is being queued …"))
            case "saving":
                return self._gettext(N_("The recipe is being saved …"))
            case "opening":
                return self._gettext(N_("The recipe is being checked …"))
        return ""

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
        return look(self._sources, self._preset_recipes)

    def take(self, stock: Stock) -> None:
        """Take what was found; the first time the form is filled in."""
        first = self.state != "ready"
        known = {one.path for one in stock.models}
        brought = tuple(one for one in self._brought if one.path not in known)
        self._stock = stock = replace(stock, models=(*stock.models, *brought))
        if stock.failure is not None:
            self._tell(stock.failure)
        if self.state == "ready":
            if first:
                self._fill_in(stock)
            if self._dataset not in {one.id for one in stock.datasets}:
                self._dataset = stock.datasets[-1].id
            if self._model not in {one.id for one in stock.models}:
                self._model = stock.models[0].id
        self.changed.emit()

    def choose_dataset(self, dataset: str) -> None:
        """Train on this dataset; one that is not known yet is chosen once it appears."""
        if dataset and dataset != self._dataset:
            self._dataset = dataset
            self.changed.emit()

    def choose_model(self, model: str) -> None:
        """Train this model; one that is not known yet is chosen once it appears."""
        if model and model != self._model:
            self._model = model
            self.changed.emit()

    def choose_preset(self, preset: str) -> None:
        """Fill in the values of a preset."""
        recipe = self._preset_recipes.get(preset)
        if recipe is not None:
            self.form.take(recipe)
            self._source = ""
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
    def _preset_recipes(self) -> Mapping[str, TrainRecipe]:
        return (self._stock.presets if self._stock else None) or {}

    @property
    def _chosen_dataset(self) -> DatasetFacts | None:
        found = self._stock.datasets if self._stock else ()
        return next((one for one in found if one.id == self._dataset), None)

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
            presets = stock.presets or {}
            preset = presets.get(self._usual_preset()) or next(iter(presets.values()), None)
            if preset is not None:
                self.form.take(preset)
            return
        name, recipe = stock.last
        self.form.take(recipe)
        self._dataset = self._dataset or recipe.dataset.id
        self._model = self._model or recipe.model.id
        self._source = self._gettext(N_("Filled in as in your last run, “{name}”.")).format(name=name)

    async def _start(self) -> None:
        recipe = await self._recipe()
        job = await asyncio.to_thread(self._sources.jobs.queue, recipe, recipe.name)
        self.started.emit(job)

    async def _save(self, path: Path) -> None:
        recipe = await self._recipe()
        await asyncio.to_thread(_write, path, dump_recipe(recipe))
        self._source = self._gettext(N_("Saved as {path}.")).format(path=path)

    async def _recipe(self) -> TrainRecipe:
        """The recipe that the page shows, over the files as they are now."""
        preset = next(iter(self._preset_recipes), self._usual_preset())
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
        self.form.take(recipe)
        self.form.set(NAME, recipe.name)
        self._dataset, self._model = recipe.dataset.id, model.id
        self.take(stock)
        self._source = self._gettext(N_("Filled in from {path}.")).format(path=path)

    def _tell(self, error: AcademyError) -> None:
        self.told.emit(self._messages.describe(error.code, error.facts))

    def _rows(self, count: int) -> str:
        return self._count(count, N_("1 row"), N_("{count} rows"))

    def _count(self, count: int, one: str, many: str) -> str:
        return self._gettext(one if count == 1 else many).format(count=self._formats.integer(count))


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
