from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.core.reader import JobSummary
from academy_desktop.core.recipe_yaml import dump_recipe
from academy_desktop.core.states import JobState
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.recipe_fields import NAME
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.viewmodels.train import Train
from academy_desktop.viewmodels.train_sources import Sources
from tests.academy_desktop.core.models.made_models import write_model
from tests.academy_desktop.made_runs import make_export, make_run
from tests.academy_desktop.viewmodels.making import in_loop, seen, words
from tests.chaos.driving import fake_jobs
from tests.pictures.train import add_dataset, add_model, sources_of
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.base_model import fingerprint
from trainers.recipe import TrainRecipe
from trainers.recipe_file import read_train_recipe


@dataclass
class Queue:
    """Jobs that are queued and not started."""

    jobs: Jobs
    queued: list[tuple[TrainRecipe, str]] = field(default_factory=list)
    failure: AcademyError | None = None

    def list(self) -> list[JobSummary]:
        return [*self.jobs.list()]

    def queue(self, recipe: TrainRecipe, name: str) -> str:
        if self.failure is not None:
            raise self.failure
        self.queued.append((recipe, name))
        return f"job-{len(self.queued)}"


class Room:
    """The page's state over a real data directory."""

    def __init__(self, data: DataDir, preset: str = "balanced") -> None:
        self.data = data
        self.preset = preset
        self.queue = Queue(Jobs(data, Path(sys.executable)))
        self.failures: list[BaseException] = []
        self.told: list[Description] = []
        self.started: list[str] = []
        self.supervisor = Supervisor(self.failures.append)
        self.use(replace(sources_of(data), jobs=self.queue))

    def use(self, sources: Sources) -> None:
        """Begin anew, over these sources."""
        said = words()
        self.sources = sources
        self.train = Train(
            sources, said.messages, said.formats, said.gettext, self.supervisor, lambda: self.preset
        )
        self.train.told.connect(self.told.append)
        self.train.started.connect(self.started.append)

    def look(self) -> Room:
        """What `follow` does when it is due."""
        self.train.take(self.train.read())
        return self

    def do(self, app: QApplication, action: Callable[[], None]) -> None:
        """Do something that takes a moment, and wait for its end."""

        async def work() -> None:
            action()
            await seen(lambda: not self.train.doing, "the end")

        in_loop(app, work())
        assert self.failures == []


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
    add_model(made)
    return made


@pytest.fixture
def room(data: DataDir) -> Room:
    return Room(data).look()


def test_before_anything_is_known_nothing_is_promised(qapp: QApplication, data: DataDir) -> None:
    train = Room(data).train
    assert train.state == "reading"
    assert (train.datasets, train.models, train.presets, train.summary) == ((), (), (), "")
    assert not train.can_start


