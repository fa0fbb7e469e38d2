from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.estimate.calibration import read_observations
from academy_desktop.core.estimate.machine import Machine
from academy_desktop.core.estimate.service import Estimates
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipe_yaml import dump_recipe
from academy_desktop.core.recipes import Recipes
from academy_desktop.core.workshop import RESOURCES
from tests.academy_desktop.core.estimate.made_shapes import write_full_model
from tests.academy_desktop.made_runs import make_run, succeeded
from tests.pictures.train import add_dataset
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import ExitRecord, RunDir, write_atomically, write_record
from trainers.recipe import TrainRecipe

GIB = 1024**3
LARGE = Machine(8, 16 * GIB, 12 * GIB, 100 * GIB)


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data").open()
    add_dataset(made)
    write_full_model(made.models / "smollm2-135m-instruct")
    return made


@pytest.fixture
def recipe(data: DataDir) -> TrainRecipe:
    models = Models(data, data.root / "no-hub")
    recipes = Recipes(RESOURCES / "recipes", Library(data.datasets), models)
    return recipes.make("Kitchen requests", "smollm2-135m-instruct")


def with_(recipe: TrainRecipe, section: str, **values: object) -> TrainRecipe:
    changed = getattr(recipe, section).model_copy(update=values)
    return recipe.model_copy(update={section: changed})


def test_a_recipe_gets_every_figure_with_its_range(data: DataDir, recipe: TrainRecipe) -> None:
    made = Estimates(data, lambda: LARGE).estimate(recipe)
    found = made.forecast
    assert found.fits
    assert made.nearest is None
    assert (found.device, found.device_bytes) == ("cpu", 0)
    assert found.host_bytes == found.memory.total
    assert found.memory_range.low < found.memory_bytes < found.memory_range.high
    assert found.seconds_range.low < found.seconds < found.seconds_range.high
    assert found.steps == 50
    assert found.disk["export"] == 2 * 134_515_008
    assert found.disk_bytes == sum(found.disk.values())


def test_it_follows_the_machine(data: DataDir, recipe: TrainRecipe) -> None:
    gpu = Machine(8, 64 * GIB, 50 * GIB, 100 * GIB, gpu_bytes=24 * GIB, gpu_free_bytes=23 * GIB)
    found = Estimates(data, lambda: gpu).estimate(recipe).forecast
    assert (found.device, found.precision, found.limit_bytes) == ("cuda", "bf16", 23 * GIB)
    assert 0 < found.device_bytes < found.host_bytes
    on_cpu = Estimates(data, lambda: gpu).estimate(with_(recipe, "hardware", device="cpu")).forecast
    assert (on_cpu.device, on_cpu.limit_bytes) == ("cpu", 50 * GIB)


def test_what_does_not_fit_gets_the_nearest_that_does(data: DataDir, recipe: TrainRecipe) -> None:
    much = with_(with_(recipe, "training", batch_size=32), "hardware", engine="peft")
    small = Machine(2, 4 * GIB, 2 * GIB, 100 * GIB)
    estimates = Estimates(data, lambda: small)
    made = estimates.estimate(much)
    assert not made.forecast.fits
    assert made.nearest is not None
    batch = dict(made.nearest.fields)["training.batch_size"]
    assert isinstance(batch, int)
    assert batch < 32
    assert estimates.estimate(made.nearest.recipe).forecast.fits


def test_a_full_disk_is_no_matter_of_the_batch(data: DataDir, recipe: TrainRecipe) -> None:
    full = Machine(2, 16 * GIB, 12 * GIB, 10**8)
    made = Estimates(data, lambda: full).estimate(recipe)
    assert made.forecast.fits_memory
    assert not made.forecast.fits
    assert made.nearest is None


def test_a_dataset_may_be_named_by_its_id_alone(data: DataDir, recipe: TrainRecipe) -> None:
    bare = recipe.model_copy(update={"dataset": recipe.dataset.model_copy(update={"path": ""})})
    estimates = Estimates(data, lambda: LARGE)
    assert estimates.estimate(bare).forecast.memory == estimates.estimate(recipe).forecast.memory


