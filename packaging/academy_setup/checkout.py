"""Where everything lies in a checkout, and what its pyproject.toml pins.

Owns paths and the reading of pins. Refuses to know how anything is installed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Checkout:
    """One clone of the repository, with its `.venv`."""

    root: Path

    @property
    def venv(self) -> Path:
        """The environment; everything that the set-up makes, the compiled wheel aside, lies in it."""
        return self.root / ".venv"

    @property
    def state(self) -> Path:
        """Stamps, logs and the set-up's lock. Made first: it also tells that `.venv` is ours."""
        return self.venv / "academy-setup"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.script("python")

    def script(self, name: str) -> Path:
        """A command of the environment, by its name without `.exe`."""
        if sys.platform == "win32":
            return self.venv / "Scripts" / f"{name}.exe"
        return self.venv / "bin" / name

    def site_packages(self, version: str) -> Path:
        """Where the packages of an environment with Python `version` ("3.11.7") lie."""
        if sys.platform == "win32":
            return self.venv / "Lib" / "site-packages"
        return self.venv / "lib" / f"python{short(version)}" / "site-packages"

    def lock(self, name: str) -> Path:
        """The lock file `name`: base, test, llama, llama-build or converter."""
        return self.root / "packaging" / "locks" / f"{name}.txt"

    def requirements(self) -> dict[str, list[str]]:
        """The requirements of pyproject.toml: those of the project under "", the extras under their names."""
        project = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras: dict[str, list[str]] = project["optional-dependencies"]
        return {"": project["dependencies"], **extras}

    def pinned(self, name: str) -> str:
        """The version that pyproject.toml pins `name` to; KeyError where it pins none."""
        for requirement in (line for lines in self.requirements().values() for line in lines):
            match = re.match(r"([A-Za-z0-9._-]+)==([^\s;,]+)", requirement)
            if match and normalized(match[1]) == normalized(name):
                return match[2]
        raise KeyError(name)


def normalized(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def short(version: str) -> str:
    """The language version of a Python, "3.11" of "3.11.7"."""
    return ".".join(version.split(".")[:2])
