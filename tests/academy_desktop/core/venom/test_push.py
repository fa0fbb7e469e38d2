from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.core.venom.connections import Before
from academy_desktop.core.venom.packing import Packing
from academy_desktop.core.venom.steps import Order, Step, StepName
from tests.academy_desktop.core.venom.making import (
    BEGAN,
    NAME,
    SECRET_PATH,
    STEPS,
    WHOLE,
    Bench,
    Watcher,
    make_finished_run,
    placed,
    refusal,
    write_adapter,
    write_certificate,
    write_gguf,
)
from tests.academy_desktop.made_runs import held_lock, make_run
from trainers.digest import sha256_of_file
from trainers.errors import ErrorCode
from trainers.exporting.record import record_path

BASE = "gemma3:4b"


def active(adapter_id: str) -> tuple[str, str]:
    """What registry and chat say when an adapter is active."""
    return adapter_id, f"venom-adapter-{adapter_id}"


def metadata(bench: Bench, adapter_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bench.models_dir / adapter_id / "metadata.json").read_text())
    return found


def test_a_finished_run_becomes_the_active_adapter_step_by_step(bench: Bench) -> None:
    watcher = Watcher()
    run = make_finished_run(bench.data)
    sent = bench.push(run, watcher)
    told = [(step, "started") for step in STEPS] + [
        (step, "kept" if step in {"export", "certify"} else "done") for step in STEPS
    ]
    assert sorted(watcher.told) == sorted(told)
    assert [step for step, moment in watcher.told if moment == "started"] == list(STEPS)
    assert [step.name for step in sent.steps] == list(STEPS)
    assert (sent.placed, sent.audited, sent.signed) == (True, True, True)
    assert (sent.activated, sent.deployed, sent.verified) == (True, True, True)
    assert bench.both() == active(sent.adapter_id)
    assert sent.chat_model == bench.state.model
    assert sent.previous == Before(runtime="ollama", model=BASE)
    assert placed(bench.models_dir) == {sent.adapter_id: WHOLE}
    assert watcher.bytes_told[-1][0] > 2000


