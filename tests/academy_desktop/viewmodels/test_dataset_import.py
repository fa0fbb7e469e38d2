from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.datasets.importing import Progress
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.paths import DataDir
from academy_desktop.viewmodels.dataset_import import DatasetImport, Stage
from tests.academy_desktop.made_data import MIB, Halfway, Shelves, capitals, make_shelves, write_rows
from tests.academy_desktop.viewmodels.making import in_loop, seen
from trainers.errors import AcademyError, ErrorCode


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data").open()


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "capitals.jsonl", capitals(40))


class Refusing(Library):
    """Says no."""

    failure: Exception = AcademyError(ErrorCode.DISK_FULL, path="/data")

    def import_files(self, files: Sequence[Path], name: str, **_others: Any) -> DatasetManifest:
        """No."""
        raise self.failure


class Watched(Library):
    """Remembers what it was asked, and in which thread."""

    def import_files(
        self,
        files: Sequence[Path],
        name: str,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        **others: Any,
    ) -> DatasetManifest:
        """Import, and remember."""
        self.asked = {"name": name, **others}
        self.thread = threading.current_thread()
        self.told: list[tuple[int, int]] = []

        def note(done: int, total: int) -> None:
            self.told.append((done, total))
            if progress is not None:
                progress(done, total)

        return super().import_files(files, name, progress=note, cancelled=cancelled, **others)


def stage(importing: DatasetImport) -> Stage:
    """Where it stands now: the type checker believes that what it saw once stays."""
    return importing.stage


async def imported(
    shelves: Shelves, *files: Path, name: str = "Mine", share: float = 0.1, profile: str = "balanced"
) -> None:
    """Choose files, start, and wait until that is over."""
    importing = shelves.datasets.importing
    importing.ask([str(file) for file in files])
    importing.start(name, share, profile)
    assert stage(importing) is Stage.IMPORTING
    await seen(lambda: importing.stage is not Stage.IMPORTING, "the import")


def test_files_become_a_dataset_with_what_the_form_says(
    qapp: QApplication, data: DataDir, rows: Path
) -> None:
    size = rows.stat().st_size

    async def work() -> None:
        library = Watched(data.datasets)
        shelves = make_shelves(data, library=library)
        await imported(shelves, rows, name="  Capitals ", share=0.2, profile="strict")
        assert library.asked == {
            "name": "Capitals",
            "format": "auto",
            "mapping": None,
            "profile": "strict",
            "eval_fraction": 0.2,
            "seed": 3407,
            "near_dups": "apart",
            "encoding": "auto",
        }
        assert library.thread is not threading.main_thread()
        assert library.told[-1] == (size, size)
        assert stage(shelves.datasets.importing) is Stage.NONE
        (made,) = library.list()
        assert shelves.datasets.shown is not None
        assert shelves.datasets.shown.id == made.id
        assert shelves.datasets.news.startswith("Imported in ")
        assert (shelves.told, shelves.failures) == ([], [])

    in_loop(qapp, work())


def test_the_same_rows_under_the_same_name_are_no_second_dataset(
    qapp: QApplication, data: DataDir, rows: Path
) -> None:
    async def work() -> None:
        shelves = make_shelves(data)
        await imported(shelves, rows)
        await imported(shelves, rows)
        assert shelves.datasets.news == "These rows were here already; nothing was added."
        assert shelves.datasets.records.rowCount() == 1

    in_loop(qapp, work())


def test_chosen_files_are_added_to_the_form_that_is_open_and_named_once(
    qapp: QApplication, data: DataDir
) -> None:
    shelves = make_shelves(data)
    importing = shelves.datasets.importing
    assert stage(importing) is Stage.NONE
    importing.ask([])
    assert stage(importing) is Stage.NONE
    importing.ask(["/a/one.jsonl"])
    importing.ask(["/b/two.csv", "/a/one.jsonl"])
    assert stage(importing) is Stage.ASKING
    assert list(importing.files) == ["one.jsonl", "two.csv"]
    assert importing.name == "one"
    importing.leave()
    assert stage(importing) is Stage.NONE
    importing.ask(["/c/three.json"])
    assert list(importing.files) == ["three.json"]


