from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.venom.steps import ACTIVATING, PLACING, Order
from academy_desktop.viewmodels.venom_push import Outcome
from tests.academy_desktop.core.venom.making import WHOLE, Watcher, make_finished_run, placed
from tests.academy_desktop.viewmodels.making import QT_SAYS, seen
from tests.academy_desktop.viewmodels.venom_making import NAME, Bench, act, benches
from trainers.layout import RunDir
from trainers.locks import is_held

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

BASE = "gemma3:4b"
STEPS = (*PLACING, *ACTIVATING)


@pytest.fixture
def bench(qapp: QApplication, tmp_path: Path) -> Iterator[Bench]:
    with benches(tmp_path) as made:
        made.remember()
        yield made


@pytest.fixture
def run(bench: Bench) -> RunDir:
    """A run to send."""
    return make_finished_run(bench.data)


def ended(bench: Bench) -> Outcome:
    """How the push ended."""
    assert bench.push.outcome is not None
    return bench.push.outcome


def rename_base(run: RunDir, name: str) -> None:
    """The run was trained on a model of this name."""
    text = run.recipe.read_text("utf-8").replace("smollm2-135m-instruct", name)
    run.recipe.write_text(text.replace("/models/smollm2", f"/models/{name}"), "utf-8")


# before


@pytest.mark.usefixtures("run")
def test_what_venom_calls_the_base_model_is_said_before(qapp: QApplication, bench: Bench) -> None:
    act(qapp, bench, bench.start)
    assert bench.choice.base_sentence == "Venom calls the base model “smollm2:135m”."
    assert bench.push.can_start
    assert bench.choice.activate
    assert (bench.choice.trouble, bench.choice.models, bench.push.why_not) == (None, (), "")
    assert placed(bench.state.models_dir) == {}


def test_without_a_run_there_is_nothing_to_send(qapp: QApplication, bench: Bench) -> None:
    act(qapp, bench, bench.start)
    assert not bench.push.can_start
    assert not bench.choice.is_planning
    bench.push.start()
    assert not bench.push.is_busy


def test_a_base_model_that_is_not_known_is_named_by_the_user(
    qapp: QApplication, bench: Bench, run: RunDir
) -> None:
    rename_base(run, "my-own-model")

    async def choose() -> None:
        await bench.start()
        assert bench.choice.trouble is not None
        assert "my-own-model" in bench.choice.trouble.sentence
        assert bench.choice.trouble.next_step == "Say which of the server’s models it is."
        assert bench.choice.models == ("gemma3:4b", "llama3.2:1b", "smollm2:135m")
        bench.choice.choose_model("smollm2:135m")
        await bench.settled()
        await bench.pushed()

    act(qapp, bench, choose)
    assert ended(bench).kind == "active"
    assert bench.choice.model_id == "smollm2:135m"


def test_a_model_that_was_chosen_for_one_run_is_not_used_for_another(
    qapp: QApplication, bench: Bench, run: RunDir
) -> None:
    rename_base(run, "my-own-model")
    other = make_finished_run(bench.data, "Other", fill=0.25)

    async def choose() -> None:
        bench.runs.choose(run.job)
        await bench.start()
        bench.choice.choose_model("llama3.2:1b")
        await bench.settled()
        bench.runs.choose(other.job)
        await bench.settled()

    act(qapp, bench, choose)
    assert (bench.choice.model_id, bench.choice.models) == ("", ())
    assert bench.choice.base_sentence == "Venom calls the base model “smollm2:135m”."


@pytest.mark.usefixtures("run")
def test_a_model_that_the_server_lacks_is_said_before(qapp: QApplication, bench: Bench) -> None:
    bench.state.ollama.remove("smollm2:135m")
    act(qapp, bench, bench.start)
    assert bench.choice.trouble is not None
    assert "“ollama pull smollm2:135m”" in bench.choice.trouble.next_step
    assert "--model-id" not in bench.choice.trouble.next_step
    assert not bench.push.can_start


@pytest.mark.usefixtures("run")
def test_to_a_remote_server_an_adapter_can_only_be_placed(qapp: QApplication, bench: Bench) -> None:
    bench.state.switches.remote = True

    async def push() -> None:
        await bench.start()
        assert not bench.choice.can_activate
        assert not bench.choice.activate
        await bench.pushed()

    act(qapp, bench, push)
    assert (ended(bench).kind, ended(bench).title) == ("placed", "In place")
    assert [line.state for line in bench.push.steps] == ["done"] * len(PLACING)
    assert bench.state.model == BASE


@pytest.mark.usefixtures("run")
def test_to_a_server_that_is_down_nothing_is_sent(qapp: QApplication, bench: Bench) -> None:
    bench.server.close()
    act(qapp, bench, bench.start)
    assert not bench.push.can_start
    assert bench.push.why_not == "Nothing can be sent until what is said above is mended."


