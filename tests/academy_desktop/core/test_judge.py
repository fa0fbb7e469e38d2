from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.app import RESOURCES
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.environment import Gpu, gpu_lack, trials_of, usable_gpus
from academy_desktop.core.estimate.machine import Machine
from academy_desktop.core.estimate.service import Estimates
from academy_desktop.core.judge import Equipment, Judge, Misfit
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipe_yaml import dump_recipe
from academy_desktop.core.recipes import Recipes
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks
from tests.academy_desktop.core.estimate.made_shapes import write_full_model
from tests.academy_desktop.core.test_environment import answering
from tests.academy_desktop.made_runs import GIB
from trainers.recipe import TrainRecipe

WORKING: Mapping[str, object] = {"cuda": False, "device_name": "", "bf16": "ok", "four_bit": "ok"}
GPU = Gpu("NVIDIA GeForce RTX 4090", 24 * GIB, 23 * GIB, "570.86", (12, 8), (8, 9))
OLD_DRIVER = replace(GPU, driver="470.42", cuda=(11, 4))
OLD_CARD = replace(GPU, name="NVIDIA GeForce GTX 1080", capability=(6, 1))
ON_CPU = Machine(8, 16 * GIB, 11 * GIB, 200 * GIB)


def fits_cuda_12(gpu: Gpu) -> str:
    """What is said of a GPU where PyTorch is built for CUDA 12."""
    return "" if gpu.cuda and gpu.cuda >= (12, 0) else f"its driver {gpu.driver} is too old"


@dataclass(frozen=True)
class Court:
    """A recipe that can be run, and what is judged it by."""

    root: Path
    data: DataDir

    @property
    def recipe(self) -> TrainRecipe:
        return self.recipes().make("Replies", "tiny")

    def judge(
        self,
        machine: Machine = ON_CPU,
        gpus: Sequence[Gpu] = (),
        trials: Mapping[str, object] = WORKING,
        flags: frozenset[str] = frozenset({"avx2"}),
    ) -> Judge:
        tasks = Tasks(answering(self.root, trials), Runtimes(self.data.runtimes))
        estimates = Estimates(self.data, lambda: machine)
        equipment = Equipment(lambda: gpus, fits_cuda_12, lambda: flags)
        return Judge(estimates, trials_of(self.data, tasks), equipment)

    def recipes(self, judge: Judge | None = None) -> Recipes:
        models = Models(self.data, self.root / "no-hub")
        return Recipes(RESOURCES / "recipes", Library(self.data.datasets), models, judge)


