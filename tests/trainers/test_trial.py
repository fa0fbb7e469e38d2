from __future__ import annotations

import importlib.util
import sys

import pytest

from trainers.trial import run_trials


def test_a_trial_of_this_machine_says_ok_or_why_not() -> None:
    seen: list[tuple[int, int, str]] = []
    found = run_trials(lambda *progress: seen.append(progress))
    assert found.keys() == {"cuda", "device_name", "bf16", "four_bit"}
    assert found["bf16"] == "ok"
    if importlib.util.find_spec("bitsandbytes") is not None:
        assert found["four_bit"] == "ok"
    assert bool(found["device_name"]) == found["cuda"]
    assert seen == [(0, 3, "torch"), (1, 3, "bf16"), (2, 3, "4-bit"), (3, 3, "done")]


def test_what_is_missing_is_a_finding_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes.nn", None)
    found = run_trials(lambda *_: None)
    assert found["four_bit"].startswith("ModuleNotFoundError: ")
    assert found["bf16"] == "ok"
