from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from tests.bench.__main__ import BENCHES, chosen, main
from tests.bench.machine import machine, versions


def test_a_name_stands_for_itself_and_for_all_that_begin_with_it() -> None:
    assert chosen("window.start") == ["window.start"]
    assert chosen("window") == ["window.start", "window.gap"]
    assert chosen("win") == []


@pytest.mark.parametrize("arguments", [[], ["nothing"]])
def test_without_a_name_that_there_is_all_are_listed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert all(name in printed.err for name in BENCHES)


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_that_is_declared_is_there(name: str) -> None:
    assert find_spec(BENCHES[name]) is not None
    assert callable(import_module(BENCHES[name]).measure)


def test_the_list_brings_no_bench() -> None:
    look = "import sys, tests.bench.__main__; print([n for n in sys.modules if n in %r])"
    unwanted = {*BENCHES.values(), "torch", "PySide6"}
    command = [sys.executable, "-c", look % unwanted]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_machine_says_what_a_figure_depends_on() -> None:
    known = machine(short=True)
    assert {"cpu", "features", "threads", "matrix_flops"} <= known.keys()
    assert known["cpu"]
    threads = known["threads"]
    assert isinstance(threads, int)
    assert 1 <= threads <= (os.cpu_count() or 1)
    rates = known["matrix_flops"]
    assert isinstance(rates, dict)
    assert all(rate > 1e6 for rate in rates.values())
    assert {"python", "torch", "PySide6-Essentials"} <= versions().keys()
