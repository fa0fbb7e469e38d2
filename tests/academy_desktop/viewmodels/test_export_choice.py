from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.paths import DataDir
from academy_desktop.core.reader import RunReader
from academy_desktop.viewmodels.export_choice import (
    FIRST_CHOICE,
    FORMATS,
    QUANTS,
    ExportChoice,
    Measures,
    expected_bytes,
    items_of,
    measure,
)
from tests.academy_desktop.made_runs import make_run, succeeded
from tests.academy_desktop.viewmodels.making import words
from trainers.recipe import ExportFormat, ExportItem, Quant

MEASURES = Measures(134_515_008, 4_884_480, 19_576_064)


def choice() -> ExportChoice:
    return ExportChoice(words().formats, words().gettext)


def test_every_format_can_be_chosen() -> None:
    assert set(FORMATS) == set(QUANTS) == set(get_args(ExportFormat))


def test_the_first_choice_is_one_small_file(qapp: QApplication) -> None:
    assert choice().items == (FIRST_CHOICE,)


def test_ticking_a_format_ticks_its_usual_numbers_and_unticking_all_of_them(qapp: QApplication) -> None:
    made = choice()
    made.tick_format("merged", True)
    made.tick(ExportItem(format="merged", quant="f32"), True)
    assert [item.name for item in made.items] == ["gguf-q8_0.gguf", "merged-f16", "merged-f32"]
    made.tick_format("merged", False)
    assert made.items == (FIRST_CHOICE,)


def test_with_the_last_number_format_its_format_is_unticked(qapp: QApplication) -> None:
    made = choice()
    made.tick(FIRST_CHOICE, False)
    assert made.items == ()
    assert not made.formats[0].ticked
    assert made.summary == "Tick at least one format."


def test_only_k_quants_are_weighed_by_the_rows(qapp: QApplication) -> None:
    made = choice()
    weighing = made.formats[0].weighing
    assert weighing is not None
    assert (weighing.offered, weighing.ticked) == (False, False)
    made.weigh(True)
    made.tick(ExportItem(format="gguf", quant="q4_k_m"), True)
    weighing = made.formats[0].weighing
    assert weighing is not None
    assert (weighing.offered, weighing.ticked) == (True, True)
    assert [item.name for item in made.items] == ["gguf-q8_0.gguf", "gguf-q4_k_m-imatrix.gguf"]
    made.weigh(False)
    assert [item.name for item in made.items] == ["gguf-q8_0.gguf", "gguf-q4_k_m.gguf"]
    assert [one.weighing is None for one in made.formats] == [False, True, True, True]


def test_a_tick_that_changes_nothing_says_nothing(qapp: QApplication) -> None:
    made = choice()
    said: list[None] = []
    made.changed.connect(lambda: said.append(None))
    made.tick(FIRST_CHOICE, True)
    made.tick_format("gguf", True)
    made.take(Measures())
    made.weigh(False)
    assert not said


@pytest.mark.parametrize(
    ("form", "quant", "size"),
    [
        ("gguf", "f16", 269_030_016),
        ("gguf", "q8_0", 142_922_196),
        ("merged", "bf16", 269_030_016),
        ("merged", "f32", 538_060_032),
        ("adapter", "f16", 19_576_064),
        ("lora-gguf", "f16", 9_768_960),
    ],
)
def test_sizes_follow_from_the_models_and_the_adapters_weights(
    form: ExportFormat, quant: Quant, size: int
) -> None:
    assert expected_bytes(ExportItem(format=form, quant=quant), MEASURES) == size


def test_sizes_are_shown_as_estimates_and_summed_up(qapp: QApplication) -> None:
    made = choice()
    made.take(MEASURES)
    made.tick_format("adapter", True)
    assert made.summary == "2 exports, about 155\u00a0MiB"
    assert made.formats[0].choices[0].size == "about 136\u00a0MiB"


def test_an_unknown_size_is_not_guessed(qapp: QApplication) -> None:
    made = choice()
    made.take(Measures(adapter_bytes=1000))
    assert made.summary == "1 export"
    assert made.formats[0].choices[0].size == ""


def test_a_run_whose_model_and_adapter_are_gone_has_no_measures(tmp_path: Path) -> None:
    data = DataDir(tmp_path).open()
    made = make_run(data, "Replies", 1_800_000_000.0).started().steps(1, 2)
    made.ended(succeeded, 2, 0)
    assert measure(RunReader(made.run).refresh()[0]) == Measures()


def test_a_run_is_measured_by_the_headers_of_its_files(tmp_path: Path) -> None:
    from tests.trainers.tiny_model import write_model  # brings torch

    data = DataDir(tmp_path / "data").open()
    model = write_model(tmp_path / "tiny", lessons=0)
    made = make_run(data, "Replies", 1_800_000_000.0).started().steps(1, 2)
    made.ended(succeeded, 2, 0)
    recipe = made.run.recipe
    recipe.write_text(recipe.read_text("utf-8").replace("/models/smollm2", str(model)), "utf-8")
    made.run.adapter.mkdir()
    weights = made.run.adapter / "adapter_model.safetensors"
    weights.write_bytes((model / "model.safetensors").read_bytes())
    found = measure(RunReader(made.run).refresh()[0])
    assert found.adapter_bytes == weights.stat().st_size
    assert found.parameters is not None
    assert found.parameters > 1000
    assert found.adapter_parameters == found.parameters
    f32 = expected_bytes(ExportItem(format="merged", quant="f32"), found)
    assert f32 is not None
    assert 0.9 * weights.stat().st_size < f32 <= weights.stat().st_size


def test_no_format_names_a_number_format_twice() -> None:
    for form in FORMATS:
        items = items_of(form)
        assert len({item.name for item in items}) == len(items)
