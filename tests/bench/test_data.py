from __future__ import annotations

from pathlib import Path

from tests.bench import data_audit, data_browse, data_import, data_near
from tests.bench.children import version_of
from tests.bench.figure import Bench, Figure, Setting


def figures(measure: Bench, folder: Path) -> dict[str, Figure]:
    return {figure.name: figure for figure in measure(Setting(short=True, folder=folder))}


def test_imports_are_measured_beside_a_rival_that_keeps_the_same_rows(tmp_path: Path) -> None:
    told = figures(data_import.measure, tmp_path)
    assert told.keys() == {"data.import", "data.import.memory"}
    assert told["data.import"].holds
    assert len(told["data.import"].pairs) == 1
    assert told["data.import.memory"].ours < data_import.MOST_BYTES


def test_near_duplicates_are_found_and_no_others(tmp_path: Path) -> None:
    told = figures(data_near.measure, tmp_path)
    assert told.keys() == {"data.near.recall", "data.near.precision", "data.near"}
    assert told["data.near.recall"].holds
    assert told["data.near.precision"].holds
    assert told["data.near"].holds is (version_of("datasketch") is not None)


def test_browsing_takes_little_memory(tmp_path: Path) -> None:
    told = figures(data_browse.measure, tmp_path)
    assert {f"data.browse.{name}" for name in ("first_page", "jump_p99", "growth", "index")} == told.keys()
    assert told["data.browse.growth"].holds


def test_every_seeded_defect_is_found_and_no_other(tmp_path: Path) -> None:
    told = figures(data_audit.measure, tmp_path)
    assert told.keys() == {"data.audit.missed", "data.audit.blamed"}
    assert all(figure.holds for figure in told.values())
