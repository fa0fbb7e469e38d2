"""The models of this machine: made here, added by the user, and found in the Hugging Face cache.

Owns `models/` and its registry of folders elsewhere. Refuses to change anything in a folder that it does not
own.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from academy_desktop.core.models.inspection import Model, inspect, model_id, slug
from academy_desktop.core.paths import DataDir
from trainers.errors import AcademyError, ErrorCode
from trainers.files import read_regular
from trainers.layout import write_atomically
from trainers.space import disk_full, is_full

DEMO_ID = "smollm2-135m-instruct"


class Models:
    """All models that can be named."""

    def __init__(self, data: DataDir, hub_cache: Path | None = None) -> None:
        """`hub_cache`: the Hugging Face cache; by default where that library keeps it."""
        self._folder = data.models
        self._registry = data.models / "registry.json"
        self._hub = hub_cache or _hub_cache()

    @property
    def demo_path(self) -> Path:
        """Where the demo model lies once it is made."""
        return self._folder / DEMO_ID

    def list(self) -> tuple[Model, ...]:
        """Every model found; what is unreadable is left out."""
        found: dict[str, Model] = {}
        for path, identity, name, source in self._places():
            try:
                model = inspect(path, identity, name, source)
            except AcademyError:
                continue
            found.setdefault(model.id, model)
        return tuple(found.values())

    def get(self, key: str) -> Model:
        """Return a model by id, by name, or by the path of its folder.

        Raises:
            AcademyError: `model_unknown` with the nearest id; what `inspect` finds wrong.
        """
        places = list(self._places())
        for path, identity, name, source in places:
            if key in {identity, name, str(path)}:
                return inspect(path, identity, name, source)
        resolved = _existing(key)
        if resolved is not None:
            return inspect(resolved, model_id(resolved), resolved.name, "folder")
        near = difflib.get_close_matches(key, [identity for _, identity, _, _ in places], n=1)
        raise AcademyError(ErrorCode.MODEL_UNKNOWN, model=key, nearest=near[0] if near else None)

    def add(self, path: Path) -> Model:
        """Remember a folder or GGUF file elsewhere.

        Raises:
            AcademyError: as `inspect`, `disk_full`, `data_dir_not_writable`; nothing is remembered then.
        """
        try:
            resolved = path.expanduser().resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a link to itself, the home of nobody
            raise AcademyError(ErrorCode.FILE_NOT_FOUND, path=str(path)) from error
        model = inspect(resolved, model_id(resolved), resolved.name, "folder")
        known = self._registered()
        if str(resolved) not in known:
            content = json.dumps({"v": 1, "paths": [*known, str(resolved)]}, indent=1)
            try:
                write_atomically(self._registry, content.encode() + b"\n")
            except OSError as error:
                if is_full(error):
                    raise disk_full(self._folder) from error
                detail, folder = error.strerror or str(error), str(self._folder)
                raise AcademyError(ErrorCode.DATA_DIR_NOT_WRITABLE, path=folder, detail=detail) from error
        return model

    def _registered(self) -> tuple[str, ...]:
        try:
            paths = json.loads(read_regular(self._registry))["paths"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return ()
        return tuple(path for path in paths if _may_be_a_path(path)) if isinstance(paths, list) else ()

    def _places(self) -> Iterator[tuple[Path, str, str, str]]:
        """Yield (path, id, name, source) of everything that may be a model."""
        for folder in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if folder.is_dir() and not folder.name.startswith("."):
                yield folder, folder.name, folder.name, "app"
        for text in self._registered():
            path = Path(text)
            yield path, model_id(path), path.name, "folder"
        yield from self._cached()

    def _cached(self) -> Iterator[tuple[Path, str, str, str]]:
        for repository in sorted(self._hub.glob("models--*")) if self._hub.is_dir() else ():
            name = repository.name.removeprefix("models--").replace("--", "/")
            reference = repository / "refs" / "main"
            snapshots = repository / "snapshots"
            try:
                snapshot = snapshots / read_regular(reference, 4096).decode("utf-8").strip()
            except (OSError, ValueError):
                continue
            if snapshot.is_dir():
                yield snapshot, slug(name), name, "huggingface"


def _may_be_a_path(value: object) -> bool:
    """Whether the system can be asked for a path: no zero in it, and no half of a character."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        return False
    return True


def _existing(key: str) -> Path | None:
    """Return the folder or file at a path, in full; a bare word names a folder at most."""
    try:
        path = Path(key).expanduser()
        if key and (path.is_dir() or (os.sep in key and path.exists())):
            return path.resolve()
    except (OSError, RuntimeError):  # longer than the system allows; the home of nobody
        return None
    return None


def _hub_cache() -> Path:
    """Return the cache's folder by the library's own rules (huggingface_hub.constants)."""
    if explicit := os.environ.get("HF_HUB_CACHE"):
        return Path(explicit).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "huggingface" / "hub"
