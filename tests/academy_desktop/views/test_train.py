from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QFileDialog, QLabel, QLineEdit, QPushButton, QWidget

from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipes import Recipes
from academy_desktop.views.field_editor import FieldEditor
from academy_desktop.views.recipe_form import ChoiceBox, Switch
from academy_desktop.views.train import TrainPage
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen
from tests.academy_desktop.views.making import (
    accessible_name,
    clipped,
    settle,
    shown_parts,
    tab_stops,
    takes_keys,
)
from tests.pictures.train import Room, add_dataset, add_model, add_pairs, sources_of

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
SIZES = pytest.mark.parametrize(("width", "height"), [(960, 600), (1600, 1000)])
STATES = pytest.mark.parametrize("state", ["unknown", "empty", "rows", "ready", "all", "wrong"])

ROOMS: list[Room] = []


@pytest.fixture(autouse=True)
def _windows_gone(qapp: QApplication) -> Iterator[None]:
    """No window of one test is there in the next, and none goes in a worker's thread."""
    gc.collect()
    gc.disable()
    yield
    for room in ROOMS:
        room.window.close()
        room.window.deleteLater()
        room.look.deleteLater()
    ROOMS.clear()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.enable()


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    data = DataDir(tmp_path_factory.mktemp("ready")).open()
    add_dataset(data)
    add_model(data)
    return data


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    data = DataDir(tmp_path_factory.mktemp("rows")).open()
    add_dataset(data)
    return data


