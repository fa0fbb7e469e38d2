from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from academy_desktop.core.history import RECENT_STEPS, EventTail, History
from tests.trainers.golden.protocol import GOLDEN
from trainers.emitter import Emitter
from trainers.errors import AcademyError, ErrorCode
from trainers.events import (
    CheckpointSaved,
    CommandAnswered,
    Ended,
    Evaluated,
    Payload,
    Phase,
    Progress,
    Resumed,
    Started,
    Step,
    Warned,
)

STARTED = Started(kind="train", total_steps=40)


def step(number: int, **changed: float) -> Step:
    values = {
        "step": number, "total_steps": 50, "epoch": 1.0, "loss": number / 100, "learning_rate": 1e-4,
        "supervised_tokens": 5, "tokens": 100, "step_s": 0.5, "eta_s": 100.0 - number,
    }  # fmt: skip
    return Step.model_validate({**values, **changed})


def evaluation(number: int) -> Evaluated:
    return Evaluated(step=number, loss=number / 10, supervised_tokens=5, seconds=0.1)


def answer(command: str, outcome: str = "done", order: str = "c") -> CommandAnswered:
    return CommandAnswered.model_validate({"id": order, "command": command, "outcome": outcome})


class Trainer:
    """Writes events as the trainers of one job's attempts do; each is a second later."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 1000.0

    def clock(self) -> float:
        self.now += 1
        return self.now

    def attempt(self, number: int, *payloads: Payload) -> None:
        emitter = Emitter(self.path, number, self.clock)
        for payload in payloads:
            emitter.emit(payload)
        emitter.close()


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return Trainer(tmp_path / "events.jsonl")


def history(trainer: Trainer) -> History:
    made = History()
    made.fold_all(EventTail(trainer.path).read_new())
    return made


# reading


def test_each_event_is_read_once(trainer: Trainer) -> None:
    tail = EventTail(trainer.path)
    assert tail.read_new() == []
    trainer.attempt(1, STARTED, step(1))
    assert [event.seq for event in tail.read_new()] == [1, 2]
    assert tail.read_new() == []
    trainer.attempt(2, STARTED)
    assert [(event.seq, event.attempt) for event in tail.read_new()] == [(3, 2)]
    assert [event.seq for event in EventTail(trainer.path).read_new()] == [1, 2, 3]


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 4000), max_size=6))
def test_however_the_lines_arrive_each_event_is_read_once_and_whole(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = (GOLDEN / "events.jsonl").read_bytes()
    path = tmp_path_factory.mktemp("tail") / "events.jsonl"
    tail, seen = EventTail(path), []
    places = [0, *sorted(cut % len(content) for cut in cuts), len(content)]
    for begin, end in pairwise(places):
        with path.open("ab") as stream:
            stream.write(content[begin:end])
        seen += tail.read_new()
    assert seen == EventTail(GOLDEN / "events.jsonl").read_new()


def test_a_torn_last_line_is_read_once_it_is_mended(trainer: Trainer) -> None:
    trainer.attempt(1, STARTED, step(1))
    tail = EventTail(trainer.path)
    with trainer.path.open("ab") as stream:
        stream.write(b'{"v":1,"seq":3,"attempt":1,"t":0,"type":"pha')
    assert [event.seq for event in tail.read_new()] == [1, 2]
    assert tail.read_new() == []
    trainer.attempt(2, Phase(name="loading"))
    assert [(event.seq, event.attempt, event.type) for event in tail.read_new()] == [(3, 2, "phase")]


def test_a_damaged_line_is_passed_over(trainer: Trainer) -> None:
    trainer.attempt(1, STARTED)
    with trainer.path.open("ab") as stream:
        stream.write(b"\0\0\0\0\n{\n")
    trainer.attempt(1, step(1))
    assert [event.seq for event in EventTail(trainer.path).read_new()] == [1, 2]


def test_an_event_that_is_repeated_is_told_once(trainer: Trainer) -> None:
    trainer.attempt(1, STARTED, step(1))
    content = trainer.path.read_bytes()
    trainer.path.write_bytes(content + content)
    assert [event.seq for event in EventTail(trainer.path).read_new()] == [1, 2]


def test_a_file_that_is_restored_shorter_is_read_on(trainer: Trainer) -> None:
    trainer.attempt(1, STARTED, step(1), step(2))
    tail = EventTail(trainer.path)
    assert len(tail.read_new()) == 3
    whole = trainer.path.read_bytes().splitlines(keepends=True)
    trainer.path.write_bytes(b"".join(whole[:2]))
    assert tail.read_new() == []
    trainer.path.write_bytes(b"".join(whole[:3]))
    trainer.attempt(1, step(3))
    assert [event.seq for event in tail.read_new()] == [4]


def test_a_later_versions_event_is_refused_each_time(trainer: Trainer) -> None:
    trainer.attempt(1, STARTED)
    with trainer.path.open("ab") as stream:
        stream.write(b'{"v":2,"seq":2}\n')
    tail = EventTail(trainer.path)
    for _ in range(3):
        with pytest.raises(AcademyError) as caught:
            tail.read_new()
        assert caught.value.code is ErrorCode.PROTOCOL_NEWER


# meaning


def test_nothing_said_is_nothing_known() -> None:
    empty = History()
    assert (empty.attempt, empty.step, empty.total_steps) == (0, 0, 0)
    assert (empty.loss, empty.eval_loss, empty.tokens_per_s, empty.eta_s) == (None, None, None, None)


def test_a_run_adds_up(trainer: Trainer) -> None:
    saved = CheckpointSaved(step=2, path="checkpoints/step-2", size_bytes=5, seconds=0.1)
    warned = Warned(code="rows_truncated")
    trainer.attempt(
        1,
        Phase(name="loading"),
        STARTED,
        warned,
        Phase(name="training"),
        step(1),
        step(2),
        evaluation(2),
        saved,
    )
    made = history(trainer)
    assert (made.step, made.total_steps, made.loss, made.eval_loss, made.eta_s) == (2, 40, 0.02, 0.2, 98.0)
    assert (made.started_at, made.last_at, made.ended_at) == (1002.0, 1008.0, None)
    assert (made.checkpoints, made.warnings) == ([saved], [warned])
    assert made.phase == Phase(name="training")


def test_the_plan_is_known_from_the_steps_where_the_start_does_not_tell(trainer: Trainer) -> None:
    trainer.attempt(1, Started(kind="train"), step(1))
    assert history(trainer).total_steps == 50


def test_progress_belongs_to_its_phase(trainer: Trainer) -> None:
    done = Progress(done=1, total=2, unit="rows")
    trainer.attempt(1, Phase(name="rendering"), done)
    assert history(trainer).progress == done
    trainer.attempt(1, Phase(name="training"))
    assert history(trainer).progress is None


def test_a_resume_drops_what_it_supersedes(trainer: Trainer) -> None:
    trainer.attempt(1, STARTED, *(step(n) for n in range(1, 9)), evaluation(4), evaluation(8))
    trainer.attempt(2, STARTED, Resumed(from_step=5, checkpoint="checkpoints/step-5"))
    made = history(trainer)
    assert [one.step for one in made.steps] == [1, 2, 3, 4, 5]
    assert [one.step for one in made.evaluations] == [4]
    assert (made.attempt, made.from_step, made.step) == (2, 5, 5)
    trainer.attempt(2, step(6, loss=9.0), step(7), evaluation(7))
    made = history(trainer)
    assert [one.step for one in made.steps] == [1, 2, 3, 4, 5, 6, 7]
    assert made.steps[5].loss == 9.0
    assert [one.step for one in made.evaluations] == [4, 7]


def test_a_resume_from_the_beginning_drops_everything(trainer: Trainer) -> None:
    trainer.attempt(1, STARTED, step(1), step(2))
    trainer.attempt(2, STARTED, Resumed(from_step=0))
    made = history(trainer)
    assert (made.steps, made.step, made.loss) == ([], 0, None)


def test_an_attempt_that_ended_before_it_resumed_drops_nothing(trainer: Trainer) -> None:
    trainer.attempt(1, STARTED, step(1), step(2))
    trainer.attempt(2, Phase(name="loading"), Ended(state="failed", reason="model_damaged"))
    made = history(trainer)
    assert (made.step, made.started) == (2, None)
    trainer.attempt(3, STARTED, Resumed(from_step=1))
    assert history(trainer).step == 1


def test_a_new_attempt_forgets_the_end_of_the_one_before(trainer: Trainer) -> None:
    trainer.attempt(1, STARTED, answer("pause"), answer("stop", "accepted", "d"), Ended(state="stopped"))
    made = history(trainer)
    assert made.ended is not None
    assert made.paused
    assert set(made.answers) == {"c", "d"}
    trainer.attempt(2, Phase(name="loading"))
    made = history(trainer)
    assert (made.ended, made.ended_at, made.paused, made.answers) == (None, None, False, {})
    assert made.started_at == 1001.0


@pytest.mark.parametrize(
    ("answers", "paused"),
    [
        ([answer("pause")], True),
        ([answer("pause"), answer("unpause")], False),
        ([answer("pause"), answer("unpause"), answer("pause")], True),
        ([answer("pause", "refused")], False),
        ([answer("pause"), answer("unpause", "refused")], True),
        ([answer("pause"), answer("save")], True),
        ([answer("unpause")], False),
    ],
)
def test_only_what_was_done_pauses(trainer: Trainer, answers: list[CommandAnswered], paused: bool) -> None:
    trainer.attempt(1, STARTED, *answers)
    assert history(trainer).paused is paused


def test_the_last_answer_to_a_command_counts(trainer: Trainer) -> None:
    trainer.attempt(1, answer("stop", "accepted"), answer("stop", "refused"))
    assert history(trainer).answers["c"].outcome == "refused"


def test_speed_is_a_median_over_the_last_steps(trainer: Trainer) -> None:
    slow = [step(n, step_s=100.0) for n in range(1, 6)]
    quick = [step(n) for n in range(6, 6 + RECENT_STEPS)]
    trainer.attempt(1, STARTED, *slow, *quick)
    assert history(trainer).tokens_per_s == 200.0
    trainer.attempt(1, step(30, step_s=3600.0), step(31, step_s=0.0))
    assert history(trainer).tokens_per_s == 200.0


def test_an_unknown_event_only_says_that_the_job_lives(trainer: Trainer) -> None:
    trainer.attempt(1, STARTED)
    with trainer.path.open("ab") as stream:
        stream.write(b'{"v":1,"seq":2,"attempt":1,"t":5000,"type":"rewarded","payload":{"step":7}}\n')
    made = history(trainer)
    assert (made.last_at, made.step) == (5000.0, 0)
