from __future__ import annotations

import ast
import gettext
import json
import resource
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import academy_desktop
import trainers
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.models import Models
from academy_desktop.core.models.demo import DemoModel
from academy_desktop.core.paths import DataDir
from academy_desktop.core.reader import RunReader
from academy_desktop.core.recipe_yaml import dump_recipe
from academy_desktop.core.recipes import Recipes
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.shutdown import Shutdown
from academy_desktop.core.tasks import Tasks
from academy_desktop.text.errors import ERRORS
from academy_desktop.text.messages import Description, Messages
from academy_desktop.text.templates import fields
from tests.academy_desktop.core.models.made_models import write_model
from tests.academy_desktop.made_runs import make_run, succeeded
from trainers import checkpoint
from trainers.errors import AcademyError, ErrorCode, Fact

MESSAGES = Messages(gettext.NullTranslations())
PRESETS = Path(__file__).parents[3] / "resources" / "recipes"
SOURCES = [Path(next(iter(package.__path__))) for package in (academy_desktop, trainers)]


@dataclass(frozen=True)
class Bench:
    """A data directory, and what a hobbyist does with it."""

    root: Path
    data: DataDir
    datasets: Library
    models: Models
    recipes: Recipes

    def write(self, name: str, *rows: object) -> Path:
        path = self.root / name
        path.write_text(
            "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8"
        )
        return path

    def pairs(self, name: str = "rows.jsonl", count: int = 20) -> Path:
        return self.write(name, *({"question": f"What is {n}?", "answer": f"{n}!"} for n in range(count)))

    def importing(self, name: str, *rows: object, **options: Any) -> None:
        self.datasets.import_files([self.write(name, *rows)], "Replies", **options)

    def recipe(self, *changes: tuple[str, str]) -> Path:
        """A recipe file that could be run, but for the changes."""
        self.datasets.import_files([self.pairs()], "Replies")
        model = write_model(self.root / "tiny")
        text = dump_recipe(self.recipes.make("Replies", str(model))).decode()
        for old, new in changes:
            assert text.count(old) == 1
            text = text.replace(old, new)
        return self.write("recipe.yaml", text)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    data = DataDir(tmp_path / "data").open()
    datasets, models = Library(data.datasets), Models(data, tmp_path / "no-hub")
    return Bench(tmp_path, data, datasets, models, Recipes(PRESETS, datasets, models))


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Let this process write no file beyond a size: what a full disk or a quota does, without filling one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def zip_named_jsonl(bench: Bench) -> None:
    with zipfile.ZipFile(bench.root / "rows.jsonl", "w") as archive:
        archive.writestr("rows.json", "[]")
    bench.datasets.import_files([bench.root / "rows.jsonl"], "Replies")


def table_named_json(bench: Bench) -> None:
    bench.importing("rows.json", "question,answer\na,b\n")


def other_encoding(bench: Bench) -> None:
    path = bench.write("rows.csv", "question,answer\n")
    path.write_bytes(path.read_bytes() + "Farbe?,grün\n".encode("windows-1252"))
    bench.datasets.import_files([path], "Replies")


def empty_file(bench: Bench) -> None:
    bench.importing("rows.csv")


def missing_file(bench: Bench) -> None:
    bench.datasets.import_files([bench.root / "rows.csv"], "Replies")


def broken_table(bench: Bench) -> None:
    bench.importing("rows.csv", 'question,answer\n"a,b\n')


def nothing_but_bad_rows(bench: Bench) -> None:
    bench.importing("rows.jsonl", {"question": "a"}, {"question": "b", "answer": 3}, {"question": "c"})


def nothing_left(bench: Bench) -> None:
    empty = [{"question": f"{n}", "answer": " "} for n in range(1200)]
    bench.importing("rows.jsonl", *empty, [1], "{broken\n")


def strange_columns(bench: Bench) -> None:
    bench.importing("rows.jsonl", {"words": "Lorem", "id": 1})


def second_file_of_another_form(bench: Bench) -> None:
    other = bench.write("other.jsonl", {"prompt": "a", "completion": "b"})
    bench.datasets.import_files([bench.pairs(), other], "Replies")


def mapping_to_no_column(bench: Bench) -> None:
    bench.importing("rows.jsonl", {"frage": "a", "antwort": "b"}, mapping={"question": "farge"})


def mapping_of_no_field(bench: Bench) -> None:
    bench.importing("rows.jsonl", {"frage": "a", "antwort": "b"}, mapping={"questoin": "frage"})


def typing_error_in_a_recipe(bench: Bench) -> None:
    bench.recipes.read(bench.recipe(("learning_rate:", "lerning_rate:")))


def learning_rate_of_five(bench: Bench) -> None:
    bench.recipes.read(bench.recipe(("learning_rate: 0.0002", "learning_rate: 5")))


