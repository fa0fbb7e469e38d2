from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any, Literal

import pytest

from academy_desktop.core.datasets.library import Library, Row
from academy_desktop.core.datasets.manifest import DatasetManifest, read_manifest
from academy_desktop.core.history import EventTail, History
from academy_desktop.core.paths import DataDir
from academy_desktop.core.reader import RunReader
from academy_desktop.core.recipe_yaml import dump_recipe
from academy_desktop.core.rehearsal_record import RehearsalRecord
from academy_desktop.core.states import JobState
from academy_desktop.core.venom.connections import Connection
from academy_desktop.core.venom.journal import Entry
from tests.chaos.driving import fake_jobs, train_recipe, until
from tests.trainers.golden.protocol import GOLDEN, event_types, lines, load, with_newer_fields
from trainers import checkpoint
from trainers.choice import Choice
from trainers.emitter import Emitter
from trainers.environment import record_environment
from trainers.errors import AcademyError, ErrorCode
from trainers.evaluation import Evaluation
from trainers.events import EVENT, Payload, Unknown, parse_line
from trainers.exporting.certificate import Certificate
from trainers.exporting.record import ExportRecord, find_exports
from trainers.heartbeat import Beat, Heartbeat, read_heartbeat
from trainers.host_records import Records
from trainers.inbox import Inbox, Order
from trainers.layout import (
    Adjusted,
    Command,
    Considerate,
    ExitRecord,
    HostRecord,
    Label,
    Launch,
    Manifest,
    Record,
    RunDir,
    ShutdownRecord,
    ShutdownRequest,
)
from trainers.recipe import TrainRecipe
from trainers.recipe_file import read_recipe
from trainers.rows import read_rows

JOB = "20261124-064744-3f9a1c"
DATASET = "replies-0bf735f4"
KINDS = ("train", "export", "certify", "evaluate")
HOST_STATES = ("waiting", "running", "ended")
EXIT_REASONS = ("exited", "signalled", "stopped_in_queue", "not_started")
RECORDS: dict[str, type[Record]] = {
    "launch.json": Launch,
    **{f"host.{state}.json": HostRecord for state in HOST_STATES},
    **{f"exit.{reason}.json": ExitRecord for reason in EXIT_REASONS},
    "command.json": Command,
    "considerate.json": Considerate,
    "shutdown.json": ShutdownRequest,
    "shutdown.state.json": ShutdownRecord,
    "adjusted.json": Adjusted,
    "label.json": Label,
    "checkpoints/step-20/manifest.json": Manifest,
    f"datasets/{DATASET}/dataset.json": DatasetManifest,
    "export.json": ExportRecord,
    "certificate.json": Certificate,
    "evaluation.json": Evaluation,
    "rehearsal.json": RehearsalRecord,
    "push.json": Entry,
    "connection.json": Connection,
}


def golden_run(root: Path, *, host: str = "ended", exit_reason: str | None = "exited") -> RunDir:
    """A run directory of golden files: its second attempt has ended."""
    run = RunDir(root / JOB)
    for number in (1, 2):
        run.attempt(number).path.mkdir(parents=True)
        shutil.copy(GOLDEN / "launch.json", run.attempt(number).launch)
        shutil.copy(GOLDEN / "environment.json", run.attempt(number).environment)
        shutil.copy(GOLDEN / f"host.{host}.json", run.attempt(number).host)
        if exit_reason is not None:
            shutil.copy(GOLDEN / f"exit.{exit_reason}.json", run.attempt(number).exit)
    run.commands.mkdir()
    shutil.copy(GOLDEN / "command.json", run.commands / "20261124-070102-77ab00.json")
    for name, target in (
        ("recipe.train.yaml", run.recipe),
        ("label.json", run.label),
        ("events.jsonl", run.events),
        ("heartbeat", run.heartbeat),
    ):
        shutil.copy(GOLDEN / name, target)
    shutil.copytree(GOLDEN / "checkpoints", run.checkpoints)
    return run


