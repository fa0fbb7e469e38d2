from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import os, sys, time
from trainers import tasks
from trainers.errors import AcademyError, ErrorCode

def echo(request, progress):
    print("to stdout, as libraries do")
    os.write(1, b"even past Python\\n")
    progress(1, 2, "half")
    progress(2, 2, "é")
    return {"said": request["say"]}

def refuse(request, progress):
    raise AcademyError(ErrorCode.MODEL_DAMAGED, path="/x", size=3, detail=None)

def lose(request, progress):
    open("/nowhere/file")

def crash(request, progress):
    raise RuntimeError("a bug")

def sleep(request, progress):
    progress(0, 1, "asleep")
    time.sleep(600)

tasks.TASKS.update(echo=echo, refuse=refuse, lose=lose, crash=crash, sleep=sleep)
sys.exit(tasks.main(sys.argv[1:]))
"""


def start(name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", SCRIPT, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def converse(name: str, request: object) -> tuple[int, list[dict[str, Any]], str]:
    """Run a task with its stdin open to the end; returns exit code, messages and stderr."""
    with start(name) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
        messages = [json.loads(line) for line in child.stdout]
        return child.wait(60), messages, child.stderr.read().decode()


def test_a_task_tells_its_progress_and_its_result() -> None:
    code, messages, stderr = converse("echo", {"say": "é\n"})
    assert code == 0
    assert messages == [
        {"type": "progress", "done": 1, "total": 2, "detail": "half"},
        {"type": "progress", "done": 2, "total": 2, "detail": "é"},
        {"type": "result", "said": "é\n"},
    ]
    assert "to stdout, as libraries do" in stderr
    assert "even past Python" in stderr


def test_an_expected_failure_is_told_with_its_facts() -> None:
    code, messages, stderr = converse("refuse", {})
    assert code == 1
    facts = {"path": "/x", "size": 3, "detail": None}
    assert messages == [{"type": "error", "code": "model_damaged", "facts": facts}]
    assert stderr == ""


def test_a_failure_of_the_system_is_told_too() -> None:
    code, messages, _ = converse("lose", {})
    assert code == 1
    assert [(one["type"], one["code"]) for one in messages] == [("error", "task_failed")]
    assert "/nowhere/file" in messages[0]["facts"]["detail"]


@pytest.mark.parametrize(("name", "last"), [("crash", "RuntimeError: a bug"), ("dance", "KeyError: 'dance'")])
def test_a_bug_is_a_traceback_and_no_message(name: str, last: str) -> None:
    code, messages, stderr = converse(name, {})
    assert code == 1
    assert messages == []
    assert stderr.splitlines()[-1] == last


def test_a_task_ends_with_its_stdin() -> None:
    with start("sleep") as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(b"{}\n")
            child.stdin.flush()
            assert b"asleep" in child.stdout.readline()
            child.stdin.close()
            assert child.wait(60) == 3
        finally:
            child.kill()


def test_the_tasks_of_this_version_need_no_torch_to_be_named() -> None:
    script = "import sys; from trainers.tasks import TASKS; print(*TASKS); assert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.split() == ["demo-model", "miniature", "trial-steps", "xray"]