def recipe_that_is_no_yaml(bench: Bench) -> None:
    bench.recipes.read(bench.write("recipe.yaml", "training:\n\tnum_epochs: 2\n"))


def recipe_that_is_no_text(bench: Bench) -> None:
    (bench.root / "recipe.yaml").write_bytes(b"\x89PNG\r\n\xff")
    bench.recipes.read(bench.root / "recipe.yaml")


def unknown_preset(bench: Bench) -> None:
    bench.recipes.make("Replies", "tiny", "ballanced")


def model_without_a_tokenizer(bench: Bench) -> None:
    bench.datasets.import_files([bench.pairs()], "Replies")
    bench.recipes.make("Replies", str(write_model(bench.root / "tiny", tokenizer=False)))


def model_without_a_chat_template(bench: Bench) -> None:
    bench.datasets.import_files([bench.pairs()], "Replies")
    bench.recipes.make("Replies", str(write_model(bench.root / "tiny", template=None)))


def recipe_of_a_model_without_a_tokenizer(bench: Bench) -> None:
    recipe = bench.recipe()
    (bench.root / "tiny" / "tokenizer.json").unlink()
    bench.recipes.read(recipe)


def gguf_to_train(bench: Bench) -> None:
    bench.datasets.import_files([bench.pairs()], "Replies")
    (bench.root / "tiny.gguf").write_bytes(b"GGUF" + b"\0" * 20)
    bench.recipes.make("Replies", str(bench.root / "tiny.gguf"))


def pickled_model(bench: Bench) -> None:
    folder = write_model(bench.root / "tiny")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    bench.models.add(folder)


def model_cut_short(bench: Bench) -> None:
    weights = write_model(bench.root / "tiny") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    bench.models.add(bench.root / "tiny")


def unknown_model(bench: Bench) -> None:
    write_model(bench.models.demo_path)
    bench.models.get("smollm-135m-instruct")


def unknown_dataset(bench: Bench) -> None:
    bench.datasets.import_files([bench.pairs()], "Replies")
    bench.datasets.get("Replise")


def one_name_for_two_datasets(bench: Bench) -> None:
    bench.datasets.import_files([bench.pairs()], "Replies")
    bench.datasets.import_files([bench.pairs(count=30)], "Replies")
    bench.datasets.get("Replies")


def dataset_with_a_byte_changed(bench: Bench) -> None:
    manifest = bench.datasets.import_files([bench.pairs()], "Replies")
    rows = bench.datasets.folder(manifest.id) / "train.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b"!", b"?", 1))
    bench.datasets.verify(manifest.id)


def dataset_of_a_newer_version(bench: Bench) -> None:
    manifest = bench.datasets.import_files([bench.pairs()], "Replies")
    (bench.datasets.folder(manifest.id) / "dataset.json").write_text('{"v": 2}')
    bench.datasets.get(manifest.id)


def full_disk(bench: Bench) -> None:
    path = bench.pairs(count=500)
    with largest_file(4096):
        bench.datasets.import_files([path], "Replies")


def checkpoint_with_a_byte_changed(bench: Bench) -> None:
    def write(folder: Path) -> None:
        (folder / "optimizer.safetensors").write_bytes(b"\0" * 100)

    checkpoint.save(bench.root / "checkpoints", 10, write, lambda: None)
    weights = bench.root / "checkpoints" / "step-10" / "optimizer.safetensors"
    weights.write_bytes(b"\0" * 99 + b"\1")
    checkpoint.verify(bench.root / "checkpoints" / "step-10")


def data_folder_of_a_newer_version(bench: Bench) -> None:
    (bench.data.root / "academy.json").write_text('{"v": 2}')
    bench.data.open()


def shutting_down_after_nothing(bench: Bench) -> None:
    Shutdown(bench.data).ask()


def demo_model_offline(bench: Bench) -> None:
    python = bench.root / "python"
    tasks = Tasks(python, Runtimes(bench.data.runtimes))
    DemoModel(bench.data, bench.models, tasks, python, offline=True).fetch()


