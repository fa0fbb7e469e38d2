from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.paths import DataDir
from academy_desktop.viewmodels.dataset_fetch import DatasetFetch
from academy_desktop.viewmodels.dataset_import import Stage
from tests.academy_desktop.core.datasets.test_commits import commit, git
from tests.academy_desktop.made_data import LESSONS, Shelves, make_shelves
from tests.academy_desktop.viewmodels.making import in_loop, seen
from tests.venom_server.server import VenomServer
from tests.venom_server.state import VenomState


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data").open()


def fetch_of(shelves: Shelves) -> DatasetFetch:
    assert shelves.datasets.fetch is not None
    return shelves.datasets.fetch


def problem(fetch: DatasetFetch) -> str:
    return fetch.problem.title if fetch.problem else ""


def test_lessons_of_a_venom_become_a_dataset(qapp: QApplication, data: DataDir, tmp_path: Path) -> None:
    state = VenomState(tmp_path / "venom", tmp_path / "venom" / "models", lessons=LESSONS)

    async def work() -> None:
        with VenomServer(state) as server:
            shelves = make_shelves(data)
            shelves.connections.add("home", server.url)
            fetch, importing = fetch_of(shelves), shelves.datasets.importing
            fetch.open()
            await seen(lambda: fetch.connections, "the connection")
            assert fetch.connections == ("home",)
            fetch.fetch_lessons("home", 15, " odd ,")
            await seen(lambda: importing.stage is Stage.ASKING, "the form")
        importing.preview.look()
        assert importing.preview.forms[0][1] == "Detected: Venom lessons"
        importing.start(importing.name, 0.0, "balanced")
        await seen(lambda: importing.stage is Stage.NONE, "the import")
        await seen(lambda: not fetch.is_running, "the end")
        assert shelves.failures == []

    in_loop(qapp, work())
    (made,) = Library(data.datasets).list()
    assert (made.name, made.rows_kept, made.format) == ("Lessons of home", 10, "lesson")


def test_a_repository_without_changes_says_so(qapp: QApplication, data: DataDir, tmp_path: Path) -> None:
    repository = tmp_path / "empty"
    repository.mkdir()
    git(repository, "init", "-q")
    git(repository, "commit", "-q", "--allow-empty", "-m", "Nothing")

    async def work() -> None:
        shelves = make_shelves(data)
        fetch = fetch_of(shelves)
        fetch.fetch_commits(str(repository), 5)
        assert fetch.is_running
        await seen(lambda: not fetch.is_running, "the end")
        assert problem(fetch) == "There is nothing to learn"
        fetch.fetch_commits(str(tmp_path / "nothing"), 5)
        await seen(lambda: problem(fetch) == "The file is not there", "the problem")
        fetch.open()
        assert problem(fetch) == ""
        await seen(lambda: fetch.is_without_server, "the look")
        assert shelves.datasets.importing.stage is Stage.NONE

    in_loop(qapp, work())


def test_a_fetch_that_nobody_waits_for_opens_no_form(
    qapp: QApplication, data: DataDir, tmp_path: Path
) -> None:
    repository = tmp_path / "lamp"
    repository.mkdir()
    git(repository, "init", "-q")
    commit(repository, "a.txt", b"one\n", "Say one")

    async def work() -> None:
        shelves = make_shelves(data)
        fetch = fetch_of(shelves)
        fetch.fetch_commits(str(repository), 5)
        fetch.cancel()
        await seen(lambda: not fetch.is_running, "the end")
        assert (shelves.datasets.importing.stage, problem(fetch)) == (Stage.NONE, "")
        assert shelves.failures == []

    in_loop(qapp, work())
