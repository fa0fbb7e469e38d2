from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.chaos.driving import until
from trainers.errors import AcademyError, ErrorCode
from trainers.events import AnyEvent, CheckpointSaved, CommandAnswered, Ended, Phase, Step, parse_line
from trainers.heartbeat import read_heartbeat
from trainers.host_ties import HOST_GONE_EXIT_CODE, HOST_PID_VARIABLE
from trainers.layout import Command, RunDir, write_record
from trainers.session import POLL_S, Session, StartAgainError, run_job

SAVED = CheckpointSaved(step=3, path="checkpoints/step-3", size_bytes=1, seconds=0.1)
STEP = Step(
    step=7, total_steps=9, epoch=1.0, loss=0.5, learning_rate=1e-3, supervised_tokens=1, tokens=2, step_s=0.1
)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    (tmp_path / "commands").mkdir()
    return RunDir(tmp_path)


def order(run: RunDir, command: str, number: int = 1, attempt: int = 1) -> None:
    record = Command(id=f"c{number}", attempt=attempt, command="stop", created_at=float(number))
    write_record(run.commands / f"c{number}.json", record.model_copy(update={"command": command}))


def events(run: RunDir) -> list[AnyEvent]:
    return [parse_line(line) for line in run.events.read_bytes().splitlines()]


def answers(run: RunDir) -> list[tuple[str, str, str]]:
    payloads = [event.payload for event in events(run)]
    return [(one.command, one.outcome, one.code) for one in payloads if isinstance(one, CommandAnswered)]


@pytest.mark.parametrize(("command", "reason"), [("stop", "user"), ("suspend", "suspended")])
def test_a_stop_is_accepted_then_done(run: RunDir, command: str, reason: str) -> None:
    order(run, command)

    def work(session: Session) -> Ended:
        assert session.stop_reason is None
        stopped = session.between_steps(lambda: None)
        assert stopped == reason
        return Ended(state="stopped", reason=stopped)

    assert run_job(run.path, 1, work) == 0
    assert answers(run) == [(command, "accepted", ""), (command, "done", "")]
    assert events(run)[-1].type == "ended"


def test_a_stop_that_came_too_late_is_refused(run: RunDir) -> None:
    def work(_session: Session) -> Ended:
        order(run, "stop")
        order(run, "save", number=2)
        return Ended(state="succeeded")

    assert run_job(run.path, 1, work) == 0
    late = ErrorCode.JOB_NOT_RUNNING.value
    assert answers(run) == [("stop", "accepted", ""), ("stop", "refused", late), ("save", "refused", late)]


def test_a_save_is_done_when_a_checkpoint_is(run: RunDir) -> None:
    order(run, "save")
    saves: list[int] = []
    with Session.open(run.path, 1) as session:
        session.between_steps(lambda: saves.append(len(answers(run))))
        assert saves == [0]
        session.emit(SAVED)
        session.poll(now=True)
        assert not session.take_save()
    assert answers(run) == [("save", "done", "")]


def test_commands_of_other_attempts_and_damaged_files_are_ignored(run: RunDir) -> None:
    order(run, "stop", attempt=1)
    (run.commands / "c2.json").write_bytes(b"{torn")
    (run.commands / ".c3.json.1.tmp").write_bytes(b"")
    with Session.open(run.path, 2) as session:
        session.poll(now=True)
        assert session.stop_reason is None
    assert answers(run) == []


def test_an_unknown_command_is_refused_once(run: RunDir) -> None:
    order(run, "dance")
    with Session.open(run.path, 1) as session:
        session.poll(now=True)
        session.poll(now=True)
    assert answers(run) == [("dance", "refused", ErrorCode.PROTOCOL_NEWER.value)]


def test_a_pause_waits_for_its_end(run: RunDir) -> None:
    order(run, "pause", number=1)

    def go_on_when_paused() -> None:
        until(lambda: ("pause", "done", "") in answers(run))
        order(run, "save", number=2)
        until(lambda: ("save", "done", "") in answers(run))
        order(run, "unpause", number=3)

    helper = threading.Thread(target=go_on_when_paused)
    with Session.open(run.path, 1) as session:
        session.emit(Phase(name="training"))
        helper.start()
        assert session.between_steps(lambda: session.emit(SAVED)) is None
        assert not session.paused
    helper.join()
    assert [one[0] for one in answers(run)] == ["pause", "save", "unpause"]