@pytest.fixture
def empty(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data").open()


def shown(
    app: QApplication,
    data: DataDir,
    *,
    dark: bool = False,
    known: bool = True,
    size: tuple[int, int] = (1100, 700),
) -> tuple[Room, TrainPage]:
    """The page in a window, as painted."""
    room = Room(app, data, dark=dark)
    ROOMS.append(room)
    if known:
        room.train.take(room.train.read())
    page = room.train_page
    room.window.resize(*size)
    room.window.show()
    QTest.qWaitForWindowExposed(room.window)
    settle()
    room.window.grab()
    return room, page


def in_state(request: pytest.FixtureRequest, state: str) -> DataDir:
    found = request.getfixturevalue(
        {"unknown": "ready", "empty": "empty", "rows": "rows"}.get(state, "ready")
    )
    assert isinstance(found, DataDir)
    return found


def arrange(room: Room, page: TrainPage, state: str) -> None:
    if state == "all":
        page.all_button.click()
    if state == "wrong":
        for editor in page.editors.values():
            if isinstance(editor.editor, QLineEdit):
                room.train.set(editor.path, "a very long piece of nonsense " * 3)
    settle()


def texts(window: QWidget) -> str:
    return "\n".join(part.text() for part in shown_parts(window) if isinstance(part, QLabel | QPushButton))


def editor_of(page: TrainPage, path: str) -> QLineEdit:
    editor = page.editors[path].editor
    assert isinstance(editor, QLineEdit)
    return editor


def retype(editor: QLineEdit, text: str) -> None:
    editor.setFocus(Qt.FocusReason.TabFocusReason)
    editor.selectAll()
    QTest.keyClicks(editor, text)


@SIZES
@STATES
def test_no_text_is_clipped(
    qapp: QApplication, request: pytest.FixtureRequest, state: str, width: int, height: int
) -> None:
    data = in_state(request, state)
    room, page = shown(qapp, data, known=state != "unknown", size=(width, height))
    arrange(room, page, state)
    assert clipped(room.window) == []


@STATES
def test_everything_that_takes_keys_has_a_name_and_is_reached_by_tab(
    qapp: QApplication, request: pytest.FixtureRequest, state: str
) -> None:
    room, page = shown(qapp, in_state(request, state), known=state != "unknown")
    arrange(room, page, state)
    wanted = {part for part in shown_parts(room.window) if takes_keys(part)}
    assert [type(part).__name__ for part in wanted if not accessible_name(part)] == []
    stops = tab_stops(room.window)
    assert {accessible_name(part) for part in wanted - set(stops)} == set()
    assert len(set(stops)) == len(stops)


def test_the_tab_key_goes_through_the_form_as_it_is_read(qapp: QApplication, ready: DataDir) -> None:
    room, page = shown(qapp, ready)
    page.all_button.click()
    settle()
    stops = [stop.accessibleName() for stop in tab_stops(room.window)]
    first = stops.index("Open recipe …")
    assert stops[first : first + 14] == [
        "Open recipe …",
        "Save recipe …",
        "Dataset",
        "Model",
        "Name of the run",
        "How long may it take?: No limit",
        "Minutes it may take",
        "What matters most?: Balance",
        "Learning rate",
        "Epochs",
        "Batch size",
        page.editors["training.max_seq_length"].editor.accessibleName(),
        "Rank",
        "Fewer settings",
    ]
    assert stops.index("Start training") > stops.index("Threads")


@THEMES
def test_where_the_keys_go_can_be_seen(qapp: QApplication, ready: DataDir, dark: bool) -> None:
    room, page = shown(qapp, ready, dark=dark, size=(1600, 3000))
    page.all_button.click()
    settle()
    for stop in tab_stops(room.window):
        stop.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        with_focus = room.window.grab().toImage()
        stop.clearFocus()
        QApplication.processEvents()
        assert with_focus != room.window.grab().toImage(), accessible_name(stop)


def test_both_themes_say_the_same_in_other_colours(qapp: QApplication, ready: DataDir) -> None:
    room, page = shown(qapp, ready)
    light, said = page.grab().toImage(), texts(page)
    room.look.set_dark(True)
    settle()
    dark = page.grab().toImage()
    assert light.pixelColor(10, 10).lightness() > 200
    assert dark.pixelColor(10, 10).lightness() < 60
    assert dark.pixelColor(page.footer.mapTo(page, QPoint(4, 10))).lightness() < 60
    assert texts(page) == said


def test_without_rows_or_a_model_the_page_leads_to_where_they_come_from(
    qapp: QApplication, empty: DataDir, rows: DataDir
) -> None:
    for data, name, goal in ((empty, "Import rows", "datasets"), (rows, "Choose a model", "models")):
        room, page = shown(qapp, data)
        wanted: list[str] = []
        page.wanted.connect(partial(lambda told, page, job: told.append(page + job), wanted))
        (go,) = [stop for stop in tab_stops(room.window) if accessible_name(stop) == name]
        QTest.keyClick(go, Qt.Key.Key_Return)
        assert wanted == [goal]


def test_before_anything_is_known_the_page_says_so(qapp: QApplication, ready: DataDir) -> None:
    _, page = shown(qapp, ready, known=False)
    assert "Looking for datasets and models …" in texts(page)
    assert "No dataset yet" not in texts(page)


def test_a_wrong_value_is_said_at_its_field_while_it_is_typed(qapp: QApplication, ready: DataDir) -> None:
    _, page = shown(qapp, ready)
    start = page.footer.start
    assert start.isEnabled()
    rate = editor_of(page, "training.learning_rate")
    retype(rate, "5")
    said = "“Learning rate” is 5, but must be at most 0.01."
    assert said in texts(page.editors["training.learning_rate"])
    assert said in rate.accessibleDescription()
    assert not start.isEnabled()
    assert said in texts(page.footer)
    assert said in start.accessibleDescription()
    assert not page.save_button.isEnabled()
    retype(rate, "0.001")
    assert said not in texts(page)
    assert "Size of each update." in texts(page.editors["training.learning_rate"])
    assert start.isEnabled()


def test_what_is_being_typed_stays_as_it_is_typed(qapp: QApplication, ready: DataDir) -> None:
    _, page = shown(qapp, ready)
    rate = editor_of(page, "training.learning_rate")
    retype(rate, "1e-")
    QTest.keyClicks(rate, "4")
    assert rate.text() == "1e-4"
    assert rate.cursorPosition() == 4
    QTest.keyClick(rate, Qt.Key.Key_Home)
    QTest.keyClicks(rate, "0.")
    assert rate.text() == "0.1e-4"
    assert rate.cursorPosition() == 2


def test_the_summary_follows_what_is_typed(qapp: QApplication, ready: DataDir) -> None:
    _, page = shown(qapp, ready)
    retype(editor_of(page, "training.num_epochs"), "4")
    assert "200 rows · 4 epochs · 100 steps of 8 rows" in texts(page.footer)


def test_a_preset_fills_in_the_fields(qapp: QApplication, ready: DataDir) -> None:
    _, page = shown(qapp, ready)
    (thorough,) = [one for one in page.guide.preset.findChildren(QPushButton) if one.text() == "Quality"]
    thorough.click()
    assert editor_of(page, "lora.rank").text() == "32"
    assert thorough.isChecked()
    scheduler = page.editors["training.lr_scheduler_type"].editor
    assert isinstance(scheduler, ChoiceBox)
    assert scheduler.currentText() == "cosine"
    retype(editor_of(page, "lora.rank"), "16")
    assert "1 value was changed by hand." in texts(page)
    undo = page.editors["lora.rank"].undo
    assert accessible_name(undo) == "Rank: changed by you; put back 32"
    QTest.keyClick(undo, Qt.Key.Key_Return)
    assert editor_of(page, "lora.rank").text() == "32"
    assert not undo.isVisible()
    assert "changed by hand" not in texts(page)


def test_what_would_do_is_one_click_away(qapp: QApplication, ready: DataDir) -> None:
    room, page = shown(qapp, ready)
    retype(editor_of(page, "training.learning_rate"), "5")
    mend = page.editors["training.learning_rate"].mend
    assert mend.text() == "Use 0.01"
    QTest.keyClick(mend, Qt.Key.Key_Return)
    assert editor_of(page, "training.learning_rate").text() == "0.01"
    assert not mend.isVisible()
    room.train.set("training.max_steps", "3")
    assert page.editors["training.warmup_steps"].mend.text() == "Use 2"
    page.editors["training.warmup_steps"].mend.click()
    assert room.train.can_start


def test_only_the_fields_of_the_method_are_shown(qapp: QApplication, tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data").open()
    add_dataset(data)
    add_pairs(data)
    add_model(data)
    room, page = shown(qapp, data)
    page.all_button.click()

    def seen_fields() -> list[str]:
        settle()
        return [path for path, one in page.editors.items() if one.isVisible() and path.startswith("pref")]

    assert room.train.method == "dpo"
    assert seen_fields() == ["preference.beta", "preference.loss_type"]
    assert "The model learns which of two answers is better" in texts(page.what)
    (orpo,) = [one for one in page.what.method.findChildren(QPushButton) if "ORPO" in one.text()]
    orpo.click()
    assert seen_fields() == ["preference.beta"]
    assert "Preferences" in texts(page)
    room.train.choose_dataset(room.train.datasets[-1].id)
    assert (room.train.method, seen_fields()) == ("sft", [])
    assert "Preferences" not in texts(page)
    assert not page.what.method.isVisible()
    assert clipped(room.window) == []


def test_a_choice_and_a_switch_reach_the_recipe(qapp: QApplication, ready: DataDir) -> None:
    room, page = shown(qapp, ready)
    page.all_button.click()
    device = page.editors["hardware.device"].editor
    switch = page.editors["lora.use_rslora"].editor
    assert isinstance(device, QComboBox)
    assert isinstance(switch, Switch)
    device.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(device, Qt.Key.Key_Down)
    QTest.keyClick(switch, Qt.Key.Key_Space)
    assert room.train.form.value("hardware.device") == "cpu"
    assert room.train.form.value("lora.use_rslora") is True
    QTest.mouseClick(switch, Qt.MouseButton.LeftButton, pos=QPoint(12, 16))
    assert room.train.form.value("lora.use_rslora") is False


def test_the_wheel_does_not_change_a_choice(qapp: QApplication, ready: DataDir) -> None:
    room, page = shown(qapp, ready)
    page.all_button.click()
    device = page.editors["hardware.device"].editor
    assert isinstance(device, QComboBox)
    turned = QWheelEvent(
        QPointF(5, 5),
        QPointF(device.mapToGlobal(QPoint(5, 5))),
        QPoint(0, -120),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(device, turned)
    assert room.train.form.value("hardware.device") == "auto"


def test_all_settings_are_behind_a_button_unless_one_of_them_is_wrong(
    qapp: QApplication, ready: DataDir
) -> None:
    room, page = shown(qapp, ready)
    seed = page.editors["training.seed"]
    assert not seed.isVisible()
    QTest.keyClick(page.all_button, Qt.Key.Key_Space)
    assert seed.isVisible()
    QTest.keyClick(page.all_button, Qt.Key.Key_Space)
    assert not seed.isVisible()
    room.train.set("training.seed", "-1")
    assert seed.isVisible()
    assert "“Seed” is -1, but must be at least 0." in texts(seed)


def test_what_is_wrong_is_one_click_away(qapp: QApplication, ready: DataDir) -> None:
    room, page = shown(qapp, ready)
    assert not page.footer.show_wrong.isVisible()
    room.train.set("hardware.threads", "-1")
    settle()
    QTest.keyClick(page.footer.show_wrong, Qt.Key.Key_Return)
    settle()
    threads = page.editors["hardware.threads"].editor
    assert room.window.focusWidget() is threads
    assert threads.visibleRegion().boundingRect().height() == threads.height()
    room.train.set("hardware.threads", "")
    assert not page.footer.show_wrong.isVisible()


def test_every_field_is_drawn_once(qapp: QApplication, ready: DataDir) -> None:
    room, page = shown(qapp, ready)
    drawn = [editor.path for editor in page.findChildren(FieldEditor)]
    declared = [*room.train.form.essential, *(f for s in room.train.form.sections for f in s.fields)]
    assert sorted(drawn) == sorted(field.path for field in declared)


def test_what_is_wrong_in_a_file_is_shown_until_it_is_put_away(
    qapp: QApplication, ready: DataDir, tmp_path: Path
) -> None:
    room, page = shown(qapp, ready)
    path = tmp_path / "wrong.yaml"
    path.write_text("training:\n  learning_rate: 5\n", "utf-8")

    async def work() -> None:
        page.open_button.click()
        dialog = page.findChild(QFileDialog)
        assert isinstance(dialog, QFileDialog)
        dialog.fileSelected.emit(str(path))
        dialog.close()
        assert not page.open_button.isEnabled()
        await seen(lambda: room.train.file_problems, "the problems")

    in_loop(qapp, work())
    settle()
    assert "Line 2: “training.learning_rate” is 5, but must be at most 0.01." in texts(page)
    assert clipped(room.window) == []
    (dismiss,) = [one for one in page.problems.findChildren(QPushButton) if one.isVisible()]
    QTest.keyClick(dismiss, Qt.Key.Key_Return)
    assert not page.problems.isVisible()


def test_a_recipe_is_saved_where_the_user_says(qapp: QApplication, ready: DataDir, tmp_path: Path) -> None:
    room, page = shown(qapp, ready)
    path = tmp_path / "mine.yaml"

    async def work() -> None:
        page.save_button.click()
        dialog = page.findChild(QFileDialog)
        assert isinstance(dialog, QFileDialog)
        assert dialog.acceptMode() is QFileDialog.AcceptMode.AcceptSave
        dialog.fileSelected.emit(str(path))
        dialog.close()
        await seen(lambda: not room.train.doing, "the file")

    in_loop(qapp, work())
    recipes = sources_of(ready).recipes
    assert isinstance(recipes, Recipes)
    assert recipes.check(path) == ()
    assert f"Saved as {path}." in texts(page)


def test_the_page_looks_again_when_it_is_seen_again(qapp: QApplication, empty: DataDir) -> None:
    room, page = shown(qapp, empty)
    assert "No dataset yet" in texts(page)

    async def work() -> None:
        room.supervisor.start(room.train.follow(), "follow")
        await seen(lambda: room.train.state == "no_dataset", "the first look")
        assert room.settings_page.isVisible()
        add_dataset(empty)
        add_model(empty)
        assert room.train_page is page
        await seen(lambda: room.train.state == "ready", "the second look")
        await room.supervisor.close()

    in_loop(qapp, work())
    assert room.failures == []
    assert page.footer.start.isVisible()
