from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.datasets.encodings import Encoding
from academy_desktop.core.datasets.forms import Form, field_names
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.paths import DataDir
from academy_desktop.text.forms import ENCODING_NAMES, FIELD_NAMES, FORM_NAMES
from academy_desktop.viewmodels.records import RecordRole
from tests.academy_desktop.core.models.made_models import write_model
from tests.academy_desktop.made_data import Shelves, conversations, fill, make_shelves, write_rows
from tests.academy_desktop.viewmodels.making import in_loop, seen


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    data = DataDir(tmp_path_factory.mktemp("filled")).open()
    fill(data)
    return data


@pytest.fixture
def empty(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data").open()


@pytest.fixture
def shelves(qapp: QApplication, filled: DataDir) -> Shelves:
    made = make_shelves(filled)
    made.read()
    return made


def listed(shelves: Shelves, role: int) -> list[object]:
    records = shelves.datasets.records
    return [records.index(row, 0).data(role) for row in range(records.rowCount())]


def test_before_anybody_looked_nothing_is_known(qapp: QApplication, empty: DataDir) -> None:
    shelves = make_shelves(empty)
    known = [shelves.datasets.is_known]
    assert (shelves.datasets.title, shelves.datasets.subtitle) == ("", "")
    assert (shelves.datasets.figures, shelves.datasets.drops, shelves.datasets.advice) == ((), (), "")
    shelves.read()
    known.append(shelves.datasets.is_known)
    assert known == [False, True]
    assert shelves.datasets.all == ()


def test_the_newest_dataset_stands_first_and_is_shown(shelves: Shelves) -> None:
    assert [one.name for one in shelves.datasets.all] == [
        "Capitals of the world",
        "Invented commands",
        "Kitchen talk",
    ]
    assert shelves.datasets.title == "Capitals of the world"
    assert listed(shelves, RecordRole.DETAIL)[0] == "360 to learn, 40 held out"
    assert str(listed(shelves, RecordRole.SUBTITLE)[0]).startswith("Questions and answers · ")
    assert str(listed(shelves, RecordRole.SUBTITLE)[2]).startswith("Conversations · ")


def test_a_dataset_says_what_was_kept_and_why_the_rest_was_not(shelves: Shelves) -> None:
    figures = {one.label: (one.value, one.hint) for one in shelves.datasets.figures}
    assert figures["Rows to learn"] == ("360", "")
    assert figures["Held out"] == ("40", "10%")
    assert figures["Dropped"] == ("15", "of 415")
    assert shelves.datasets.drops == (
        ("13", "The same row was there before."),
        ("1", "The answer is empty, so there is nothing to learn."),
        ("1", "A field that the row needs is missing."),
    )
    assert shelves.datasets.advice == ""
    assert "capitals.jsonl" in shelves.datasets.subtitle


def test_what_could_be_better_is_said(shelves: Shelves) -> None:
    by_name = {one.name: one.id for one in shelves.datasets.all}
    shelves.datasets.select(by_name["Kitchen talk"])
    assert shelves.datasets.advice == "That is few: 100 rows or more are advisable."
    assert shelves.datasets.drops == ()
    shelves.datasets.select(by_name["Invented commands"])
    assert shelves.datasets.advice.startswith("No row is held out")


def test_the_choice_survives_another_look(shelves: Shelves) -> None:
    last = shelves.datasets.all[-1]
    shelves.datasets.select(last.id)
    shelves.datasets.select("nothing-of-the-kind")
    shelves.read()
    assert shelves.datasets.shown == last
    shelves.datasets.take([one for one in reversed(shelves.datasets.all) if one.id != last.id])
    assert shelves.datasets.title == "Capitals of the world"


def test_rows_are_rendered_for_a_model_that_can_be_trained(shelves: Shelves) -> None:
    preview = shelves.datasets.preview
    assert preview.model is not None
    assert preview.model.id == "smollm2-135m-instruct"
    shelves.datasets.choose_model("qwen-qwen3-0-6b")
    assert preview.model.id == "qwen-qwen3-0-6b"
    shelves.read()  # the choice survives another look
    assert preview.model.id == "qwen-qwen3-0-6b"
    shelves.models.take([one for one in shelves.models.all if one.id != preview.model.id], True)
    assert preview.model.id == "smollm2-135m-instruct"
    shelves.models.take([], False)
    assert preview.model is None


def test_news_last_until_another_dataset_is_shown(shelves: Shelves) -> None:
    made = shelves.datasets.all[1]
    shelves.datasets.importing.imported.emit(made, True)
    assert shelves.datasets.news.startswith("Imported in ")
    assert shelves.datasets.shown == made
    shelves.datasets.select(made.id)
    assert shelves.datasets.news
    shelves.datasets.select(shelves.datasets.all[0].id)
    assert shelves.datasets.news == ""


def test_every_form_has_words_and_columns(shelves: Shelves) -> None:
    assert set(FORM_NAMES) == set(Form)
    assert set(FIELD_NAMES) == {name for form in Form for name in field_names(form)}
    assert set(ENCODING_NAMES) == set(Encoding)
    assert ("Questions and answers", "question, answer") in shelves.datasets.forms


def test_what_others_import_appears_once_the_page_looks_again(qapp: QApplication, empty: DataDir) -> None:
    async def work() -> None:
        shelves = make_shelves(empty)
        shelves.follow()
        await seen(lambda: shelves.datasets.is_known and shelves.models.is_known, "a first look")
        file = write_rows(empty.tmp / "rows.jsonl", conversations())
        Library(empty.datasets).import_files([file], "From elsewhere")
        write_model(empty.models / "tiny")
        shelves.datasets.refresh()
        shelves.models.refresh()
        await seen(lambda: shelves.datasets.title == "From elsewhere", "the dataset")
        await seen(lambda: "learned" in shelves.datasets.preview.counts, "its first row, rendered")
        await shelves.supervisor.close()
        assert (shelves.told, shelves.failures) == ([], [])

    in_loop(qapp, work())


def test_what_cannot_be_listed_is_told_and_looked_at_again(qapp: QApplication, empty: DataDir) -> None:
    class Stubborn(Library):
        refuses = True

        def list(self) -> tuple[()]:
            if self.refuses:
                raise PermissionError(13, "Permission denied", str(self.root))
            return ()

    async def work() -> None:
        library = Stubborn(empty.datasets)
        shelves = make_shelves(empty, library=library)
        shelves.follow()
        await seen(lambda: shelves.told, "a sentence")
        assert shelves.told[0].title == "The file cannot be read"
        library.refuses = False
        shelves.datasets.refresh()
        await seen(lambda: shelves.datasets.is_known, "another look")
        await shelves.supervisor.close()
        assert shelves.failures == []

    in_loop(qapp, work())
