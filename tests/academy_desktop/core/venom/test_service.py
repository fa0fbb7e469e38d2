from __future__ import annotations

import json
from pathlib import Path

import pytest

from academy_desktop.core.venom.connections import Activation, Before, Limits, draft
from academy_desktop.core.venom.service import Venom
from academy_desktop.core.venom.steps import Order
from tests.academy_desktop.core.venom.making import (
    NAME,
    Bench,
    Watcher,
    make_finished_run,
    placed,
    refusal,
    write_adapter,
)
from tests.venom_server.server import VenomServer
from tests.venom_server.state import COMPONENTS, VenomState
from trainers.errors import ErrorCode

BASE = "gemma3:4b"


def write_foreign_adapter(bench: Bench, adapter_id: str, base: str = "smollm2:135m") -> str:
    """An adapter that was not sent from here, signed and ready."""
    folder = bench.models_dir / adapter_id
    folder.mkdir()
    write_adapter(folder / "adapter", 0.75)
    (folder / "adapter" / "a.gguf").write_bytes(b"GGUF")
    (folder / "training.log").touch()
    metadata = {"metadata_version": 2, "base_model": base, "created_at": "2026", "source_flow": "training"}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return adapter_id


def activate_there(bench: Bench, adapter_id: str) -> None:
    """Somebody else activates an adapter in Venom's own window."""
    bench.state.activate(
        {
            "adapter_id": adapter_id,
            "runtime_id": "ollama",
            "model_id": "smollm2:135m",
            "deploy_to_chat_runtime": True,
        }
    )


# how a server stands


def test_a_server_on_which_all_is_well_is_reported_so(bench: Bench) -> None:
    bench.push(make_finished_run(bench.data))
    report = bench.venom.report(NAME)
    assert report.troubles == []
    assert (report.reachable, report.academy_enabled, report.can_activate) == (True, True, True)
    assert report.components == dict.fromkeys(COMPONENTS, True)
    assert report.features is not None
    assert report.features.missing == ()
    assert report.active_runtime == "ollama"
    assert report.active_model == bench.state.model
    assert [one.is_active for one in report.adapters] == [True]


@pytest.mark.parametrize(
    ("switches", "codes", "enabled"),
    [
        ({"academy": False}, [ErrorCode.VENOM_DISABLED], False),
        ({"ready": False}, [ErrorCode.VENOM_NOT_READY], True),
        ({"older": True}, [ErrorCode.VENOM_OLDER], True),
        ({"remote": True}, [ErrorCode.VENOM_REMOTE], True),
    ],
)
def test_each_trouble_of_a_server_is_named(
    bench: Bench, switches: dict[str, bool], codes: list[ErrorCode], enabled: bool
) -> None:
    for name, value in switches.items():
        setattr(bench.state.switches, name, value)
    report = bench.venom.report(NAME)
    assert [trouble.code for trouble in report.troubles] == codes
    assert (report.reachable, report.academy_enabled, report.can_activate) == (True, enabled, False)
    assert report.active_model == BASE


def test_looking_changes_nothing(bench: Bench) -> None:
    bench.venom.report(NAME)
    posted = [one for one in bench.server.asked if one.method == "POST"]
    assert [one.status for one in posted] == [404]
    assert bench.state.active is None
    assert list(bench.models_dir.iterdir()) == []


def test_a_report_waits_where_the_server_wants_a_pause(bench: Bench) -> None:
    bench.state.switches.rate_limited = 2
    assert bench.venom.report(NAME).troubles == []


def test_a_folder_that_is_not_there_is_a_trouble_of_its_own(bench: Bench, tmp_path: Path) -> None:
    bench.models_dir.rename(tmp_path / "unmounted")
    report = bench.venom.report(NAME)
    assert [trouble.code for trouble in report.troubles] == [ErrorCode.VENOM_FOLDER_MISSING]
    assert report.can_activate


def test_a_server_that_is_down_is_asked_nothing_more(bench: Bench) -> None:
    bench.venom.connections.add("down", "http://127.0.0.1:9")
    report = bench.venom.report("down")
    assert [trouble.code for trouble in report.troubles] == [ErrorCode.VENOM_UNREACHABLE]
    assert (report.reachable, report.can_activate) == (False, False)


def test_a_server_that_becomes_slow_is_asked_nothing_more(bench: Bench) -> None:
    limits = Limits(connect_s=0.3, read_s=0.3)
    venom = Venom(bench.data, bench.jobs, bench.exports, bench.models, limits=limits)
    bench.state.switches.slow = frozenset({"/api/v1/academy/status"})
    report = venom.report(NAME)
    assert report.reachable
    assert [trouble.code for trouble in report.troubles] == [ErrorCode.VENOM_TIMEOUT]
    assert [one.route for one in bench.server.asked] == ["/healthz"]