def test_without_a_name_nothing_begins(qapp: QApplication, data: DataDir, rows: Path) -> None:
    shelves = make_shelves(data)
    importing = shelves.datasets.importing
    importing.start("Mine", 0.1, "balanced")
    assert stage(importing) is Stage.NONE
    importing.ask([str(rows)])
    importing.start("  ", 0.1, "balanced")
    assert stage(importing) is Stage.ASKING


def test_an_import_says_how_far_it_is_and_can_be_cancelled(
    qapp: QApplication, data: DataDir, rows: Path
) -> None:
    async def work() -> None:
        shelves = make_shelves(data, library=Halfway(data.datasets))
        importing = shelves.datasets.importing
        importing.ask([str(rows)])
        importing.start("Mine", 0.1, "balanced")
        assert importing.progress == "Opening the files …"
        await seen(lambda: importing.share_done > 0, "progress")
        assert importing.share_done == 23 / 62
        assert importing.progress == "23.0\u00a0MiB of 62.0\u00a0MiB read"
        importing.ask(["/another.jsonl"])  # not now
        assert importing.files == (rows.name,)
        importing.cancel()
        assert importing.is_cancelling
        assert importing.progress == "Cancelling …"
        await seen(lambda: importing.stage is Stage.ASKING, "the form")
        assert importing.files == (rows.name,)  # as it was, for another try
        assert (shelves.told, shelves.failures) == ([], [])

    in_loop(qapp, work())
    assert Library(data.datasets).list() == ()


def test_when_the_window_goes_the_thread_gives_up(qapp: QApplication, data: DataDir, rows: Path) -> None:
    async def work() -> None:
        shelves = make_shelves(data, library=Halfway(data.datasets))
        shelves.datasets.importing.ask([str(rows)])
        shelves.datasets.importing.start("Mine", 0.1, "balanced")
        await seen(lambda: shelves.datasets.importing.share_done > 0, "progress")
        await shelves.supervisor.close()
        assert shelves.failures == []

    in_loop(qapp, work())  # the loop waits for its threads: it would never end


def test_all_that_is_read_still_has_to_be_written(qapp: QApplication, data: DataDir, rows: Path) -> None:
    class AllRead(Halfway):
        done = (62 * MIB, 62 * MIB)

    async def work() -> None:
        shelves = make_shelves(data, library=AllRead(data.datasets))
        importing = shelves.datasets.importing
        importing.ask([str(rows)])
        importing.start("Mine", 0.1, "balanced")
        await seen(lambda: importing.share_done == 1.0, "progress")
        assert importing.progress == "Everything is read; writing the dataset …"
        importing.cancel()
        await seen(lambda: importing.stage is Stage.ASKING, "the form")

    in_loop(qapp, work())


