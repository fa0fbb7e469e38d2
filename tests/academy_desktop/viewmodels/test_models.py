from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.models import Model
from academy_desktop.core.paths import DataDir
from academy_desktop.core.tasks import Progress
from academy_desktop.viewmodels.models import BaseModels
from academy_desktop.viewmodels.records import RecordRole
from tests.academy_desktop.core.models.made_models import write_model
from tests.academy_desktop.made_data import Shelves, SlowDemo, cached_model, fill, make_shelves
from tests.academy_desktop.viewmodels.making import in_loop, seen
from trainers.errors import AcademyError, ErrorCode


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


def figures(models: BaseModels) -> dict[str, str]:
    return {one.label: one.value for one in models.figures}


class QuickDemo:
    """A demo model that is made in a moment."""

    def __init__(self, data: DataDir, failure: Exception | None = None) -> None:
        self._folder = data.models / "smollm2-135m-instruct"
        self._failure = failure

    @property
    def is_here(self) -> bool:
        """Whether it was made."""
        return self._folder.is_dir()

    def fetch(self, progress: Progress) -> Model:
        """Make it."""
        progress(0, 6, "downloading")
        if self._failure is not None:
            raise self._failure
        write_model(self._folder)
        return Model(
            id=self._folder.name,
            name=self._folder.name,
            path=str(self._folder),
            source="app",
            architecture="LlamaForCausalLM",
            parameters=1,
            bytes=1,
            chat_template=True,
            trainable=True,
        )


def test_before_anybody_looked_nothing_is_known_and_nothing_offered(
    qapp: QApplication, empty: DataDir
) -> None:
    shelves = make_shelves(empty)
    models = shelves.models
    assert (models.is_known, models.offers_demo, models.shown) == (False, False, None)
    assert (models.figures, models.verdict, models.next_step) == ((), "", "")
    models.take(*models.read())
    assert (models.is_known, models.offers_demo, models.all) == (True, True, ())


def test_what_can_be_trained_comes_first(shelves: Shelves) -> None:
    models = shelves.models
    assert [one.name for one in models.all] == [
        "smollm2-135m-instruct",
        "Qwen/Qwen3-0.6B",
        "Qwen3-4B-Q4_K_M.gguf",
        "HuggingFaceTB/SmolLM2-1.7B",
    ]
    assert [one.name for one in models.trainable] == ["smollm2-135m-instruct", "Qwen/Qwen3-0.6B"]
    badges = [models.records.index(row, 0).data(RecordRole.BADGE) for row in range(4)]
    assert badges == ["Can be trained", "Can be trained", "Not trainable", "Not trainable"]
    assert not models.offers_demo


def test_a_model_says_what_it_is(shelves: Shelves) -> None:
    models = shelves.models
    assert figures(models) == {"Parameters": "135 M", "Size": "257\u00a0MiB", "Architecture": "Llama"}
    assert models.origin == "Made here"
    assert models.badge == "Can be trained"
    assert models.verdict == "Everything is there: you can train this model."
    assert models.next_step == ""
    models.select(models.all[1].id)
    assert (figures(models)["Parameters"], models.origin) == ("596 M", "Hugging Face cache")
    models.select(models.all[3].id)
    assert figures(models)["Parameters"] == "1.7 B"


def test_a_model_that_cannot_be_trained_says_why_and_what_to_do(shelves: Shelves) -> None:
    models = shelves.models
    models.select(models.all[3].id)
    assert "does not say how a conversation is written" in models.verdict
    assert models.next_step == "Choose the “instruct” or “chat” variant of this model."
    models.select(models.all[2].id)
    assert "as gguf it can be run, but not trained" in models.verdict
    assert "safetensors" in models.next_step
    assert figures(models)["Parameters"] == "–"
    assert figures(models)["Architecture"] == "GGUF"


def test_the_choice_survives_another_look(shelves: Shelves) -> None:
    models = shelves.models
    second = models.all[1]
    models.select(second.id)
    models.take(*models.read())
    assert models.shown == second
    models.take([one for one in models.all if one != second], True)
    assert models.shown == models.all[0]