def test_all_servers_are_looked_at_without_asking_for_changes(bench: Bench) -> None:
    bench.venom.connections.add("down", "http://127.0.0.1:9")
    down, home = bench.venom.reports()
    assert (down.connection.name, down.reachable) == ("down", False)
    assert (home.connection.name, home.reachable, home.can_activate) == (NAME, True, None)
    assert {one.method for one in bench.server.asked} == {"GET"}


def test_there_may_be_no_servers(bench: Bench) -> None:
    bench.venom.connections.remove(NAME)
    assert bench.venom.reports() == ()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_this_computer_needs_no_network(bench: Bench, host: str) -> None:
    venom = Venom(bench.data, bench.jobs, bench.exports, bench.models, offline=True)
    venom.connections.add("here", f"http://{host}:9")
    assert venom.report("here").troubles[0].code is ErrorCode.VENOM_UNREACHABLE


def test_another_computer_is_out_of_bounds_offline(bench: Bench) -> None:
    venom = Venom(bench.data, bench.jobs, bench.exports, bench.models, offline=True)
    venom.connections.add("there", "http://192.0.2.7:8000")
    with refusal(ErrorCode.OFFLINE):
        venom.report("there")
    [home, there] = venom.reports()
    assert (home.reachable, there.reachable) == (True, False)
    assert there.troubles[0].code is ErrorCode.OFFLINE


def test_a_server_behind_a_path_is_reached_there(bench: Bench) -> None:
    bench.venom.connections.add("proxied", f"{bench.server.url}/venom")
    assert bench.venom.report("proxied").troubles[0].code is ErrorCode.VENOM_NOT_VENOM
    assert bench.server.asked[-1].path == "/venom/healthz"


# the way back


def test_a_rollback_brings_back_what_was_active(bench: Bench) -> None:
    bench.push(make_finished_run(bench.data))
    found = bench.venom.rollback(NAME)
    assert (found.runtime, found.model, found.adapter_id) == ("ollama", BASE, None)
    assert bench.both() == (None, BASE)
    assert bench.venom.connections.get(NAME).activations == ()
    with refusal(ErrorCode.VENOM_NOTHING_TO_ROLL_BACK) as facts:
        bench.venom.rollback(NAME)
    assert facts == {"connection": NAME, "model": BASE}


def test_rollbacks_go_back_one_by_one(bench: Bench) -> None:
    sent = [bench.push(make_finished_run(bench.data, fill=fill)) for fill in (0.5, 0.25, 0.125)]
    for earlier in reversed(sent[:-1]):
        assert bench.venom.rollback(NAME).adapter_id == earlier.adapter_id
        assert bench.both() == (earlier.adapter_id, f"venom-adapter-{earlier.adapter_id}")
    assert bench.venom.rollback(NAME).model == BASE
    assert bench.both() == (None, BASE)


def test_a_push_that_came_to_nothing_is_not_in_the_way_back(bench: Bench) -> None:
    """Interrupted before the activation, and never repeated."""
    first = bench.push(make_finished_run(bench.data))
    bench.venom.connections.begin_activation(
        NAME, Activation(adapter_id="never", before=Before(runtime="ollama", model="x"))
    )
    bench.state.previous = ""
    assert bench.both()[0] == first.adapter_id
    assert bench.venom.rollback(NAME).model == BASE
    assert bench.venom.connections.get(NAME).activations == ()


