"""The short form of every row: nothing fails. Times are judged only where a row is run by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import ROWS
from tests.chaos.trials import run_trials


@pytest.mark.parametrize("name", ROWS)
def test_a_few_faults_cost_nothing(name: str, tmp_path: Path) -> None:
    row = ROWS[name]
    if lacking := row.lacks():
        pytest.skip(lacking)
    assert run_trials(name, row, row.short, seed=1, root=tmp_path, patient=True).failures == []
