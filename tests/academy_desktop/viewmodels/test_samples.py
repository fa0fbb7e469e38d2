from __future__ import annotations

import pytest

from academy_desktop.viewmodels.samples import ALL, Samples
from academy_desktop.viewmodels.word_difference import Said
from tests.academy_desktop.core.test_timeline import forgetting, sampled
from tests.academy_desktop.viewmodels.making import event, words
from trainers.events import Payload, Resumed


@pytest.fixture
def samples() -> Samples:
    said = words()
    return Samples(said.formats, said.gettext)


def tell(samples: Samples, *payloads: Payload) -> None:
    samples.apply([event(seq, payload) for seq, payload in enumerate(payloads, start=1)])


def text(parts: list[Said]) -> str:
    return "".join(part.text for part in parts)


def test_the_newest_step_is_shown_until_another_one_is_chosen(samples: Samples) -> None:
    assert samples.is_empty
    tell(samples, sampled(0, by="base"))
    assert (samples.is_empty, samples.step, samples.when) == (False, None, "In training")
    tell(samples, sampled(4), sampled(8))
    assert (samples.steps, samples.step, samples.when) == ((4, 8), 8, "After step 8")
    samples.choose_step(4)
    tell(samples, sampled(12))
    assert samples.step == 4
    samples.choose_step(12)
    tell(samples, sampled(1600))
    assert samples.when == "After step 1,600"
    samples.choose_step(8)
    tell(samples, Resumed(from_step=4))
    assert samples.step == 4
    samples.clear()
    assert samples.is_empty


def test_a_question_is_chosen_or_all_stand_below_each_other(samples: Samples) -> None:
    long = sampled(0, 1, "base").model_copy(update={"prompt": "word " * 60, "expected": "yes"})
    tell(samples, sampled(0, 0, "base", "one two"), long, sampled(4, 0, answer="one three"))
    assert [choice.id for choice in samples.questions] == [ALL, "0", "1"]
    assert len(samples.questions[2].title) == 90
    assert text(samples.base).startswith("q0\none two\n\nword word")
    assert samples.expected == ""
    samples.choose_question("0")
    assert samples.base == [Said("one"), Said(" "), Said("two", "gone")]
    assert samples.tuned == [Said("one"), Said(" "), Said("three", "new")]
    samples.choose_question("1")
    assert samples.expected == "Your data says: yes"


def test_answers_that_were_cut_or_are_empty_say_so(samples: Samples) -> None:
    cut = sampled(0, by="base", answer="on and on").model_copy(update={"ended": False})
    tell(samples, cut, sampled(4).model_copy(update={"answer": ""}))
    samples.choose_question("0")
    assert samples.base[-1] == Said(" …", "cut")
    assert samples.tuned == [Said("(no answer)", "cut")]


def test_forgetting_is_told_for_the_step_that_is_looked_at(samples: Samples) -> None:
    assert samples.forgetting == ""
    tell(samples, sampled(4), forgetting(0, 2.0), forgetting(4, 2.001), sampled(8), forgetting(8, 2.5))
    assert samples.forgetting == "Everyday questions: loss 2.50, 25% above the base's 2.00."
    samples.choose_step(4)
    assert samples.forgetting == "Everyday questions: loss 2.00, as before training."
    tell(samples, sampled(12), forgetting(12, 1.8))
    samples.choose_step(12)
    assert samples.forgetting == "Everyday questions: loss 1.80, 10% below the base's 2.00."
