from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from academy_desktop.core.datasets.forms import Form
from academy_desktop.core.datasets.manifest import DatasetManifest, SourceEntry
from academy_desktop.core.datasets.reasons import Reason
from academy_desktop.core.jobs import new_id
from academy_desktop.core.states import JobState
from tests.trainers.golden.protocol import TEXT, event_types, load, quoted, section, table
from trainers.exporting.record import ExportRecord
from trainers.heartbeat import MAGIC, SIZE_BYTES
from trainers.host_tidy import TEMPORARY
from trainers.layout import (
    Adjusted,
    Command,
    CommandName,
    ExitRecord,
    FileEntry,
    HostRecord,
    Label,
    Launch,
    Manifest,
    RunDir,
)
from trainers.recipe import TrainRecipe

EVENT_ROWS = {quoted(row[0])[0]: row[1] for row in table("Events")}


def fields(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields) - {"v"}


def stored_fields(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if not field.exclude and name != "v"}


def braces(text: str) -> list[str]:
    """The names in `{a, b, c[{d, e}]}`, without those of what it holds."""
    inner = re.sub(r"\[\{.*?\}\]", "", text.strip("{}"))
    return [name.strip().rstrip("{}[]") for name in inner.split(",")]


def literal(annotation: object) -> set[str]:
    """The values of a Literal, or of one in a union."""
    return {value for value in (get_args(annotation)) if isinstance(value, str)}


def test_the_event_table_names_exactly_the_types_that_the_code_knows() -> None:
    assert list(EVENT_ROWS) == list(event_types())
    assert {name: payload.event_type for name, payload in event_types().items()} == {
        name: name for name in EVENT_ROWS
    }


@pytest.mark.parametrize("name", EVENT_ROWS)
def test_the_event_table_names_exactly_the_fields_of_a_payload(name: str) -> None:
    assert quoted(EVENT_ROWS[name]) == list(event_types()[name].model_fields)


@pytest.mark.parametrize(
    ("name", "field", "values"),
    [
        (name, field, values)
        for name, row in EVENT_ROWS.items()
        for field, values in re.findall(r"`(\w+)` \(([^)]*)\)", row)
        if values != "from 1"
    ],
)
def test_the_event_table_names_exactly_the_values_of_a_field(name: str, field: str, values: str) -> None:
    annotation = event_types()[name].model_fields[field].annotation
    assert set(values.split(", ")) == literal(annotation)


def test_the_launch_table_names_exactly_the_fields() -> None:
    assert {name for row in table("launch.json") for name in quoted(row[0])} == {"v"} | fields(Launch)


def test_host_and_exit_records_are_named_with_their_values() -> None:
    host, end = quoted(section("host.json")), quoted(section("exit.json"))
    states = literal(HostRecord.model_fields["state"].annotation)
    stalls = literal(HostRecord.model_fields["stalled"].annotation) - {""}
    held = literal(HostRecord.model_fields["held"].annotation) - {""}
    assert set(host) - {"patience_s"} == fields(HostRecord) | states | stalls | held
    reasons = literal(ExitRecord.model_fields["reason"].annotation)
    named = set(end) - {"SIGKILL", "ended", "succeeded", "stopped", "failed"}
    assert named == fields(ExitRecord) | reasons


def test_commands_are_named_with_their_fields() -> None:
    names = quoted(section("Commands"))
    assert set(braces(names[0])) == {"v"} | fields(Command)
    assert set(get_args(CommandName)) <= set(names)


def test_a_checkpoint_manifest_is_named_with_its_fields() -> None:
    (manifest,) = [name for name in quoted(section("Checkpoints")) if name.startswith("{v")]
    outer, inner = manifest.split("files[")
    assert set(braces(outer + "files")) == {"v"} | fields(Manifest)
    assert set(braces(inner.rstrip("]}"))) == fields(FileEntry)


def test_a_dataset_manifest_is_named_with_its_fields() -> None:
    text = section("Datasets").replace("\n", " ")
    listed = re.search(r"`dataset\.json`: (.*?)`sha256` is over", text)
    assert listed
    named = [name for one in quoted(listed.group(1)) for name in braces(re.split(r"[\[{]", one)[0])]
    assert set(named) == {"v"} | stored_fields(DatasetManifest)
    sources = re.search(r"`sources\[\{(.*?)\}\]`", text)
    assert sources
    assert set(sources.group(1).split(", ")) == fields(SourceEntry)
    formats = re.search(r"`format` \((.*?)\)", text)
    assert formats
    assert set(formats.group(1).split(", ")) == set(Form)