def test_an_added_folder_is_shown(qapp: QApplication, empty: DataDir, tmp_path: Path) -> None:
    cached_model(empty.root / "hub", "Qwen/Qwen3-0.6B", 596_049_920)
    folder = write_model(tmp_path / "mine")

    async def work() -> None:
        shelves = make_shelves(empty)
        shelves.follow()
        await seen(lambda: shelves.models.is_known, "a first look")
        shelves.models.add("")  # the dialog was left
        busy = [shelves.models.is_adding]
        shelves.models.add(str(folder))
        busy.append(shelves.models.is_adding)
        assert busy == [False, True]
        await seen(lambda: shelves.models.shown and shelves.models.shown.name == "mine", "the model")
        await seen(lambda: not shelves.models.is_adding, "the end of it")
        assert shelves.models.origin == "Added folder"
        await shelves.supervisor.close()
        assert (shelves.told, shelves.failures) == ([], [])

    in_loop(qapp, work())


def test_a_folder_without_a_model_is_told(qapp: QApplication, empty: DataDir, tmp_path: Path) -> None:
    async def work() -> None:
        shelves = make_shelves(empty)
        shelves.models.add(str(tmp_path))
        await seen(lambda: not shelves.models.is_adding, "the end of it")
        assert [said.title for said in shelves.told] == ["The model is not complete"]
        assert shelves.failures == []

    in_loop(qapp, work())


def test_the_demo_model_is_fetched_and_then_no_longer_offered(qapp: QApplication, empty: DataDir) -> None:
    async def work() -> None:
        shelves = make_shelves(empty, demo=QuickDemo(empty))
        shelves.follow()
        await seen(lambda: shelves.models.offers_demo, "the offer")
        shelves.models.fetch_demo()
        shelves.models.fetch_demo()  # a double click
        assert shelves.models.fetch_progress == "Downloading about 100 MB …"
        await seen(lambda: shelves.models.shown is not None, "the model")
        assert (shelves.models.is_fetching, shelves.models.offers_demo) == (False, False)
        assert shelves.models.shown is not None
        assert shelves.models.shown.name == "smollm2-135m-instruct"
        await shelves.supervisor.close()
        assert (shelves.told, shelves.failures) == ([], [])

    in_loop(qapp, work())


def test_a_fetch_says_how_far_it_is_and_can_be_cancelled(qapp: QApplication, empty: DataDir) -> None:
    async def work() -> None:
        shelves = make_shelves(empty, demo=SlowDemo())
        models = shelves.models
        models.fetch_demo()
        await seen(lambda: models.share_fetched > 0, "progress")
        assert (models.share_fetched, models.fetch_progress) == (0.5, "Reading the weights …")
        models.cancel_fetch()
        assert models.fetch_progress == "Cancelling, once this step is over …"
        await seen(lambda: not models.is_fetching, "the end of it")
        assert (shelves.told, shelves.failures) == ([], [])

    in_loop(qapp, work())


def test_when_the_window_goes_the_fetch_gives_up(qapp: QApplication, empty: DataDir) -> None:
    async def work() -> None:
        shelves = make_shelves(empty, demo=SlowDemo())
        shelves.models.fetch_demo()
        await seen(lambda: shelves.models.share_fetched > 0, "progress")
        await shelves.supervisor.close()
        assert shelves.failures == []

    in_loop(qapp, work())  # the loop waits for its threads: it would never end


@pytest.mark.parametrize(
    ("failure", "title"),
    [
        (AcademyError(ErrorCode.DOWNLOAD_FAILED, detail="no route"), "The download did not work"),
        (PermissionError(13, "Permission denied", "/data"), "The file cannot be read"),
    ],
)
def test_a_fetch_that_fails_is_told_and_offered_again(
    qapp: QApplication, empty: DataDir, failure: Exception, title: str
) -> None:
    async def work() -> None:
        shelves = make_shelves(empty, demo=QuickDemo(empty, failure))
        shelves.read()
        shelves.models.fetch_demo()
        await seen(lambda: not shelves.models.is_fetching, "the end of it")
        assert [said.title for said in shelves.told] == [title]
        assert shelves.models.offers_demo
        assert shelves.failures == []

    in_loop(qapp, work())


def test_offline_the_core_says_so(qapp: QApplication, empty: DataDir) -> None:
    async def work() -> None:
        shelves = make_shelves(empty)  # the core's own demo model, told to stay offline
        shelves.models.fetch_demo()
        await seen(lambda: shelves.told, "a sentence")
        assert shelves.told[0].title == "Working offline"

    in_loop(qapp, work())
