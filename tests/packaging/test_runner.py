from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import pytest
from academy_setup.checkout import Checkout
from academy_setup.failures import SetupError
from academy_setup.runner import Step, Workshop, set_up
from academy_setup.stamps import Result, Stamp, Stamps, digest
from academy_setup.voice import Voice


def recording(name: str, done: list[str], inputs: Callable[[], str] = lambda: "same") -> Step:
    def do(_workshop: Workshop) -> Result:
        done.append(name)
        return {"of": name}

    return Step(name, f"Doing {name}", lambda _: digest(inputs()), do)


def interrupted(name: str) -> Step:
    def do(_workshop: Workshop) -> Result:
        raise KeyboardInterrupt

    return Step(name, f"Doing {name}", lambda _: digest("same"), do)


def test_a_second_start_does_nothing_and_says_nothing(
    checkout: Checkout, voice: Voice, spoken: io.StringIO
) -> None:
    done: list[str] = []
    steps = [recording("one", done), recording("two", done)]
    set_up(checkout, voice, steps)
    said = spoken.getvalue()
    set_up(checkout, voice, steps)
    assert done == ["one", "two"]
    assert spoken.getvalue() == said
    assert "[1/2] Doing one" in said


def test_an_interrupted_step_is_redone_and_the_steps_before_it_are_not(
    checkout: Checkout, voice: Voice
) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        set_up(checkout, voice, [recording("one", done), interrupted("two"), recording("three", done)])
    set_up(checkout, voice, [recording("one", done), recording("two", done), recording("three", done)])
    assert done == ["one", "two", "three"]


def test_an_interrupted_update_does_not_keep_the_stamp_of_the_last_success(
    checkout: Checkout, voice: Voice
) -> None:
    done: list[str] = []
    set_up(checkout, voice, [recording("one", done, lambda: "old")])
    with pytest.raises(KeyboardInterrupt):
        set_up(checkout, voice, [interrupted("one")])
    set_up(checkout, voice, [recording("one", done, lambda: "old")])
    assert done == ["one", "one"]


def test_a_step_with_other_inputs_is_redone(checkout: Checkout, voice: Voice) -> None:
    done: list[str] = []
    for lock in ("first", "first", "second"):
        set_up(checkout, voice, [recording("one", done, partial(str, lock))])
    assert done == ["one", "one"]


def test_a_step_that_no_longer_holds_is_redone(checkout: Checkout, voice: Voice) -> None:
    done: list[str] = []
    step = recording("one", done)
    unstable = Step(step.name, step.title, step.inputs, step.do, holds=lambda _: False)
    set_up(checkout, voice, [unstable])
    set_up(checkout, voice, [unstable])
    assert done == ["one", "one"]


def test_repair_trusts_no_stamp(checkout: Checkout, voice: Voice) -> None:
    done: list[str] = []
    set_up(checkout, voice, [recording("one", done)])
    set_up(checkout, voice, [recording("one", done)], afresh=True)
    assert done == ["one", "one"]


def test_repair_spares_a_step_that_is_found_sound(checkout: Checkout, voice: Voice) -> None:
    done: list[str] = []
    step = recording("one", done)
    steps = [Step(step.name, step.title, step.inputs, step.do, sound=lambda _: True), recording("two", done)]
    set_up(checkout, voice, steps)
    set_up(checkout, voice, steps, afresh=True)
    assert done == ["one", "two", "two"]


def test_a_later_step_sees_what_an_earlier_one_found_out(checkout: Checkout, voice: Voice) -> None:
    seen: list[Result] = []

    def do(workshop: Workshop) -> Result:
        seen.append(workshop.result("one"))
        return {}

    set_up(checkout, voice, [recording("one", []), Step("two", "", lambda _: "", do)])
    assert seen == [{"of": "one"}]


def test_an_unwanted_step_is_left_out(checkout: Checkout, voice: Voice) -> None:
    done: list[str] = []
    step = recording("one", done)
    set_up(checkout, voice, [Step(step.name, step.title, step.inputs, step.do, wanted=lambda _: False)])
    assert done == []


def test_too_small_a_disk_is_found_before_anything_is_fetched(checkout: Checkout, voice: Voice) -> None:
    done: list[str] = []
    huge = recording("huge", done)
    with pytest.raises(SetupError, match=r"needs about 1000000000\.0 GB .* GB are free"):
        set_up(checkout, voice, [Step(huge.name, huge.title, huge.inputs, huge.do, size=10**18)])
    assert done == []


def test_an_environment_of_somebody_else_is_not_touched(checkout: Checkout, voice: Voice) -> None:
    (checkout.venv / "bin").mkdir(parents=True)
    with pytest.raises(SetupError, match="was not made by this set-up"):
        set_up(checkout, voice, [recording("one", [])])
    assert not checkout.state.exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"inputs": "x"}', '{"inputs": "x", "result": 3}', "\0\0"]
)
def test_a_damaged_stamp_is_no_stamp(checkout: Checkout, content: str) -> None:
    checkout.state.mkdir(parents=True)
    (checkout.state / "one.json").write_text(content, encoding="utf-8")
    assert Stamps(checkout.state).read("one") is None


def test_a_stamp_comes_back_as_it_was_written(checkout: Checkout) -> None:
    checkout.state.mkdir(parents=True)
    stamps = Stamps(checkout.state)
    stamps.write("one", Stamp("digest", {"python": "3.11.7"}))
    assert stamps.read("one") == Stamp("digest", {"python": "3.11.7"})
    stamps.forget("one")
    stamps.forget("one")
    assert stamps.read("one") is None


def test_the_borders_of_inputs_count() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a", "b") != digest("b", "a")