@pytest.fixture
def court(tmp_path: Path) -> Court:
    data = DataDir(tmp_path / "data").open()
    rows = [{"question": f"What is {n}?", "answer": f"It is {n}. " * 20} for n in range(1, 41)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    Library(data.datasets).import_files([path], "Replies")
    write_full_model(data.models / "tiny", max_position_embeddings=2048, num_hidden_layers=2)
    return Court(tmp_path, data)


def changed(recipe: TrainRecipe, **sections: dict[str, Any]) -> TrainRecipe:
    raw = recipe.model_dump()
    for name, values in sections.items():
        raw[name] |= values
    return TrainRecipe.model_validate(raw)


def only(found: Sequence[Misfit]) -> Misfit:
    (misfit,) = found
    return misfit


def test_a_recipe_that_can_be_run_has_nothing_against_it(court: Court) -> None:
    assert court.judge().judge(court.recipe) == ()
    assert not court.data.trials.exists()  # nothing was asked that only a trial can tell


def test_layers_that_the_model_does_not_have_are_named_with_the_nearest(court: Court) -> None:
    wrong = changed(court.recipe, lora={"target_modules": ["q_porj", "v_proj"]})
    misfit = only(court.judge().judge(wrong))
    assert (misfit.path, misfit.code) == ("lora.target_modules", "unknown_layer")
    assert misfit.facts["value"] == "q_porj"
    assert misfit.nearest == (("lora.target_modules", "q_proj, v_proj"),)
    right = changed(court.recipe, lora={"target_modules": ["self_attn.q_proj", "v_proj"]})
    assert court.judge().judge(right) == ()


def test_a_length_above_the_model_s_is_refused(court: Court) -> None:
    misfit = only(court.judge().judge(changed(court.recipe, training={"max_seq_length": 4096})))
    assert (misfit.path, misfit.code) == ("training.max_seq_length", "model_shorter")
    assert (misfit.facts["bound"], misfit.nearest) == (2048, (("training.max_seq_length", 2048),))


def test_rows_that_are_all_longer_than_the_limit_are_refused(court: Court) -> None:
    path = court.root / "long.jsonl"
    rows = [{"question": f"{n}?", "answer": f"It is {n}. " * 60} for n in range(12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    Library(court.data.datasets).import_files([path], "Long")
    long = court.recipes().make("Long", "tiny")
    assert court.judge().judge(long) == ()
    misfit = only(court.judge().judge(changed(long, training={"max_seq_length": 256})))
    assert (misfit.path, misfit.code) == ("training.max_seq_length", "rows_too_long")
    ((path_named, nearest),) = misfit.nearest
    assert court.judge().judge(changed(long, training={path_named.partition(".")[2]: nearest})) == ()


def test_four_bit_that_does_not_load_is_refused_after_one_trial(court: Court) -> None:
    four_bit = changed(court.recipe, hardware={"quantization": "nf4"})
    broken = court.judge(trials={**WORKING, "four_bit": "ImportError: libbitsandbytes.so"})
    misfit = only(broken.judge(four_bit))
    assert (misfit.path, misfit.code) == ("hardware.quantization", "not_here")
    assert misfit.facts["detail"] == "ImportError: libbitsandbytes.so"
    assert misfit.nearest == (("hardware.quantization", "none"),)
    # kept: nobody is asked again as long as everything is as it was
    assert only(court.judge().judge(four_bit)) == misfit
    eight_bit = changed(court.recipe, hardware={"optimizer": "adamw_8bit"})
    assert only(court.judge().judge(eight_bit)).nearest == (("hardware.optimizer", "auto"),)
    court.data.trials.unlink()
    assert court.judge().judge(four_bit) == ()


def test_a_gpu_that_is_full_just_now_says_nothing_of_four_bit(court: Court) -> None:
    four_bit = changed(court.recipe, hardware={"quantization": "nf4"})
    full = "OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB."
    assert court.judge(trials={**WORKING, "four_bit": full}).judge(four_bit) == ()
    assert not court.data.trials.exists()


def test_a_driver_too_old_for_pytorch_is_refused_where_the_gpu_is_asked_for(court: Court) -> None:
    on_gpu = changed(court.recipe, hardware={"device": "cuda"})
    misfit = only(court.judge(gpus=[OLD_DRIVER]).judge(on_gpu))
    assert (misfit.path, misfit.code) == ("hardware.device", "not_here")
    assert misfit.facts["detail"] == "its driver 470.42 is too old"
    assert misfit.nearest == (("hardware.device", "cpu"),)
    assert court.judge(gpus=[OLD_DRIVER]).judge(court.recipe) == ()  # by itself it goes to the processor
    assert only(court.judge().judge(on_gpu)).facts["detail"] == "no CUDA GPU was found"


def test_bf16_where_it_does_not_exist_is_refused(court: Court) -> None:
    machine = replace(ON_CPU, gpu_bytes=24 * GIB, gpu_free_bytes=23 * GIB)
    bf16 = changed(court.recipe, hardware={"precision": "bf16"})
    for judge in (court.judge(machine, [OLD_CARD]), court.judge()):
        misfit = only(judge.judge(bf16))
        assert (misfit.path, misfit.code) == ("hardware.precision", "not_here")
        assert misfit.nearest == (("hardware.precision", "auto"),)
    assert court.judge(machine, [GPU]).judge(bf16) == ()
    assert court.judge(flags=frozenset({"amx_bf16"})).judge(bf16) == ()
    assert court.judge(flags=frozenset()).judge(bf16) == ()  # nobody knows


def test_a_gpu_that_is_too_small_is_refused_with_what_would_fit(court: Court) -> None:
    machine = replace(ON_CPU, gpu_bytes=2 * GIB, gpu_free_bytes=2 * GIB)
    judge = court.judge(machine, [GPU])
    large = changed(court.recipe, training={"batch_size": 32})
    misfit = only(judge.judge(large))
    assert misfit.code == "gpu_too_small"
    assert misfit.path == misfit.nearest[0][0] == "training.batch_size"
    assert misfit.facts["limit_bytes"] == 2 * GIB
    fitting = {path.partition(".")[2]: value for path, value in misfit.nearest}
    assert judge.judge(changed(large, training=fitting)) == ()
    tiny = court.judge(replace(machine, gpu_bytes=GIB // 4, gpu_free_bytes=GIB // 4), [GPU])
    assert only(tiny.judge(large)).path == "model.path"


def test_an_engine_that_cannot_train_this_is_refused(court: Court) -> None:
    dora = changed(court.recipe, hardware={"engine": "cpu"}, lora={"use_dora": True})
    misfit = only(court.judge().judge(dora))
    assert (misfit.path, misfit.nearest) == ("hardware.engine", (("hardware.engine", "auto"),))


def test_a_recipe_file_is_judged_line_by_line(court: Court) -> None:
    recipes = court.recipes(court.judge())
    path = court.root / "recipe.yaml"
    path.write_bytes(dump_recipe(changed(court.recipe, hardware={"device": "cuda"})))
    (problem,) = recipes.check(path)
    line = path.read_text("utf-8").splitlines()[problem.line - 1]
    assert (problem.path, line.strip(), problem.facts["nearest"]) == (
        "hardware.device",
        "device: cuda",
        "cpu",
    )


def test_a_driver_is_held_against_the_build_of_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    from academy_desktop.core import environment

    monkeypatch.setattr(environment, "torch_cuda", lambda: (12, 6))
    assert "470.42 is too old for this PyTorch, which needs CUDA 12.6" in gpu_lack(OLD_DRIVER)
    assert usable_gpus((OLD_DRIVER, GPU)) == (GPU,)
    monkeypatch.setattr(environment, "torch_cuda", lambda: None)
    assert "processors only" in gpu_lack(GPU)
