from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.paths import DataDir
from academy_desktop.viewmodels.dataset_import import Stage
from academy_desktop.views.datasets import DatasetsPage
from academy_desktop.views.fetch_dialog import GitDialog, LessonsDialog
from academy_desktop.views.row_browser import LINE_HEIGHT
from tests.academy_desktop.core.datasets.test_commits import commit, git
from tests.academy_desktop.made_data import Halfway, capitals, fill, write_rows
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen
from tests.academy_desktop.views.made_rooms import opened, show, texts
from tests.academy_desktop.views.making import (
    accessible_name,
    clipped,
    rested,
    settle,
    shown_parts,
    tab_stops,
    takes_keys,
)
from tests.pictures.data import Rooms

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
SIZES = pytest.mark.parametrize(("width", "height"), [(960, 600), (1100, 700), (1600, 1000)])
SCENES = pytest.mark.parametrize("scene", ["filled", "few", "empty", "unknown", "form"])


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
def bare(qapp: QApplication, empty: DataDir) -> Iterator[Rooms]:
    with opened(qapp, empty) as made:
        yield made


@pytest.fixture
def staged(
    qapp: QApplication, filled: DataDir, empty: DataDir, scene: str, request: pytest.FixtureRequest
) -> Iterator[Rooms]:
    dark = bool(request.node.callspec.params.get("dark", False))
    data = filled if scene in ("filled", "few", "form") else empty
    with opened(qapp, data, dark=dark, read=scene != "unknown") as made:
        if scene == "few":
            made.datasets.select(made.datasets.all[-1].id)
            made.shelves.see_row()
        if scene == "form":
            made.datasets.importing.ask([f"/rows/{number} {'long ' * 40}.jsonl" for number in range(6)])
        yield made


def page_of(rooms: Rooms) -> DatasetsPage:
    page = show(rooms, "datasets")
    assert isinstance(page, DatasetsPage)
    return page


def highlighted(page: DatasetsPage) -> str:
    """The stretches of the shown row that have the colours of what is learned."""
    text = page.view.rows.text
    cursor = QTextCursor(text.document())
    found = ""
    while not cursor.atEnd():
        cursor.movePosition(QTextCursor.MoveOperation.NextCharacter, QTextCursor.MoveMode.KeepAnchor)
        learned = cursor.charFormat().background().color() == QColor(page.view.rows._look.tokens.accent_soft)
        found += cursor.selectedText() if learned else ""
        cursor.clearSelection()
    return found.replace("\u2029", "")  # the end of a line has a format too


#: An event does not keep what it carries.
CARRIED: list[QMimeData] = []


def files_dragged(*paths: str) -> QMimeData:
    mime = QMimeData()
    CARRIED.append(mime)
    mime.setUrls([QUrl.fromLocalFile(path) for path in paths])
    return mime


def enter(mime: QMimeData) -> QDragEnterEvent:
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    return QDragEnterEvent(QPoint(300, 300), Qt.DropAction.CopyAction, mime, buttons, keys)


def drop(mime: QMimeData) -> QDropEvent:
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    return QDropEvent(QPointF(300, 300), Qt.DropAction.CopyAction, mime, buttons, keys)


@THEMES
@SIZES
@SCENES
def test_no_text_is_clipped(staged: Rooms, scene: str, dark: bool, width: int, height: int) -> None:
    show(staged, "datasets", width, height)
    assert clipped(staged.window) == []


@SCENES
def test_everything_that_takes_keys_has_a_name_and_is_reached_by_tab(staged: Rooms, scene: str) -> None:
    show(staged, "datasets")
    expected = {part for part in shown_parts(staged.window) if takes_keys(part)}
    assert [type(part).__name__ for part in expected if not accessible_name(part)] == []
    assert expected <= set(tab_stops(staged.window))


@THEMES
@pytest.mark.parametrize("scene", ["filled", "empty", "form"])
def test_where_the_keys_go_can_be_seen(staged: Rooms, scene: str, dark: bool) -> None:
    show(staged, "datasets")
    for stop in tab_stops(staged.window):
        stop.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        with_focus = staged.window.grab().toImage()
        stop.clearFocus()
        QApplication.processEvents()
        assert with_focus != staged.window.grab().toImage(), accessible_name(stop)