def test_the_reasons_for_a_dropped_row_are_those_of_the_code() -> None:
    listed = re.search(r"Reasons for a drop: (.*?)\.\n", section("Datasets"), re.DOTALL)
    assert listed
    assert set(quoted(listed.group(1))) == set(Reason)


FILES = {quoted(row[0])[0]: row for row in table("The run directory")}


def test_the_files_of_a_run_directory_are_where_the_code_looks_for_them() -> None:
    run = RunDir(Path("run"))
    attempt = run.attempt(7)
    paths = [
        run.recipe, run.label, run.events, run.adjusted, run.heartbeat, run.host_lock, run.evaluation,
        run.rehearsal,
        attempt.launch, attempt.environment, attempt.host, attempt.exit,
    ]  # fmt: skip
    named = {name.replace("<n>", "7") for name in FILES}
    assert {path.relative_to(run.path).as_posix() for path in paths} <= named
    folders = [run.log, run.commands, run.checkpoints, run.adapter, run.exports]
    assert {TEMPORARY, *(path.name for path in folders)} == {
        name.partition("/")[0] for name in named if "/" in name and not name.startswith("attempts/")
    }


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("label.json", fields(Label)),
        ("adjusted.json", fields(Adjusted)),
        ("exports/<name>", stored_fields(ExportRecord)),
        ("attempts/<n>/environment.json", None),
    ],
)
def test_the_run_directory_table_names_the_fields_of_a_file(file: str, names: set[str] | None) -> None:
    named = {name.removesuffix("{}") for name in quoted(FILES[file][2]) if re.fullmatch(r"\w+(\{\})?", name)}
    if names is None:  # it may hold more than what is promised
        assert named <= set(load("environment.json"))
    else:
        assert named - {"Label", "Adjusted"} == names


def test_the_states_of_jobs_are_those_of_the_code() -> None:
    named = {row[1] for row in table("Job states")}
    assert named == set(JobState)
    (resumable,) = [line for line in section("Job states").splitlines() if line.endswith("can be resumed.")]
    assert set(quoted(resumable)) == {state for state in JobState if state.can_resume}


def test_a_heartbeat_is_as_long_as_it_says() -> None:
    text = section("Heartbeat")
    assert f"{SIZE_BYTES} bytes, little endian" in text
    assert f"magic `{MAGIC.decode()}`" in text


def test_an_id_has_the_form_of_its_example() -> None:
    form = r"\d{8}-\d{6}-[0-9a-f]{6}"
    examples = [quoted(row[2])[0] for row in table("Ids") if row[0] in {"job", "command"}]
    assert len(examples) == 2
    assert all(re.fullmatch(form, one) for one in [*examples, new_id()])


# the ranges that Venom has too

RANGES = re.findall(
    r"`(\w+)\.(\w+)` (above 0 to|\d+ to) (\d+(?:\.\d+)?)", section("Recipe").replace("\n", " ")
)


def bounds(part: str, name: str) -> dict[str, Any]:
    model = TrainRecipe.model_fields[part].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    found: dict[str, Any] = {}
    for bound in model.model_fields[name].metadata:
        for kind in ("ge", "gt", "le", "lt"):
            if hasattr(bound, kind):
                found[kind] = getattr(bound, kind)
    return found


def test_the_recipe_ranges_are_the_five_that_venom_has() -> None:
    assert {f"{part}.{name}": (low.split()[0], high) for part, name, low, high in RANGES} == {
        "lora.rank": ("4", "64"),
        "training.learning_rate": ("above", "0.01"),
        "training.num_epochs": ("1", "20"),
        "training.batch_size": ("1", "32"),
        "training.max_seq_length": ("256", "8192"),
    }


@pytest.mark.parametrize(("part", "name", "low", "high"), RANGES)
def test_a_recipe_range_is_the_one_that_is_written(part: str, name: str, low: str, high: str) -> None:
    lower = {"gt": 0.0} if low.startswith("above") else {"ge": float(low.split()[0])}
    assert bounds(part, name) == lower | {"le": float(high)}


def test_every_heading_that_these_tests_read_is_there_once() -> None:
    headings = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    assert len(headings) == len(set(headings))