def keys(value: Any) -> Any:
    """The names in a document, without what they hold; of a list, the shape of its first."""
    if isinstance(value, dict):
        return {name: keys(one) for name, one in value.items()}
    return [keys(one) for one in value[:1]] if isinstance(value, list) else None


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **fields}))


def refused(error: AcademyError) -> tuple[ErrorCode, object, object]:
    return error.code, error.facts["found"], error.facts["known"]


NEWER = (ErrorCode.PROTOCOL_NEWER, 2, 1)


# what was written is read, and written the same again


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_read_and_written_with_the_same_content(name: str) -> None:
    content = (GOLDEN / name).read_bytes()
    record = RECORDS[name].model_validate_json(content)
    assert json.loads(record.model_dump_json()) == json.loads(content)


@pytest.mark.parametrize("name", RECORDS)
def test_unknown_fields_of_a_record_are_ignored(name: str) -> None:
    newer = with_newer_fields(load(name))
    assert newer != load(name)
    assert RECORDS[name].model_validate(newer) == RECORDS[name].model_validate(load(name))


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_another_major_version_is_not_taken(name: str) -> None:
    with pytest.raises(ValueError, match=r"\bv\n"):
        RECORDS[name].model_validate({**load(name), "v": 2})


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_is_read_and_written_the_same_to_the_byte(kind: str) -> None:
    path = GOLDEN / f"recipe.{kind}.yaml"
    recipe = read_recipe(path)
    assert recipe.kind == kind
    assert dump_recipe(recipe) == path.read_bytes()


def test_the_golden_training_recipe_has_no_default_that_a_reader_could_fill_in() -> None:
    golden = read_recipe(GOLDEN / "recipe.train.yaml")
    assert isinstance(golden, TrainRecipe)
    default = train_recipe()
    for part in ("lora", "training", "preference", "evaluation", "checkpoints"):
        one, other = getattr(golden, part).model_dump(), getattr(default, part).model_dump()
        same = [name for name in one if one[name] == other[name]]
        assert same == (["init"] if part == "lora" else []), (
            part
        )  # another beginning goes with no other option