def test_before_anybody_looked_nothing_is_promised(qapp: QApplication, empty: DataDir) -> None:
    with opened(qapp, empty, read=False) as rooms:
        show(rooms, "datasets")
        assert "Reading your datasets …" in texts(rooms.window)
        assert "No datasets yet" not in texts(rooms.window)


def test_the_empty_page_explains_the_forms_and_offers_the_import(bare: Rooms) -> None:
    show(bare, "datasets")
    said = texts(bare.window)
    for expected in ("No datasets yet", "Choose files", "question, answer", "instruction, input, output"):
        assert expected in said


def test_the_files_are_chosen_in_a_dialog_that_blocks_nothing(bare: Rooms) -> None:
    page = page_of(bare)
    page.sources.choose_files()
    dialog = page.findChild(QFileDialog)
    assert isinstance(dialog, QFileDialog)
    assert dialog.fileMode() is QFileDialog.FileMode.ExistingFiles
    assert "*.jsonl" in dialog.nameFilters()[0]
    dialog.filesSelected.emit(["/rows/one.jsonl", "/rows/two.csv"])
    dialog.close()
    settle()
    assert bare.datasets.importing.files == ("one.jsonl", "two.csv")
    assert page.form.isVisible()
    assert page.form.name.text() == "one"
    assert bare.window.focusWidget() is page.form.name


def test_files_are_dropped_onto_the_page(bare: Rooms) -> None:
    page = page_of(bare)
    mime = files_dragged("/rows/one.jsonl", "/rows/two.csv")
    entering = enter(mime)
    page.dragEnterEvent(entering)
    assert entering.isAccepted()
    assert page.drop_hint.isVisible()
    page.resize(800, 500)
    settle()
    assert page.rect().contains(page.drop_hint.geometry())
    page.dropEvent(drop(mime))
    assert page.drop_hint.isHidden()
    assert bare.datasets.importing.files == ("one.jsonl", "two.csv")
    page.dropEvent(drop(files_dragged("/rows/three.json")))
    assert len(bare.datasets.importing.files) == 3


def test_what_is_no_file_is_not_taken(bare: Rooms) -> None:
    page = page_of(bare)
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/rows.jsonl")])
    entering = enter(mime)
    entering.ignore()
    page.dragEnterEvent(entering)
    assert not entering.isAccepted()
    assert page.drop_hint.isHidden()
    page.dropEvent(drop(mime))
    assert bare.datasets.importing.files == ()


def test_files_that_are_dragged_away_leave_no_trace(bare: Rooms) -> None:
    page = page_of(bare)
    page.dragEnterEvent(enter(files_dragged("/rows/one.jsonl")))
    page.dragLeaveEvent(QDragLeaveEvent())
    assert page.drop_hint.isHidden()
    assert bare.datasets.importing.files == ()


def test_the_form_needs_a_name_and_can_be_left(rooms: Rooms) -> None:
    page = page_of(rooms)
    rooms.datasets.importing.ask(["/rows/one.jsonl"])
    settle()
    page.form.name.setText("  ")
    assert not page.form.start.isEnabled()
    page.form.name.setText("One")
    assert page.form.start.isEnabled()
    rooms.datasets.importing.ask(["/rows/two.jsonl"])
    assert page.form.name.text() == "One"  # what was typed stays
    QTest.mouseClick(page.form.cancel, Qt.MouseButton.LeftButton)
    settle()
    assert page.list.isVisible()
    assert page.list.hasFocus()
    rooms.datasets.importing.ask(["/rows/three.jsonl"])
    assert page.form.name.text() == "three"


def test_more_files_than_there_is_room_for_are_counted(rooms: Rooms) -> None:
    page_of(rooms)
    rooms.datasets.importing.ask([f"/rows/{number}.csv" for number in range(7)])
    settle()
    assert "and 3 more" in texts(rooms.window)


