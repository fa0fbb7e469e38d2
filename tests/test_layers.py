"""What import-linter cannot say: parts of one external package, and what a process really holds in memory."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "datasets", "pandas")


def _qt_modules(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.ImportFrom(module=str(module)) if module.startswith("PySide6"):
                yield module
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.startswith("PySide6"))


def test_view_models_know_qtcore_only() -> None:
    files = sorted((CHECKOUT / "academy_desktop" / "viewmodels").glob("*.py"))
    used = {module for file in files for module in _qt_modules(file)}
    assert used == {"PySide6.QtCore"}


@pytest.mark.parametrize(
    "module", ["academy_desktop.app", "academy_desktop.cli", "academy_desktop.core.workshop"]
)
def test_neither_face_loads_what_belongs_to_trainers(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    command = [sys.executable, "-P", "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert said.stdout.strip() == "[]"


def test_the_command_line_needs_no_qt() -> None:
    code = "import sys, academy_desktop.cli; print('PySide6' in sys.modules)"
    said = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_the_trainers_package_is_a_namespace_without_code() -> None:
    assert (CHECKOUT / "trainers" / "__init__.py").read_bytes() == b""
