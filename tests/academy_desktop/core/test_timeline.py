from __future__ import annotations

from typing import Literal

from academy_desktop.core.history import History
from tests.academy_desktop.viewmodels.making import event
from trainers.events import Forgetting, Payload, Resumed, Sampled


def sampled(step: int, index: int = 0, by: Literal["base", "tuned"] = "tuned", answer: str = "") -> Sampled:
    return Sampled(
        step=step,
        index=index,
        by=by,
        prompt=f"q{index}",
        answer=answer or f"{by} {step}",
        ended=True,
        seconds=0,
    )


def forgetting(step: int, loss: float) -> Forgetting:
    return Forgetting(step=step, loss=loss, base_loss=2.0, supervised_tokens=1, seconds=0)


def told(*payloads: Payload) -> History:
    history = History()
    history.fold_all(event(seq, payload) for seq, payload in enumerate(payloads, start=1))
    return history


def test_the_newest_answer_of_each_question_stands_beside_the_base() -> None:
    timeline = told(
        sampled(0, 1, "base"), sampled(0, 0, "base"), sampled(4, 0), sampled(4, 1), sampled(9, 0)
    ).timeline
    assert timeline.steps == (4, 9)
    assert [(one["index"], one["base"], one["tuned"], one["step"]) for one in timeline.newest()] == [
        (0, "base 0", "tuned 9", 9),
        (1, "base 0", "tuned 4", 4),
    ]
    assert told().timeline.newest() == []
    (alone,) = told(sampled(0, 0, "base")).timeline.newest()
    assert (alone["tuned"], alone["step"]) == (None, None)


def test_what_a_resume_supersedes_is_gone_and_what_it_repeats_is_there_once() -> None:
    timeline = told(
        sampled(0, 0, "base"),
        forgetting(0, 2.0),
        sampled(4),
        forgetting(4, 2.1),
        sampled(8),
        forgetting(8, 2.4),
        Resumed(from_step=4, checkpoint="checkpoints/step-4"),
        sampled(4, answer="again"),
    ).timeline
    assert timeline.steps == (4,)
    found = timeline.tuned(0, 4)
    assert found is not None
    assert found.answer == "again"
    assert timeline.tuned(0, 8) is None
    assert timeline.base(0) is not None
    newest = timeline.forgetting()
    assert newest is not None
    assert (newest.step, newest.loss) == (4, 2.1)
    assert timeline.forgetting(8) is None