def test_a_rolled_back_adapter_can_be_pushed_again(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    bench.push(run)
    bench.venom.rollback(NAME)
    assert bench.push(run).verified
    assert bench.venom.rollback(NAME).model == BASE


def test_a_server_that_forgot_what_was_before_is_told(bench: Bench) -> None:
    bench.state.switches.forgets_previous = True
    bench.push(make_finished_run(bench.data))
    assert bench.venom.rollback(NAME).model == BASE
    assert bench.both() == (None, BASE)
    assert bench.asked("deactivate", "activate")[-2:] == ["deactivate", "activate"]


def test_a_registry_that_forgot_its_adapter_is_no_dead_end(bench: Bench) -> None:
    """After a failed deployment the server says "No active adapter" and its chat still uses one."""
    bench.push(make_finished_run(bench.data))
    other = write_foreign_adapter(bench, "training_20260101_000000")
    bench.state.switches.deploys = False
    with pytest.raises(Exception, match="500"):
        activate_there(bench, other)
    assert bench.both()[0] is None
    assert bench.both()[1].startswith("venom-adapter-")
    assert bench.venom.rollback(NAME).model == BASE
    assert bench.both() == (None, BASE)


def test_an_adapter_that_somebody_else_activated_goes_back_to_ours(bench: Bench) -> None:
    ours = bench.push(make_finished_run(bench.data))
    activate_there(bench, write_foreign_adapter(bench, "training_20260101_000000"))
    found = bench.venom.rollback(NAME)
    assert found.adapter_id == ours.adapter_id
    assert bench.both() == (ours.adapter_id, ours.chat_model)
    assert bench.venom.rollback(NAME).model == BASE


def test_a_server_without_any_memory_goes_back_to_the_adapter_s_base_model(bench: Bench) -> None:
    bench.state.switches.forgets_previous = True
    bench.state.ollama.append("gemma3:1b")
    activate_there(bench, write_foreign_adapter(bench, "training_20260101_000000"))
    assert bench.venom.rollback(NAME).model == "smollm2:135m"
    assert bench.both() == (None, "smollm2:135m")


def test_an_adapter_that_only_the_registry_names_is_taken_out_of_it(bench: Bench) -> None:
    other = write_foreign_adapter(bench, "training_20260101_000000")
    bench.state.activate({"adapter_id": other})
    assert bench.both() == (other, BASE)
    assert bench.venom.rollback(NAME).model == BASE
    assert bench.both() == (None, BASE)


def test_a_model_before_that_is_gone_is_said_and_not_forgotten(bench: Bench) -> None:
    bench.push(make_finished_run(bench.data))
    bench.state.previous = ""
    bench.state.ollama.remove(BASE)
    with refusal(ErrorCode.VENOM_REFUSED):
        bench.venom.rollback(NAME)
    bench.state.ollama.append(BASE)
    assert bench.venom.rollback(NAME).model == BASE


def test_a_cloud_model_cannot_be_brought_back_from_here(bench: Bench) -> None:
    bench.push(make_finished_run(bench.data))
    (last,) = bench.venom.connections.get(NAME).activations
    cloud = last.model_copy(update={"before": Before(runtime="openai", model="gpt")})
    bench.venom.connections.begin_activation(NAME, cloud)
    with refusal(ErrorCode.VENOM_ROLLBACK_FAILED) as facts:
        bench.venom.rollback(NAME)
    assert facts["expected"] == "gpt"


def test_a_stranger_may_not_roll_back(bench: Bench) -> None:
    sent = bench.push(make_finished_run(bench.data))
    bench.state.switches.remote = True
    with refusal(ErrorCode.VENOM_REMOTE):
        bench.venom.rollback(NAME)
    assert bench.both() == (sent.adapter_id, sent.chat_model)


def test_a_server_that_was_restarted_still_knows_what_is_active(bench: Bench, server: VenomServer) -> None:
    sent = bench.push(make_finished_run(bench.data))
    old = server.state
    server.state = VenomState(old.work, old.models_dir, ollama=old.ollama, model=old.model)
    assert bench.push(make_finished_run(bench.data)).verified
    assert bench.both() == (sent.adapter_id, sent.chat_model)
    assert bench.venom.rollback(NAME).model == BASE


# before anything is done


def test_a_server_can_be_looked_at_before_it_is_remembered(bench: Bench) -> None:
    report = bench.venom.look_at(draft("new", bench.server.url, bench.models_dir))
    assert (report.reachable, report.can_activate, report.troubles) == (True, True, [])
    assert [one.name for one in bench.venom.connections.all()] == [NAME]


def test_a_plan_changes_nothing_and_waits_for_nobody(bench: Bench) -> None:
    run = make_finished_run(bench.data)
    watcher = Watcher()
    with bench.venom.pushing(NAME, Order(run.job), watcher):
        sent = bench.venom.plan(NAME, Order(run.job, activate=True))
    assert (sent.base_model, sent.model_id) == ("smollm2:135m", "smollm2:135m")
    assert [step.state for step in sent.steps[3:]] == ["planned"] * 7
    assert placed(bench.models_dir) == {}
    assert watcher.told == []


def test_the_models_of_a_runtime_are_those_that_an_adapter_can_be_added_to(bench: Bench) -> None:
    bench.push(make_finished_run(bench.data))
    assert bench.venom.models(NAME, "ollama") == ("gemma3:4b", "llama3.2:1b", "smollm2:135m")
    assert bench.venom.models(NAME, "vllm") == ()


def test_a_report_says_what_a_rollback_would_bring_back(bench: Bench) -> None:
    first = bench.venom.report(NAME)
    assert (first.active_adapter, first.before) == (None, None)
    sent = bench.push(make_finished_run(bench.data))
    report = bench.venom.report(NAME)
    assert report.active_adapter == sent.adapter_id
    assert report.before == Before(runtime="ollama", model=BASE)
    activate_there(bench, write_foreign_adapter(bench, "theirs"))
    report = bench.venom.report(NAME)
    assert (report.active_adapter, report.before) == ("theirs", None)
