from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import trainers
from tests.chaos.driving import until
from tests.trainers.tiny_model import (
    HELD_OUT,
    LEARNED,
    Tiny,
    conversation,
    events,
    order,
    payloads,
    train_recipe,
    write_dataset,
    write_model,
    write_run,
)
from trainers import checkpoint
from trainers.__main__ import work
from trainers.errors import ErrorCode
from trainers.events import (
    CheckpointSaved,
    CheckpointSkipped,
    CommandAnswered,
    Ended,
    Evaluated,
    Nonfinite,
    Resumed,
    Started,
    Step,
    Warned,
)
from trainers.heartbeat import read_heartbeat
from trainers.layout import RunDir
from trainers.session import run_job

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(next(iter(trainers.__path__))).parent)}

#: Six steps, with dropout, so that the order of the random numbers matters.
SIX: dict[str, Any] = {
    "lora": {"dropout": 0.1},
    "training": {"max_steps": 6, "warmup_steps": 1, "batch_size": 2, "gradient_accumulation_steps": 2},
}


def trained(run: RunDir, attempt: int = 1) -> Ended:
    """Run one attempt; returns its last word."""
    code = run_job(run.path, attempt, work)
    ended = payloads(run, Ended)[-1]
    assert code == (1 if ended.state == "failed" else 0)
    return ended


def run_of(folder: Path, tiny: Tiny, **sections: Any) -> RunDir:
    return write_run(folder, train_recipe(tiny, **sections))


def losses(run: RunDir, attempt: int | None = None) -> list[float]:
    return [
        event.payload.loss
        for event in events(run)
        if isinstance(event.payload, Step) and attempt in {None, event.attempt}
    ]


def adapter_bytes(run: RunDir) -> bytes:
    return (run.adapter / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="session")
def whole(tiny: Tiny, tiny_dir: Path) -> RunDir:
    """Six steps without a break."""
    run = run_of(tiny_dir / "whole", tiny, **SIX)
    assert trained(run).state == "succeeded"
    return run


def test_a_run_says_what_it_does_in_order(tiny: Tiny, tmp_path: Path) -> None:
    run = run_of(
        tmp_path / "run", tiny, training={"num_epochs": 2}, checkpoints={"every_steps": 8, "keep": 1}
    )
    ended = trained(run)
    said = [getattr(event.payload, "name", event.type) for event in events(run) if event.type != "progress"]
    epoch = [*["step"] * 6, "evaluating", "evaluation", "training"]
    assert said == [
        "loading", "rendering", "loading", "started", "training",
        *epoch,
        "step", "step", "saving", "checkpoint", "training", *epoch[2:],
        "saving", "checkpoint", "training", "saving", "ended",
    ]  # fmt: skip
    assert [event.seq for event in events(run)] == list(range(1, len(events(run)) + 1))
    started = payloads(run, Started)[0]
    assert (started.kind, started.engine, started.device, started.precision) == (
        "train",
        "peft",
        "cpu",
        "fp32",
    )
    assert (started.total_steps, started.train_rows, started.eval_rows) == (12, len(LEARNED), len(HELD_OUT))
    steps = payloads(run, Step)
    assert [step.step for step in steps] == list(range(1, 13))
    assert sum(step.supervised_tokens for step in steps) == 2 * started.supervised_tokens
    assert steps[5].epoch == 1.0
    assert steps[-1].epoch == 2.0
    assert steps[-1].eta_s == 0.0
    assert [one.step for one in payloads(run, Evaluated)] == [6, 12]
    assert payloads(run, Evaluated)[1].loss < payloads(run, Evaluated)[0].loss
    assert isinstance(ended, Ended)
    assert (ended.state, ended.reason, ended.step, ended.loss) == ("succeeded", "", 12, steps[-1].loss)
    assert ended.seconds is not None
    assert 0 < ended.duties_s["events"] + ended.duties_s["checkpoints"] < ended.seconds


def test_a_run_leaves_its_adapter_and_nothing_else(whole: RunDir, tiny: Tiny) -> None:
    assert {path.name for path in whole.path.iterdir()} == {
        "recipe.yaml", "commands", "attempts", "events.jsonl", "heartbeat", "checkpoints", "adapter",
    }  # fmt: skip
    assert {path.name for path in whole.adapter.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors",
    }  # fmt: skip
    assert {path.name for path in whole.checkpoints.iterdir()} == {"step-6"}
    environment = json.loads(whole.attempt(1).environment.read_bytes())
    assert (environment["device"], environment["threads"], environment["seed"]) == ("cpu", 1, 3407)
    assert environment["packages"]["torch"]
    assert (tiny.model / "config.json").is_file()