def test_events_are_read_and_written_with_the_same_content(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for attempt in (1, 2):
        written = [event for event in lines("events.jsonl") if event["attempt"] == attempt]
        emitter = Emitter(path, attempt, clock=iter([event["t"] for event in written]).__next__)
        for event in written:
            payload = parse_line(json.dumps(event).encode()).payload
            assert isinstance(payload, Payload)
            emitter.emit(payload)
        emitter.close()
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == lines("events.jsonl")


def test_every_event_type_is_among_the_golden_events() -> None:
    assert {event["type"] for event in lines("events.jsonl")} == set(event_types())


def test_events_of_a_newer_minor_version_are_the_same_and_its_unknown_type_is_kept() -> None:
    newer = [parse_line(line) for line in (GOLDEN / "events.newer_minor.jsonl").read_bytes().splitlines()]
    unknown = [event for event in newer if isinstance(event, Unknown)]
    known = [EVENT.validate_python(event) for event in lines("events.jsonl")]
    assert [event.payload for event in newer if not isinstance(event, Unknown)] == [
        event.payload for event in known
    ]
    assert [(event.type, event.seq) for event in unknown] == [("rewarded", 6)]
    assert unknown[0].payload == {"step": 1, "reward": 0.5, "by": ["length", "format"]}


@pytest.mark.parametrize("name", ["events.jsonl", "events.newer_minor.jsonl"])
def test_golden_events_add_up_to_a_history(name: str) -> None:
    events = EventTail(GOLDEN / name).read_new()
    assert [event.seq for event in events] == list(range(1, len(lines(name)) + 1))
    history = History()
    history.fold_all(events)
    assert (history.attempt, history.step, history.loss, history.eval_loss) == (2, 1, 2.5, 2.625)
    assert history.ended is not None
    assert (history.ended.state, history.ended.reason) == ("stopped", "suspended")


def test_a_golden_run_directory_is_read_as_a_job(tmp_path: Path) -> None:
    run = golden_run(tmp_path)
    summary, events = RunReader(run).refresh()
    assert len(events) == len(lines("events.jsonl"))
    assert summary.model_dump(exclude={"run_dir"}) == {
        "id": JOB,
        "name": "Replies – zweiter Versuch",
        "kind": "train",
        "purpose": "",
        "parent": None,
        "state": JobState.STOPPED,
        "reason": "suspended",
        "facts": {},
        "attempt": 2,
        "created_at": 1795502864.0,
        "started_at": 1795502867.0,
        "ended_at": 1795502893.25,
        "step": 1,
        "total_steps": 120,
        "loss": 2.5,
        "eval_loss": 2.625,
        "tokens_per_s": 4096 / 1.25,
        "eta_s": None,
        "gpu_celsius": None,
        "gpu_watts": None,
    }
    order = Order("20261124-070102-77ab00", "suspend", 1795503662.5, "host", "quiet_hours")
    assert Inbox(run.commands, 2).new() == [order]
    assert Inbox(run.commands, 1).new() == []
    assert read_heartbeat(run.heartbeat) == Beat(41, 1234, 1795502905.5, "training")
    assert checkpoint.newest_good(run.checkpoints) == checkpoint.Search(run.checkpoints / "step-20", 20, ())


@pytest.mark.parametrize(
    ("reason", "state", "why"),
    [
        ("exited", JobState.FAILED, "crashed"),
        ("signalled", JobState.INTERRUPTED, "SIGKILL"),
        ("stopped_in_queue", JobState.STOPPED, "user"),
        ("not_started", JobState.FAILED, "host_failed"),
    ],
)
def test_a_golden_exit_tells_how_a_silent_attempt_ended(
    tmp_path: Path, reason: str, state: JobState, why: str
) -> None:
    run = golden_run(tmp_path, exit_reason=reason)
    run.events.unlink()
    summary, _ = RunReader(run).refresh()
    assert (summary.state, summary.reason) == (state, why)
    assert summary.ended_at == load(f"exit.{reason}.json")["ended_at"]


def test_a_golden_dataset_is_verified_and_its_rows_are_read() -> None:
    library = Library(GOLDEN / "datasets")
    manifest = library.verify("Replies")
    assert (manifest.id, manifest.train_rows, manifest.eval_rows) == (DATASET, 6, 2)
    rows = [*library.rows(DATASET), *library.rows(DATASET, "eval")]
    assert len(rows) == 8
    assert rows[0] == Row(
        2,
        "replies.jsonl",
        2,
        [{"role": "user", "content": "What is 1?"}, {"role": "assistant", "content": "It is 1, é."}],
    )
    raw = list(read_rows(library.folder(DATASET) / "train.jsonl"))
    assert [row["messages"] for row in raw] == [row.messages for row in rows[:6]]
    dropped = lines(f"datasets/{DATASET}/dropped.jsonl")
    assert [set(row) for row in dropped] == [{"source", "reason", "row"}] * 3
    assert {row["reason"] for row in dropped} == set(manifest.dropped)


def test_a_golden_export_is_found(tmp_path: Path) -> None:
    (tmp_path / "gguf-q8_0.gguf").touch()
    shutil.copy(GOLDEN / "export.json", tmp_path / "gguf-q8_0.gguf.json")
    (export,) = find_exports(tmp_path)
    assert (export.name, export.record.size_bytes) == ("gguf-q8_0.gguf", 144811584)


# what the code writes today has these shapes


def test_a_run_leaves_files_of_the_golden_shapes(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, save_every=10)
    job = jobs.queue(train_recipe(), name="shapes")
    command = jobs.save(job)
    jobs.wait(job)
    jobs.relabel(job, tags=("one",))
    run = RunDir(Path(jobs.get(job).run_dir))
    for path, name in (
        (run.attempt(1).host, "host.ended.json"),
        (run.attempt(1).exit, "exit.exited.json"),
        (run.commands / f"{command}.json", "command.json"),
        (run.label, "label.json"),
        (run.checkpoints / "step-20" / "manifest.json", "checkpoints/step-20/manifest.json"),
        (tmp_path / "academy.json", "academy.json"),
    ):
        assert keys(json.loads(path.read_bytes())) == keys(load(name)), name
    launch = json.loads(run.attempt(1).launch.read_bytes())
    assert set(launch) == set(load("launch.json"))
    assert launch["argv"][1:3] == load("launch.json")["argv"][1:3]
    assert launch["queue_entry"] == f"000000000001-{job}"
    shapes = {event["type"]: keys(event) for event in lines("events.jsonl")}
    for line in run.events.read_bytes().splitlines():
        event = json.loads(line)
        assert keys(event) == shapes[event["type"]]


@pytest.mark.parametrize("state", HOST_STATES)
@pytest.mark.parametrize("reason", EXIT_REASONS)
def test_the_host_writes_records_of_the_golden_shapes(
    tmp_path: Path, state: Literal["waiting", "running", "ended"], reason: str
) -> None:
    records = Records(tmp_path)
    golden = load(f"exit.{reason}.json")
    records.host(state, trainer_pid=None if state == "waiting" else 4002)
    records.exit(**{name: value for name, value in golden.items() if name not in {"v", "ended_at"}})
    host = json.loads((tmp_path / "host.json").read_bytes())
    assert keys(host) == keys(load(f"host.{state}.json"))
    assert HostRecord.model_validate(host).state == state
    left = json.loads((tmp_path / "exit.json").read_bytes())
    assert {**left, "ended_at": golden["ended_at"]} == golden
    assert list(tmp_path.glob(".*.tmp")) == []


def test_an_import_leaves_files_of_the_golden_shapes(tmp_path: Path) -> None:
    source = tmp_path / "replies.jsonl"
    rows = [{"question": f"What is {n}?", "answer": f"It is {n}, é."} for n in range(8)]
    bad = [{"question": "What is 1?", "answer": "It is 1, é."}, {"question": "What?"}]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [*rows, *bad]) + "{broken\n"
    source.write_text(text, "utf-8")
    library = Library(tmp_path / "datasets")
    manifest = library.import_files([source], "Replies", eval_fraction=0.25, near_dups="keep")
    golden = GOLDEN / "datasets" / DATASET
    made = library.folder(manifest.id)
    for name in ("train.jsonl", "eval.jsonl", "dropped.jsonl"):
        assert (made / name).read_bytes() == (golden / name).read_bytes()
    stored = json.loads((made / "dataset.json").read_bytes())
    written = load(f"datasets/{DATASET}/dataset.json")
    assert {**stored, "created_at": written["created_at"]} == written