def test_the_hint_says_what_the_chosen_check_does(rooms: Rooms) -> None:
    page = page_of(rooms)
    rooms.datasets.importing.ask(["/rows/one.jsonl"])
    settle()
    assert "broken, empty and repeated rows. Advises 100 rows" in texts(rooms.window)
    page.form.profile.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(page.form.profile, Qt.Key.Key_Up)
    assert page.form.profile.value == "strict"
    settle()
    assert "shorter than 10 characters" in texts(rooms.window)


def test_files_become_a_dataset_by_keys_alone(qapp: QApplication, empty: DataDir, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "capitals.jsonl", capitals(40))

    async def work() -> None:
        with opened(qapp, empty) as rooms:
            page = page_of(rooms)
            rooms.datasets.importing.ask([str(file)])
            await rested()
            page.form.share.setFocus(Qt.FocusReason.TabFocusReason)
            QTest.keyClick(page.form.share, Qt.Key.Key_Down)
            page.form.name.selectAll()
            QTest.keyClicks(page.form.name, "Capitals")
            QTest.keyClick(page.form.name, Qt.Key.Key_Return)
            await seen(lambda: rooms.datasets.shown, "the dataset")
            await rested()
            assert page.list.isVisible()
            said = texts(rooms.window)
            assert "Imported in " in said
            assert "The answer is empty, so there is nothing to learn." in said
            await rooms.shelves.supervisor.close()

    in_loop(qapp, work())
    (made,) = Library(empty.datasets).list()
    assert (made.name, made.eval_fraction, made.profile) == ("Capitals", 0.15, "balanced")


def test_an_import_shows_how_far_it_is_and_can_be_cancelled_by_key(
    qapp: QApplication, empty: DataDir
) -> None:
    async def work() -> None:
        with opened(qapp, empty, library=Halfway(empty.datasets)) as rooms:
            page = page_of(rooms)
            rooms.datasets.importing.ask(["/rows/one.jsonl"])
            await rested()
            QTest.mouseClick(page.form.start, Qt.MouseButton.LeftButton)
            await seen(lambda: page.form.bar.value() == 371, "progress")
            said = texts(rooms.window)
            assert "Importing “one”" in said
            assert "23.0\u00a0MiB of 62.0\u00a0MiB read" in said
            assert page.form.cancel.hasFocus()
            entering = enter(files_dragged("/rows/two.jsonl"))
            entering.ignore()
            page.dragEnterEvent(entering)
            assert not entering.isAccepted()
            QTest.keyClick(page.form.cancel, Qt.Key.Key_Return)
            assert not page.form.cancel.isEnabled()
            await seen(lambda: rooms.datasets.importing.stage is Stage.ASKING, "the form")
            await rested()
            assert page.form.name.isVisible()
            assert page.form.name.text() == "one"
            await rooms.shelves.supervisor.close()

    in_loop(qapp, work())


def test_columns_that_are_not_recognised_are_asked_for(
    qapp: QApplication, empty: DataDir, tmp_path: Path
) -> None:
    rows = [{"ticket": f"Lamp {n}", "agent": "Jo", "reply": f"Turn {n} on"} for n in range(30)]
    file = write_rows(tmp_path / "tickets.jsonl", rows)

    async def work() -> None:
        with opened(qapp, empty) as rooms:
            page = page_of(rooms)
            rooms.shelves.follow()
            rooms.datasets.importing.ask([str(file)])
            mapping = page.form.preview.mapping
            await seen(lambda: mapping.choices, "the question")
            await rested()
            choices = mapping.choices
            assert list(choices) == ["question", "answer", "system"]
            assert "The columns fit no form that is known." in texts(rooms.window)
            assert choices["question"].hasFocus()
            assert not page.form.start.isEnabled()
            offered = [choices["answer"].itemText(row) for row in range(choices["answer"].count())]
            assert offered == ["— choose a column —", "ticket", "agent", "reply"]
            for field, column in (("question", "ticket"), ("answer", "reply")):
                choices[field].setCurrentText(column)
                choices[field].activated.emit(choices[field].currentIndex())
            await seen(lambda: "Turn 3 on" in page.form.preview.rows.toPlainText(), "the rows")
            assert "All of the first 30 rows can be used." in texts(rooms.window)
            page.form.start.click()
            await seen(lambda: rooms.datasets.shown, "the dataset")
            await rooms.shelves.supervisor.close()

    in_loop(qapp, work())
    library = Library(empty.datasets)
    row = next(library.rows(library.list()[0].id))
    number = row.row - 1
    assert [message["content"] for message in row.messages] == [f"Lamp {number}", f"Turn {number} on"]


