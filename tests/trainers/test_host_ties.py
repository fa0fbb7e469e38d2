from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.chaos.driving import is_running, until

#: Starts a child of a trainer as exports do, gives it an input that stays open, and says its number.
PARENT = """
import subprocess, sys, time
from trainers.llama_client import child_environment
command = [sys.executable, "-P", "-m", sys.argv[1]]
child = subprocess.Popen(command, stdin=int(sys.argv[2]), env=child_environment())
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_converter_does_not_outlive_a_trainer_that_is_killed() -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-P", "-c", PARENT, "trainers.llama_converter", str(reading)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, pass_fds=(reading,))
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    watches = f"/proc/{child}/task"
    until(lambda: len(os.listdir(watches)) > 1, "the child to watch its parent")
    assert is_running(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until(lambda: not is_running(child), "the end of the child")
    for end in (reading, writing):
        os.close(end)
