from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.paths import DataDir
from tests.academy_desktop.core.models.made_models import write_model
from tests.academy_desktop.made_data import Shelves, conversations, make_shelves, write_rows
from tests.academy_desktop.viewmodels.making import in_loop, seen


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data").open()
    rows = conversations(40)
    for row in rows[::10]:
        row["messages"][1]["content"] += " naÃ¯ve"
    rows[5]["messages"][2]["content"] += " <|im_end|>"
    Library(made.datasets).import_files([write_rows(tmp_path / "rows.jsonl", rows)], "Talks")
    write_model(made.models / "tiny")
    return made


@pytest.fixture
def shelves(qapp: QApplication, data: DataDir) -> Shelves:
    made = make_shelves(data)
    made.read()
    return made


def test_what_is_found_is_counted_and_leads_to_its_rows(shelves: Shelves) -> None:
    audit = shelves.datasets.audit
    assert (audit.can_start, audit.report, audit.defects, audit.figures) == (True, None, (), ())
    audit.set_limit(10_000)
    audit.look()
    assert [(one.code, one.rows, one.can_mend) for one in audit.defects] == [
        ("mojibake", 4, True),
        ("special_token_in_text", 1, True),
    ]
    assert audit.summary.startswith("5 of 40 rows have a defect.")
    shelves.datasets.list_defects("mojibake")
    assert shelves.datasets.browser.count == 4
    assert "naÃ¯ve" in shelves.datasets.browser.line(0).asked
    assert shelves.datasets.browser.current == 0


def test_another_limit_shows_at_once_what_it_cuts(shelves: Shelves) -> None:
    audit = shelves.datasets.audit
    audit.look()
    report = audit.report
    assert report is not None
    audit.set_limit(report.longest)
    assert [one.value for one in audit.figures][1:] == ["0", "0", "0"]
    told: list[bool] = []
    audit.limited.connect(lambda: told.append(True))
    audit.set_limit(60)
    cut = report.cut(60)
    assert told == [True]
    assert audit.figures[1].value == str(cut.rows) == "40"
    shelves.datasets.list_cut()
    assert shelves.datasets.browser.count == 40


def test_for_another_model_or_dataset_nothing_is_known_yet(shelves: Shelves) -> None:
    audit = shelves.datasets.audit
    audit.look()
    shelves.datasets.audit.show("another", shelves.datasets.preview.model)
    assert audit.report is None
    audit.show("another", None)
    assert not audit.can_start


def test_all_rows_are_checked_and_mended_in_the_background(qapp: QApplication, data: DataDir) -> None:
    async def work() -> None:
        shelves = make_shelves(data)
        shelves.follow()
        datasets, audit = shelves.datasets, shelves.datasets.audit
        await seen(lambda: audit.can_start, "a dataset and a model")
        audit.start()
        assert (audit.is_running, audit.can_start) == (True, False)
        await seen(lambda: audit.report is not None, "a report")
        audit.mend()
        await seen(lambda: bool(datasets.news), "a new version")
        assert datasets.news == "A new version with 5 rows mended; the old one is still here."
        assert datasets.shown is not None
        assert len(datasets.shown.parents) == 1
        audit.start()
        await seen(lambda: audit.report is not None, "another report")
        assert {one.code for one in audit.defects} <= {"answer_truncated"}
        await shelves.supervisor.close()
        assert (shelves.told, shelves.failures) == ([], [])

    in_loop(qapp, work())


def test_what_goes_wrong_is_told_and_a_check_can_be_given_up(qapp: QApplication, data: DataDir) -> None:
    async def work() -> None:
        shelves = make_shelves(data)
        shelves.follow()
        audit = shelves.datasets.audit
        await seen(lambda: audit.can_start, "a dataset and a model")
        audit.start()
        await seen(lambda: audit.is_running, "its beginning")
        audit.cancel()
        await seen(lambda: not audit.is_running, "its end")
        assert (audit.report, shelves.told) == (None, [])
        (data.models / "tiny" / "tokenizer.json").write_text("{")
        audit.start()
        await seen(lambda: bool(shelves.told), "what went wrong")
        await shelves.supervisor.close()
        assert shelves.failures == []

    in_loop(qapp, work())