def test_the_form_that_was_found_is_said_and_can_be_corrected(
    qapp: QApplication, empty: DataDir, tmp_path: Path
) -> None:
    rows = [{"instruction": f"Say {n}", "input": "loudly", "output": f"{n}!"} for n in range(12)]
    file = write_rows(tmp_path / "orders.jsonl", [*rows, {"instruction": "Say"}])

    async def work() -> None:
        with opened(qapp, empty) as rooms:
            page = page_of(rooms)
            rooms.shelves.follow()
            rooms.datasets.importing.ask([str(file)])
            view = page.form.preview
            await seen(lambda: view.form.currentText() == "Detected: Instructions", "the form")
            said = texts(rooms.window)
            assert "nearly certain: 92% of the first 13 rows" in said
            assert "1 of the first 13 rows will be dropped." in said
            assert "loudly" in view.rows.toPlainText()
            choice = view.mapping.choices["input"]
            choice.setFocus(Qt.FocusReason.TabFocusReason)
            QTest.keyClick(choice, Qt.Key.Key_Home)
            await seen(lambda: "loudly" not in view.rows.toPlainText(), "the rows without it")
            view.form.setCurrentText("Plain text")
            view.form.activated.emit(view.form.currentIndex())
            await seen(lambda: "Still without a column: Text." in texts(rooms.window), "the question")
            assert not page.form.start.isEnabled()
            await rooms.shelves.supervisor.close()

    in_loop(qapp, work())


def test_an_encoding_is_asked_for_where_it_matters(
    qapp: QApplication, empty: DataDir, tmp_path: Path
) -> None:
    file = tmp_path / "colours.csv"
    file.write_bytes("question,answer\nDie Farbe?,grün\n".encode("windows-1252"))

    async def work() -> None:
        with opened(qapp, empty) as rooms:
            page = page_of(rooms)
            rooms.shelves.follow()
            rooms.datasets.importing.ask([str(file)])
            view = page.form.preview
            await seen(lambda: view.encoding.isVisible(), "the encoding")
            assert "letters of line 2 cannot be read" in texts(rooms.window)
            assert not page.form.start.isEnabled()
            view.encoding.setCurrentIndex(view.encoding.findData("windows-1252"))
            view.encoding.activated.emit(view.encoding.currentIndex())
            await seen(lambda: "grün" in view.rows.toPlainText(), "the rows")
            page.form.start.click()
            await seen(lambda: rooms.datasets.shown, "the dataset")
            await rooms.shelves.supervisor.close()

    in_loop(qapp, work())
    (made,) = Library(empty.datasets).list()
    assert next(Library(empty.datasets).rows(made.id)).messages[1]["content"] == "grün"


def test_rows_come_from_a_git_history_too(qapp: QApplication, empty: DataDir, tmp_path: Path) -> None:
    repository = tmp_path / "lamp"
    repository.mkdir()
    git(repository, "init", "-q")
    commit(repository, "lamp.txt", b"on\n", "Turn the lamp on")

    async def work() -> None:
        with opened(qapp, empty) as rooms:
            page = page_of(rooms)
            page.sources.fetch_commits()
            dialog = page.findChild(GitDialog)
            assert isinstance(dialog, GitDialog)
            assert not dialog.begin.isEnabled()
            dialog.folder.setText(str(tmp_path / "nothing here"))
            dialog.begin.click()
            await seen(lambda: dialog.problem.isVisible(), "the problem")
            dialog.folder.setText(str(repository))
            dialog.begin.click()
            await seen(lambda: page.form.isVisible(), "the form")
            assert page.form.name.text() == "Commits of lamp"
            rooms.datasets.importing.preview.look()
            assert "Turn the lamp on" in page.form.preview.rows.toPlainText()
            await rooms.shelves.supervisor.close()

    in_loop(qapp, work())


