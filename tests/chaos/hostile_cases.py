"""The table of hostile cases: what each damages, by name, and which readers it concerns.

Owns the cases. Files and folders of a good data directory are replaced by what they must not be; then come
lies that only a certain format can tell (`hostile_lies`).
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.chaos.hostile_good import Good
from tests.chaos.hostile_lies import LIES
from tests.chaos.hostile_mutations import DEEP, HUGE

#: Puts something else in the place of a path; gets the path and the folder outside.
Replace = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Hostility:
    """A case: what it does to the good things, undone by making them anew, and which readers it concerns."""

    do: Callable[[Good, Path], None]
    kinds: Sequence[str]

    @contextmanager
    def applied(self, good: Good, outside: Path) -> Iterator[None]:
        """Damage; the caller makes everything anew afterwards."""
        self.do(good, outside)
        yield


class _Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self._command,)


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _fifo(path: Path, _outside: Path) -> None:
    os.mkfifo(path)


def _link(target: str, path: Path, outside: Path) -> None:
    path.symlink_to(target.format(outside=outside, own=path.name))


def _folder(path: Path, _outside: Path) -> None:
    (path / "inner").mkdir(parents=True)


def _crowd(path: Path, _outside: Path) -> None:
    path.mkdir()
    for number in range(3000):
        (path / f"{number}²").touch()


def _text(content: str | bytes, path: Path, _outside: Path) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))


def _pickle(path: Path, outside: Path) -> None:
    path.write_bytes(pickle.dumps(_Payload(f"touch {outside / 'executed'}")))


def _hole(path: Path, _outside: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(40 * 1024**3)


def _missing(_path: Path, _outside: Path) -> None:
    """Nothing is there."""


FILE_REPLACEMENTS: Mapping[str, Replace] = {
    "a fifo": _fifo,
    "a link to an endless device": partial(_link, "/dev/zero"),
    "a link to a silent device": partial(_link, "/dev/tty"),
    "a link to itself": partial(_link, "{own}"),
    "a link to nothing": partial(_link, "{outside}/not there"),
    "a link to a foreign file": partial(_link, "{outside}/precious"),
    "a folder": _folder,
    "missing": _missing,
    "empty": partial(_text, b""),
    "zeros": partial(_text, bytes(4096)),
    "a pickle": _pickle,
    "a file of forty gigabytes": _hole,
    "deeply nested": partial(_text, DEEP),
    "a huge number": partial(_text, HUGE),
    "a list": partial(_text, "[1, 2, 3]\n"),
    "not text": partial(_text, bytes(range(256)) * 4),
}
FOLDER_REPLACEMENTS: Mapping[str, Replace] = {
    "a file": partial(_text, b"x"),
    "a fifo": _fifo,
    "missing": _missing,
    "a link to itself": partial(_link, "{own}"),
    "a link to a foreign folder": partial(_link, "{outside}"),
    "a link to a device": partial(_link, "/dev/null"),
    "a crowd": _crowd,
}

RUN_KINDS = ("list", "runs", "adapter", "gguf")
#: Files by their place; `{run}` and `{dataset}` are those of the good things.
FILES: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(
        [
            f"{{run}}/{name}"
            for name in (
                "recipe.yaml", "label.json", "events.jsonl", "heartbeat", "host.lock", "evaluation.json",
                "attempts/1/launch.json", "attempts/1/host.json", "attempts/1/exit.json", "log/00001.txt",
                "commands/one.json", "checkpoints/step-7/manifest.json", "checkpoints/step-7/state.json",
                "checkpoints/step-7/adapter_model.safetensors", "adapter/adapter_config.json",
                "adapter/adapter_model.safetensors", "exports/gguf-f16.gguf", "exports/gguf-f16.gguf.json",
                "exports/gguf-f16.gguf.certificate.json",
            )
        ],
        RUN_KINDS,
    ),
    "data/index.sqlite3": ("list",),
    "data/academy.json": ("list",),
    "data/settings.json": ("data directory",),
    "data/calibration.json": ("data directory",),
    "data/connections.json": ("data directory",),
    "data/models/registry.json": ("models",),
    **dict.fromkeys(
        [
            f"data/models/model/{name}"
            for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
        ],
        ("models",),
    ),
    "brought/model/model.safetensors.index.json": ("models", "weights"),
    "brought/model/model.safetensors": ("models", "weights"),
    "brought/model.gguf": ("models", "gguf"),
    "brought/recipe.yaml": ("recipe",),
    **dict.fromkeys(
        [
            f"data/datasets/{{dataset}}/{name}"
            for name in ("dataset.json", "train.jsonl", "train.idx", "eval.jsonl")
        ],
        ("datasets",),
    ),
}  # fmt: skip
FOLDERS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(
        [
            f"{{run}}{name}"
            for name in (
                "", "/attempts", "/attempts/1", "/log", "/commands", "/checkpoints", "/checkpoints/step-7",
                "/adapter", "/exports",
            )
        ],
        RUN_KINDS,
    ),
    "data/queue": ("list",),
    "data/trash": ("list",),
    "data/datasets/{dataset}": ("datasets",),
    "data/models/model": ("models",),
    "brought/model": ("models", "weights"),
}  # fmt: skip


def _place(good: Good, name: str) -> Path:
    filled = name.format(run=f"data/runs/{good.run.job}", dataset=f"{good.dataset}")
    return good.root / filled


def _replaced(name: str, replace: Replace, good: Good, outside: Path) -> None:
    path = _place(good, name)
    _gone(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, outside)


def _table() -> dict[str, Hostility]:
    cases: dict[str, Hostility] = {}
    for places, replacements in ((FILES, FILE_REPLACEMENTS), (FOLDERS, FOLDER_REPLACEMENTS)):
        for name, kinds in places.items():
            for what, replace in replacements.items():
                if replace is _hole and name.endswith(".jsonl") and "dataset" in name:
                    continue  # rows may be as many; what reads them all can be cancelled
                title = f"{name.format(run='run', dataset='dataset')} is {what}"
                cases[title] = Hostility(partial(_replaced, name, replace), kinds)
    for title, (lie, kinds) in LIES.items():
        cases[title] = Hostility(lie, kinds)
    return cases


CASES: Mapping[str, Hostility] = _table()
