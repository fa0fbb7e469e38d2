from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from academy_desktop.core.paths import DataDir
from academy_desktop.views.models import ModelsPage
from tests.academy_desktop.core.models.made_models import write_model
from tests.academy_desktop.made_data import SlowDemo, cached_model, fill
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen
from tests.academy_desktop.views.made_rooms import opened, show, texts
from tests.academy_desktop.views.making import (
    accessible_name,
    clipped,
    rested,
    shown_parts,
    tab_stops,
    takes_keys,
)
from tests.pictures.data import Rooms

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
SIZES = pytest.mark.parametrize(("width", "height"), [(960, 600), (1100, 700), (1600, 1000)])
SCENES = pytest.mark.parametrize("scene", ["filled", "untrainable", "offer", "empty", "unknown"])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    data = DataDir(tmp_path_factory.mktemp("filled")).open()
    fill(data)
    return data


@pytest.fixture
def empty(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data").open()


@pytest.fixture
def rooms(qapp: QApplication, filled: DataDir) -> Iterator[Rooms]:
    with opened(qapp, filled) as made:
        yield made


@pytest.fixture
def staged(
    qapp: QApplication, filled: DataDir, empty: DataDir, scene: str, request: pytest.FixtureRequest
) -> Iterator[Rooms]:
    dark = bool(request.node.callspec.params.get("dark", False))
    if scene == "offer":
        cached_model(empty.root / "hub", "Qwen/Qwen3-0.6B", 596_049_920)
    data = filled if scene in ("filled", "untrainable") else empty
    with opened(qapp, data, dark=dark, read=scene != "unknown") as made:
        if scene == "untrainable":
            made.models.select(made.models.all[-1].id)
        yield made


def page_of(rooms: Rooms) -> ModelsPage:
    page = show(rooms, "models")
    assert isinstance(page, ModelsPage)
    return page


@THEMES
@SIZES
@SCENES
def test_no_text_is_clipped(staged: Rooms, scene: str, dark: bool, width: int, height: int) -> None:
    show(staged, "models", width, height)
    assert clipped(staged.window) == []


@SCENES
def test_everything_that_takes_keys_has_a_name_and_is_reached_by_tab(staged: Rooms, scene: str) -> None:
    show(staged, "models")
    expected = {part for part in shown_parts(staged.window) if takes_keys(part)}
    assert [type(part).__name__ for part in expected if not accessible_name(part)] == []
    assert expected <= set(tab_stops(staged.window))


@THEMES
@pytest.mark.parametrize("scene", ["filled", "offer"])
def test_where_the_keys_go_can_be_seen(staged: Rooms, scene: str, dark: bool) -> None:
    show(staged, "models")
    for stop in tab_stops(staged.window):
        stop.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        with_focus = staged.window.grab().toImage()
        stop.clearFocus()
        QApplication.processEvents()
        assert with_focus != staged.window.grab().toImage(), accessible_name(stop)


def test_before_anybody_looked_nothing_is_promised(qapp: QApplication, empty: DataDir) -> None:
    with opened(qapp, empty, read=False) as rooms:
        show(rooms, "models")
        assert "Looking for models …" in texts(rooms.window)
        assert "No models yet" not in texts(rooms.window)


def test_the_empty_page_offers_the_demo_model_and_a_folder(qapp: QApplication, empty: DataDir) -> None:
    with opened(qapp, empty) as rooms:
        show(rooms, "models")
        said = texts(rooms.window)
        for expected in ("No models yet", "Get the demo model", "Add a folder", "About 100 MB"):
            assert expected in said


def test_a_model_is_shown_with_what_it_is_and_where_it_lies(rooms: Rooms, filled: DataDir) -> None:
    page = page_of(rooms)
    said = texts(rooms.window)
    for expected in ("smollm2-135m-instruct", "Can be trained", "135 M", "Llama", "Made here"):
        assert expected in said
    assert page.view.path.text() == str(filled.models / "smollm2-135m-instruct")
    assert page.view.path.isReadOnly()
    assert "Get the demo model" not in said


def test_a_model_that_cannot_be_trained_says_why(rooms: Rooms) -> None:
    page = page_of(rooms)
    page.list.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(page.list, Qt.Key.Key_End)
    said = texts(rooms.window)
    assert "HuggingFaceTB/SmolLM2-1.7B" in said
    assert "does not say how a conversation is written for it" in said
    assert "Choose the “instruct” or “chat” variant of this model." in said


def test_a_folder_is_chosen_in_a_dialog_that_blocks_nothing_and_added(
    qapp: QApplication, empty: DataDir, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "mine")

    async def work() -> None:
        with opened(qapp, empty) as rooms:
            page = page_of(rooms)
            page.choose_folder()
            dialog = page.findChild(QFileDialog)
            assert isinstance(dialog, QFileDialog)
            assert dialog.fileMode() is QFileDialog.FileMode.Directory
            rooms.shelves.follow()
            dialog.fileSelected.emit(str(folder))
            dialog.close()
            await seen(lambda: page.view.title.text() == "mine", "the model")
            await rested()
            assert page.list.isVisible()
            assert "Added folder" in texts(rooms.window)
            assert "Get the demo model" in texts(rooms.window)
            await rooms.shelves.supervisor.close()

    in_loop(qapp, work())


def test_a_folder_without_a_model_is_told_above_the_page(
    qapp: QApplication, empty: DataDir, tmp_path: Path
) -> None:
    async def work() -> None:
        with opened(qapp, empty) as rooms:
            page_of(rooms)
            rooms.models.add(str(tmp_path))
            await seen(lambda: rooms.shelves.told, "a sentence")
            await rested()
            assert "The model is not complete" in texts(rooms.window)
            await rooms.shelves.supervisor.close()

    in_loop(qapp, work())


def test_the_demo_model_is_fetched_with_progress_and_can_be_cancelled(
    qapp: QApplication, empty: DataDir
) -> None:
    async def work() -> None:
        with opened(qapp, empty, demo=SlowDemo()) as rooms:
            page = page_of(rooms)
            card = page.demos[0]
            QTest.mouseClick(card.fetch, Qt.MouseButton.LeftButton)
            await seen(lambda: card.bar.value() == 500, "progress")
            await rested()
            assert "Reading the weights …" in texts(rooms.window)
            assert not card.fetch.isVisible()
            assert clipped(rooms.window) == []
            QTest.mouseClick(card.cancel, Qt.MouseButton.LeftButton)
            await seen(lambda: card.fetch.isVisible(), "the offer")
            assert rooms.shelves.told == []
            await rooms.shelves.supervisor.close()

    in_loop(qapp, work())