#: What goes wrong; the code; what the sentence has to tell; what the next step has to tell.
BAD_INPUT: list[tuple[Callable[[Bench], None], str, list[str], str]] = [
    (zip_named_jsonl, "file_not_its_format", ["{0}/rows.jsonl", "JSON Lines", "ZIP archive"], "right ending"),
    (table_named_json, "file_not_its_format", ["{0}/rows.json", "JSON", "looks like CSV"], "right ending"),
    (other_encoding, "file_encoding", ["{0}/rows.csv", "UTF-8", "line 2"], "windows-1252"),
    (empty_file, "file_empty", ["nothing in the file {0}/rows.csv"], "at least one row"),
    (missing_file, "file_not_found", ["no file at {0}/rows.csv"], "spelling"),
    (broken_table, "file_unreadable", ["{0}/rows.csv"], "UTF-8"),
    (
        nothing_but_bad_rows,
        "nothing_left",
        ["All 3 rows were dropped: a field is missing (2), a field is not text (1)"],
        "mend the rows",
    ),
    (
        nothing_left,
        "nothing_left",
        ["All 1,202 rows", "the answer is empty (1,200), no record (1), not readable (1)"],
        "mend the rows",
    ),
    (strange_columns, "form_unknown", ["{0}/rows.jsonl", "words, id"], "--map"),
    (
        second_file_of_another_form,
        "form_unknown",
        ["{0}/other.jsonl", "prompt, completion", "question, answer"],
        "--map",
    ),
    (
        mapping_to_no_column,
        "mapping_invalid",
        ["{0}/rows.jsonl", "“farge”", "“question”", "frage, antwort"],
        "columns",
    ),
    (mapping_of_no_field, "mapping_invalid", ["“questoin”", "question, answer"], "columns"),
    (
        typing_error_in_a_recipe,
        "recipe_invalid",
        ["{0}/recipe.yaml: line ", "“training.lerning_rate” is not a key", "“learning_rate”"],
        "academy recipe check",
    ),
    (
        learning_rate_of_five,
        "recipe_invalid",
        ["{0}/recipe.yaml: line ", "“training.learning_rate” is 5, but must be at most 0.01."],
        "Mend the recipe",
    ),
    (
        recipe_that_is_no_yaml,
        "recipe_invalid",
        ["{0}/recipe.yaml: line 2", "YAML", "cannot start"],
        "Mend the recipe",
    ),
    (
        recipe_that_is_no_text,
        "recipe_unreadable",
        ["{0}/recipe.yaml", "not UTF-8 text"],
        "academy recipe init",
    ),
    (unknown_preset, "recipe_invalid", ["“preset”", "ballanced", "balanced, demo"], "“balanced”"),
    (
        model_without_a_tokenizer,
        "model_without_tokenizer",
        ["{0}/tiny has no tokenizer.json"],
        "tokenizer.json",
    ),
    (
        model_without_a_chat_template,
        "model_without_chat_template",
        ["{0}/tiny", "conversation"],
        "“instruct”",
    ),
    (
        recipe_of_a_model_without_a_tokenizer,
        "recipe_invalid",
        ["{0}/recipe.yaml: line ", "{0}/tiny has no tokenizer.json"],
        "Put the tokenizer.json",
    ),
    (
        gguf_to_train,
        "model_incomplete",
        ["{0}/tiny.gguf", "as gguf it can be run, but not trained"],
        "safetensors",
    ),
    (pickled_model, "model_incomplete", ["{0}/tiny", "no .safetensors files"], "safetensors"),
    (model_cut_short, "model_damaged", ["{0}/tiny/model.safetensors", "length"], "Download the model again"),
    (
        unknown_model,
        "model_unknown",
        ["“smollm-135m-instruct”", "“smollm2-135m-instruct”"],
        "academy models list",
    ),
    (unknown_dataset, "dataset_unknown", ["“Replise”", "Replies"], "academy data list"),
    (
        one_name_for_two_datasets,
        "dataset_unknown",
        ["2 datasets are called “Replies”", "replies-"],
        "by its id",
    ),
    (dataset_with_a_byte_changed, "dataset_damaged", ["“replies-", "not as they were imported"], "Import"),
    (dataset_of_a_newer_version, "protocol_newer", ["dataset.json", "version 2; known here: 1"], "Update"),
    (full_disk, "disk_full", ["not enough room at {0}/data/datasets"], "Free some space"),
    (
        checkpoint_with_a_byte_changed,
        "checkpoint_damaged",
        ["{0}/checkpoints/step-10", "optimizer.safetensors"],
        "newest checkpoint that is whole",
    ),
    (
        data_folder_of_a_newer_version,
        "data_dir_newer",
        ["{0}/data", "newer", "format 2"],
        "Nothing was changed",
    ),
    (shutting_down_after_nothing, "queue_empty", ["no run is waiting"], "Start a run first"),
    (demo_model_offline, "offline", ["network", "smollm2-135m-instruct"], "--offline"),
]


@pytest.mark.parametrize(
    ("fail", "code", "told", "next_step"), BAD_INPUT, ids=[fail.__name__ for fail, *_ in BAD_INPUT]
)
def test_a_hobbyist_reads_what_happened_and_what_to_do(
    bench: Bench, fail: Callable[[Bench], None], code: str, told: list[str], next_step: str
) -> None:
    with pytest.raises(AcademyError) as caught:
        fail(bench)
    assert caught.value.code == code
    said = MESSAGES.describe(caught.value.code, caught.value.facts)
    for fact in told:
        assert fact.format(bench.root) in said.sentence
    assert next_step in said.next_step
    assert_is_for_people(said)


