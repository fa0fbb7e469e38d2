from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.kills import run_trials


@pytest.mark.parametrize("name", ["trainer-kill", "watcher-kill"])
def test_twenty_of_twenty_kills_cost_nothing(name: str, tmp_path: Path) -> None:
    assert run_trials(name, trials=20, seed=1, root=tmp_path) == []