def test_what_is_missing_is_known(qapp: QApplication, tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data").open()
    room = Room(data)
    assert room.look().train.state == "no_dataset"
    add_dataset(data)
    assert room.look().train.state == "no_model"
    write_model(data.models / "wordless", template=None)
    assert room.look().train.state == "no_model"
    assert room.train.reason
    add_model(data)
    assert room.look().train.state == "ready"
    assert [one.title for one in room.train.models] == ["smollm2-135m-instruct"]
    assert room.train.can_start


def test_a_first_run_begins_with_the_usual_preset(qapp: QApplication, data: DataDir) -> None:
    for preset, epochs in (("quick", "1"), ("thorough", "4")):
        train = Room(data, preset).look().train
        assert train.preset == preset
        assert train.form.value("training.num_epochs") == epochs
        assert train.source == ""


def test_the_demo_s_presets_are_not_offered(room: Room) -> None:
    assert [one.id for one in room.train.presets] == ["quick", "balanced", "thorough", "memory"]


def test_a_further_run_begins_as_the_last_training_did(qapp: QApplication, data: DataDir) -> None:
    first = make_run(data, "older", time.time() - 7200)
    last = make_run(data, "Kitchen helper", time.time() - 3600)
    make_export(data, "an export", time.time() - 60, first.run)
    train = Room(data).look().train
    assert train.form.holds(read_train_recipe(last.run.path))
    assert train.source == "Filled in as in your last run, “Kitchen helper”."
    assert train.form.value(NAME) == ""
    assert train.preset == ""
    assert train.can_start  # its own dataset and model are gone, others are there
    assert train.dataset == train.datasets[0].id


def test_a_run_whose_recipe_is_damaged_is_passed_over(qapp: QApplication, data: DataDir) -> None:
    make_run(data, "sound", time.time() - 7200)
    make_run(data, "damaged", time.time() - 60).run.recipe.write_text("{", "utf-8")
    assert "“sound”" in Room(data).look().train.source


def test_the_newest_dataset_is_chosen_and_can_be_changed(qapp: QApplication, data: DataDir) -> None:
    old = Room(data).look().train.dataset
    new = add_dataset(data, "Newer rows")
    train = Room(data).look().train
    assert [one.id for one in train.datasets] == [new, old]
    assert (train.dataset, train.default_name) == (new, "Newer rows")
    train.choose_dataset(old)
    assert train.default_name == "Kitchen requests"


def test_what_was_chosen_elsewhere_is_chosen_once_it_is_there(qapp: QApplication, data: DataDir) -> None:
    write_model(data.models / "another")
    room = Room(data)
    room.train.choose_model("another")
    assert room.look().train.model == "another"


def test_looking_again_keeps_what_was_typed_and_chosen(room: Room) -> None:
    write_model(room.data.models / "another")
    room.look()
    room.train.choose_model("another")
    room.train.set("training.num_epochs", "7")
    room.train.set("lora.rank", "nonsense")
    add_dataset(room.data, "Newer rows")
    before = room.train.dataset
    room.look()
    assert (room.train.model, room.train.dataset) == ("another", before)
    assert room.train.form.value("training.num_epochs") == "7"
    assert list(room.train.form.problems) == ["lora.rank"]


def test_what_is_chosen_and_gone_gives_way_to_what_is_there(room: Room) -> None:
    gone = write_model(room.data.models / "another")
    room.look().train.choose_model("another")
    gone.rename(room.data.tmp / "another")
    assert room.look().train.model == "smollm2-135m-instruct"


def test_the_summary_says_rows_epochs_and_steps(room: Room) -> None:
    train = room.train
    assert train.summary == "200 rows · 2 epochs · 50 steps of 8 rows · checked on 50 held-out rows"
    train.set("training.num_epochs", "1")
    train.set("training.batch_size", "3")
    assert train.summary == "200 rows · 1 epoch · 34 steps of 6 rows · checked on 50 held-out rows"
    train.set("training.max_steps", "10")
    train.set("evaluation.max_rows", "0")
    assert train.summary == "200 rows · 1 epoch · 10 steps of 6 rows"
    train.set("training.batch_size", "0")
    assert train.summary == ""


def test_a_preset_stays_marked_and_says_what_was_changed(room: Room) -> None:
    train = room.train
    assert (train.preset, train.changes) == ("balanced", "")
    train.set("training.num_epochs", "3")
    train.set("lora.rank", "8")
    assert (train.preset, train.changes) == ("balanced", "2 values were changed by hand.")
    assert train.form.changed == ("training.num_epochs", "lora.rank")
    train.reset("lora.rank")
    assert train.form.value("lora.rank") == "16"
    train.set("training.num_epochs", "2")  # as it was filled in
    assert train.changes == ""
    train.set("lora.rank", "")
    train.reset_all()
    assert (train.changes, train.form.problems) == ("", {})
    train.set("training.num_epochs", "9")
    train.choose_preset("thorough")
    assert (train.preset, train.form.value("lora.rank"), train.changes) == ("thorough", "32", "")
    train.choose_preset("demo")
    train.choose_preset("unheard of")
    assert train.preset == "thorough"


def test_problems_keep_the_run_from_starting_and_say_why(room: Room) -> None:
    train = room.train
    train.set("training.learning_rate", "5")
    assert train.reason == "“Learning rate” is 5, but must be at most 0.01."
    train.set("lora.rank", "x")
    assert train.reason.startswith("2 values cannot be right. “Learning rate”")
    train.start()
    train.save(room.data.root / "never.yaml")
    assert train.doing == ""
    assert room.queue.queued == []


def test_every_change_is_said_once(room: Room) -> None:
    said: list[None] = []
    room.train.changed.connect(lambda: said.append(None))
    room.train.set("lora.rank", "8")
    room.train.set("lora.rank", "8")
    room.train.choose_dataset(room.train.dataset)
    assert len(said) == 1


def test_a_started_run_has_the_values_of_the_form_over_the_files_as_they_are(
    qapp: QApplication, room: Room
) -> None:
    train = room.train
    train.set(NAME, "  Kitchen helper ")
    train.set("training.learning_rate", "1e-3")
    train.set("lora.target_modules", "q_proj, v_proj")
    room.do(qapp, train.start)
    ((recipe, name),) = room.queue.queued
    model = room.data.models / "smollm2-135m-instruct"
    assert name == recipe.name == "Kitchen helper"
    assert recipe.training.learning_rate == 1e-3
    assert recipe.lora.target_modules == ("q_proj", "v_proj")
    assert recipe.model.sha256 == fingerprint(model)
    assert recipe.dataset.path == str(room.data.datasets / train.dataset)
    assert room.started == ["job-1"]
    assert TrainRecipe.model_validate(recipe.model_dump()) == recipe


def test_a_started_run_runs(qapp: QApplication, data: DataDir) -> None:
    room = Room(data)
    jobs = fake_jobs(data.root, steps=3)
    room.sources = replace(room.sources, jobs=jobs)
    said = words()
    train = Train(room.sources, said.messages, said.formats, said.gettext, Supervisor(room.failures.append))
    train.started.connect(room.started.append)
    train.take(train.read())
    room.train = train
    room.do(qapp, train.start)
    (job,) = room.started
    assert jobs.wait(job, 60).state is JobState.SUCCEEDED
    assert jobs.get(job).name == "Kitchen requests"
    train.take(train.read())
    assert train.form.holds(read_train_recipe(data.run(job).path))


def test_a_run_without_a_name_is_called_as_its_rows_are(qapp: QApplication, room: Room) -> None:
    room.do(qapp, room.train.start)
    assert room.queue.queued[0][1] == "Kitchen requests"


def test_while_a_run_is_being_queued_it_is_not_queued_again(qapp: QApplication, room: Room) -> None:
    def twice() -> None:
        room.train.start()
        assert room.train.reason == "The run is being queued …"
        room.train.start()

    room.do(qapp, twice)
    assert room.started == ["job-1"]
    assert room.train.can_start


def test_a_run_that_cannot_be_queued_is_told_and_can_be_tried_again(qapp: QApplication, room: Room) -> None:
    room.queue.failure = AcademyError(ErrorCode.DISK_FULL, path="/home/anna", free_bytes=1024)
    room.do(qapp, room.train.start)
    assert [one.title for one in room.told] == ["The disk is full"]
    room.queue.failure = None
    room.do(qapp, room.train.start)
    assert room.started == ["job-1"]


def test_a_model_that_vanished_meanwhile_is_told(qapp: QApplication, room: Room) -> None:
    (room.data.models / "smollm2-135m-instruct").rename(room.data.tmp / "gone")
    room.do(qapp, room.train.start)
    assert len(room.told) == 1
    assert room.started == []


def test_a_saved_recipe_opens_as_it_was(qapp: QApplication, room: Room, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    room.train.set(NAME, "Kitchen helper")
    room.train.set("training.learning_rate", "0.00037")
    room.train.set("hardware.threads", "3")
    room.do(qapp, lambda: room.train.save(path))
    assert str(path) in room.train.source
    assert room.sources.recipes.check(path) == ()

    other = Room(room.data, "quick").look()
    other.do(qapp, lambda: other.train.open(path))
    assert other.told == []
    assert other.train.file_problems == ()
    assert other.train.form.value(NAME) == "Kitchen helper"
    assert other.train.form.value("training.learning_rate") == "0.00037"
    other.do(qapp, other.train.start)
    assert other.queue.queued[0][0] == room.sources.recipes.read(path)


def test_a_recipe_brings_its_own_model_with_it(qapp: QApplication, room: Room, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "elsewhere" / "tiny")
    made = room.sources.recipes.make(room.train.dataset, str(folder), "quick", "From afar")
    path = tmp_path / "afar.yaml"
    path.write_bytes(dump_recipe(made))
    room.do(qapp, lambda: room.train.open(path))
    assert [one.title for one in room.train.models][-1] == "tiny"
    assert room.train.model == room.train.models[-1].id
    room.look()
    assert room.train.model == room.train.models[-1].id
    room.do(qapp, room.train.start)
    assert room.told == []
    assert room.queue.queued[0][0].model.path == str(folder)


def test_what_is_wrong_in_a_file_is_said_line_by_line_and_the_form_stays(
    qapp: QApplication, room: Room, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("name: x\ntraining:\n  learning_rate: 5\n  num_epoch: 2\n", "utf-8")
    room.do(qapp, lambda: room.train.open(path))
    said = "\n".join(room.train.file_problems)
    assert "Line 3: “training.learning_rate” is 5, but must be at most 0.01." in said
    assert "Line 4: “training.num_epoch” is not a key of a recipe; did you mean “num_epochs”?" in said
    assert room.train.preset == "balanced"
    assert room.train.form.value(NAME) == ""
    room.train.dismiss_problems()
    assert room.train.file_problems == ()


def test_a_file_that_is_not_there_or_no_text_is_told(qapp: QApplication, room: Room, tmp_path: Path) -> None:
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff")
    for name in ("missing.yaml", "picture.yaml"):
        room.do(qapp, partial(room.train.open, tmp_path / name))
    assert len(room.told) == 2
    assert room.train.can_start


def test_a_place_that_cannot_be_written_is_told(qapp: QApplication, room: Room, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    room.do(qapp, lambda: room.train.save(tmp_path / "file" / "mine.yaml"))
    assert len(room.told) == 1
    assert room.train.source == ""


def test_it_looks_at_once_and_then_whenever_that_is_due(qapp: QApplication, data: DataDir) -> None:
    room = Room(data)

    async def work() -> None:
        following = asyncio.ensure_future(room.train.follow())
        await seen(lambda: room.train.state == "ready", "the first look")
        add_dataset(data, "Newer rows")
        room.train.refresh()
        await seen(lambda: len(room.train.datasets) == 2, "the second look")
        following.cancel()

    in_loop(qapp, work())


def test_a_look_that_fails_is_told_and_the_defaults_are_there(qapp: QApplication, data: DataDir) -> None:
    room = Room(data)
    stock = room.train.read()
    room.train.take(replace(stock, presets=None, failure=AcademyError(ErrorCode.DATASET_DAMAGED)))
    assert len(room.told) == 1
    assert room.train.state == "ready"
    assert room.train.presets == ()