def test_the_environment_is_recorded_in_the_golden_shape(tmp_path: Path) -> None:
    choice = Choice("cpu", "8 cores", "peft", "bf16", 8, "because")
    record_environment(tmp_path / "environment.json", train_recipe(), choice)
    written = json.loads((tmp_path / "environment.json").read_bytes())
    golden = load("environment.json")
    assert set(written) == set(golden)
    for name in ("v", "device", "device_name", "engine", "precision", "threads"):
        assert written[name] == golden[name]


def test_a_heartbeat_has_the_golden_layout(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat"
    heartbeat = Heartbeat(path, clock=lambda: 1795502905.5)
    heartbeat.phase("training")
    heartbeat.advance()
    heartbeat.close()
    golden = bytearray((GOLDEN / "heartbeat").read_bytes())
    golden[8:24] = struct.pack("<QQ", 1, 1)
    assert path.read_bytes() == golden


# another major version


def test_events_of_another_major_version_are_refused_at_every_look(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    newer = [{**event, "v": 2} for event in lines("events.jsonl")]
    path.write_text("".join(json.dumps(event) + "\n" for event in [*lines("events.jsonl")[:3], *newer[3:]]))
    tail = EventTail(path)
    for _ in range(2):
        with pytest.raises(AcademyError) as caught:
            tail.read_new()
        assert refused(caught.value) == NEWER


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_of_another_major_version_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "recipe.yaml"
    text = (GOLDEN / f"recipe.{kind}.yaml").read_text("utf-8")
    path.write_text(text.replace("version: 1", "version: 2", 1) + "newer_key: 1\n", "utf-8")
    with pytest.raises(AcademyError) as caught:
        read_recipe(path)
    assert refused(caught.value) == NEWER


@pytest.mark.parametrize("name", ["host", "exit", "label"])
def test_a_job_with_a_record_of_another_major_version_is_refused(tmp_path: Path, name: str) -> None:
    run = golden_run(tmp_path)
    path = {"host": run.attempt(2).host, "exit": run.attempt(2).exit, "label": run.label}[name]
    change(path, v=2, reason="teleported", state="dreaming", name=["a list"])
    reader = RunReader(run)
    for _ in range(2):
        with pytest.raises(AcademyError) as caught:
            reader.refresh()
        assert refused(caught.value) == NEWER
        assert caught.value.facts["path"] == str(path)


def test_a_checkpoint_of_another_major_version_is_passed_over_and_named(tmp_path: Path) -> None:
    run = golden_run(tmp_path)
    shutil.copytree(run.checkpoints / "step-20", run.checkpoints / "step-40")
    change(run.checkpoints / "step-40" / "manifest.json", v=2)
    search = checkpoint.newest_good(run.checkpoints)
    assert search.step == 20
    assert [(one.path, one.code) for one in search.skipped] == [("checkpoints/step-40", "protocol_newer")]


def test_a_dataset_of_another_major_version_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / DATASET
    shutil.copytree(GOLDEN / "datasets" / DATASET, folder)
    change(folder / "dataset.json", v=2)
    with pytest.raises(AcademyError) as caught:
        read_manifest(folder)
    assert caught.value.code is ErrorCode.PROTOCOL_NEWER


def test_a_data_directory_of_another_major_version_is_refused(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "academy.json", tmp_path)
    assert DataDir(tmp_path).open().runs.is_dir()
    change(tmp_path / "academy.json", v=2)
    with pytest.raises(AcademyError) as caught:
        DataDir(tmp_path).open()
    assert refused(caught.value) == (ErrorCode.DATA_DIR_NEWER, 2, 1)


def test_a_command_of_another_major_version_is_answered_and_not_obeyed(tmp_path: Path) -> None:
    jobs = fake_jobs(tmp_path, steps=100)
    job = jobs.queue(train_recipe())
    run = RunDir(Path(jobs.get(job).run_dir))
    shutil.copy(GOLDEN / "command.json", run.commands / "newer.json")
    change(run.commands / "newer.json", v=2, attempt=1)
    answer = until(lambda: jobs.history(job).answers.get("20261124-070102-77ab00"))
    assert (answer.outcome, answer.code) == ("refused", "protocol_newer")
    assert jobs.wait(job).state is JobState.SUCCEEDED


# recipes alone refuse unknown keys


def sections(kind: str) -> list[tuple[str, ...]]:
    """The places in a golden recipe where a key could be added."""
    found: list[tuple[str, ...]] = [()]
    for name, value in read_recipe(GOLDEN / f"recipe.{kind}.yaml").model_dump().items():
        if isinstance(value, dict):
            found.append((name,))
        elif isinstance(value, tuple) and value and isinstance(value[0], dict):
            found.append((name, "0"))
    return found


@pytest.mark.parametrize(("kind", "where"), [(kind, where) for kind in KINDS for where in sections(kind)])
def test_an_unknown_key_anywhere_in_a_recipe_is_refused_by_its_name(
    tmp_path: Path, kind: str, where: tuple[str, ...]
) -> None:
    recipe: Any = read_recipe(GOLDEN / f"recipe.{kind}.yaml").model_dump(mode="json")
    place = recipe
    for part in where:
        place = place[int(part)] if part.isdigit() else place[part]
    place["newer_key"] = 1
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(recipe), "utf-8")  # JSON is YAML
    with pytest.raises(AcademyError) as caught:
        read_recipe(path)
    assert caught.value.code is ErrorCode.RECIPE_INVALID
    assert caught.value.facts["key"] == ".".join([*where, "newer_key"])
