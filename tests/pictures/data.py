"""The Datasets and the Models page: imports, rows, defects, models that can be trained and that cannot."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from academy_desktop.app import RESOURCES
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.paths import DataDir
from academy_desktop.text.messages import Description
from academy_desktop.views.datasets import DatasetsPage
from academy_desktop.views.look import Look
from academy_desktop.views.main_window import MainWindow, Page
from academy_desktop.views.models import ModelsPage
from tests.academy_desktop.made_data import (
    Halfway,
    Shelves,
    SlowDemo,
    cached_model,
    capitals,
    conversations,
    fill,
    make_shelves,
    write_rows,
)

SIZES = ((1100, 700), (1600, 1000))


class Rooms:
    """The two pages in a window."""

    def __init__(self, look: Look, shelves: Shelves) -> None:
        self.look = look
        self.shelves = shelves
        self.datasets = shelves.datasets
        self.models = shelves.models
        pages = (
            Page("datasets", "Datasets", "datasets", self._make_datasets),
            Page("models", "Models", "models", self._make_models),
        )
        self.window = MainWindow(look, pages, shelves.words.gettext)
        for one in (self.models, self.datasets):
            one.told.connect(self._tell)

    @property
    def datasets_page(self) -> DatasetsPage:
        """The Datasets page, shown."""
        page = self.window.show_page("datasets")
        assert isinstance(page, DatasetsPage)
        return page

    @property
    def models_page(self) -> ModelsPage:
        """The Models page, shown."""
        page = self.window.show_page("models")
        assert isinstance(page, ModelsPage)
        return page

    def _make_datasets(self) -> QWidget:
        return DatasetsPage(self.look, self.datasets, self.shelves.words.gettext)

    def _make_models(self) -> QWidget:
        return ModelsPage(self.look, self.models, self.shelves.words.gettext)

    def _tell(self, said: Description) -> None:
        self.window.tell(said.title, f"{said.sentence} {said.next_step}")


@dataclass(frozen=True)
class Scene:
    """One picture: a data directory, and what the user has done."""

    name: str
    data: DataDir
    prepare: Callable[[Rooms], None]
    known: bool = True
    slow: bool = False


def scenes(filled: DataDir, empty: DataDir, bare: DataDir) -> Iterator[Scene]:
    """All that there is to look at."""
    yield Scene("datasets-filled", filled, _show_capitals)
    yield Scene("datasets-conversation", filled, _show_conversation)
    yield Scene("datasets-tokens", filled, _show_tokens)
    yield Scene("datasets-check", filled, lambda rooms: _check(rooms))
    yield Scene("datasets-defects", filled, _show_defects)
    yield Scene("datasets-form", filled, _ask)
    yield Scene("datasets-columns", empty, _ask_columns)
    yield Scene("datasets-mapping", empty, _map_columns)
    yield Scene("datasets-encoding", empty, _ask_encoding)
    yield Scene("datasets-pairs-form", empty, _ask_pairs)
    yield Scene("datasets-pair", filled, _show_pair)
    yield Scene("datasets-git", empty, _ask_git)
    yield Scene("datasets-lessons", empty, _ask_lessons)
    yield Scene("datasets-importing", filled, _import, slow=True)
    yield Scene("datasets-dropping", filled, lambda rooms: rooms.datasets_page.drop_hint.cover())
    yield Scene("datasets-empty", empty, lambda rooms: rooms.datasets_page.show())
    yield Scene("datasets-unknown", empty, lambda rooms: rooms.datasets_page.show(), known=False)
    yield Scene("models-filled", filled, lambda rooms: rooms.models_page.show())
    yield Scene("models-untrainable", filled, _show_untrainable)
    yield Scene("models-offer", bare, lambda rooms: rooms.models_page.show())
    yield Scene("models-fetching", empty, _fetch, slow=True)
    yield Scene("models-empty", empty, lambda rooms: rooms.models_page.show())
    yield Scene("datasets-imported", empty, _show_imported)  # the last: it is not empty any more


def _show_capitals(rooms: Rooms) -> None:
    rooms.datasets_page.show()
    rooms.datasets.preview.next()
    rooms.shelves.see_row()


def _show_conversation(rooms: Rooms) -> None:
    rooms.datasets_page.show()
    rooms.datasets.select(rooms.datasets.all[-1].id)
    rooms.shelves.see_row()


def _show_tokens(rooms: Rooms) -> None:
    _show_conversation(rooms)
    rooms.datasets_page.view.rows.tokens.setChecked(True)


def _check(rooms: Rooms, limit: int = 215) -> None:
    """The conversations, some of them spoilt, checked for the demo model."""
    page = rooms.datasets_page
    library = Library(rooms.shelves.folder.parent / "datasets")
    turns = [one["messages"] for one in conversations(90)]
    for number, row in enumerate(turns):
        row[3]["content"] += f" {'And then?' * (number % 9)}"
        if number % 11 == 0:
            row[1]["content"] += " It is naÃ¯ve."
        if number % 17 == 0:
            row[2]["content"] += " <|im_end|>"
    rows = write_rows(rooms.shelves.folder / "spoilt.jsonl", [{"messages": row} for row in turns])
    made = library.import_files([rows], "Kitchen talk, spoilt", dedup=False)
    rooms.shelves.read()
    rooms.datasets.select(made.id)
    rooms.datasets.audit.set_limit(limit)
    rooms.shelves.see_row()
    rooms.datasets.audit.look()
    page.view.show_check.click()


def _show_defects(rooms: Rooms) -> None:
    _check(rooms)
    rooms.datasets_page.view.audit.defects[-1].click()
    rooms.shelves.see_row()


def _choose(rooms: Rooms, *files: Path) -> None:
    """Choose files, and wait until they were looked at."""
    rooms.datasets_page.show()
    rooms.datasets.importing.ask([str(file) for file in files])
    rooms.datasets.importing.preview.look()


def _ask(rooms: Rooms) -> None:
    folder = rooms.shelves.folder
    more = folder / "more replies of last year.jsonl"
    _choose(rooms, write_rows(folder / "replies.jsonl", capitals()), write_rows(more, capitals(40)))


def _tickets(rooms: Rooms) -> Path:
    rows = [
        {"ticket": f"The lamp in room {n} is dark", "reply": f"Turn lamp {n} on", "agent": "Jo"}
        for n in range(1, 40)
    ]
    return write_rows(rooms.shelves.folder / "tickets.jsonl", [*rows, {"ticket": "And this?", "reply": ""}])


def _ask_columns(rooms: Rooms) -> None:
    _choose(rooms, _tickets(rooms))


def _map_columns(rooms: Rooms) -> None:
    _ask_columns(rooms)
    preview = rooms.datasets.importing.preview
    for field, column in (("question", "ticket"), ("answer", "reply")):
        preview.choose_column(field, column)
    preview.look()


def _ask_encoding(rooms: Rooms) -> None:
    path = rooms.shelves.folder / "colours.csv"
    path.write_bytes("question,answer\nWelche Farbe hat Gras?,grün\n".encode("windows-1252"))
    _choose(rooms, path)


def _pairs(rooms: Rooms) -> Path:
    rows = [
        {
            "prompt": f"How long do {n} eggs take?",
            "chosen": "Seven minutes for a soft yolk, ten for a hard one; then into cold water.",
            "rejected": "That depends.",
        }
        for n in range(1, 30)
    ]
    return write_rows(rooms.shelves.folder / "eggs.jsonl", rows)


def _ask_pairs(rooms: Rooms) -> None:
    _choose(rooms, _pairs(rooms))


def _show_imported(rooms: Rooms) -> None:
    rooms.datasets_page.show()
    rows = [*capitals(), *({"question": f"What is it, number {n}?", "answer": "This."} for n in range(9))]
    rows += [{"question": "What is it, number 3?", "answer": "That."}]
    file = write_rows(rooms.shelves.folder / "mixed.jsonl", rows)
    made = Library(rooms.shelves.folder.parent / "datasets").import_files([file], "Capitals and more")
    rooms.datasets.importing.imported.emit(made, True)
    rooms.shelves.see_row()


def _show_pair(rooms: Rooms) -> None:
    rooms.datasets_page.show()
    library = Library(rooms.shelves.folder.parent / "datasets")
    made = library.import_files([_pairs(rooms)], "Eggs, better and worse", near_dups="keep")
    rooms.shelves.read()
    rooms.datasets.select(made.id)
    rooms.shelves.see_row()


def _ask_git(rooms: Rooms) -> None:
    rooms.datasets_page.sources.fetch_commits()


def _ask_lessons(rooms: Rooms) -> None:
    rooms.datasets_page.sources.fetch_lessons()


def _import(rooms: Rooms) -> None:
    _ask(rooms)
    rooms.datasets.importing.start("Replies", 0.1, "balanced")


def _show_untrainable(rooms: Rooms) -> None:
    rooms.models_page.show()
    rooms.models.select(rooms.models.all[-1].id)


def _fetch(rooms: Rooms) -> None:
    rooms.models_page.show()
    rooms.models.fetch_demo()


def _grabbed(window: QWidget) -> QPixmap:
    """The window, and a dialog of its that is open, in its middle."""
    picture = window.grab()
    for dialog in window.findChildren(QDialog):
        if dialog.isVisible():
            painter = QPainter(picture)
            place = picture.rect().center() - dialog.rect().center()
            painter.drawPixmap(place, dialog.grab())
            painter.end()
    return picture


async def draw(app: QApplication, scene: Scene, out: Path) -> list[Path]:
    """Draw a scene in both themes and all sizes."""
    drawn: list[Path] = []
    for dark in (False, True):
        library, demo = (Halfway(scene.data.datasets), SlowDemo()) if scene.slow else (None, None)
        shelves = make_shelves(scene.data, library=library, demo=demo)
        rooms = Rooms(Look(app, RESOURCES, dark), shelves)
        if scene.known:
            shelves.read()
        rooms.window.show()
        scene.prepare(rooms)
        await asyncio.sleep(0.3)
        for width, height in SIZES:
            rooms.window.resize(width, height)
            await asyncio.sleep(0.05)
            path = out / f"{scene.name}-{'dark' if dark else 'light'}-{width}x{height}.png"
            _grabbed(rooms.window).save(str(path))
            drawn.append(path)
        await shelves.supervisor.close()
        rooms.window.close()
        rooms.window.deleteLater()
    return drawn


def draw_all(app: QApplication, runner: asyncio.Runner, out: Path) -> Iterator[Path]:
    """Draw every scene into a folder; yields the pictures' paths."""
    with tempfile.TemporaryDirectory() as folder:
        filled = DataDir(Path(folder) / "filled").open()
        fill(filled)
        empty, bare = (DataDir(Path(folder) / name).open() for name in ("empty", "bare"))
        cached_model(bare.root / "hub", "Qwen/Qwen3-0.6B", 596_049_920)
        for scene in scenes(filled, empty, bare):
            yield from runner.run(draw(app, scene, out))
