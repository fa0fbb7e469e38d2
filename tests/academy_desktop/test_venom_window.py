"""From the assembled window to a Venom server and back: nothing is made up but the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from academy_desktop.app import Desk
from academy_desktop.core.paths import DataDir
from academy_desktop.views.question import Question
from academy_desktop.views.venom import VenomPage
from tests.academy_desktop.test_rooms import in_window, page_shown
from tests.academy_desktop.viewmodels.making import QT_SAYS, seen
from tests.pictures.venom import HeldState, connect, serving
from tests.venom_server.server import VenomServer
from trainers.layout import Label, Launch, RunDir, write_record

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

BASE = "gemma3:4b"
#: What this server calls the model of two layers.
TINY = "tiny:latest"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[VenomServer, HeldState]]:
    with serving(tmp_path / "venom") as (server, state):
        state.ollama.append(TINY)
        yield server, state


@pytest.fixture
def learned(tmp_path: Path) -> tuple[DataDir, RunDir]:
    """A data directory with one run of a model of two layers that was really trained."""
    from tests.trainers.tiny_model import Tiny, teach_run, write_dataset, write_model  # brings torch

    data = DataDir(tmp_path / "data").open()
    tiny = Tiny(write_model(tmp_path / "model"), write_dataset(tmp_path / "rows"))
    run = teach_run(data.run("20261124-064744-3f9a1c").path, tiny)
    launch = Launch(job=run.job, attempt=1, argv=(), cwd="", environment={}, queue_dir=None, queue_entry=None)
    write_record(run.attempt(1).launch, launch)
    write_record(run.label, Label(name="Capitals"))
    return data, run


async def choose_model(desk: Desk, job: str) -> VenomPage:
    """Go to the page with a run, and say what its base model is called there."""
    desk.go("venom", job)
    assert page_shown(desk) == ["Venom"]
    page = desk.window.show_page("venom")
    assert isinstance(page, VenomPage)
    form = page.send.form
    await seen(lambda: form.model.isVisible(), "the question for the model")
    assert not form.send.isEnabled()
    form.model.setCurrentIndex(form.model.findData(TINY))
    form.model.chosen.emit(TINY)
    await seen(form.send.isEnabled, "a plan")
    return page


def test_a_trained_adapter_reaches_the_chat_and_leaves_it_again(
    qapp: QApplication, learned: tuple[DataDir, RunDir], server: tuple[VenomServer, HeldState]
) -> None:
    """The user is sent to the page with the run, names the model, sends, and goes back."""
    (data, run), (venom, state) = learned, server
    connect(data, venom)
    verified: list[str] = []

    async def act(desk: Desk) -> None:
        assert desk.rooms is not None
        page = await choose_model(desk, run.job)
        form, course, push = page.send.form, page.send.course, desk.rooms.venom_push
        QTest.keyClick(form.send, Qt.Key.Key_Return)
        await seen(lambda: push.outcome, "the end of the push")
        assert push.outcome is not None
        assert push.outcome.title == "Active and verified"
        verified.append(state.model)
        await seen(course.back.isEnabled, "the way back")
        QTest.keyClick(course.back, Qt.Key.Key_Return)
        (question,) = page.findChildren(Question)
        QTest.keyClick(question.yes, Qt.Key.Key_Return)
        await seen(lambda: desk.rooms and desk.rooms.venom_servers.news, "the way back")

    in_window(qapp, data, act)
    (model,) = verified
    assert model.startswith("venom-adapter-")
    folder = state.models_dir / model.removeprefix("venom-adapter-") / "adapter"
    from tests.trainers.exporting.making import Gguf

    assert Gguf.read(folder / "Adapter-F16-LoRA.gguf").value("adapter.type") == "lora"
    weights = "adapter_model.safetensors"
    assert (folder / weights).read_bytes() == (run.adapter / weights).read_bytes()
    assert (state.model, state.active) == (BASE, None)


def test_closing_while_an_adapter_is_sent_asks_first(
    qapp: QApplication, learned: tuple[DataDir, RunDir], server: tuple[VenomServer, HeldState]
) -> None:
    (data, run), (venom, state) = learned, server
    connect(data, venom)
    state.gate.clear()

    async def act(desk: Desk) -> None:
        assert desk.rooms is not None
        assert not desk.rooms.is_sending
        page = await choose_model(desk, run.job)
        QTest.keyClick(page.send.form.send, Qt.Key.Key_Return)
        push = desk.rooms.venom_push
        await seen(
            lambda: [line for line in push.steps if line.name == "activate" and line.state == "running"]
        )
        desk.window.close()
        (question,) = desk.window.findChildren(Question)
        assert "sent to Venom" in question.accessibleName()
        QTest.keyClick(question.no, Qt.Key.Key_Return)
        assert desk.window.isVisible()
        state.gate.set()
        await seen(lambda: push.outcome and not desk.runs.going, "the end of the push and of its export")
        desk.window.close()
        assert not desk.window.isVisible()

    in_window(qapp, data, act)
    assert state.model.startswith("venom-adapter-")