@pytest.mark.usefixtures("run")
def test_another_look_at_the_server_asks_it_again(qapp: QApplication, bench: Bench) -> None:
    bench.state.ollama.remove("smollm2:135m")

    async def mend() -> None:
        await bench.start()
        assert not bench.push.can_start
        bench.state.ollama.append("smollm2:135m")
        bench.servers.look()
        await bench.settled()

    act(qapp, bench, mend)
    assert bench.push.can_start


# sending


def test_a_push_shows_its_steps_and_ends_active_and_verified(
    qapp: QApplication, bench: Bench, run: RunDir
) -> None:
    shown: list[tuple[str, ...]] = []

    async def push() -> None:
        await bench.start()
        bench.push.moved.connect(lambda: shown.append(tuple(line.state for line in bench.push.steps)))
        await bench.pushed()

    act(qapp, bench, push)
    assert shown[0] == ("waiting",) * len(STEPS)
    assert shown[-1] == ("done",) * len(STEPS)
    outcome = ended(bench)
    assert (outcome.kind, outcome.title) == ("active", "Active and verified")
    assert outcome.sentence == f"Venom’s chat uses {bench.state.model}."
    assert not bench.push.is_busy
    assert bench.push.title == "“Replies” to home"
    (adapter,) = placed(bench.state.models_dir)
    assert placed(bench.state.models_dir)[adapter] == WHOLE
    metadata = json.loads((bench.state.models_dir / adapter / "metadata.json").read_text())
    assert metadata["run_id"] == run.job


@pytest.mark.usefixtures("run")
def test_after_a_push_the_server_is_looked_at_again(qapp: QApplication, bench: Bench) -> None:
    async def push() -> None:
        await bench.start()
        await bench.pushed()
        await seen(lambda: bench.servers.standing and bench.servers.standing.active_adapter, "the adapter")

    act(qapp, bench, push)
    assert bench.servers.can_go_back
    assert bench.servers.standing is not None
    assert bench.servers.standing.back_to == BASE


@pytest.mark.usefixtures("run")
def test_placing_alone_leaves_the_chat_as_it_is(qapp: QApplication, bench: Bench) -> None:
    async def push() -> None:
        await bench.start()
        bench.choice.set_activate(False)
        await bench.settled()
        await bench.pushed()

    act(qapp, bench, push)
    assert ended(bench).kind == "placed"
    assert "takes it for “smollm2:135m”. The chat stays as it is." in ended(bench).sentence
    assert (bench.state.model, bench.state.active) == (BASE, None)


@pytest.mark.usefixtures("run")
def test_after_a_failure_it_is_said_what_was_undone_and_a_second_try_succeeds(
    qapp: QApplication, bench: Bench
) -> None:
    bench.state.switches.deploys = False
    seen_first: list[Outcome] = []

    async def push() -> None:
        await bench.start()
        await bench.pushed()
        seen_first.append(ended(bench))
        assert bench.push.steps[-1].name == "rollback"
        bench.state.switches.deploys = True
        bench.push.again()
        assert bench.push.is_busy
        await seen(lambda: bench.push.outcome, "the second try")
        await bench.settled()

    act(qapp, bench, push)
    (first,) = seen_first
    assert (first.kind, first.title) == ("failed", "Venom could not put the adapter to use")
    assert first.undone == "Venom’s chat uses gemma3:4b again, as before. The adapter stays there, unused."
    assert first.next_step == "Look into Venom’s log for the cause, then try again."
    assert ended(bench).kind == "active"


def test_what_nothing_proves_is_sent_only_if_the_user_says_so(qapp: QApplication, bench: Bench) -> None:
    make_finished_run(bench.data, certified=False)
    refused: list[Outcome] = []

    async def push() -> None:
        await bench.start()
        await bench.pushed()
        refused.append(ended(bench))
        assert placed(bench.state.models_dir) == {}
        bench.push.override()
        await seen(lambda: bench.push.outcome, "the second try")
        await bench.settled()

    act(qapp, bench, push)
    (first,) = refused
    assert (first.kind, first.can_override) == ("failed", True)
    assert first.undone == "Nothing was changed on the server."
    assert "--" not in first.next_step
    states = {line.name: line.state for line in bench.push.steps}
    assert states["certify"] == "skipped"
    assert (ended(bench).kind, ended(bench).can_override) == ("active", False)


@pytest.mark.usefixtures("run")
def test_a_failure_before_anything_was_done_says_so(qapp: QApplication, bench: Bench) -> None:
    async def push() -> None:
        await bench.start()
        bench.state.switches.academy = False
        await bench.pushed()

    act(qapp, bench, push)
    assert ended(bench).title == "Venom’s Academy is switched off"
    assert ended(bench).undone == "Nothing was changed on the server."
    assert placed(bench.state.models_dir) == {}


def test_while_another_window_sends_nothing_is_sent(qapp: QApplication, bench: Bench, run: RunDir) -> None:
    async def push() -> None:
        await bench.start()
        with bench.venom.pushing(NAME, Order(run.job), Watcher()):
            await bench.pushed()

    act(qapp, bench, push)
    assert ended(bench).title == "Something is being sent to Venom already"
    assert ended(bench).undone == "Nothing was changed on the server."


