from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from academy_desktop.viewmodels.recipe_fields import ESSENTIAL, NAME, SECTIONS, Field
from academy_desktop.viewmodels.recipe_form import RecipeForm, preset_choices
from tests.academy_desktop.viewmodels.making import words
from trainers.recipe import (
    Checkpoints,
    DatasetRef,
    Evaluation,
    Hardware,
    Lora,
    ModelRef,
    Samples,
    Training,
    TrainRecipe,
)

MODEL = ModelRef(id="m", path="/m")
DATASET = DatasetRef(id="d", path="/d", sha256="0" * 64)


def made() -> RecipeForm:
    said = words()
    return RecipeForm(said.messages, said.formats, said.gettext)


def fields(form: RecipeForm) -> Iterator[Field]:
    yield from form.essential
    for section in form.sections:
        yield from section.fields


def recipe(**sections: BaseModel) -> TrainRecipe:
    return TrainRecipe(model=MODEL, dataset=DATASET).model_copy(update=sections)


UNUSUAL = recipe(
    lora=Lora(rank=8, alpha=11, dropout=0.25, target_modules=("q_proj", "v_proj"), use_rslora=True),
    training=Training(learning_rate=1.234e-5, max_steps=77, lr_scheduler_type="cosine", seed=2**32 - 1),
    evaluation=Evaluation(every_steps=3, max_rows=0),
    samples=Samples(prompts=("Hello, you!", "ls | wc", '"Why?"'), count=0),
    checkpoints=Checkpoints(every_minutes=0.5, keep=9),
    hardware=Hardware(device="cuda", precision="fp16", quantization="nf4", threads=3),
)


def test_every_option_of_a_recipe_is_in_the_form_once() -> None:
    paths = [field.path for field in fields(made())]
    declared = [
        f"{name}.{option}"
        for name, info in TrainRecipe.model_fields.items()
        if isinstance(info.annotation, type)
        and issubclass(info.annotation, BaseModel)
        and name not in {"model", "dataset"}
        for option in info.annotation.model_fields
    ]
    assert sorted(paths) == sorted(declared)


def test_the_few_that_matter_come_first_and_not_again() -> None:
    form = made()
    assert tuple(field.path for field in form.essential) == ESSENTIAL
    assert not any(field.is_essential for section in form.sections for field in section.fields)
    assert len(form.sections) == len(SECTIONS)


def test_label_help_unit_bounds_and_default_are_those_of_the_declaration() -> None:
    form = made()
    rate = form.field("training.learning_rate")
    assert rate.help == Training.model_fields["learning_rate"].description
    assert rate.hint == "More than 0, at most 0.01. Usual: 0.0002."
    assert form.value("training.learning_rate") == "0.0002"
    assert form.field("training.max_seq_length").unit == "tokens"
    assert form.field("training.seed").hint == "At least 0, less than 4,294,967,296. Usual: 3,407."
    assert all(field.label and field.help and "_" not in field.label for field in fields(form))


def test_the_kind_of_a_field_is_that_of_its_type() -> None:
    form = made()
    kinds = {field.path: field.kind for field in fields(form)}
    assert kinds["lora.use_rslora"] == "toggle"
    assert kinds["lora.target_modules"] == "text"
    assert kinds["training.lr_scheduler_type"] == "choice"
    assert form.field("hardware.precision").choices == ("auto", "fp32", "bf16", "fp16")
    assert kinds["training.max_steps"] == "number"
    assert form.field("training.max_steps").optional
    assert not form.field("training.num_epochs").optional


@pytest.mark.parametrize("source", [recipe(), UNUSUAL], ids=["defaults", "unusual"])
def test_a_recipe_comes_out_of_the_form_as_it_went_in(source: TrainRecipe) -> None:
    form = made()
    form.take(source)
    assert form.problems == {}
    assert form.holds(source)
    assert form.fill(recipe()) == source


def test_every_value_in_its_field_makes_the_same_recipe_as_typing_it() -> None:
    taken, typed = made(), made()
    taken.take(UNUSUAL)
    for field in fields(taken):
        typed.set(field.path, taken.value(field.path))
    assert typed.fill(recipe()) == UNUSUAL


@pytest.mark.parametrize(
    ("path", "typed", "said"),
    [
        ("training.learning_rate", "5", "“Learning rate” is 5, but must be at most 0.01."),
        ("training.learning_rate", "0", "“Learning rate” is 0, but must be more than 0."),
        ("lora.rank", "2", "“Rank” is 2, but must be at least 4."),
        ("training.seed", "4294967296", "“Seed” is 4294967296, but must be less than 4,294,967,296."),
        ("training.learning_rate", "", "“Learning rate” is missing."),
        ("training.learning_rate", "  ", "“Learning rate” is missing."),
        ("lora.target_modules", " , ", "“{label}” is missing."),
        (
            "training.learning_rate",
            "fast",
            "“Learning rate” cannot be “fast”: it must be a number, written like 0.5.",
        ),
        (
            "training.learning_rate",
            "nan",
            "“Learning rate” cannot be “nan”: it must be a number, written like 0.5.",
        ),
        ("training.num_epochs", "1.5", "“Epochs” cannot be “1.5”: it must be a whole number."),
    ],
)
def test_a_wrong_value_is_said_at_its_field_in_a_sentence(path: str, typed: str, said: str) -> None:
    form = made()
    form.set(path, typed)
    assert form.problems == {path: said.format(label=form.field(path).label)}
    assert form.filled() is None
    assert not form.holds(recipe())


def test_values_that_do_not_go_together_are_said_at_the_field_to_change() -> None:
    form = made()
    form.set("training.max_steps", "5")
    assert list(form.problems) == ["training.warmup_steps"]
    assert "shorter than max_steps" in form.problems["training.warmup_steps"]
    form.set("training.warmup_steps", "4")
    assert form.problems == {}


def test_a_contradiction_between_two_sections_is_found() -> None:
    form = made()
    form.set("hardware.device", "cpu")
    form.set("hardware.precision", "fp16")
    assert list(form.problems) == ["hardware.precision"]


def test_several_wrong_values_are_all_said() -> None:
    form = made()
    for path in ("training.learning_rate", "lora.rank", "training.warmup_steps"):
        form.set(path, "x")
    assert set(form.problems) == {"training.learning_rate", "lora.rank", "training.warmup_steps"}


def test_a_long_value_is_repeated_in_part() -> None:
    form = made()
    form.set(NAME, "n" * 201)
    assert form.problems[NAME] == f"“Name” cannot be “{'n' * 32}…”: it must be at most 200 characters long."
    form.set(NAME, "")
    assert form.problems == {}


def test_setting_the_same_again_is_no_change() -> None:
    form = made()
    assert form.set("lora.rank", "8")
    assert not form.set("lora.rank", "8")


@given(st.sampled_from([field.path for field in fields(made())]), st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_whatever_is_typed_the_form_has_a_recipe_or_a_sentence(path: str, typed: str) -> None:
    form = made()
    if form.field(path).kind == "toggle":
        return
    form.set(path, typed)
    assert (form.filled() is None) == bool(form.problems)
    assert all(sentence.endswith(".") for sentence in form.problems.values())


def test_the_demo_s_presets_are_not_offered_and_the_quickest_comes_first() -> None:
    names = ["balanced", "demo", "demo-fast", "my-own", "quick", "thorough"]
    offered = preset_choices(names, words().gettext)
    assert [one.id for one in offered] == ["quick", "balanced", "thorough", "my-own"]
    assert offered[-1].title == "My own"
    assert all(one.detail for one in offered[:3])
