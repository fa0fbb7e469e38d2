from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.cli import main


@dataclass(frozen=True)
class Said:
    """What one run of `academy` printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        found: dict[str, Any] = json.loads(lines[0])
        return found


Academy = Callable[..., Said]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model of two layers."""
    from tests.trainers.tiny_model import write_model  # brings torch, which most tests here do without

    return write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def academy(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Academy:
    """Runs `academy` over a data directory of the test's own."""
    for name in ("ACADEMY_DATA_DIR", "ACADEMY_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-cache"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> Said:
        words: Sequence[str] = [str(argument) for argument in arguments]
        code = main(["--data-dir", str(tmp_path / "data"), *words])
        printed = capsys.readouterr()
        return Said(code, printed.out, printed.err)

    return run


@pytest.fixture
def rows_file(tmp_path: Path) -> Path:
    """Twelve good rows in Alpaca form, one without an answer, one repeated."""
    rows = [{"instruction": f"Capital of {name}?", "output": f"{name} City"} for name in "ABCDEFGHIJKL"]
    rows += [{"instruction": "And of M?", "output": ""}, rows[0]]
    path = tmp_path / "capitals.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path