def test_without_a_venom_server_the_dialog_says_where_to_add_one(qapp: QApplication, empty: DataDir) -> None:
    async def work() -> None:
        with opened(qapp, empty) as rooms:
            page = page_of(rooms)
            page.sources.fetch_lessons()
            dialog = page.findChild(LessonsDialog)
            assert isinstance(dialog, LessonsDialog)
            await seen(lambda: dialog.none.isVisible(), "the remark")
            assert "Add one on the Venom page first." in texts(dialog)
            assert not dialog.begin.isEnabled()
            dialog.cancel.click()
            await rooms.shelves.supervisor.close()

    in_loop(qapp, work())


def test_the_import_button_opens_a_menu_of_all_places(rooms: Rooms) -> None:
    page = page_of(rooms)
    menu = page._adders[-1].menu()
    assert menu is not None
    assert [entry.text() for entry in menu.actions()] == [
        "Files …", "Folder …", "Git history …", "Venom lessons …",
    ]  # fmt: skip


def test_the_list_leads_to_a_dataset_by_click_and_by_key(rooms: Rooms) -> None:
    page = page_of(rooms)
    assert page.view.title.text() == "Capitals of the world"
    row = page.list.visualRect(rooms.datasets.records.index(2, 0))
    QTest.mouseClick(page.list.viewport(), Qt.MouseButton.LeftButton, pos=row.center())
    assert page.view.title.text() == "Kitchen talk"
    page.list.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(page.list, Qt.Key.Key_Up)
    assert page.view.title.text() == "Invented commands"
    assert "No row is held out" in texts(rooms.window)


def test_what_is_learned_is_marked_and_nothing_else(rooms: Rooms) -> None:
    page = page_of(rooms)
    rooms.shelves.see_row()
    assert highlighted(page) == "The capital of France is Paris.<|im_end|>"
    assert page.view.rows.text.toPlainText().startswith("<|im_start|>user\nWhat is the capital of France?")
    rooms.look.set_dark(True)
    assert highlighted(page) == "The capital of France is Paris.<|im_end|>"


def test_the_buttons_lead_through_the_rows(rooms: Rooms) -> None:
    page = page_of(rooms)
    rows = page.view.rows
    assert not rows.previous.isEnabled()
    QTest.mouseClick(rows.next, Qt.MouseButton.LeftButton)
    assert "Paris" in rows.text.toPlainText()  # it stays until the next is there
    rooms.shelves.see_row()
    assert rows.position.text() == "Row 2 of 400"
    assert "Rome" in highlighted(page)
    QTest.mouseClick(rows.previous, Qt.MouseButton.LeftButton)
    rooms.shelves.see_row()
    assert "Paris" in highlighted(page)


def test_the_model_can_be_chosen(rooms: Rooms) -> None:
    page = page_of(rooms)
    choice = page.view.rows.model
    assert [choice.itemText(row) for row in range(choice.count())] == [
        "smollm2-135m-instruct",
        "Qwen/Qwen3-0.6B",
    ]
    choice.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(choice, Qt.Key.Key_Down)
    assert rooms.datasets.preview.model is not None
    assert rooms.datasets.preview.model.name == "Qwen/Qwen3-0.6B"


def test_without_a_model_rows_are_shown_as_stored(bare: Rooms, tmp_path: Path) -> None:
    made = Library(bare.shelves.folder.parent / "datasets").import_files(
        [write_rows(tmp_path / "rows.jsonl", capitals(40))], "Mine"
    )
    bare.shelves.read()
    page = page_of(bare)
    assert not page.view.rows.model.isVisible()
    assert highlighted(page).endswith("is Paris.")
    assert "as it is stored" in page.view.rows.counts.text()
    assert bare.datasets.shown is not None
    assert bare.datasets.shown.id == made.id


