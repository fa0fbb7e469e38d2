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
from academy_desktop.core.venom.ssh_route import fingerprint
from academy_desktop.views.connection_dialog import ConnectionDialog
from academy_desktop.views.question import Question
from academy_desktop.views.venom import VenomPage
from tests.academy_desktop.core.venom.far import LAN
from tests.academy_desktop.core.venom.making import make_finished_run
from tests.academy_desktop.test_rooms import in_window, page_shown
from tests.academy_desktop.viewmodels import making
from tests.academy_desktop.viewmodels.making import QT_SAYS, seen
from tests.academy_desktop.views.making import texts
from tests.pictures.venom import HeldState, connect, serving, type_in
from tests.venom_server.relay import STRANGER, Relay
from tests.venom_server.server import VenomServer
from tests.venom_server.ssh import Rights, SshServer, write_key
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


async def add_over_ssh(desk: Desk, url: str, ssh: SshServer, key: Path) -> None:
    """As a user would: type the address, take the way that is offered, log in, trust the computer, save."""
    page = desk.window.show_page("venom")
    assert isinstance(page, VenomPage)
    page.open_new()
    (dialog,) = page.findChildren(ConnectionDialog)
    type_in(dialog.url, url)
    await seen(lambda: "computer only" in texts(dialog.found), "what the server says")
    await seen(dialog.ssh.isVisible, "the way that is offered")
    type_in(dialog.ssh.login, "ada@127.0.0.1")
    type_in(dialog.ssh.port, str(ssh.port))
    dialog.ssh.by.chosen.emit("key")
    type_in(dialog.ssh.key, str(key))
    QTest.keyClick(dialog.save, Qt.Key.Key_Return)
    await seen(dialog.found.trust.isVisible, "the host's key")
    assert fingerprint(ssh.public_key) in texts(dialog.found).replace("\u200b", "")
    QTest.keyClick(dialog.found.trust, Qt.Key.Key_Return)
    await seen(lambda: "takes changes from here" in texts(dialog.found), "a look over SSH")
    QTest.keyClick(dialog.save, Qt.Key.Key_Return)
    await seen(lambda: page.head.title.text(), "the connection")


def test_a_trained_adapter_reaches_a_chat_elsewhere_over_ssh_and_leaves_it_again(
    qapp: QApplication,
    learned: tuple[DataDir, RunDir],
    server: tuple[VenomServer, HeldState],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server takes the app for a stranger; one click sends, and one takes it back."""
    # export and certificate are made for real, each in a process that brings torch
    monkeypatch.setattr(making, "DEADLINE_S", 300.0)
    (data, run), (venom, state) = learned, server
    verified: list[str] = []
    key = tmp_path / "id_ed25519"

    async def act(desk: Desk) -> None:
        assert desk.rooms is not None
        await add_over_ssh(desk, f"http://{LAN}:{venom.port}", ssh, key)
        page = await choose_model(desk, run.job)
        form, course, push = page.send.form, page.send.course, desk.rooms.venom_push
        QTest.keyClick(form.send, Qt.Key.Key_Return)
        await seen(lambda: push.outcome, "the end of the push")
        assert push.outcome is not None
        assert push.outcome.title == "Active and verified", push.outcome
        assert {line.state for line in push.steps} == {"done"}
        verified.append(state.model)
        await seen(course.back.isEnabled, "the way back")
        QTest.keyClick(course.back, Qt.Key.Key_Return)
        (question,) = page.findChildren(Question)
        QTest.keyClick(question.yes, Qt.Key.Key_Return)
        await seen(lambda: desk.rooms and desk.rooms.venom_servers.news, "the way back")

    with (
        Relay(("127.0.0.1", venom.port), (LAN, venom.port), STRANGER),
        SshServer(Rights([write_key(key)])) as ssh,
    ):
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
    qapp: QApplication, server: tuple[VenomServer, HeldState], tmp_path: Path
) -> None:
    venom, state = server
    data = DataDir(tmp_path / "data").open()
    run = make_finished_run(data)
    connect(data, venom)
    state.gate.clear()

    async def act(desk: Desk) -> None:
        assert desk.rooms is not None
        assert not desk.rooms.is_sending
        desk.go("venom", run.job)
        page = desk.window.show_page("venom")
        assert isinstance(page, VenomPage)
        await seen(page.send.form.send.isEnabled, "a plan")
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
        await seen(lambda: push.outcome and not desk.runs.going, "the end of the push")
        desk.window.close()
        assert not desk.window.isVisible()

    in_window(qapp, data, act)
    assert state.model.startswith("venom-adapter-")


def test_what_venom_has_learned_is_ready_to_import_after_one_click(
    qapp: QApplication, server: tuple[VenomServer, HeldState], tmp_path: Path
) -> None:
    venom, state = server
    lesson = {
        "situation": "A guest asks for the key.",
        "action": "Say where it hangs.",
        "result": "✅ sukces",
    }
    state.lessons += [lesson | {"lesson_id": str(number), "tags": []} for number in range(12)]
    data = DataDir(tmp_path / "data").open()
    connect(data, venom)

    async def act(desk: Desk) -> None:
        assert desk.rooms is not None
        page = desk.window.show_page("venom")
        assert isinstance(page, VenomPage)
        await seen(page.lessons.begin.isVisible, "the lessons")
        assert "12 lessons" in texts(page.lessons)
        QTest.keyClick(page.lessons.begin, Qt.Key.Key_Return)
        await seen(lambda: page_shown(desk) == ["Datasets"], "the page of datasets")
        importing = desk.rooms.datasets.importing
        await seen(lambda: importing.name == "Lessons of home", "the form to import them")

    in_window(qapp, data, act)
