from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.heartbeat import Heartbeat
from trainers.host_watch import PAUSED, STOPPED_S, Sign, Stall, Watch, look_at

PATIENCE_S = 60.0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Story:
    """A trainer whose life a test tells, second by second."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.watch = Watch(PATIENCE_S, self.clock)
        self.progress = 0
        self.work = 0.0

    def live(
        self, seconds: float, *, phase: str = "training", busy: float = 1.0, stopped: bool = False
    ) -> list[Stall]:
        """Let time pass in silence, with so much work per second; what every look said."""
        said: list[Stall] = []
        for _ in range(round(seconds)):
            self.clock.now += 1.0
            self.work += busy
            said.append(self.watch.look(Sign(self.progress, phase, stopped, self.work)))
        return said

    def move(self, count: int, each_s: float, *, phase: str = "training", busy: float = 1.0) -> list[Stall]:
        """Let units of work be done, one after the other."""
        said: list[Stall] = []
        for _ in range(count):
            said += self.live(each_s - 1, phase=phase, busy=busy)
            self.progress += 1
            said += self.live(1, phase=phase, busy=busy)
        return said


def first(said: list[Stall]) -> int | None:
    """Seconds until the first alarm."""
    return next((number for number, one in enumerate(said, 1) if one), None)


def test_a_loop_in_a_step_is_found_after_ten_times_the_usual() -> None:
    story = Story()
    assert not any(story.move(20, 20))
    assert first(story.live(400)) == 201


def test_quick_steps_have_the_whole_patience() -> None:
    story = Story()
    assert not any(story.move(20, 2))
    assert first(story.live(120)) == 61


def test_one_slow_step_among_quick_ones_does_not_change_the_usual() -> None:
    story = Story()
    story.move(20, 2)
    assert not any(story.move(1, 55))
    assert first(story.live(120)) == 61


def test_many_units_between_two_looks_make_a_pace() -> None:
    story = Story()
    story.live(1)
    story.progress += 50
    story.live(1)
    assert first(story.live(120)) == 61


def test_another_phase_has_a_pace_of_its_own() -> None:
    story = Story()
    story.move(20, 2)
    assert not any(story.move(5, 58, phase="evaluating"))
    assert first(story.live(700, phase="evaluating")) == 581


def test_where_no_pace_is_known_work_earns_patience_and_idleness_does_not() -> None:
    assert first(Story().live(3700, phase="loading", busy=0.5)) == 3602
    assert first(Story().live(700, phase="loading", busy=0.001)) == 62


def test_a_pause_is_no_stall_however_long() -> None:
    story = Story()
    story.move(20, 2)
    assert not any(story.live(5000, phase=PAUSED, busy=0.0))
    assert not any(story.move(20, 2))


def test_a_halted_process_is_found_within_ten_seconds_and_forgiven_when_it_goes_on() -> None:
    story = Story()
    story.move(5, 2)
    assert not any(story.live(STOPPED_S - 1, stopped=True))
    said = story.live(6, stopped=True)
    assert said[-1] == "process_stopped"
    assert not any(story.move(5, 2))


def test_after_a_sleep_of_the_computer_nothing_is_wrong() -> None:
    story = Story()
    story.move(5, 2)
    # the monotonic clock stood still, whatever the clock on the wall says
    assert not any(story.move(5, 2))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["training", "evaluating", "saving"]), st.integers(1, 60)), max_size=60
    ),
    st.floats(0, 2),
)
def test_whatever_moves_at_least_once_a_minute_raises_no_alarm(
    steps: list[tuple[str, int]], busy: float
) -> None:
    story = Story()
    for phase, seconds in steps:
        assert not any(story.move(1, seconds, phase=phase, busy=busy))


def test_a_process_without_a_heartbeat_of_its_own_has_not_moved(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat"
    heart = Heartbeat(path)
    heart.phase("training")
    heart.advance()
    mine = look_at(os.getpid(), path, time.time() - 10)
    assert (mine.progress, mine.phase) == (1, "training")
    assert look_at(os.getpid(), path, time.time() + 10).progress == -1
    assert look_at(os.getpid(), tmp_path / "nothing", 0.0).progress == -1
    heart.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_process_tells_its_work_and_whether_it_is_halted(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
    try:
        before = look_at(child.pid, tmp_path / "none", 0.0)
        deadline = time.monotonic() + 30
        while look_at(child.pid, tmp_path / "none", 0.0).work == before.work:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        child.send_signal(signal.SIGSTOP)
        while not look_at(child.pid, tmp_path / "none", 0.0).stopped:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        child.kill()
        child.wait()
    assert look_at(child.pid, tmp_path / "none", 0.0) == Sign(-1, "", False, None)
