"""A checkout to try the set-up in: a pyproject and locks of its own, and no network."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from academy_setup.checkout import Checkout
from academy_setup.voice import Voice

PYPROJECT = """\
[project]
name = "thing"
version = "1"
dependencies = ["httpx==0.28.1", "torch==2.13.0", "rich>=14"]

[project.optional-dependencies]
gpu = ["unsloth>=2026.10.7"]
llama = ["llama-cpp-python==0.3.36"]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """An empty checkout without `.venv`."""
    made = Checkout(tmp_path / "a clone")
    (made.root / "packaging" / "locks").mkdir(parents=True)
    (made.root / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    return made


@pytest.fixture
def spoken() -> io.StringIO:
    """What the voice said."""
    return io.StringIO()


@pytest.fixture
def voice(spoken: io.StringIO) -> Voice:
    """A voice that speaks into `spoken`."""
    return Voice(spoken)
