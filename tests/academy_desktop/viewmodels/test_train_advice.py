from __future__ import annotations

import gc
import json
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.app import RESOURCES
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.environment import trials_of
from academy_desktop.core.estimate.service import Estimates
from academy_desktop.core.judge import Equipment, Judge
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipes import Recipes
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks
from academy_desktop.text.guide import BUDGETS
from academy_desktop.viewmodels.recipe_fields import NAME
from academy_desktop.viewmodels.recipe_form import RecipeForm
from academy_desktop.viewmodels.train_values import Filling
from tests.academy_desktop.core.estimate.made_shapes import write_full_model
from tests.academy_desktop.core.test_environment import answering
from tests.academy_desktop.core.test_judge import WORKING
from tests.academy_desktop.viewmodels.making import in_loop, seen, words
from tests.academy_desktop.viewmodels.test_train import Room
from tests.pictures.train import LARGE, add_dataset, add_pairs, sources_of


@pytest.fixture(autouse=True)
def _nothing_collected_in_threads() -> Iterator[None]:
    """A loop of Qt's that is garbage must not go in a worker's thread."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data").open()
    add_dataset(made)
    write_full_model(made.models / "small", max_position_embeddings=512)
    return made


class Judged(Room):
    """The page's state over a judge who looks at a computer without a GPU, where 4 bit does not load."""

    def __init__(self, data: DataDir) -> None:
        super().__init__(data)
        trials = {**WORKING, "four_bit": "ImportError: libbitsandbytes.so"}
        tasks = Tasks(answering(data.root, trials), Runtimes(data.runtimes))
        judge = Judge(Estimates(data, lambda: LARGE), trials_of(data, tasks), Equipment(gpus=lambda: ()))
        recipes = Recipes(
            RESOURCES / "recipes", Library(data.datasets), Models(data, data.root / "no-hub"), judge
        )
        self.use(replace(sources_of(data), jobs=self.queue, recipes=recipes))
        self.look()

    def run(self, app: QApplication, talk: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something while the page finds out what there is to say."""

        async def work() -> None:
            self.supervisor.start(self.train.follow(), "follow")
            self.supervisor.start(self.train.advice.follow(), "advice")
            try:
                await talk()
            finally:
                await self.supervisor.close()

        in_loop(app, work())
        assert self.failures == []

    async def say(self, path: str = "", value: str = "") -> None:
        """Put a value into the form (or a time, as `minutes`), and wait for what is found out."""
        if path == "minutes":
            self.train.advice.set_minutes(value)
        elif path:
            self.train.set(path, value)
        await seen(lambda: self.failures or not self.train.advice.is_busy, "the advice")


@pytest.fixture
def room(data: DataDir) -> Judged:
    return Judged(data)


def test_no_limit_above_the_model_s_is_filled_in(room: Judged) -> None:
    assert room.train.form.value("training.max_seq_length") == "512"


def test_a_look_at_a_model_that_reads_less_leaves_the_limit_of_the_next(room: Judged) -> None:
    given, said = room.train.basis, words()
    assert given is not None
    training = given.training.model_copy(update={"max_seq_length": 2048})
    form = RecipeForm(said.messages, said.formats, said.gettext)
    filling = Filling(form)
    filling.from_recipe(given.model_copy(update={"training": training}))
    for longest, limit in ((4096, "2048"), (512, "512"), (4096, "2048")):
        filling.longest = longest
        filling.follow("sft", "")
        assert form.value("training.max_seq_length") == limit


def test_a_time_chooses_passes_and_steps_and_says_why(qapp: QApplication, room: Judged) -> None:
    train = room.train
    train.choose_preset("thorough")
    assert train.advice.budget == ""

    async def talk() -> None:
        await room.say("minutes", str(BUDGETS["night"][1]))
        assert train.advice.budget == "night"
        assert train.form.value("training.num_epochs") == "4"
        assert train.advice.sentence.startswith("Every row is learned 4 times, in about ")
        await room.say("minutes", "1")
        assert (train.advice.budget, train.form.value("training.num_epochs")) == ("own", "1")
        assert "in about" in train.advice.sentence
        assert train.form.changed == ()  # it was filled in, not typed
        await room.say("minutes", "")
        assert train.form.value("training.num_epochs") == "4"
        assert train.form.value("training.max_steps") == ""
        assert train.advice.sentence == ""

    room.run(qapp, talk)


def test_nothing_begins_with_values_that_are_not_those_for_the_time(qapp: QApplication, room: Judged) -> None:
    train = room.train
    train.choose_preset("thorough")

    async def talk() -> None:
        await room.say("minutes", "1")
        assert train.can_start
        room.look()  # the page is seen again: what is filled in is what the sentence says
        assert (train.form.value("training.num_epochs"), train.can_start) == ("1", True)
        train.set(NAME, "Kitchen helper")
        assert train.can_start
        train.choose_preset("thorough")
        assert train.reason == "Values for this time are being chosen."
        await room.say()
        assert (train.form.value("training.num_epochs"), train.can_start) == ("1", True)
        train.advice.again()
        assert train.reason == "Values for this time are being chosen."
        await seen(lambda: train.can_start, "the values")

    room.run(qapp, talk)


def test_what_was_typed_stays_when_a_time_is_chosen(qapp: QApplication, room: Judged) -> None:
    async def talk() -> None:
        await room.say("training.num_epochs", "9")
        await room.say("minutes", "1")
        assert room.train.form.value("training.num_epochs") == "9"
        assert room.train.advice.sentence.startswith("With the values that you set yourself")
        assert room.train.form.changed == ("training.num_epochs",)
        room.train.reset("training.num_epochs")
        await room.say()
        assert room.train.form.value("training.num_epochs") == "1"

    room.run(qapp, talk)


@pytest.mark.parametrize("text", ["soon", "-3", "0", "1e9", "nan"])
def test_minutes_that_are_none_are_said(room: Judged, text: str) -> None:
    room.train.advice.set_minutes(text)
    assert "number from 1 to 10080" in room.train.advice.problem
    assert room.train.form.value("training.num_epochs") == "2"


REFUSED = [
    ("training.max_seq_length", "1024", "the model reads at most 512 tokens", "512"),
    ("lora.target_modules", "q_porj, v_proj", "The model has no layer “q_porj”", "q_proj, v_proj"),
    ("hardware.device", "cuda", "no CUDA GPU was found", "cpu"),
    ("hardware.quantization", "nf4", "ImportError: libbitsandbytes.so", "none"),
    ("hardware.precision", "fp16", "“Precision” cannot be “fp16” here", "auto"),
]


@pytest.mark.parametrize(("path", "typed", "said", "nearest"), REFUSED, ids=[one[0] for one in REFUSED])
def test_what_cannot_be_here_is_said_at_its_field_with_what_would_do(
    qapp: QApplication, room: Judged, path: str, typed: str, said: str, nearest: str
) -> None:
    form = room.train.form

    async def talk() -> None:
        await room.say(path, typed)
        assert list(form.problems) == [path]
        assert said in form.problems[path]
        assert form.nearest(path) == ((path, nearest),)
        assert not room.train.can_start
        room.train.use_nearest(path)
        await room.say()
        assert form.problems == {}
        assert form.value(path) == nearest

    room.run(qapp, talk)


def test_rows_that_are_all_too_long_are_said_in_the_form(qapp: QApplication, data: DataDir) -> None:
    rows = [{"question": f"{n}?", "answer": f"It is {n}. " * 30} for n in range(12)]
    path = data.tmp / "long.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    Library(data.datasets).import_files([path], "Long")
    room = Judged(data)
    path_of = "training.max_seq_length"

    async def talk() -> None:
        await room.say(path_of, "256")
        assert "Every row is longer than “Longest row”" in room.train.form.problems[path_of]
        assert room.train.form.nearest(path_of) == ((path_of, "512"),)

    room.run(qapp, talk)


def test_who_is_quicker_than_the_look_is_refused_at_the_start(qapp: QApplication, room: Judged) -> None:
    room.train.set("hardware.device", "cuda")
    room.do(qapp, room.train.start)
    assert room.queue.queued == []
    assert "no CUDA GPU" in room.train.form.problems["hardware.device"]


def test_another_dataset_brings_its_method_and_values_but_for_what_was_typed(data: DataDir) -> None:
    chats = Judged(data).train.dataset
    pairs = add_pairs(data)
    room = Judged(data)
    train = room.train
    assert (train.dataset, train.method) == (pairs, "dpo")
    assert [one.id for one in train.methods] == ["dpo", "orpo"]
    assert train.form.value("training.learning_rate") == "0.00005"
    train.set("lora.rank", "8")
    train.set("preference.beta", "9")
    train.choose_dataset(chats)
    assert (train.method, train.form.value("training.learning_rate")) == ("sft", "0.0002")
    assert train.form.value("lora.rank") == "8"
    assert train.form.value("preference.beta") == "0.1"  # nobody looks at it now
    assert train.form.changed == ("lora.rank",)
    train.choose_method("dpo")
    assert train.method == "sft"
    train.choose_dataset(pairs)
    train.choose_method("orpo")
    assert train.draft is not None
    assert train.draft.method == "orpo"


def test_what_does_not_go_with_the_method_is_said_at_once(data: DataDir) -> None:
    add_pairs(data)
    room = Judged(data)
    form = room.train.form
    for path, value, nearest in (
        ("training.neftune_noise_alpha", "5", ""),
        ("lora.init", "pissa", "default"),
    ):
        room.train.set(path, value)
        assert list(form.problems) == [path]
        assert form.nearest(path) == ((path, nearest),)
        room.train.use_nearest(path)
        assert form.problems == {}