def test_a_row_that_cannot_be_rendered_says_why(rooms: Rooms, filled: DataDir) -> None:
    page = page_of(rooms)
    rooms.datasets.select(rooms.datasets.all[1].id)
    rows = filled.datasets / rooms.datasets.all[1].id / "train.jsonl"
    content = rows.read_bytes()
    try:
        rows.write_bytes(b"torn\n")
        rooms.shelves.see_row()
    finally:
        rows.write_bytes(content)
    settle()
    assert not page.view.rows.text.isVisible()
    assert "are not as they were imported" in texts(rooms.window)
    assert page.view.rows.next.isEnabled()


def test_a_line_that_is_clicked_or_reached_by_keys_is_looked_at(rooms: Rooms) -> None:
    lines = page_of(rooms).view.browser.lines
    place = QPoint(40, 3 * LINE_HEIGHT + 5)
    QTest.mouseClick(lines.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    assert rooms.datasets.preview.number == 3
    QTest.keyClick(lines, Qt.Key.Key_Down)
    QTest.keyClick(lines, Qt.Key.Key_PageDown)
    assert rooms.datasets.preview.number == 4 + lines.in_sight
    QTest.keyClick(lines, Qt.Key.Key_End)
    assert rooms.datasets.preview.number == 399
    assert lines.verticalScrollBar().value() == 400 - lines.in_sight
    QTest.keyClick(lines, Qt.Key.Key_Home)
    assert (rooms.datasets.preview.number, lines.verticalScrollBar().value()) == (0, 0)


def test_a_row_is_jumped_to_by_its_number(rooms: Rooms) -> None:
    browser = page_of(rooms).view.browser
    browser.search.setText("#250")
    QTest.keyClick(browser.search, Qt.Key.Key_Return)
    assert rooms.datasets.preview.number == 249


def test_the_limit_is_moved_by_hand_and_by_keys(rooms: Rooms) -> None:
    view = page_of(rooms).view
    rooms.datasets.audit.look()
    view.show_check.click()
    chart = view.audit.chart
    chart.line.setValue(90)
    chart.line.sigDragged.emit(chart.line)
    assert rooms.datasets.audit.limit == 90
    QTest.keyClick(chart.plot, Qt.Key.Key_Left)
    assert rooms.datasets.audit.limit < 90
    assert chart.line.value() == rooms.datasets.audit.limit
    report = rooms.datasets.audit.report
    assert report is not None
    cut = report.cut(rooms.datasets.audit.limit)
    assert f"{cut.supervised_tokens:,}" in texts(view.audit.figures)
    assert f"{cut.rows:,}" in texts(view.audit.figures)


def test_a_kind_of_defect_opens_its_rows(rooms: Rooms) -> None:
    view = page_of(rooms).view
    rooms.datasets.audit.set_limit(80)
    rooms.datasets.audit.look()
    view.show_check.click()
    assert view.audit.isVisible()
    view.audit.defects[0].click()
    assert not view.audit.isVisible()
    assert view.browser.summary.text().endswith(": Answers cut off")
    assert view.browser.all.isVisible()
    view.browser.all.click()
    assert view.browser.summary.text() == "400 rows"


def test_tokens_are_shown_with_their_ids(rooms: Rooms) -> None:
    page = page_of(rooms)
    assert " 257 " not in page.view.rows.text.toPlainText()
    page.view.rows.tokens.click()
    assert "<|im_start|> 257 " in page.view.rows.text.toPlainText()


def test_who_goes_on_to_training_takes_the_dataset_along(rooms: Rooms) -> None:
    page = page_of(rooms)
    wanted: list[tuple[str, str]] = []
    page.wanted.connect(lambda where, dataset: wanted.append((where, dataset)))
    ids = [dataset.id for dataset in rooms.datasets.all[:2]]
    for one in ids:
        rooms.datasets.select(one)
        page.view.train.click()
    assert wanted == [("train", one) for one in ids]