def assert_is_for_people(said: Description) -> None:
    for text in (said.title, said.sentence, said.next_step):
        assert not set("{}|\n") & set(text)
        assert "  " not in text
        assert ".." not in text.replace("…", "")
        assert not any(code in text.split() for code in ErrorCode if "_" in code)
    assert not said.title.endswith(".")
    assert said.sentence.endswith((".", "?"))
    assert said.next_step.endswith(".")


def test_bad_rows_among_good_ones_are_said_by_their_number(bench: Bench) -> None:
    good = [{"question": f"{n}", "answer": f"{n}!"} for n in range(10)]
    bench.importing("rows.jsonl", *good, {"question": "a"}, {"question": "b", "answer": 3})
    (manifest,) = bench.datasets.list()
    assert {MESSAGES.drop_reason(reason): count for reason, count in manifest.dropped.items()} == {
        "A field that the row needs is missing.": 1,
        "A field holds something other than text.": 1,
    }


@pytest.mark.parametrize(
    "torn", [b'{"v": 1, "seq": 99, "att', b"\xff\xfe\n", b'{"v": 1}\n', b"\x00" * 40 + b"\n"]
)
def test_a_torn_event_line_costs_a_run_nothing(bench: Bench, torn: bytes) -> None:
    run = make_run(bench.data, "Replies", 1_790_000_000.0).started().steps(1, 30)
    with run.run.events.open("ab") as stream:
        stream.write(torn)
    run.close()
    reader = RunReader(run.run)
    summary, _ = reader.refresh()
    assert (summary.step, summary.state) == (30, "interrupted")
    said = MESSAGES.outcome(summary.state, summary.reason, summary.facts)
    assert "Resume" in said


def test_a_finished_run_says_so(bench: Bench) -> None:
    run = make_run(bench.data, "Replies", 1_790_000_000.0).started().steps(1, 30).ended(succeeded, 30, 0)
    summary, _ = RunReader(run.run).refresh()
    assert MESSAGES.outcome(summary.state, summary.reason, summary.facts) == (
        "The run finished and its result is saved."
    )


NAMES = sorted({name for text in ERRORS.values() for template in text for name in fields(template)})
HOSTILE = "{path} [x|y] {0}\r\nsecond \x1b[2J\ud800 line."


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_is_for_people_whatever_the_facts(code: ErrorCode) -> None:
    cases: list[dict[str, Fact]] = [{}, dict.fromkeys(NAMES), dict.fromkeys(NAMES, "")]
    cases += [{name: "something"} for name in NAMES]
    for facts in cases:
        assert_is_for_people(MESSAGES.describe(code, facts))
    for value in (HOSTILE, -1, 0, 2**70, 1e-12, float("nan"), float("inf"), True, "." * 5, "x" * 10_000):
        said = MESSAGES.describe(code, dict.fromkeys(NAMES, value))
        said.sentence.encode()
        assert said.sentence.endswith(".")
        assert not set("\n\r\x1b") & set(said.sentence + said.next_step)


def test_a_stranger_s_text_stands_in_a_sentence_as_it_is() -> None:
    said = MESSAGES.describe("file_empty", {"path": "/home/ada/{path} [x|y]\n.jsonl"})
    assert said.sentence == "There is nothing in the file /home/ada/{path} [x|y] .jsonl."


def raises() -> Iterator[tuple[str, ErrorCode, set[str]]]:
    """Every place that makes an error: where, its code, the names of its facts."""
    for path in (file for folder in SOURCES for file in sorted(folder.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            code = node.args[0]
            if node.func.id == "AcademyError" and isinstance(code, ast.Attribute):
                named = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
                yield f"{path.name}:{node.lineno}", ErrorCode[code.attr], named


#: Facts that are for scripts: a sentence says the same by another.
SILENT = {
    (ErrorCode.DATA_DIR_NEWER, "known"),
    (ErrorCode.TASK_FAILED, "exit_code"),
    (ErrorCode.ADAPTER_UNSUPPORTED, "model"),
    (ErrorCode.OUT_OF_MEMORY, "detail"),  # what torch or the system said
    *((ErrorCode.RECIPE_INVALID, name) for name in ("problem", "bound", "side")),  # the field's own sentence
}


def test_no_fact_is_lost_between_the_failure_and_its_sentence() -> None:
    found = list(raises())
    assert len(found) > 80
    lost = []
    for place, code, named in found:
        known = {name for template in ERRORS[code] for name in fields(template)}
        lost += [(place, code, name) for name in named if name not in known and (code, name) not in SILENT]
    assert lost == []
