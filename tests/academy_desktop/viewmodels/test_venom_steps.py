from __future__ import annotations

import threading

from academy_desktop.core.venom.steps import Order, Step
from academy_desktop.text.venom import STEPS, VenomWords
from academy_desktop.viewmodels.venom_steps import StepList, Watch
from tests.academy_desktop.viewmodels.making import Clock, event, words
from trainers.errors import ErrorCode
from trainers.events import Phase, Progress


def steps(clock: Clock, *, activate: bool = True) -> StepList:
    said = words()
    texts = VenomWords(said.gettext, said.messages)
    names = Order("job", activate).steps_on("folder")
    return StepList(names, texts, said.messages, said.formats, said.gettext, clock)


def test_at_first_every_step_waits() -> None:
    lines = steps(Clock()).lines()
    assert [line.title for line in lines] == [STEPS[name] for name in Order("job", True).steps]
    assert {(line.state, line.sentence, line.took) for line in lines} == {("waiting", "", "")}


def test_a_step_goes_and_is_over_with_its_time_where_that_was_long() -> None:
    clock = Clock()
    made, watch = steps(clock), Watch(clock)
    watch.started("connect")
    watch.collect(made)
    assert (made.going, made.lines()[0].state, made.lines()[0].took) == ("connect", "running", "")
    clock.now += 3
    assert made.lines()[0].took == "3s"
    watch.done(Step("connect", "done", {"base_model": "b", "model_id": "m", "model": "x"}))
    watch.started("export")
    clock.now += 60
    watch.collect(made)
    first, second = made.lines()[:2]
    assert (first.state, first.took) == ("done", "3s")
    assert first.sentence.startswith("Venom answers and uses x.")
    assert (second.state, second.took) == ("running", "1m")


def test_bytes_and_phases_are_told_while_a_step_goes() -> None:
    made, watch = steps(Clock()), Watch(Clock())
    watch.started("place")
    watch.progress(3 * 1024**2, 12 * 1024**2)
    watch.collect(made)
    assert made.lines()[3].sentence == "3.0\u00a0MiB of 12.0\u00a0MiB"
    watch.started("export")
    watch.event(event(1, Phase(name="writing")))
    watch.event(event(2, Progress(done=136, total=272, unit="tensors")))
    watch.collect(made)
    assert made.lines()[1].sentence == "Writing the export · 50%"


def test_a_step_that_failed_says_why_and_the_way_back_is_one_more() -> None:
    made, watch = steps(Clock()), Watch(Clock())
    watch.started("place")
    watch.done(Step("place", "done", {"path": "/models/a"}))
    watch.collect(made)
    assert (made.can_end, made.has_sent) == (True, True)
    assert made.lines()[3].undo == "To undo it, remove the adapter in the list above."
    watch.started("activate")
    watch.collect(made)
    assert not made.can_end
    watch.failed(Step("activate", "failed", {"runtime": "ollama"}, ErrorCode.VENOM_DEPLOY_FAILED))
    watch.started("rollback")
    watch.done(Step("rollback", "done", {"model": "gemma3:4b"}))
    watch.collect(made)
    by_name = {line.name: line for line in made.lines()}
    assert by_name["activate"].state == "failed"
    assert "The server failed while it gave" in by_name["activate"].sentence
    assert by_name["verify"].state == "waiting"
    assert list(by_name)[-1] == "rollback"
    assert by_name["rollback"].sentence == "The chat uses gemma3:4b, as before."


def test_what_was_going_when_the_push_ended_waits_again() -> None:
    made, watch = steps(Clock(), activate=False), Watch(Clock())
    watch.started("list")
    watch.collect(made)
    made.stop()
    assert [line.state for line in made.lines()] == ["waiting"] * 6
    assert made.can_end


def test_what_is_told_in_another_thread_is_collected_in_its_order() -> None:
    made, watch = steps(Clock()), Watch(Clock())

    def tell() -> None:
        for name in Order("job", True).steps:
            watch.started(name)
            watch.done(Step(name, "kept"))

    thread = threading.Thread(target=tell)
    thread.start()
    while thread.is_alive():
        watch.collect(made)
    watch.collect(made)
    assert {line.state for line in made.lines()} == {"done"}
    assert made.going is None


def test_what_is_passed_over_says_why() -> None:
    made, watch = steps(Clock()), Watch(Clock())
    watch.started("canary")
    watch.done(Step("canary", "skipped", {"reason": "no_chat"}))
    watch.collect(made)
    last = made.lines()[-1]
    assert (last.name, last.state) == ("canary", "skipped")
    assert last.sentence.startswith("Left out: ")