@pytest.mark.parametrize(
    ("name", "content", "title"),
    [
        ("empty.jsonl", b"", "The file is empty"),
        ("table.csv", b"\x89PNG\r\n\x1a\n\0\0\0", "The file is not what its name says"),
        ("gone.jsonl", None, "The file is not there"),
        ("nothing.jsonl", b'{"question": "Why?", "answer": ""}\n', "No row is left"),
    ],
)
def test_what_cannot_be_imported_is_told_and_the_form_stays(
    qapp: QApplication, data: DataDir, tmp_path: Path, name: str, content: bytes | None, title: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    async def work() -> None:
        shelves = make_shelves(data)
        await imported(shelves, path)
        assert [said.title for said in shelves.told] == [title]
        assert shelves.told[0].next_step
        assert stage(shelves.datasets.importing) is Stage.ASKING
        assert shelves.datasets.importing.files == (name,)
        assert shelves.failures == []

    in_loop(qapp, work())


def test_what_the_system_refuses_is_told_too(qapp: QApplication, data: DataDir, rows: Path) -> None:
    async def work() -> None:
        library = Refusing(data.datasets)
        shelves = make_shelves(data, library=library)
        await imported(shelves, rows)
        library.failure = PermissionError(13, "Permission denied", "/data")
        await imported(shelves, rows)
        assert [said.title for said in shelves.told] == ["The disk is full", "The file cannot be read"]
        assert "/data" in shelves.told[1].sentence
        assert shelves.failures == []

    in_loop(qapp, work())


def test_a_mistake_of_ours_frees_the_form_and_is_reported(
    qapp: QApplication, data: DataDir, rows: Path
) -> None:
    async def work() -> None:
        library = Refusing(data.datasets)
        library.failure = ZeroDivisionError("oh")
        shelves = make_shelves(data, library=library)
        await imported(shelves, rows)
        await seen(lambda: shelves.failures, "the report")
        assert isinstance(shelves.failures[0], ZeroDivisionError)
        assert stage(shelves.datasets.importing) is Stage.ASKING

    in_loop(qapp, work())


def test_what_the_user_says_of_the_rows_is_what_is_imported(
    qapp: QApplication, data: DataDir, tmp_path: Path
) -> None:
    tickets = [{"ticket": f"Lamp {number} is dark", "reply": f"Turn {number} on"} for number in range(30)]
    path = write_rows(tmp_path / "tickets.jsonl", tickets)

    async def work() -> None:
        shelves = make_shelves(data)
        importing = shelves.datasets.importing
        await imported(shelves, path)
        assert [said.next_step for said in shelves.told] == [
            "Choose the form below, and say which column is which."
        ]
        importing.preview.look()
        importing.preview.choose_column("question", "ticket")
        importing.preview.choose_column("answer", "reply")
        importing.start("Tickets", 0.2, "balanced", "drop", 7)
        await seen(lambda: importing.stage is Stage.NONE, "the import")

    in_loop(qapp, work())
    library = Library(data.datasets)
    (made,) = library.list()
    assert (made.train_rows, made.eval_rows, made.seed, made.near_dups) == (24, 6, 7, "drop")
    assert made.mapping == {"question": "ticket", "answer": "reply"}
    row = next(library.rows(made.id))
    number = row.row - 1
    assert [turn["content"] for turn in row.messages] == [f"Lamp {number} is dark", f"Turn {number} on"]


def test_rows_that_come_with_a_name_keep_it(qapp: QApplication, data: DataDir) -> None:
    importing = make_shelves(data).datasets.importing
    importing.ask(["/tmp/commits.jsonl"], "Commits of lamp")
    assert importing.name == "Commits of lamp"
    importing.ask(["/tmp/more.jsonl"])
    assert importing.name == "Commits of lamp"
    importing.leave()
    importing.ask(["/tmp/more.jsonl"])
    assert importing.name == "more"


def test_every_choice_has_words_and_the_checks_say_what_they_do(qapp: QApplication, data: DataDir) -> None:
    shelves = make_shelves(data)
    importing = shelves.datasets.importing
    assert [one.words for one in importing.shares] == ["None", "5%", "10%", "15%", "20%", "30%", "50%"]
    assert [float(one.value) for one in importing.shares][:2] == [0.0, 0.05]
    assert [one.value for one in importing.near_dups] == ["apart", "drop", "keep"]
    assert all(one.hint for one in importing.near_dups)
    hints = {one.words: one.hint for one in importing.profiles}
    assert "shorter than 10 characters" in hints["Strict"]
    assert "Advises 150 rows or more." in hints["Strict"]
    assert "broken, empty and repeated" in hints["Balanced"]
    assert "50 rows" in hints["Lenient"]


def test_nothing_blocks_the_loop_while_files_are_imported(
    qapp: QApplication, data: DataDir, rows: Path
) -> None:
    async def work() -> int:
        changes: list[None] = []
        shelves = make_shelves(data, library=Halfway(data.datasets))
        importing = shelves.datasets.importing
        importing.changed.connect(lambda: changes.append(None))
        importing.ask([str(rows)])
        importing.start("Mine", 0.1, "balanced")
        await seen(lambda: len(changes) > 5, "looks at the progress")
        importing.cancel()
        await seen(lambda: importing.stage is Stage.ASKING, "the form")
        return len(changes)

    assert in_loop(qapp, work()) > 5