def test_a_layer_that_the_model_lacks_is_named(data: DataDir, recipe: TrainRecipe) -> None:
    wrong = with_(recipe, "lora", target_modules=("q_proj", "c_attn"))
    with pytest.raises(AcademyError) as refused:
        Estimates(data, lambda: LARGE).estimate(wrong)
    assert (refused.value.code, refused.value.facts["value"]) == (ErrorCode.RECIPE_INVALID, "c_attn")


def test_rows_longer_than_the_model_reads_are_refused(data: DataDir, recipe: TrainRecipe) -> None:
    config = Path(recipe.model.path) / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": 16}), "utf-8")
    with pytest.raises(AcademyError) as refused:
        Estimates(data, lambda: LARGE).estimate(recipe)
    assert refused.value.code == ErrorCode.RECIPE_INVALID
    assert refused.value.facts["key"] == "training.max_seq_length"
    assert refused.value.facts["bound"] == 16


@pytest.mark.parametrize("content", [None, b"no json\n", b'{"messages": 3}\n', b"[1]\n"])
def test_rows_that_are_gone_or_damaged_are_told(
    data: DataDir, recipe: TrainRecipe, content: bytes | None
) -> None:
    rows = Path(recipe.dataset.path) / "train.jsonl"
    rows.unlink()
    if content is not None:
        rows.write_bytes(content)
    with pytest.raises(AcademyError) as refused:
        Estimates(data, lambda: LARGE).estimate(recipe)
    assert refused.value.code in {ErrorCode.DATASET_DAMAGED, ErrorCode.TEMPLATE_FAILED}


def test_a_finished_run_teaches_and_is_kept(data: DataDir, recipe: TrainRecipe) -> None:
    run = finished_run(data, with_(recipe, "hardware", engine="peft"), peak_bytes=5 * GIB)
    estimates = Estimates(data, lambda: LARGE)
    wanted = with_(recipe, "hardware", engine="peft")
    before = Estimates(DataDir(data.root / "other").open(), lambda: LARGE).estimate(wanted).forecast
    after = estimates.estimate(wanted).forecast
    assert (before.runs, after.runs, after.timed_runs) == (0, 1, 1)
    assert after.memory_bytes > before.memory_bytes
    (kept,) = read_observations(data.calibration)
    assert (kept.job, kept.peak_bytes, kept.engine) == (run.job, 5 * GIB, "peft")


def test_a_run_in_progress_teaches_once_it_has_ended(data: DataDir, recipe: TrainRecipe) -> None:
    run = finished_run(data, with_(recipe, "hardware", engine="peft"), peak_bytes=5 * GIB)
    ended = run.attempt(1).exit.read_bytes()
    run.attempt(1).exit.unlink()
    estimates = Estimates(data, lambda: LARGE)
    assert estimates.learn() == 0
    run.attempt(1).exit.write_bytes(ended)
    assert estimates.learn() == 1


def test_what_can_be_trained_grows_with_the_machine(data: DataDir) -> None:
    small, large = (
        Estimates(data, partial(Machine, 2, size * GIB, size * GIB, GIB)).capacity() for size in (8, 64)
    )
    assert min(small.lora, small.qlora) > 0
    assert small.lora < large.lora
    none = Estimates(data, lambda: Machine(2, GIB // 2, GIB // 4, GIB)).capacity()
    assert (none.lora, none.qlora) == (0, 0)


def test_neither_torch_nor_its_like_is_imported() -> None:
    look = "import sys, academy_desktop.core.estimate.service; print([n for n in sys.modules if n in %r])"
    command = [sys.executable, "-c", look % {"torch", "transformers", "datasets", "pandas", "PySide6"}]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def finished_run(data: DataDir, recipe: TrainRecipe, peak_bytes: int) -> RunDir:
    """A run of this recipe that ended well, as host and trainer leave it."""
    run = (
        make_run(data, "Kitchen helper", 1_800_000_000.0, 50)
        .started()
        .steps(1, 50)
        .ended(succeeded, 50, 0)
        .run
    )
    write_atomically(run.recipe, dump_recipe(recipe))
    exited = ExitRecord(reason="exited", exit_code=0, peak_rss_bytes=peak_bytes, ended_at=1_800_000_100.0)
    write_record(run.attempt(1).exit, exited)
    return run
