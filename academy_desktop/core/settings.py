"""What the user chose, in `<data>/settings.json`: no secrets, nothing that cannot be chosen again.

Owns the choices and their file. Refuses to know who acts on them. A key that this version does not know stays
as it is; a value that it cannot use counts as not chosen; a file that cannot be read is set aside.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainers.errors import AcademyError, ErrorCode
from trainers.files import read_regular
from trainers.layout import write_atomically
from trainers.space import disk_full, is_full

Theme = Literal["system", "light", "dark"]
OnClose = Literal["ask", "keep", "stop"]

_log = logging.getLogger(__name__)


class Settings(BaseModel):
    """All choices; each has a default that suits most people."""

    model_config = ConfigDict(frozen=True, extra="allow")
    v: Literal[1] = 1
    theme: Theme = Field("system", description="Light, dark, or as the system is.")
    on_close: OnClose = Field("ask", description="What becomes of runs in progress when the window closes.")
    window: str = Field("", max_length=1000, description="Where the window stood, as its toolkit says it.")
    preset: str = Field("balanced", min_length=1, max_length=100, description="What a first run starts from.")


class SettingsFile:
    """The file; one process at a time has the window open, and it alone writes here."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._set_aside: Path | None = None

    @property
    def set_aside(self) -> Path | None:
        """Where a file went that could not be read, if there was one."""
        return self._set_aside

    def load(self) -> Settings:
        """Read what was chosen; never fails: without a usable file everything is at its default."""
        try:
            raw = json.loads(read_regular(self._path))
            if not isinstance(raw, dict):
                raise ValueError("the file holds no record")
        except FileNotFoundError:
            return Settings()
        except (OSError, ValueError, RecursionError) as error:
            self._move_aside(error)
            return Settings()
        return _usable(raw)

    def save(self, settings: Settings) -> None:
        """Write all choices; the file is whole at every moment.

        Raises:
            AcademyError: `disk_full`, `data_dir_not_writable`.
        """
        content = json.dumps(settings.model_dump(), indent=1).encode() + b"\n"
        try:
            with self._guard:
                write_atomically(self._path, content)
        except OSError as error:
            folder = self._path.parent
            if is_full(error):
                raise disk_full(folder) from error
            detail = error.strerror or str(error)
            raise AcademyError(ErrorCode.DATA_DIR_NOT_WRITABLE, path=str(folder), detail=detail) from error

    def _move_aside(self, why: Exception) -> None:
        """Keep what could not be read: somebody may have written it by hand."""
        aside = self._path.with_name(f"{self._path.stem}.damaged{self._path.suffix}")
        _log.warning("%s cannot be read: %s", self._path, why)
        try:
            self._path.replace(aside)
        except OSError as error:
            _log.warning("%s cannot be set aside: %s", self._path, error)
            return
        self._set_aside = aside


def _usable(raw: Mapping[str, Any]) -> Settings:
    """The settings without the values that this version cannot use."""
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        refused = {str(detail["loc"][0]) for detail in error.errors()}
        return Settings.model_validate({key: value for key, value in raw.items() if key not in refused})