def test_answers_are_asked_for_in_a_pause_too_and_refused_where_nothing_can_answer(run: RunDir) -> None:
    order(run, "sample", number=1)
    asked: list[str] = []
    with Session.open(run.path, 1) as session:
        assert session.between_steps(lambda: None, lambda: asked.append("now")) is None
        order(run, "pause", number=2)
        order(run, "sample", number=3)

        def go_on() -> None:
            asked.append("in the pause")
            order(run, "unpause", number=4)

        time.sleep(POLL_S)
        assert session.between_steps(lambda: None, go_on) is None
        order(run, "sample", number=5)
        time.sleep(POLL_S)
        session.between_steps(lambda: None)
    assert asked == ["now", "in the pause"]
    late = ErrorCode.JOB_NOT_RUNNING.value
    said = [("sample", "done", ""), ("pause", "done", ""), ("sample", "done", ""), ("unpause", "done", "")]
    assert answers(run) == [*said, ("sample", "refused", late)]


def test_a_rule_that_would_suspend_a_run_waits_until_what_was_learned_is_saved(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.patience.AGAIN_S", 0.01)
    tries: list[int] = []

    def write() -> str:
        tries.append(1)
        if len(tries) < 4:
            raise OSError(errno.ENOSPC, "full")
        return "saved"

    def work(session: Session) -> Ended:
        command = Command(id="h1", attempt=1, command="suspend", created_at=1.0, by="host")
        write_record(run.commands / "h1.json", command)
        session.wait_for_room()
        assert session.write(write, 1) == "saved"
        stopped = session.between_steps(lambda: None)
        assert stopped == "suspended"
        return Ended(state="stopped", reason=stopped)

    assert run_job(run.path, 1, work) == 0
    assert len(tries) == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_signal_is_a_stop(run: RunDir, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Session.open(run.path, 1) as session:
        os.kill(os.getpid(), number)
        assert until(lambda: session.stop_reason) == "user"
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AcademyError(ErrorCode.NONFINITE_LOSS, step=3), ErrorCode.NONFINITE_LOSS),
        (MemoryError(), ErrorCode.OUT_OF_MEMORY),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), ErrorCode.OUT_OF_MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 4 bytes"), ErrorCode.OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), ErrorCode.DISK_FULL),
        (OSError(errno.EIO, "broken"), ErrorCode.CRASHED),
        (KeyError("bug"), ErrorCode.CRASHED),
        (SystemExit(0), ErrorCode.CRASHED),
    ],
)
def test_every_failure_ends_with_its_code(
    run: RunDir, error: BaseException, code: ErrorCode, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(session: Session) -> Ended:
        session.emit(STEP)
        raise error

    assert run_job(run.path, 1, work) == 1
    ended = events(run)[-1].payload
    assert isinstance(ended, Ended)
    assert (ended.state, ended.reason, ended.step, ended.loss) == ("failed", code.value, 7, 0.5)
    assert "Traceback" in capsys.readouterr().err


def test_a_trainer_without_a_host_cannot_leave_it_the_next_attempt(run: RunDir) -> None:
    def work(_session: Session) -> Ended:
        raise StartAgainError from MemoryError()

    assert run_job(run.path, 1, work) == 1
    ended = events(run)[-1].payload
    assert isinstance(ended, Ended)
    assert ended.reason == ErrorCode.OUT_OF_MEMORY


def test_the_heartbeat_says_phase_and_progress(run: RunDir) -> None:
    with Session.open(run.path, 1) as session:
        session.phase("evaluating")
        session.tick()
        beat = read_heartbeat(run.heartbeat)
    assert beat is not None
    assert (beat.phase, beat.progress, beat.beat) == ("evaluating", 2, 1)
    assert run.heartbeat.stat().st_size == 64
    run.heartbeat.write_bytes(b"short")
    assert read_heartbeat(run.heartbeat) is None


ORPHAN = """
import sys, time
from pathlib import Path
from trainers.events import Ended, Phase
from trainers.session import run_job
def work(session):
    while True:
        session.emit(Phase(name="training", detail="x" * 5000))
run_job(Path(sys.argv[1]), 1, work)
"""


def test_a_trainer_ends_with_the_pipe_to_its_host(run: RunDir) -> None:
    # a host's number that is not our parent's: no parent-death signal, the pipe alone must do it
    environment = {**os.environ, HOST_PID_VARIABLE: "1"}
    command = [sys.executable, "-c", ORPHAN, str(run.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as trainer:
        until(lambda: run.events.exists() and run.events.stat().st_size > 50_000)
        assert trainer.stdin is not None
        trainer.stdin.close()
        assert trainer.wait(30) == HOST_GONE_EXIT_CODE
    assert run.events.read_bytes().endswith(b"\n")
    assert len(events(run)) > 5