def test_the_same_recipe_gives_the_same_adapter(tiny: Tiny, whole: RunDir, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", tiny, **SIX)
    assert trained(run).state == "succeeded"
    assert losses(run) == losses(whole)
    assert adapter_bytes(run) == adapter_bytes(whole)


def test_stopped_and_suspended_runs_go_on_as_if_nothing_had_been(
    tiny: Tiny, whole: RunDir, tmp_path: Path
) -> None:
    run = run_of(tmp_path / "run", tiny, **SIX)
    order(run, "stop", attempt=1)
    assert trained(run, 1).model_dump(include={"state", "reason", "step"}) == {
        "state": "stopped", "reason": "user", "step": 1,
    }  # fmt: skip
    assert not run.adapter.exists()
    assert checkpoint.newest_good(run.checkpoints).step == 1
    order(run, "suspend", attempt=2)
    assert (trained(run, 2).reason, checkpoint.newest_good(run.checkpoints).step) == ("suspended", 2)
    assert trained(run, 3).state == "succeeded"
    answered = [(one.command, one.outcome) for one in payloads(run, CommandAnswered)]
    assert answered == [("stop", "accepted"), ("stop", "done"), ("suspend", "accepted"), ("suspend", "done")]
    assert [(one.from_step, one.checkpoint, one.exact) for one in payloads(run, Resumed)] == [
        (1, "checkpoints/step-1", True),
        (2, "checkpoints/step-2", True),
    ]
    assert losses(run) == losses(whole)
    assert adapter_bytes(run) == adapter_bytes(whole)


def test_a_checkpoint_can_be_asked_for(tiny: Tiny, whole: RunDir, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", tiny, **SIX)
    order(run, "save")
    assert trained(run).state == "succeeded"
    assert [one.step for one in payloads(run, CheckpointSaved)] == [1, 6]
    assert [(one.command, one.outcome) for one in payloads(run, CommandAnswered)] == [("save", "done")]
    assert adapter_bytes(run) == adapter_bytes(whole)


def test_a_damaged_checkpoint_is_passed_over(tiny: Tiny, whole: RunDir, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", tiny, checkpoints={"every_steps": 2, "keep": 5}, **SIX)
    assert trained(run).state == "succeeded"
    damaged = run.checkpoints / "step-6" / "optimizer.safetensors"
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    (run.checkpoints / "step-7").mkdir()  # killed before its manifest was there
    assert trained(run, 2).state == "succeeded"
    skipped = payloads(run, CheckpointSkipped)
    assert [(one.path, one.code, one.facts.get("file")) for one in skipped] == [
        ("checkpoints/step-7", "checkpoint_damaged", "manifest.json"),
        ("checkpoints/step-6", "checkpoint_damaged", "optimizer.safetensors"),
    ]
    assert payloads(run, Resumed)[0].from_step == 4
    assert losses(run, attempt=2) == losses(whole)[4:]
    assert adapter_bytes(run) == adapter_bytes(whole)


def test_a_run_without_any_good_checkpoint_begins_again(tiny: Tiny, whole: RunDir, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", tiny, **SIX)
    assert trained(run).state == "succeeded"
    (run.checkpoints / "step-6" / "state.json").unlink()
    assert trained(run, 2).state == "succeeded"
    resumed = payloads(run, Resumed)[0]
    assert (resumed.from_step, resumed.checkpoint) == (0, None)
    assert losses(run, attempt=2) == losses(whole)


def test_a_run_that_only_lacks_its_adapter_writes_it(tiny: Tiny, whole: RunDir, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", tiny, **SIX)
    assert trained(run).state == "succeeded"
    for path in run.adapter.iterdir():
        path.unlink()
    run.adapter.rmdir()
    ended = trained(run, 2)
    assert (ended.state, ended.step) == ("succeeded", 6)
    assert losses(run, attempt=2) == []
    assert adapter_bytes(run) == adapter_bytes(whole)


def test_what_killed_attempts_left_is_removed(tiny: Tiny, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", tiny, training={"max_steps": 1, "warmup_steps": 0})
    left = [run.path / ".scratch-1", run.path / ".adapter.1.tmp", run.checkpoints / ".step-3.1.tmp"]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(b"x")
    assert trained(run).state == "succeeded"
    assert not any(folder.exists() for folder in left)
    assert not list(run.path.glob(".*"))


def test_cut_and_unlearnable_rows_are_told(tiny: Tiny, tmp_path: Path) -> None:
    rows = [
        {"messages": conversation("Capital of Italy?", "Rome, of course!")},
        {"messages": conversation("Again", "Rome! " * 300)},
        {"messages": conversation("Rome! " * 300, "Rome, of course!")},
        {"messages": [{"role": "user", "content": "Nobody answers."}]},
    ]
    dataset = write_dataset(tmp_path / "long", rows, [])
    run = run_of(
        tmp_path / "run",
        Tiny(tiny.model, dataset),
        training={"max_seq_length": 256, "warmup_steps": 0, "max_steps": 1},
    )
    assert trained(run).state == "succeeded"
    assert [(one.code, one.facts) for one in payloads(run, Warned)] == [
        ("rows_truncated", {"rows": 2, "max_length": 256}),
        ("rows_unsupervised", {"rows": 2}),
    ]
    started = payloads(run, Started)[0]
    assert (started.train_rows, started.eval_rows) == (2, 0)
    assert payloads(run, Evaluated) == []


def test_rows_that_teach_nothing_are_an_error(tiny: Tiny, tmp_path: Path) -> None:
    rows = [{"messages": conversation("Rome! " * 300, "Rome, of course!")}] * 2
    dataset = write_dataset(tmp_path / "long", rows, [])
    ended = trained(run_of(tmp_path / "run", Tiny(tiny.model, dataset), training={"max_seq_length": 256}))
    assert (ended.state, ended.reason) == ("failed", ErrorCode.NOTHING_SUPERVISED)
    assert ended.facts == {"rows": 2, "max_length": 256}


def test_a_torn_row_is_told_with_its_line(tiny: Tiny, tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "torn")
    path = dataset / "train.jsonl"
    run = run_of(tmp_path / "run", Tiny(tiny.model, dataset))
    path.write_bytes(path.read_bytes()[:-9])
    ended = trained(run)
    assert (ended.reason, ended.facts) == (
        ErrorCode.DATASET_DAMAGED, {"path": str(path), "line": len(LEARNED)},
    )  # fmt: skip


def test_a_loss_that_is_not_finite_ends_the_run_before_it_is_learned(tiny: Tiny, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = write_model(tmp_path / "broken", lessons=0)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    run = run_of(tmp_path / "run", Tiny(folder, tiny.dataset))
    ended = trained(run)
    assert payloads(run, Nonfinite) == [Nonfinite(step=1, what="loss")]
    assert (ended.state, ended.reason, ended.facts) == (
        "failed", ErrorCode.NONFINITE_LOSS, {"step": 1, "what": "loss"},
    )  # fmt: skip
    assert payloads(run, Step) == []
    assert not run.adapter.exists()


def test_a_full_disk_makes_the_run_wait_and_costs_nothing(
    tiny: Tiny, tmp_path: Path, small_disk: Callable[[int], Path]
) -> None:
    disk = small_disk(24_000_000)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(20_000_000))
    checkpoints = {"every_steps": 1, "keep": 100}
    run = run_of(disk / "run", tiny, checkpoints=checkpoints, training={"max_steps": 20})
    waited: list[str] = []

    def trouble() -> str | None:
        beat = read_heartbeat(run.heartbeat)
        return beat.waits[0] if beat and beat.waits else None

    def make_room() -> None:
        try:
            waited.append(until(trouble, "a run that waits"))
        finally:
            ballast.unlink()

    helper = threading.Thread(target=make_room)
    helper.start()
    ended = trained(run)
    helper.join()
    assert ended.state == "succeeded"
    assert waited == ["disk_full"]
    assert [one.step for one in payloads(run, CheckpointSaved)] == list(range(1, ended.step + 1))
    assert "disk_full_over" in [one.code for one in payloads(run, Warned)]
    search = checkpoint.newest_good(run.checkpoints)
    assert (search.step, search.skipped) == (ended.step, ())
    assert not list(run.checkpoints.glob(".*"))


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for child in started:
        child.kill()
        child.wait()


@pytest.mark.parametrize("engine", ["peft", "cpu"])
def test_a_killed_trainer_goes_on_in_another_process_as_if_nothing_had_been(
    tiny: Tiny, tmp_path: Path, children: list[subprocess.Popen[bytes]], engine: str
) -> None:
    settings: dict[str, Any] = SIX | {
        "lora": {"dropout": 0.1 if engine == "peft" else 0.0},
        "hardware": {"engine": engine},
        "training": SIX["training"] | {"max_steps": 16, "num_epochs": 20},
        "checkpoints": {"every_steps": 1},
    }
    run = run_of(tmp_path / "run", tiny, **settings)
    command = [sys.executable, "-P", "-m", "trainers", str(run.path), "1"]
    with (tmp_path / "log").open("wb") as log:
        child = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    children.append(child)
    until(lambda: run.events.exists() and run.events.read_bytes().count(b'"type":"step"') >= 3)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not run.adapter.exists()
    assert trained(run, 2).state == "succeeded"
    resumed = payloads(run, Resumed)[0]
    assert resumed.from_step >= 2
    assert (resumed.exact, resumed.reason) == (True, "")
    assert {one.engine for one in payloads(run, Started)} == {engine}
    assert len({one.precision for one in payloads(run, Started)}) == 1
    assert not list(run.checkpoints.glob(".*"))
    other = run_of(tmp_path / "other", tiny, **settings)
    assert trained(other).state == "succeeded"
    assert losses(run, attempt=2) == losses(other)[resumed.from_step :]
    assert adapter_bytes(run) == adapter_bytes(other)
