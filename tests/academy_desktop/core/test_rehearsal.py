"""What a rehearsal is made of, and what it makes of its findings; the whole way is a test of the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from academy_desktop.core import rehearsal_judging as judging
from academy_desktop.core.excerpt import Excerpts, write_excerpt
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.rehearsal_model import small_model
from academy_desktop.core.rehearsal_recipe import STEPS, FewRows, Stage, rehearsal_of
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks
from academy_desktop.core.trial import trial_of
from tests.academy_desktop.core.models.made_models import write_model, write_weights
from tests.pictures.export import event
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent, Nonfinite, Step
from trainers.order import total_steps
from trainers.recipe import DatasetRef, ModelRef, TrainRecipe
from trainers.rendering import Renderer

HASH = "0" * 64


def recipe(path: Path = Path("/models/large"), **sections: Any) -> TrainRecipe:
    return TrainRecipe.model_validate(
        {
            "model": {"id": "large", "path": str(path)},
            "dataset": {"id": "rows", "path": str(path.parent / "rows"), "sha256": HASH},
            **sections,
        }
    )


def stage(*, is_miniature: bool = True, rows: int = 160, longest: int = 300, typical: int = 100) -> Stage:
    few = FewRows(DatasetRef(id="few", path="/few", sha256=HASH), rows, longest, typical)
    return Stage(ModelRef(id="small", path="/models/small"), is_miniature, few, has_gpu=False)


def test_what_a_processor_has_not_gives_way_and_is_said() -> None:
    real = recipe(
        hardware={
            "device": "cuda", "engine": "unsloth", "precision": "fp16", "quantization": "nf4", "threads": 64,
            "optimizer": "adamw_8bit",
        },
        training={"batch_size": 16, "gradient_accumulation_steps": 8, "max_seq_length": 8192},
    )  # fmt: skip
    made, changes = rehearsal_of(real, stage(longest=8000, typical=2000))
    hardware = made.hardware
    assert (hardware.device, hardware.engine, hardware.precision) == ("cpu", "auto", "auto")
    assert (hardware.quantization, hardware.threads, hardware.optimizer) == ("none", None, "auto")
    training = made.training
    assert (training.max_steps, training.max_seq_length) == (STEPS, 8192)
    assert (training.batch_size, training.gradient_accumulation_steps) == (2, 1)
    assert (made.model.id, made.dataset.id, made.lora) == ("small", "few", real.lora)
    assert [change.code for change in changes] == [
        "device", "engine", "precision", "quantization", "optimizer", "batch_size", "batches",
        "learning_rate",
    ]  # fmt: skip


def test_what_fits_a_processor_stays_as_it_is() -> None:
    real = recipe(training={"batch_size": 4, "gradient_accumulation_steps": 2, "learning_rate": 1e-4})
    made, changes = rehearsal_of(real, stage(is_miniature=False))
    assert changes == ()
    assert made.training.learning_rate == 1e-4
    assert (made.training.batch_size, made.training.gradient_accumulation_steps) == (4, 2)


def test_few_rows_make_enough_steps_all_the_same() -> None:
    made, changes = rehearsal_of(recipe(training={"batch_size": 16}), stage(rows=4))
    training = made.training
    per_step = training.batch_size * training.gradient_accumulation_steps
    assert total_steps(4, training.num_epochs, per_step, training.max_steps) == STEPS
    assert {"batch_size", "batches"} <= {change.code for change in changes}


def test_a_batch_of_verdicts_keeps_two_rows() -> None:
    made, _ = rehearsal_of(recipe(method="kto", training={"batch_size": 8}), stage(longest=60_000))
    assert made.training.batch_size == 2


def test_texts_are_rehearsed_without_held_out_rows() -> None:
    real = recipe(method="pretrain", evaluation={"keep_best": True, "patience": 2})
    made, _ = rehearsal_of(real, stage())
    assert (made.evaluation.max_rows, made.evaluation.keep_best, made.evaluation.patience) == (0, False, None)


def test_a_trial_takes_three_steps_of_the_very_recipe() -> None:
    real = recipe(training={"num_epochs": 7, "warmup_ratio": 0.1}, evaluation={"patience": 3})
    made = trial_of(real, DatasetRef(id="few", path="/few", sha256=HASH))
    assert (made.training.max_steps, made.training.num_epochs) == (3, 3)
    assert (made.training.batch_size, made.hardware) == (real.training.batch_size, real.hardware)
    assert made.evaluation.max_rows == 0


def steps(*losses: float) -> list[AnyEvent]:
    made = (
        Step(
            step=number, total_steps=len(losses), epoch=1.0, loss=loss, learning_rate=1e-3, grad_norm=1.0,
            supervised_tokens=1, tokens=1, step_s=1.0, eta_s=0.0, rss_bytes=1, device_memory_bytes=None,
        )
        for number, loss in enumerate(losses, 1)
    )  # fmt: skip
    return [event(number, one) for number, one in enumerate(made, 1)]


def test_a_loss_that_does_not_fall_is_serious_where_it_should_fall() -> None:
    assert list(judging.of_training(steps(3.0, 2.0, 1.5, 1.0), "sft")) == []
    (problem,) = judging.of_training(steps(1.0, 1.0, 1.0, 1.2), "sft")
    assert (problem.code, problem.serious) == ("loss_not_falling", True)
    (light,) = judging.of_training(steps(0.69, 0.69, 0.69, 0.69), "dpo")
    assert not light.serious


def test_broken_numbers_are_serious() -> None:
    broken = event(9, Nonfinite(step=2, what="loss"))
    (problem,) = judging.of_training([*steps(1.0), broken], "sft")
    assert (problem.code, problem.serious, problem.facts) == ("nonfinite_loss", True, {"step": 2})


def test_a_defect_of_few_rows_is_a_remark_and_of_most_is_serious() -> None:
    few, refused = judging.of_rows({"missing_end_of_turn": 3, "template_failed": 1}, 100)
    assert (few.serious, refused.serious) == (False, True)
    (most,) = judging.of_rows({"missing_end_of_turn": 90}, 100)
    assert most.serious


def test_what_only_this_computer_lacks_is_not_serious() -> None:
    missing = AcademyError(ErrorCode.LLAMA_CPP_MISSING)
    assert not judging.of_failure(missing, "proving").serious
    format_ = AcademyError(ErrorCode.ADAPTER_UNSUPPORTED, detail="DoRA")
    assert judging.of_failure(format_, "exporting").serious
    assert not judging.of_failure(format_, "exporting", others=True).serious


def test_a_smaller_model_of_the_same_make_is_taken_if_it_is_there(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data").open()
    models, tasks = Models(data, tmp_path / "no-hub"), Tasks(Path("python"), Runtimes(data.runtimes))
    large = write_model(tmp_path / "large")
    write_weights(large / "model.safetensors", {"model.embed_tokens.weight": (512, 64)})
    write_model(data.models / "other").joinpath("config.json").write_text('{"architectures": ["Other"]}')
    small = write_model(data.models / "small")
    told: list[str] = []
    ref, found = small_model(
        models, tasks, recipe(large), tmp_path, lambda _done, _total, detail: told.append(detail)
    )
    assert (Path(ref.path), found.kind, told) == (small, "sibling", [])


@pytest.fixture
def rows_of(tmp_path: Path) -> Path:
    """Rows of rising length, one of which is too long for its answer to be learned."""
    model = write_model(tmp_path / "tiny")
    words = [2, 9, 5, 400, 7]
    rows = [
        {
            "id": number,
            "source": {"file": "made.jsonl", "row": number},
            "messages": [
                {"role": "user", "content": "w " * count},
                {"role": "assistant", "content": "yes"},
            ],
        }
        for number, count in enumerate(words)
    ]
    write_excerpt(tmp_path / "rows", rows, rows[:1])
    return model


def test_the_longest_rows_are_those_that_teach_something(rows_of: Path) -> None:
    real = recipe(rows_of, training={"max_seq_length": 256})
    rows = Excerpts(real, Renderer.load(rows_of))
    chosen = rows.longest(2)
    assert [one.row["id"] for one in chosen] == [1, 4]
    assert chosen[0].tokens > chosen[1].tokens
    assert [one.row["id"] for one in rows.usual(9)] == [0, 1, 2, 4]


def test_a_damaged_row_is_named_by_its_line(rows_of: Path) -> None:
    path = rows_of.parent / "rows" / "train.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"messages"', b'"messages', 1))
    with pytest.raises(AcademyError) as error:
        Excerpts(recipe(rows_of), Renderer.load(rows_of)).longest(5)
    assert error.value.code is ErrorCode.DATASET_DAMAGED
    assert error.value.facts["line"] == 1
