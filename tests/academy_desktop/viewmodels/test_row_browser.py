from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.paths import DataDir
from academy_desktop.viewmodels.row_browser import RowBrowser
from tests.academy_desktop.made_data import Shelves, fill, make_shelves, write_rows
from tests.academy_desktop.viewmodels.making import in_loop, seen


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    data = DataDir(tmp_path_factory.mktemp("filled")).open()
    fill(data)
    return data


@pytest.fixture
def shelves(qapp: QApplication, filled: DataDir) -> Shelves:
    made = make_shelves(filled)
    made.read()
    return made


@pytest.fixture
def browser(shelves: Shelves) -> RowBrowser:
    return shelves.datasets.browser


def test_all_rows_are_listed_those_to_learn_first(shelves: Shelves, browser: RowBrowser) -> None:
    shown = shelves.datasets.shown
    assert shown is not None
    assert browser.count == shown.train_rows + shown.eval_rows == 400
    assert browser.summary == "400 rows"
    assert browser.line(0).asked.startswith("What is the capital of ")
    assert browser.line(399).name == "400"
    assert browser.line(0).answered.startswith("The capital of ")


def test_of_a_pair_both_answers_are_in_the_line(
    qapp: QApplication, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = DataDir(tmp_path_factory.mktemp("pairs")).open()
    rows = [{"prompt": "Why?", "chosen": "Because it is so.", "rejected": "No idea."}]
    file = write_rows(data.root / "pairs.jsonl", rows)
    Library(data.datasets).import_files([file], "Pairs", eval_fraction=0.0)
    shelves = make_shelves(data)
    shelves.read()
    assert shelves.datasets.browser.line(0).answered == "✓ Because it i …  ✗ No idea."


def test_only_some_rows_are_listed_and_all_again(browser: RowBrowser) -> None:
    browser.list_only([3, 70, 399], "odd ones")
    assert (browser.count, browser.number(1), browser.line(1).name) == (3, 70, "71")
    assert browser.summary == "3 rows: odd ones"
    browser.list_all()
    assert (browser.count, browser.is_filtered) == (400, False)


def test_the_row_that_is_looked_at_is_the_current_line(shelves: Shelves, browser: RowBrowser) -> None:
    shelves.datasets.preview.go(70)
    assert browser.current == 70
    browser.list_only([3, 70], "two")
    assert browser.current == 1
    browser.list_only([3], "one")
    assert browser.current == -1


def test_a_row_that_cannot_be_read_says_so(shelves: Shelves, browser: RowBrowser, filled: DataDir) -> None:
    shown = shelves.datasets.shown
    assert shown is not None
    path = filled.datasets / shown.id / "train.jsonl"
    sound = path.read_bytes()
    path.write_bytes(b"#" * len(sound))
    try:
        assert browser.line(5).asked == "This row cannot be read."
    finally:
        path.write_bytes(sound)


def test_a_text_is_searched_in_the_background(qapp: QApplication, filled: DataDir) -> None:
    async def work() -> None:
        shelves = make_shelves(filled)
        shelves.follow()
        browser = shelves.datasets.browser
        await seen(lambda: browser.count == 400, "the rows")
        browser.search("capital of FRANCE is")
        await seen(lambda: browser.summary == "40 rows: with “capital of FRANCE is”", "what was found")
        assert "France" in browser.line(39).answered
        browser.search("")
        assert browser.count == 400
        await shelves.supervisor.close()
        assert (shelves.told, shelves.failures) == ([], [])

    in_loop(qapp, work())