@pytest.mark.usefixtures("run")
def test_an_adapter_that_was_active_before_is_not_said_to_be_unused(qapp: QApplication, bench: Bench) -> None:
    async def push() -> None:
        await bench.start()
        await bench.pushed()
        bench.state.switches.chat = ""
        bench.push.again()
        await seen(lambda: bench.push.outcome, "the second try")
        await bench.settled()

    act(qapp, bench, push)
    assert ended(bench).title == "The chat gives no answer"
    still = "Venom’s chat still uses this adapter. Roll back to use what was before it."
    assert ended(bench).undone == still
    assert bench.state.model.startswith("venom-adapter-")


@pytest.mark.usefixtures("run")
def test_when_the_way_back_fails_too_nothing_is_promised(qapp: QApplication, bench: Bench) -> None:
    bench.state.gate.clear()

    async def push() -> None:
        await bench.start()
        bench.push.start()
        await seen(lambda: _is_running(bench, "activate"), "the activation")
        bench.state.switches.deploys = bench.state.switches.ready = False
        bench.state.gate.set()
        await seen(lambda: bench.push.outcome, "the end")
        await bench.settled()

    act(qapp, bench, push)
    assert (ended(bench).title, ended(bench).undone) == ("The way back failed", "")
    assert ended(bench).next_step == "Roll back again, or choose the model in Venom itself."
    assert [line.name for line in bench.push.steps if line.state == "failed"] == ["activate", "rollback"]


# cancelling


@pytest.mark.usefixtures("run")
def test_a_push_that_is_cancelled_at_once_changes_nothing(qapp: QApplication, bench: Bench) -> None:
    async def push() -> None:
        await bench.start()
        bench.push.start()
        assert bench.push.cancel_words.startswith("Cancel ends before the next step.")
        bench.push.cancel()
        assert bench.push.cancel_words == "Ending before the next step …"
        assert not bench.push.can_cancel
        await seen(lambda: bench.push.outcome, "the end")
        await bench.settled()

    act(qapp, bench, push)
    assert (ended(bench).kind, ended(bench).sentence) == ("cancelled", "Nothing was changed on the server.")
    assert placed(bench.state.models_dir) == {}


@pytest.mark.usefixtures("run")
def test_from_the_activation_on_a_push_cannot_be_cancelled(qapp: QApplication, bench: Bench) -> None:
    bench.state.gate.clear()

    async def push() -> None:
        await bench.start()
        bench.push.start()
        await seen(lambda: _is_running(bench, "activate"), "the activation")
        assert not bench.push.can_cancel
        assert bench.push.cancel_words.startswith("From here on it cannot be cancelled")
        bench.push.cancel()
        bench.state.gate.set()
        await seen(lambda: bench.push.outcome, "the end")
        await bench.settled()

    act(qapp, bench, push)
    assert ended(bench).kind == "active"


def _is_running(bench: Bench, name: str) -> bool:
    return any(line.name == name and line.state == "running" for line in bench.push.steps)


@pytest.mark.usefixtures("run")
def test_while_one_server_is_sent_to_the_other_is_told_to_wait(qapp: QApplication, bench: Bench) -> None:
    bench.remember("other")
    bench.state.gate.clear()

    async def push() -> None:
        await bench.start()
        bench.push.start()
        await seen(lambda: _is_running(bench, "activate"), "the activation")
        bench.servers.select("other")
        assert bench.push.why_not == "An adapter is being sent to “home” at this moment."
        assert not bench.push.can_start
        bench.servers.select(NAME)
        assert bench.push.is_here
        assert bench.push.why_not == ""
        bench.state.gate.set()
        await seen(lambda: bench.push.outcome, "the end")
        await bench.settled()

    act(qapp, bench, push)


@pytest.mark.usefixtures("run")
def test_a_window_that_goes_ends_the_push_before_its_next_step(qapp: QApplication, bench: Bench) -> None:
    async def go() -> None:
        await bench.start()
        with bench.server.guard:  # the server has not answered yet when the window goes
            bench.push.start()
            await seen(lambda: _is_running(bench, "connect"), "the first step")
            await bench.supervisor.close()
        await seen(lambda: not is_held(bench.data.tmp / "venom.lock"), "the end of the push")

    act(qapp, bench, go)
    assert placed(bench.state.models_dir) == {}
    assert bench.state.model == BASE


# coming here with a run


def test_a_run_that_the_user_was_sent_here_with_is_ready_to_be_sent(qapp: QApplication, bench: Bench) -> None:
    wanted = make_finished_run(bench.data, "Wanted")
    make_finished_run(bench.data, "Newer", fill=0.25)

    async def come() -> None:
        await bench.start()
        await bench.pushed()
        assert bench.push.is_here
        bench.push.show_push(wanted.job)
        await bench.settled()

    act(qapp, bench, come)
    assert not bench.push.is_here
    assert (bench.runs.chosen_title, bench.push.can_start) == ("Wanted", True)
