from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.models import Model, Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipe_problems import Problem
from academy_desktop.core.recipe_yaml import dump_recipe
from academy_desktop.core.recipes import Recipes
from tests.academy_desktop.core.models.made_models import write_model, write_weights
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.base_model import fingerprint
from trainers.recipe import Method, TrainRecipe
from trainers.recipe_file import read_recipe

PRESETS = Path(__file__).parents[3] / "resources" / "recipes"


@dataclass(frozen=True)
class Bench:
    """A dataset, a model, and a recipe file that can be run."""

    root: Path
    recipes: Recipes
    datasets: Library
    dataset: DatasetManifest
    models: Models
    model: Model
    file: Path
    text: str

    def check(self, text: str) -> tuple[Problem, ...]:
        self.file.write_text(text, "utf-8")
        return self.recipes.check(self.file)

    def changed(self, old: str, new: str) -> tuple[Problem, ...]:
        """Check the recipe with one line changed."""
        assert self.text.count(old) == 1
        return self.check(self.text.replace(old, new))

    def line(self, text: str) -> int:
        """The line of the only line of the file that begins so."""
        (number,) = [
            number
            for number, line in enumerate(self.file.read_text("utf-8").splitlines(), 1)
            if line.strip().startswith(text)
        ]
        return number


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One for all tests that change nothing but the file."""
    return made(tmp_path_factory.mktemp("recipes"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return made(tmp_path)


def made(root: Path) -> Bench:
    data = DataDir(root / "data").open()
    datasets, models = Library(data.datasets), Models(data, root / "no-hub")
    rows = root / "rows.jsonl"
    rows.write_text("".join(json.dumps({"question": f"{n}?", "answer": f"{n}!"}) + "\n" for n in range(20)))
    dataset = datasets.import_files([rows], "Replies")
    model = models.add(write_model(root / "elsewhere" / "tiny"))
    recipes = Recipes(PRESETS, datasets, models)
    text = dump_recipe(recipes.make("Replies", "tiny")).decode()
    return Bench(root, recipes, datasets, dataset, models, model, root / "recipe.yaml", text)


def test_a_recipe_is_made_with_every_value_resolved(whole: Bench) -> None:
    recipe = whole.recipes.make("replies", "tiny", name="First try")
    assert (recipe.name, recipe.kind, recipe.version) == ("First try", "train", 1)
    assert (recipe.dataset.id, recipe.dataset.sha256) == (whole.dataset.id, whole.dataset.sha256)
    assert recipe.dataset.path == str(whole.datasets.root / whole.dataset.id)
    assert (recipe.model.id, recipe.model.path) == (whole.model.id, whole.model.path)
    assert recipe.model.sha256 == fingerprint(Path(whole.model.path))
    written: dict[str, Any] = YAML(typ="safe", pure=True).load(dump_recipe(recipe).decode())
    for section, model in TrainRecipe.model_fields.items():
        fields = getattr(model.annotation, "model_fields", None)
        assert section in written
        assert fields is None or set(written[section]) == set(fields)


def test_without_a_name_it_has_the_dataset_s(whole: Bench) -> None:
    assert whole.recipes.make(whole.dataset.id, whole.model.id).name == "Replies"


@pytest.mark.parametrize("preset", sorted(path.stem for path in PRESETS.glob("*.yaml")))
def test_every_preset_makes_a_recipe_without_problems(whole: Bench, preset: str) -> None:
    recipe = whole.recipes.make("Replies", "tiny", preset)
    whole.file.write_bytes(dump_recipe(recipe))
    assert whole.recipes.check(whole.file) == ()
    assert whole.recipes.read(whole.file) == recipe == read_recipe(whole.file)
    said = YAML(typ="safe", pure=True).load((PRESETS / f"{preset}.yaml").read_text("utf-8"))
    for section, values in said.items():
        made = getattr(recipe, section).model_dump()
        assert {key: made[key] for key in values} == values


def test_the_presets_that_are_spoken_of_are_there(whole: Bench) -> None:
    assert list(whole.recipes.presets()) == ["balanced", "demo", "demo-fast", "memory", "quick", "thorough"]


def test_a_method_that_does_not_fit_the_rows_is_refused_before_the_start(bench: Bench) -> None:
    texts = bench.root / "texts.jsonl"
    texts.write_text("".join(json.dumps({"text": f"Story number {n}."}) + "\n" for n in range(20)))
    bench.datasets.import_files([texts], "Stories")
    made = bench.recipes.make("Stories", "tiny")
    assert made.method == "pretrain"
    assert (made.training.learning_rate, made.training.batch_size) == (1e-4, 4)
    bench.file.write_bytes(dump_recipe(made))
    assert bench.recipes.check(bench.file) == ()
    for method in ("sft", "dpo", "kto"):
        bench.file.write_bytes(dump_recipe(made.model_copy(update={"method": method})))
        (problem,) = bench.recipes.check(bench.file)
        assert (problem.path, problem.line, problem.code) == ("method", bench.line("method"), "dataset_kind")
        assert problem.facts == {
            "dataset": "Stories", "kind": "text", "method": method, "nearest": "pretrain",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "methods"),
    [("preference", ("dpo", "orpo")), ("kto", ("kto",))],
)
def test_the_method_is_the_one_that_fits_the_rows(
    bench: Bench, kind: str, methods: tuple[Method, ...]
) -> None:
    rows = bench.root / "judged.jsonl"
    made = [
        {"prompt": f"What is {n}?", "chosen": f"It is {n}.", "rejected": f"Who knows {n}?"}
        if kind == "preference"
        else {"prompt": f"What is {n}?", "completion": f"It is {n}.", "label": n % 2 == 0}
        for n in range(20)
    ]
    rows.write_text("".join(json.dumps(row) + "\n" for row in made))
    assert bench.datasets.import_files([rows], "Judged").kind == kind
    assert bench.recipes.make("Judged", "tiny").method == methods[0]
    for method in methods:
        bench.file.write_bytes(dump_recipe(bench.recipes.make("Judged", "tiny", method=method)))
        assert bench.recipes.check(bench.file) == ()
    bench.file.write_bytes(dump_recipe(bench.recipes.make("Judged", "tiny", method="sft")))
    (problem,) = bench.recipes.check(bench.file)
    assert (problem.path, problem.facts["nearest"]) == ("method", methods[0])


def test_an_unknown_preset_names_the_nearest(whole: Bench) -> None:
    with pytest.raises(AcademyError) as caught:
        whole.recipes.make("Replies", "tiny", "ballanced")
    assert caught.value.code is ErrorCode.RECIPE_INVALID
    assert (caught.value.facts["value"], caught.value.facts["nearest"]) == ("ballanced", "balanced")


@pytest.mark.parametrize("preset", ["../recipes/quick", "", "quick.yaml", "/etc/passwd"])
def test_a_preset_is_no_path(whole: Bench, preset: str) -> None:
    with pytest.raises(AcademyError, match="recipe_invalid"):
        whole.recipes.make("Replies", "tiny", preset)


def test_what_is_not_there_is_told(whole: Bench) -> None:
    with pytest.raises(AcademyError, match="dataset_unknown"):
        whole.recipes.make("repplies-", "tiny")
    with pytest.raises(AcademyError, match="model_unknown"):
        whole.recipes.make("Replies", "teeny")


@pytest.mark.parametrize(
    ("lack", "code"),
    [
        ({"tokenizer": False}, ErrorCode.MODEL_WITHOUT_TOKENIZER),
        ({"template": None}, ErrorCode.MODEL_WITHOUT_CHAT_TEMPLATE),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused(bench: Bench, lack: dict[str, Any], code: str) -> None:
    folder = write_model(bench.root / "other", **lack)
    with pytest.raises(AcademyError) as caught:
        bench.recipes.make("Replies", str(folder))
    assert (caught.value.code, caught.value.facts["path"]) == (code, str(folder))
    (problem,) = bench.changed(f"path: {bench.model.path}", f"path: {folder}")
    assert (problem.path, problem.line, problem.code) == ("model.path", bench.line(f"path: {folder}"), code)


def test_a_gguf_file_is_refused(bench: Bench) -> None:
    path = bench.root / "tiny.gguf"
    path.write_bytes(b"GGUF" + b"\0" * 20)
    with pytest.raises(AcademyError, match="model_incomplete"):
        bench.recipes.make("Replies", str(path))
    (problem,) = bench.changed(f"path: {bench.model.path}", f"path: {path}")
    assert problem.code == ErrorCode.MODEL_INCOMPLETE


def test_a_typing_error_names_key_line_and_nearest(whole: Bench) -> None:
    (problem,) = whole.changed("learning_rate:", "lerning_rate:")
    assert (problem.path, problem.code) == ("training.lerning_rate", "unknown_key")
    assert problem.line == whole.line("lerning_rate")
    assert problem.facts == {"key": "training.lerning_rate", "nearest": "learning_rate"}


def test_unknown_keys_anywhere_are_all_named(whole: Bench) -> None:
    problems = whole.check(whole.text + "modle: x\n1: 2\n? [a, b]\n: c\nlora2:\n  rank: 3\n")
    assert [(problem.path, problem.code) for problem in problems] == [
        ("modle", "unknown_key"),
        ("1", "unknown_key"),
        ("('a', 'b')", "unknown_key"),
        ("lora2", "unknown_key"),
    ]
    assert [problem.facts["nearest"] for problem in problems] == ["model", None, None, "lora"]
    assert problems[0].line == whole.line("modle")


@pytest.mark.parametrize(
    ("key", "value", "bound", "side"),
    [
        ("training.learning_rate", 5, 0.01, "le"),
        ("training.learning_rate", 0, 0.0, "gt"),
        ("training.learning_rate", -1e-4, 0.0, "gt"),
        ("training.num_epochs", 0, 1, "ge"),
        ("training.max_seq_length", 100_000, 8192, "le"),
        ("training.seed", 2**32, 2**32, "lt"),
        ("lora.rank", 3, 4, "ge"),
        ("lora.dropout", 0.75, 0.5, "le"),
    ],
)
def test_a_value_out_of_range_names_bound_and_line(
    whole: Bench, key: str, value: float, bound: float, side: str
) -> None:
    section, name = key.split(".")
    old = getattr(getattr(whole.recipes.make("Replies", "tiny"), section), name)
    (problem,) = whole.changed(f"\n  {name}: {old}\n", f"\n  {name}: {value}\n")
    assert (problem.path, problem.line, problem.code) == (key, whole.line(f"{name}:"), "out_of_range")
    assert problem.facts == {"key": key, "value": value, "bound": bound, "side": side}


@pytest.mark.parametrize(
    ("old", "new", "path", "value"),
    [
        ("  rank: 16", "  rank: wide", "lora.rank", "wide"),
        ("  rank: 16", "  rank: 16.5", "lora.rank", 16.5),
        ("  rank: 16", "  rank: [16]", "lora.rank", "a list"),
        ("  rank: 16", "  rank:", "lora.rank", "nothing"),
        ("  rank: 16", "  rank: 2024-01-01", "lora.rank", "date"),
        ("  device: auto", "  device: gpu", "hardware.device", "gpu"),
        ("kind: train", "kind: export", "kind", "export"),
        ("version: 1", "version: 2", "version", 2),
        ("learning_rate: 0.0002", "learning_rate: .nan", "training.learning_rate", "nan"),
        ("learning_rate: 0.0002", "learning_rate: -.inf", "training.learning_rate", "-inf"),
        ("name: Replies", f"name: {'long ' * 100}", "name", f"{'long ' * 16}…"),
        ("target_modules: all-linear", "target_modules: 5", "lora.target_modules", 5),
        ("target_modules: all-linear", "target_modules: [q_proj, 5]", "lora.target_modules", "a list"),
    ],
)
def test_a_wrong_value_is_named_once(whole: Bench, old: str, new: str, path: str, value: object) -> None:
    (problem,) = whole.changed(old, new)
    assert (problem.path, problem.code, problem.facts["value"]) == (path, "wrong_value", value)
    assert problem.line == whole.line(new.partition(":")[0].strip() + ":")
    assert problem.facts["key"] == path
    json.dumps(problem.facts, allow_nan=False)


def test_layers_may_be_named(whole: Bench) -> None:
    assert whole.changed("target_modules: all-linear", "target_modules: [q_proj, v_proj]") == ()


@pytest.mark.parametrize("value", ["5", "[1]", "text", ""])
def test_a_section_that_is_none(whole: Bench, value: str) -> None:
    whole.file.write_text(whole.text)
    first, last = whole.line("evaluation:"), whole.line("checkpoints:")
    lines = whole.text.splitlines()
    problems = whole.check("\n".join([*lines[: first - 1], f"evaluation: {value}", *lines[last - 1 :]]))
    assert [(problem.path, problem.line, problem.code) for problem in problems] == [
        ("evaluation", first, "wrong_value")
    ]


def test_missing_sections_and_keys_are_all_named(whole: Bench) -> None:
    problems = whole.check("version: 1\nmodel:\n  id: tiny\n")
    assert [(problem.path, problem.line, problem.code) for problem in problems] == [
        ("model.path", 2, "missing_key"), ("dataset", 1, "missing_key"),
    ]  # fmt: skip


def test_what_has_a_default_may_be_left_out(whole: Bench) -> None:
    document = YAML(typ="safe", pure=True).load(whole.text)
    short = {key: document[key] for key in ("model", "dataset")}
    del short["model"]["sha256"]
    assert whole.check(json.dumps(short)) == ()  # JSON is YAML, too
    assert whole.recipes.read(whole.file).training.num_epochs == 2


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"device: auto": "device: cpu", "precision: auto": "precision: fp16"}, "hardware.precision"),
        ({"max_steps:": "max_steps: 3"}, "training.warmup_steps"),
    ],
)
def test_a_contradiction_is_named_with_its_line(whole: Bench, changes: dict[str, str], key: str) -> None:
    text = whole.text
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    (problem,) = whole.check(text)
    assert (problem.path, problem.code) == (key, "contradiction")
    assert problem.line == whole.line(key.split(".")[1])
    assert str(problem.facts["detail"]).startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1), ("\n# nothing\n", 1), ("- a\n- b\n", 1), ("just words", 1), ("3", 1), ("null", 1),
        ("training:\n\tnum_epochs: 2\n", 2), ("name: [1, 2\n", 2), ('name: "a\n', 2), ("a: b: c\n", 1),
        ("name: a\nname: b\n", 2), ("name: a\n---\nname: b\n", 2), ("name: *nothing\n", 1), ("@\n", 1),
        ("name: \x07\n", 1), ("%YAML 9.9\n---\nname: a\n", 1), ("{" * 800, 1), ("name: " + "[" * 800, 1),
        ("name: !!int five\n", 1), ("name: !!float x\n", 1), ("name: !!bool x\n", 1),
        ("name: 2024-13-45\n", 1), ("seed: " + "9" * 6000, 1), ("name: !!binary abc\n", 1),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_told_with_the_line(whole: Bench, text: str, line: int) -> None:
    (problem,) = whole.check(text)
    assert (problem.path, problem.line, problem.code) == ("", line, "not_yaml")
    assert problem.facts["detail"]
    assert "\n" not in str(problem.facts["detail"])


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\x00\x00", b"GGUF\xff", "name: grün".encode("latin-1")]
)
def test_a_file_that_is_no_text_is_unreadable(whole: Bench, content: bytes) -> None:
    whole.file.write_bytes(content)
    for look in (whole.recipes.check, whole.recipes.read):
        with pytest.raises(AcademyError) as caught:
            look(whole.file)
        assert caught.value.code is ErrorCode.RECIPE_UNREADABLE
        assert caught.value.facts["path"] == str(whole.file)


def test_a_file_that_is_not_there_and_a_folder(whole: Bench) -> None:
    with pytest.raises(AcademyError, match="file_not_found"):
        whole.recipes.check(whole.root / "nothing.yaml")
    with pytest.raises(AcademyError, match="recipe_unreadable"):
        whole.recipes.check(whole.root)


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(whole: Bench) -> None:
    assert whole.check("\ufeff" + whole.text.replace("\n", "\r\n")) == ()


@pytest.mark.parametrize("path", ["models/tiny", "./tiny", "~/tiny", "tiny", ""])
def test_a_relative_path_is_refused(whole: Bench, path: str) -> None:
    (problem,) = whole.changed(f"path: {whole.model.path}", f'path: "{path}"')
    assert (problem.path, problem.code) == ("model.path", "path_not_absolute")
    assert (problem.facts, problem.line) == ({"value": path}, whole.line(f'path: "{path}"'))


@pytest.mark.parametrize(
    "path",
    ["/etc", "{folder}/..", "{folder}/../other", "datasets", "", "/a\\0b", "/\\ud800", "/" + "x" * 5000],
)
def test_a_dataset_outside_its_folder_is_refused(whole: Bench, path: str) -> None:
    folder = whole.datasets.folder(whole.dataset.id)
    (problem,) = whole.changed(f"path: {folder}", f'path: "{path.format(folder=folder)}"')
    assert (problem.path, problem.code) == ("dataset.path", "path_outside")
    assert problem.facts["expected"] == str(folder)


def test_another_way_to_the_same_folder_is_the_same(bench: Bench) -> None:
    folder = bench.datasets.folder(bench.dataset.id)
    (bench.root / "link").symlink_to(folder)
    assert bench.changed(f"path: {folder}", f"path: {folder}/../{folder.name}/") == ()
    assert bench.changed(f"path: {folder}", f"path: {bench.root}/link") == ()


@pytest.mark.parametrize("path", ["/nowhere", "/a\\0b", "/\\ud800", "/" + "x" * 5000])
def test_a_model_that_is_nowhere(whole: Bench, path: str) -> None:
    (problem,) = whole.changed(f"path: {whole.model.path}", f'path: "{path}"')
    assert (problem.path, problem.code) == ("model.path", ErrorCode.MODEL_UNKNOWN)


def test_a_model_that_changed_since(bench: Bench) -> None:
    assert bench.check(bench.text) == ()
    write_weights(Path(bench.model.path) / "model.safetensors", {"other": (3,)})
    (problem,) = bench.check(bench.text)
    assert (problem.path, problem.code) == ("model.sha256", "hash_differs")
    assert bench.text.splitlines()[problem.line - 1].strip().startswith("sha256:")
    (Path(bench.model.path) / "model.safetensors").write_bytes(b"\xff" * 9)
    (problem,) = bench.check(bench.text)
    assert (problem.path, problem.code) == ("model.path", ErrorCode.MODEL_DAMAGED)


def test_a_dataset_that_changed_since(bench: Bench) -> None:
    rows = bench.datasets.folder(bench.dataset.id) / "train.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b"!", b"?"))
    (problem,) = bench.check(bench.text)
    assert (problem.path, problem.code) == ("dataset.id", ErrorCode.DATASET_DAMAGED)
    assert problem.facts["dataset"] == bench.dataset.id


def test_a_recipe_for_another_version_of_a_dataset(whole: Bench) -> None:
    (problem,) = whole.changed(f"sha256: {whole.dataset.sha256}", f"sha256: {'f' * 64}")
    assert (problem.path, problem.code) == ("dataset.sha256", "hash_differs")
    (problem,) = whole.changed(f"sha256: {whole.dataset.sha256}", "sha256: 12ab")
    assert (problem.path, problem.code) == ("dataset.sha256", "wrong_value")


def test_an_unknown_dataset_names_the_nearest(whole: Bench) -> None:
    (problem,) = whole.changed(f"id: {whole.dataset.id}", "id: replise")
    assert (problem.path, problem.line) == ("dataset.id", whole.line("id: replise"))
    assert (problem.code, problem.facts["near"]) == (ErrorCode.DATASET_UNKNOWN, "Replies")


def test_all_that_is_wrong_is_named_at_once(whole: Bench) -> None:
    text = whole.text.replace(whole.model.path, "tiny").replace(whole.dataset.sha256, "f" * 64)
    assert [problem.path for problem in whole.check(text)] == ["model.path", "dataset.sha256"]
    text = whole.text.replace("rank: 16", "rank: 1").replace("num_epochs:", "epochs:")
    assert [problem.path for problem in whole.check(text)] == ["lora.rank", "training.epochs"]


def raised(bench: Bench, text: str) -> AcademyError:
    bench.file.write_text(text, "utf-8")
    with pytest.raises(AcademyError) as caught:
        bench.recipes.read(bench.file)
    return caught.value


def test_reading_raises_the_first_problem(whole: Bench) -> None:
    error = raised(whole, whole.text.replace("rank: 16", "rank: 1").replace("num_epochs:", "epochs:"))
    assert error.code is ErrorCode.RECIPE_INVALID
    assert error.facts == {
        "path": str(whole.file), "line": whole.line("rank:"), "key": "lora.rank", "problem": "out_of_range",
        "problems": 2, "value": 1, "bound": 4, "side": "ge", "place": None,
    }  # fmt: skip


def test_reading_keeps_both_paths(bench: Bench) -> None:
    (Path(bench.model.path) / "tokenizer.json").unlink()
    error = raised(bench, bench.text)
    assert (error.facts["problem"], error.facts["key"]) == (ErrorCode.MODEL_WITHOUT_TOKENIZER, "model.path")
    assert (error.facts["path"], error.facts["place"]) == (str(bench.file), bench.model.path)


@pytest.mark.parametrize("text", ["", "a: [", "- a"])
def test_reading_what_is_no_recipe(whole: Bench, text: str) -> None:
    error = raised(whole, text)
    assert (error.code, error.facts["problem"]) == (ErrorCode.RECIPE_INVALID, "not_yaml")


def test_python_tags_do_nothing(bench: Bench) -> None:
    marker = bench.root / "done"
    for value in (
        f"!!python/object/apply:os.mkdir [{marker}]",
        f"!!python/object/new:os.mkdir [{marker}]",
        f"!!python/object/apply:subprocess.check_call [[mkdir, {marker}]]",
        "!!python/name:os.system",
        "!!python/module:this",
        "!!python/object:pathlib.Path {}",
        "!anything x",
    ):
        (problem,) = bench.changed("name: Replies", f"name: {value}")
        assert (problem.path, problem.code) == ("name", "wrong_value")
        (problem,) = bench.check(f"{bench.text}{value}: 1\n")
        assert problem.code in {"unknown_key", "not_yaml"}
    assert not marker.exists()


CHECK = """
import json, resource, sys
from pathlib import Path
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.models import Models
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipes import Recipes
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
root = Path(sys.argv[1])
data = DataDir(root / "data")
recipes = Recipes(root, Library(data.datasets), Models(data, root / "no-hub"))
print(json.dumps([(problem.path, problem.code) for problem in recipes.check(root / "recipe.yaml")]))
"""

LEVELS = "".join(f"  - &l{n + 1} [{', '.join([f'*l{n}'] * 9)}]\n" for n in range(40))
SECTIONS = "".join(f"  x{n + 1}: &m{n + 1} {{a: *m{n}, b: *m{n}}}\n" for n in range(40))


@pytest.mark.parametrize(
    ("text", "unknown", "wrong"),
    [
        (f"bomb:\n  - &l0 boom\n{LEVELS}name: *l40\n", {"bomb"}, {"name"}),
        (f"bomb:\n  x0: &m0 boom\n{SECTIONS}lora: *m40\n", {"bomb", "lora.a", "lora.b"}, set()),
        ("name: &a [*a]\nlora: &b {rank: *b}\n", set(), {"name", "lora.rank"}),
    ],
    ids=["lists", "sections", "endless"],
)
def test_aliases_do_not_explode(bench: Bench, text: str, unknown: set[str], wrong: set[str]) -> None:
    bench.file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(bench.root)],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert dict(json.loads(done.stdout)) == {
        "model": "missing_key", "dataset": "missing_key",
        **dict.fromkeys(unknown, "unknown_key"), **dict.fromkeys(wrong, "wrong_value"),
    }  # fmt: skip


def test_sound_aliases_are_read_like_anything_else(whole: Bench) -> None:
    text = whole.text.replace("rank: 16", "rank: &rank 16").replace("alpha: 32", "alpha: *rank")
    assert whole.check(text) == ()
    assert whole.recipes.read(whole.file).lora.alpha == 16


def test_what_an_alias_merges_in_is_checked_too(whole: Bench) -> None:
    text = "x: &x\n  rank: 100\n" + whole.text.replace("  rank: 16\n", "  <<: *x\n")
    problems = whole.check(text)
    assert [(problem.path, problem.code) for problem in problems] == [
        ("lora.rank", "out_of_range"), ("x", "unknown_key"),
    ]  # fmt: skip
    assert problems[0].line == whole.line("lora:")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=80),
        st.text(alphabet="ab:-?&*!|>%@`'\"{}[],#\n \t0.~<=", max_size=60).map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from([*TrainRecipe.model_fields, "id", "path", "sha256", "rank", "seed"]),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=12,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_whatever_is_in_a_file_is_named_or_refused(whole: Bench, content: bytes) -> None:
    whole.file.write_bytes(content)
    with suppress(AcademyError):
        problems = whole.recipes.check(whole.file)
        assert problems
        assert all(problem.line >= 1 for problem in problems)
        json.dumps([problem.facts for problem in problems], allow_nan=False)