def test_the_adapter_arrives_unchanged_and_described_for_venom(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    sent = bench.push(run)
    folder = Path(sent.path)
    assert folder == bench.models_dir / sent.adapter_id
    weights = "adapter_model.safetensors"
    assert sha256_of_file(folder / "adapter" / weights) == sha256_of_file(run.adapter / weights)
    gguf = run.exports / "lora-gguf-f16.gguf"
    assert sha256_of_file(folder / "adapter" / "Adapter-F16-LoRA.gguf") == sha256_of_file(gguf)
    said = metadata(bench, sent.adapter_id)
    assert said["metadata_version"] == 2
    assert said["base_model"] == said["effective_base_model"] == "smollm2:135m"
    assert said["run_id"] == run.job
    assert said["parameters"]["lora_rank"] == 16
    assert said["chat_signature"]["runtime_id"] == "ollama"
    assert said["chat_signature"]["conversion_mode"] == "gguf"
    [listed] = [one for one in bench.venom.adapters(NAME) if one.adapter_id == sent.adapter_id]
    assert listed.metadata_status == "canonical"
    assert listed.is_active


def test_nothing_that_is_sent_tells_of_this_computer(bench: Bench) -> None:
    sent = bench.push(make_finished_run(bench.data))
    for path in (path for path in Path(sent.path).rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert SECRET_PATH.encode() not in content, path
        assert str(bench.data.root).encode() not in content, path


def test_an_adapter_is_no_base_model_to_venom(bench: Bench) -> None:
    seen: list[str] = []

    def look(_moment: str, _step: StepName) -> None:
        seen.extend(one["name"] for one in bench.state.models()["models"] if one["provider"] == "vllm")

    sent = bench.push(make_finished_run(bench.data), Watcher(look))
    assert seen == []
    assert sent.verified


def test_without_activate_the_adapter_is_placed_and_the_chat_left_alone(bench: Bench) -> None:
    watcher = Watcher()
    sent = bench.push(make_finished_run(bench.data), watcher, activate=False)
    assert (sent.placed, sent.audited) == (True, True)
    assert (sent.signed, sent.activated, sent.verified) == (False, False, False)
    assert [step.name for step in sent.steps] == list(STEPS[:6])
    assert bench.both() == (None, BASE)
    assert "chat_signature" not in metadata(bench, sent.adapter_id)
    assert bench.asked("activate", "sign") == []


def test_a_repeated_push_does_nothing_new(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    first = bench.push(run)
    folder = bench.models_dir / first.adapter_id
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    bench.server.asked.clear()
    second = bench.push(run)
    assert {step.name: step.state for step in second.steps} == {
        "connect": "done", "export": "kept", "certify": "kept", "place": "kept", "list": "done",
        "audit": "done", "sign": "kept", "activate": "kept", "verify": "done", "canary": "done",
    }  # fmt: skip
    assert second.verified
    assert second.previous == first.previous
    assert second.chat_model == first.chat_model
    assert bench.asked("sign") == []
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert bench.venom.rollback(NAME).model == BASE


def test_placing_first_and_activating_later_is_the_same(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    assert not bench.push(run, activate=False).activated
    sent = bench.push(run)
    assert sent.verified
    assert placed(bench.models_dir) == {sent.adapter_id: WHOLE}


def test_other_weights_are_another_adapter(bench: Bench) -> None:
    first, second = make_finished_run(bench.data), make_finished_run(bench.data, fill=0.25)
    one, two = bench.push(first), bench.push(second)
    assert one.adapter_id != two.adapter_id
    assert two.previous == Before(runtime="ollama", model=one.chat_model or "", adapter_id=one.adapter_id)
    assert bench.both() == active(two.adapter_id)
    assert len(placed(bench.models_dir)) == 2


def test_a_dry_run_shows_the_steps_and_changes_nothing(bench: Bench) -> None:
    run = make_finished_run(bench.data, gguf=False)
    sent = bench.push(run, dry_run=True)
    assert [step.name for step in sent.steps] == list(STEPS)
    assert [step.state for step in sent.steps] == ["done", *["planned"] * 9]
    assert (sent.base_model, sent.model_id) == ("smollm2:135m", "smollm2:135m")
    assert sent.previous == Before(runtime="ollama", model=BASE)
    assert not sent.placed
    assert placed(bench.models_dir) == {}
    assert {one.method for one in bench.server.asked} == {"GET"}
    assert len(list(bench.data.runs.iterdir())) == 1
    assert bench.venom.connections.get(NAME).activations == ()


def test_a_dry_run_knows_what_is_done_already(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    bench.push(run)
    states = {step.name: step.state for step in bench.push(run, dry_run=True).steps}
    assert [states[name] for name in ("export", "certify", "place", "sign", "activate")] == ["kept"] * 5


# what the base model is called


def test_the_user_s_model_of_the_runtime_is_what_the_adapter_is_added_to(bench: Bench) -> None:
    bench.state.ollama.append("my-smol:latest")
    sent = bench.push(make_finished_run(bench.data), model_id="my-smol:latest")
    assert (sent.base_model, sent.model_id) == ("my-smol:latest", "my-smol:latest")
    modelfile = (bench.models_dir / f"Modelfile.{sent.adapter_id}").read_text()
    assert modelfile.startswith("FROM my-smol:latest\n")


def test_another_name_for_the_base_is_written_into_the_adapter_that_is_there(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    bench.push(run, activate=False)
    bench.state.ollama.append("my-smol:latest")
    sent = bench.push(run, model_id="my-smol:latest")
    assert sent.verified
    assert metadata(bench, sent.adapter_id)["base_model"] == "my-smol:latest"
    config = json.loads((Path(sent.path) / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "my-smol:latest"
    assert placed(bench.models_dir) == {sent.adapter_id: WHOLE}


def test_a_model_that_is_another_one_is_refused_by_the_audit(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    with refusal(ErrorCode.VENOM_BASE_MISMATCH) as facts:
        bench.push(run, model_id="gemma3:4b")
    assert (facts["base"], facts["model"]) == ("smollm2:135m", "gemma3:4b")
    assert bench.both() == (None, BASE)
    assert bench.asked("sign") == []


def test_a_base_model_that_the_server_lacks_is_found_before_anything_is_written(bench: Bench) -> None:
    bench.state.ollama.remove("smollm2:135m")
    with refusal(ErrorCode.VENOM_MODEL_MISSING) as facts:
        bench.push(make_finished_run(bench.data))
    assert (facts["runtime"], facts["model"], facts["pull"]) == ("ollama", "smollm2:135m", "smollm2:135m")
    assert facts["known"] == "gemma3:4b, llama3.2:1b"
    assert placed(bench.models_dir) == {}


@pytest.mark.parametrize("runtime", ["openai", "nonesuch"])
def test_a_runtime_that_takes_no_adapters_is_refused_at_once(bench: Bench, runtime: str) -> None:
    with refusal(ErrorCode.VENOM_RUNTIME_UNSUITABLE) as facts:
        bench.push(make_finished_run(bench.data), runtime=runtime)
    assert facts == {"runtime": runtime, "known": "ollama, vllm, onnx"}
    assert placed(bench.models_dir) == {}


def test_a_runtime_that_is_not_there_is_refused_at_once(bench: Bench) -> None:
    with refusal(ErrorCode.VENOM_RUNTIME_DOWN) as facts:
        bench.push(make_finished_run(bench.data), runtime="vllm", model_id="smollm2")
    assert facts == {"runtime": "vllm"}


# refusals


def test_a_stranger_is_refused_before_anything_is_written(bench: Bench) -> None:
    bench.state.switches.remote = True
    watcher = Watcher()
    with refusal(ErrorCode.VENOM_REMOTE):
        bench.push(make_finished_run(bench.data), watcher)
    assert watcher.told == [("connect", "started"), ("connect", "venom_remote")]
    assert placed(bench.models_dir) == {}
    assert bench.last is not None
    assert [step.code for step in bench.last.steps] == ["venom_remote"]


def test_a_stranger_may_place_without_activating(bench: Bench) -> None:
    bench.state.switches.remote = True
    assert bench.push(make_finished_run(bench.data), activate=False).audited


@pytest.mark.parametrize(
    ("switch", "code"),
    [
        ({"academy": False}, ErrorCode.VENOM_DISABLED),
        ({"ready": False}, ErrorCode.VENOM_NOT_READY),
        ({"older": True}, ErrorCode.VENOM_OLDER),
    ],
)
def test_a_server_that_cannot_do_it_is_refused_before_anything_is_written(
    bench: Bench, switch: dict[str, bool], code: ErrorCode
) -> None:
    for name, value in switch.items():
        setattr(bench.state.switches, name, value)
    with refusal(code):
        bench.push(make_finished_run(bench.data))
    assert placed(bench.models_dir) == {}
    assert bench.both() == (None, BASE)


def test_a_server_that_is_down_is_refused_before_anything_is_written(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    bench.venom.connections.remove(NAME)
    bench.venom.connections.add(NAME, "http://127.0.0.1:9", bench.models_dir)
    with refusal(ErrorCode.VENOM_UNREACHABLE):
        bench.push(run)
    assert placed(bench.models_dir) == {}


def test_a_pause_that_the_server_wants_is_kept_and_the_push_goes_on(bench: Bench) -> None:
    bench.state.switches.rate_limited = 3
    assert bench.push(make_finished_run(bench.data)).verified
    assert [one.status for one in bench.server.asked].count(429) == 3


def test_a_pause_in_the_middle_is_kept_as_well(bench: Bench) -> None:
    def limit(moment: str, step: StepName) -> None:
        if moment == "started":
            bench.state.switches.rate_limited = 1

    assert bench.push(make_finished_run(bench.data), Watcher(limit)).verified
    assert [one.status for one in bench.server.asked].count(429) >= len(STEPS) - 3  # two steps ask nobody


def test_a_run_without_an_adapter_is_refused(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    (run.adapter / "adapter_config.json").unlink()
    with refusal(ErrorCode.JOB_WITHOUT_ADAPTER):
        bench.push(run)


def test_a_models_folder_that_is_not_the_server_s_is_found_out(bench: Bench, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    bench.venom.connections.add(NAME, bench.server.url, other)
    with refusal(ErrorCode.VENOM_NOT_LISTED) as facts:
        bench.push(make_finished_run(bench.data))
    assert facts["server_path"] == str(bench.models_dir)
    assert facts["path"].startswith(str(other))
    assert bench.both() == (None, BASE)


def test_a_network_drive_may_show_the_folder_late(bench: Bench) -> None:
    def hide(moment: str, step: StepName) -> None:
        if (moment, step) == ("started", "list"):
            bench.state.switches.late_lists = 3

    assert bench.push(make_finished_run(bench.data), Watcher(hide), activate=False).audited
    assert bench.state.switches.late_lists == 0


def test_another_adapter_of_the_same_id_is_left_as_it_is(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    path = Path(bench.push(run, dry_run=True).path)
    (path / "adapter").mkdir(parents=True)
    (path / "adapter" / "mine.txt").write_text("mine")
    with refusal(ErrorCode.VENOM_ADAPTER_EXISTS) as facts:
        bench.push(run)
    assert facts["path"] == str(path)
    assert placed(bench.models_dir) == {path.name: ["adapter/mine.txt"]}


def test_a_connection_without_a_models_folder_can_look_but_not_push(bench: Bench) -> None:
    bench.venom.connections.remove(NAME)
    bench.venom.connections.add(NAME, bench.server.url)
    with refusal(ErrorCode.VENOM_WITHOUT_FOLDER):
        bench.push(make_finished_run(bench.data))


def test_two_pushes_do_not_run_at_once(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    order = Order(run.job, activate=True)
    with bench.venom.pushing(NAME, order, Watcher()) as first:
        with refusal(ErrorCode.PUSH_RUNNING):
            bench.push(run)
        with refusal(ErrorCode.PUSH_RUNNING):
            bench.venom.rollback(NAME)
        assert first.run().verified
    assert bench.push(run).verified


# what is undone


def test_a_failed_deployment_is_undone_and_registry_and_chat_agree(bench: Bench) -> None:
    first = bench.push(make_finished_run(bench.data))
    bench.state.switches.deploys = False
    watcher = Watcher()
    with refusal(ErrorCode.VENOM_DEPLOY_FAILED) as facts:
        bench.push(make_finished_run(bench.data, fill=0.25), watcher)
    assert facts["reason"] == "ADAPTER_RUNTIME_DEPLOY_FAILED"
    assert watcher.told[-2:] == [("rollback", "started"), ("rollback", "done")]
    assert ("activate", "venom_deploy_failed") in watcher.told
    assert bench.both() == active(first.adapter_id)
    assert bench.last is not None
    assert bench.last.rolled_back
    assert (bench.last.activated, bench.last.deployed, bench.last.chat_model) == (False, False, None)
    assert bench.last.placed
    # and the way back from the first one is still known
    assert bench.venom.rollback(NAME).model == BASE
    assert bench.both() == (None, BASE)


def test_a_failed_deployment_over_a_plain_model_leaves_that_model(bench: Bench) -> None:
    bench.state.switches.deploys = False
    with refusal(ErrorCode.VENOM_DEPLOY_FAILED):
        bench.push(make_finished_run(bench.data))
    assert bench.both() == (None, BASE)
    with refusal(ErrorCode.VENOM_NOTHING_TO_ROLL_BACK):
        bench.venom.rollback(NAME)
    bench.state.switches.deploys = True
    assert bench.push(make_finished_run(bench.data)).verified


def test_an_adapter_that_the_runtime_cannot_read_is_undone(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    write_certificate(write_gguf(run, b"no adapter at all"), passed=True)
    with refusal(ErrorCode.VENOM_DEPLOY_FAILED):
        bench.push(run)
    assert bench.both() == (None, BASE)


def test_a_runtime_that_went_down_is_said_and_undone(bench: Bench) -> None:
    bench.state.switches.runtime_up = False
    with refusal(ErrorCode.VENOM_RUNTIME_DOWN) as facts:
        bench.push(make_finished_run(bench.data))
    assert facts["runtime"] == "ollama"
    assert bench.both() == (None, BASE)


def test_a_chat_that_does_not_use_the_adapter_after_all_is_undone(bench: Bench) -> None:
    def somebody_else(moment: str, step: StepName) -> None:
        if (moment, step) == ("started", "verify"):
            bench.state.model = "llama3.2:1b"

    with refusal(ErrorCode.VENOM_NOT_VERIFIED) as facts:
        bench.push(make_finished_run(bench.data), Watcher(somebody_else))
    assert facts["found"] == "llama3.2:1b"
    assert bench.both() == (None, BASE)


def test_a_way_back_that_fails_as_well_is_said(bench: Bench) -> None:
    def break_down(moment: str, step: StepName) -> None:
        if (moment, step) == ("started", "verify"):
            bench.state.model = "llama3.2:1b"
            bench.state.ollama.remove(BASE)

    watcher = Watcher(break_down)
    with refusal(ErrorCode.VENOM_ROLLBACK_FAILED) as facts:
        bench.push(make_finished_run(bench.data), watcher)
    assert facts["expected"] == BASE
    assert watcher.told[-1] == ("rollback", "venom_rollback_failed")
    assert bench.last is not None
    assert not bench.last.rolled_back
    # what was before is still written down, so that the way back can be tried again
    bench.state.ollama.append(BASE)
    bench.state.model = f"venom-adapter-{bench.last.adapter_id}"
    assert bench.venom.rollback(NAME).model == BASE


# interrupted


class Interrupted(BaseException):
    """As Ctrl-C or the end of the process: nothing catches it."""


@pytest.mark.parametrize("moment", ["started", "done"])
@pytest.mark.parametrize("step", STEPS)
def test_a_push_that_was_interrupted_is_finished_by_the_next(
    bench: Bench, step: StepName, moment: str
) -> None:
    first = bench.push(make_finished_run(bench.data))
    run = make_finished_run(bench.data, fill=0.25)

    def interrupt(now: str, name: StepName) -> None:
        if (now, name) == (moment, step):
            raise Interrupted

    with pytest.raises(Interrupted):
        bench.push(run, Watcher(interrupt))
    sent = bench.push(run)
    assert sent.verified
    assert bench.both() == active(sent.adapter_id)
    assert placed(bench.models_dir) == {first.adapter_id: WHOLE, sent.adapter_id: WHOLE}
    assert sent.previous == Before(
        runtime="ollama", model=first.chat_model or "", adapter_id=first.adapter_id
    )
    assert bench.venom.rollback(NAME).adapter_id == first.adapter_id
    assert bench.both() == active(first.adapter_id)
    assert bench.venom.rollback(NAME).model == BASE
    assert bench.both() == (None, BASE)


def test_an_activation_that_failed_unseen_is_mended_by_the_next_push(bench: Bench) -> None:
    first = bench.push(make_finished_run(bench.data))
    run = make_finished_run(bench.data, fill=0.25)

    def interrupt(moment: str, step: StepName) -> None:
        if (moment, step) == ("started", "activate"):
            raise Interrupted

    with pytest.raises(Interrupted):
        bench.push(run, Watcher(interrupt))
    bench.state.registry.unlink()  # what the server does when a deployment fails
    bench.state.switches.deploys = False
    with refusal(ErrorCode.VENOM_DEPLOY_FAILED):
        bench.push(run)
    assert bench.both() == active(first.adapter_id)


@pytest.mark.parametrize("step", STEPS[1:7])
def test_a_cancelled_push_ends_before_the_next_step(bench: Bench, step: StepName) -> None:
    run = make_finished_run(bench.data)

    def cancel(moment: str, name: StepName) -> None:
        if (moment, name) == ("done", step):
            push.cancel()

    watcher = Watcher(cancel)
    with bench.venom.pushing(NAME, Order(run.job, activate=True), watcher) as push:
        sent = push.run()
    assert sent.cancelled
    assert watcher.told[-1][0] == step
    assert bench.both() == (None, BASE)
    assert bench.push(run).verified


def test_an_activation_that_has_begun_is_finished_before_a_cancellation(bench: Bench) -> None:
    run = make_finished_run(bench.data)

    def cancel(moment: str, name: StepName) -> None:
        if (moment, name) == ("started", "activate"):
            push.cancel()

    with bench.venom.pushing(NAME, Order(run.job, activate=True), Watcher(cancel)) as push:
        sent = push.run()
    assert (sent.cancelled, sent.verified) == (False, True)


def test_a_push_may_run_in_a_thread_and_be_cancelled_from_another(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    at_list, go_on = threading.Event(), threading.Event()

    def wait(moment: str, step: StepName) -> None:
        if (moment, step) == ("started", "list"):
            at_list.set()
            assert go_on.wait(30)

    with bench.venom.pushing(NAME, Order(run.job, activate=True), Watcher(wait)) as push:
        thread = threading.Thread(target=push.run)
        thread.start()
        assert at_list.wait(30)
        push.cancel()
        go_on.set()
        thread.join()
    assert push.sent.cancelled
    assert [step.name for step in push.sent.steps] == ["connect", "export", "certify", "place", "list"]


def test_a_job_that_only_waits_is_stopped_by_a_cancellation(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = make_run(bench.data, "Waiting", BEGAN, total_steps=2, number=9).run
    monkeypatch.setattr(Packing, "order_gguf", lambda packing, run: waiting.job)
    run = make_finished_run(bench.data, gguf=False)

    def cancel(moment: str, name: StepName) -> None:
        if (moment, name) == ("started", "export"):
            push.cancel()

    lock = held_lock(waiting.host_lock)
    with bench.venom.pushing(NAME, Order(run.job), Watcher(cancel)) as push:
        sent = push.run()
    lock.release()
    assert sent.cancelled
    [command] = waiting.commands.glob("*.json")
    assert json.loads(command.read_text())["command"] == "stop"


# the adapter for llama.cpp


@pytest.mark.parametrize("spoil", ["other weights", "changed file", "no record"])
def test_a_gguf_that_does_not_belong_to_the_weights_is_made_anew(bench: Bench, spoil: str) -> None:
    run = make_finished_run(bench.data)
    path = run.exports / "lora-gguf-f16.gguf"
    match spoil:
        case "other weights":
            write_adapter(run.adapter, 0.125)
        case "changed file":
            path.write_bytes(b"GGUF" + b"\4" * 400)
        case "no record":
            os.unlink(record_path(path))
    states = [step.state for step in bench.push(run, dry_run=True).steps if step.name == "export"]
    assert states == ["planned"]


def test_an_export_that_fails_ends_the_push_with_its_reason(bench: Bench) -> None:
    watcher = Watcher()
    with refusal(ErrorCode.FILE_NOT_FOUND) as facts:  # the made run's base model does not exist
        bench.push(make_finished_run(bench.data, gguf=False), watcher)
    assert facts["path"] == f"{SECRET_PATH}/config.json"
    assert watcher.told[-1] == ("export", "file_not_found")
    assert watcher.events
    assert placed(bench.models_dir) == {}


def test_steps_carry_what_their_sentences_need(bench: Bench) -> None:
    sent = bench.push(make_finished_run(bench.data))
    by_name: dict[str, Step] = {step.name: step for step in sent.steps}
    assert by_name["connect"].facts["base_model"] == "smollm2:135m"
    assert by_name["place"].facts["path"] == sent.path
    assert by_name["activate"].facts["chat_model"] == sent.chat_model
