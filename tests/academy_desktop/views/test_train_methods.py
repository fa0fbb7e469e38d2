"""Every method from the Train page to its end: real rows, a real model, a real child process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton

from academy_desktop.core.history import EventTail
from academy_desktop.core.paths import DataDir
from academy_desktop.core.states import JobState
from academy_desktop.core.workshop import Workshop, open_workshop
from academy_desktop.viewmodels.train_sources import Sources
from tests.academy_desktop.viewmodels.making import QT_SAYS, in_loop, seen
from tests.pictures.train import Room
from trainers.events import Evaluated
from trainers.recipe_file import read_train_recipe

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

CITIES = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Greece": "Athens", "Norway": "Oslo",
    "Japan": "Tokyo", "Egypt": "Cairo", "Peru": "Lima", "Cuba": "Havana", "Kenya": "Nairobi",
}  # fmt: skip
ASKED = ("Capital of {}?", "The capital of {}?")
METHODS = ("sft", "pretrain", "dpo", "orpo", "kto")


def rows(method: str, asked: str) -> Sequence[Mapping[str, object]]:
    """Rows of the kind that a method learns from, all of them asking so."""
    made: list[dict[str, Any]] = []
    for number, (country, city) in enumerate(CITIES.items()):
        question, good, bad = asked.format(country), f"{city}, of course!", f"{city}."
        match method:
            case "sft":
                made.append({"question": question, "answer": good})
            case "pretrain":
                made.append({"text": f"{question} {good} " * 9})
            case "kto":
                made.append(
                    {"prompt": question, "completion": bad if number % 2 else good, "label": number % 2 == 0}
                )
            case _:
                made.append({"prompt": question, "chosen": good, "rejected": bad})
    return made


def shop_of(data: DataDir, method: str, model: Path) -> Workshop:
    """All that the program has, over rows of a method's kind and a model of two layers."""
    shop = open_workshop(data.root, offline=True)
    files = []
    for name, asked in zip(("train", "held-out"), ASKED, strict=True):
        path = data.tmp / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows(method, asked)), "utf-8")
        files.append(path)
    shop.datasets.import_files(files[:1], "Capitals", eval_files=files[1:])
    shutil.copytree(model, data.models / "tiny")
    return shop


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.trainers.tiny_model import write_model  # brings torch

    return write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_learned_from_the_page_to_the_end(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, method: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-cache"))
    data = DataDir(tmp_path / "data").open()
    shop = shop_of(data, method, model)
    room = Room(qapp, data, sources=Sources(shop.datasets, shop.models, shop.recipes, shop.jobs))
    started: list[str] = []
    room.train.started.connect(started.append)

    async def start() -> None:
        room.start()
        page = room.train_page
        room.window.show()
        await seen(lambda: room.train.state == "ready", "the form")
        if method == "orpo":
            press(page.what.method.findChildren(QPushButton), "ORPO")
        values = {"training.learning_rate": "0.002", "training.num_epochs": "5", "hardware.threads": "1"}
        for path, value in values.items():
            editor = page.editors[path].editor
            assert isinstance(editor, QLineEdit)
            editor.selectAll()
            QTest.keyClicks(editor, value)
        await seen(lambda: not room.train.advice.is_busy, "the advice")
        assert room.train.form.problems == {}
        QTest.keyClick(page.footer.start, Qt.Key.Key_Return)
        await seen(lambda: started, "the job")
        await room.supervisor.close()

    try:
        in_loop(qapp, start())
    finally:
        room.window.close()
        room.window.deleteLater()
        room.look.deleteLater()
    assert room.failures == []
    assert shop.jobs.wait(started[0]).state is JobState.SUCCEEDED
    run = data.run(started[0])
    assert read_train_recipe(run.path).method == method
    found = [
        one.payload.loss for one in EventTail(run.events).read_new() if isinstance(one.payload, Evaluated)
    ]
    assert len(found) >= 2
    assert found[-1] < found[0]


def press(buttons: Sequence[QPushButton], word: str) -> None:
    """Press the button with a word on it."""
    (found,) = [one for one in buttons if word in one.text()]
    found.click()
