from __future__ import annotations

from pathlib import Path

import pytest

from trainers.host_memory import MemoryWatch
from trainers.host_process import Outcome

KILLED = Outcome(None, "SIGKILL", None)
ABORTED = Outcome(None, "SIGABRT", None)
PID = 4002


class Machine:
    """What Linux tells of memory, written down."""

    def __init__(self, root: Path) -> None:
        self.proc, self.groups = root / "proc", root / "groups"
        (self.proc / str(PID)).mkdir(parents=True)
        self.own = self.groups / "memory" / "jobs"
        self.own.mkdir(parents=True)
        (self.proc / str(PID) / "cgroup").write_text("4:memory:/jobs\n0::/\n")
        self.tell(kills=7, own=0, available=9_000)

    def tell(self, kills: int, own: int, available: int) -> None:
        self.tell_computer(kills)
        (self.own / "memory.oom_control").write_text(f"oom_kill_disable 0\noom_kill {own}\n")
        (self.proc / "meminfo").write_text(f"MemTotal: 24000 kB\nMemAvailable: {available} kB\n")

    def tell_computer(self, kills: int) -> None:
        (self.proc / "vmstat").write_text(f"nr_free_pages 1\noom_kill {kills}\n")

    def watch(self) -> MemoryWatch:
        return MemoryWatch(PID, self.proc, self.groups)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_kill_while_nothing_was_lacking_came_from_somebody(machine: Machine) -> None:
    watch = machine.watch()
    watch.look()
    assert not watch.is_to_blame(KILLED, b"MemoryError")


def test_a_kill_that_the_kernel_counts_in_its_group_is_its_own(machine: Machine) -> None:
    watch = machine.watch()
    watch.look()
    machine.tell(7, 1, 9_000)
    watch.look()  # the count rises before the process is gone
    assert watch.is_to_blame(KILLED, b"")


def test_the_computer_s_count_counts_where_the_group_has_none(machine: Machine) -> None:
    watch = machine.watch()
    machine.tell(8, 0, 9_000)
    assert not watch.is_to_blame(KILLED, b"")  # a stranger's
    (machine.own / "memory.oom_control").unlink()
    watch = machine.watch()
    machine.tell_computer(9)
    assert watch.is_to_blame(KILLED, b"")


def test_a_process_that_is_moved_to_another_group_is_followed(machine: Machine) -> None:
    watch = machine.watch()
    other = machine.groups / "memory" / "small"
    other.mkdir()
    (other / "memory.oom_control").write_text("oom_kill 3\n")
    (machine.proc / str(PID) / "cgroup").write_text("4:memory:/small\n")
    watch.look()
    assert not watch.is_to_blame(KILLED, b"")
    (other / "memory.oom_control").write_text("oom_kill 4\n")
    assert watch.is_to_blame(KILLED, b"")


def test_a_kill_in_the_group_long_ago_is_another_s(machine: Machine) -> None:
    watch = machine.watch()
    machine.tell(7, 1, 9_000)
    for _ in range(100):
        watch.look()
    assert not watch.is_to_blame(KILLED, b"")


def test_a_kill_with_hardly_any_memory_left_is_for_want_of_it(machine: Machine) -> None:
    watch = machine.watch()
    machine.tell(7, 0, 300)
    watch.look()
    assert watch.is_to_blame(KILLED, b"")


@pytest.mark.parametrize(
    ("outcome", "words", "blamed"),
    [
        (ABORTED, b"terminate called after throwing an instance of 'std::bad_alloc'", True),
        (Outcome(1, None, None), b"numpy._core._exceptions._ArrayMemoryError: Unable to allocate", True),
        (Outcome(1, None, None), b"DefaultCPUAllocator: can't allocate memory", True),
        (ABORTED, b"assertion failed", False),
        (Outcome(0, None, None), b"MemoryError was handled", False),
    ],
)
def test_last_words_tell(machine: Machine, outcome: Outcome, words: bytes, blamed: bool) -> None:
    assert machine.watch().is_to_blame(outcome, words) == blamed


@pytest.mark.parametrize(("peak", "blamed"), [(950, True), (500, False)])
def test_a_crash_close_to_a_limit_is_for_want_of_memory(machine: Machine, peak: int, blamed: bool) -> None:
    own = machine.proc / str(PID)
    (own / "limits").write_text("Max address space         1024000              unlimited            bytes\n")
    (own / "status").write_text(f"VmPeak:\t     {peak} kB\n")
    watch = machine.watch()
    assert not watch.is_to_blame(Outcome(None, "SIGSEGV", None), b"")
    watch.look()
    assert watch.is_to_blame(Outcome(None, "SIGSEGV", None), b"") == blamed


def test_where_nothing_can_be_read_nothing_is_blamed(tmp_path: Path) -> None:
    watch = MemoryWatch(PID, tmp_path / "none", tmp_path / "none")
    watch.look()
    assert not watch.is_to_blame(KILLED, b"")
