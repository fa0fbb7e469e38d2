"""Lies in the words of one format: headers, keys, numbers and names that are well formed and not true.

Owns the lies, by name, with the readers that they concern. Refuses to know how they are read.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.chaos import hostile_words as words
from tests.chaos.hostile_good import Good, write_checkpoint
from trainers.digest import sha256_of_file

Lie = Callable[[Good, Path], None]
Told = tuple[Lie, Sequence[str]]

RUN_KINDS = ("list", "runs")


def _tables() -> Iterator[tuple[str, Told]]:
    for name in ("²", "٣", "99999999999999999999", "-1", "1 ", "1.5", "a" * 255, "\u202e1"):
        yield f"an attempt called {name[:24]!r}", (partial(_launched, name), RUN_KINDS)
        yield f"a log segment called {name[:24]!r}", (partial(_touched, f"log/{name[:200]}.txt"), RUN_KINDS)
        yield f"a checkpoint called {name[:24]!r}", (partial(_checkpoint, f"step-{name[:200]}"), RUN_KINDS)
        yield f"a queue entry of {name[:24]!r}", (partial(_queued, name), ("list",))
    for title, payload in words.EVENTS.items():
        yield f"an event with {title}", (partial(_event, payload), RUN_KINDS)
    for title, name in words.ESCAPES.items():
        yield f"a manifest that names {title}", (partial(_manifest, name), RUN_KINDS)
        yield f"a recipe whose model is {title}", (partial(_recipe_path, name), ("recipe",))
        yield f"an index of weights that names {title}", (partial(_weight_map, name), ("models", "weights"))
        yield f"a registry that names {title}", (partial(_registry, name), ("models",))
    for title, text in words.YAML.items():
        yield f"a recipe with {title}", (partial(_recipe_text, text), ("recipe",))
        yield f"a run's recipe with {title}", (partial(_run_recipe_text, text), RUN_KINDS)
    for title, header in words.SAFETENSORS.items():
        yield f"weights with {title}", (partial(_weights, header), ("models", "weights"))
        yield f"an adapter with {title}", (partial(_adapter_weights, header), ("adapter", "runs"))
    for title, gguf in words.GGUF.items():
        yield f"a GGUF file with {title}", (partial(_gguf, gguf), ("models", "gguf"))
    for title, template in words.TEMPLATES.items():
        yield f"a chat template with {title}", (partial(_template, template), ("models",))
    for title, script in words.SQL.items():
        yield f"an index with {title}", (partial(_index, script), ("list",))
    yield "an index that somebody has locked", (_locked_index, ("list",))
    yield "an index with a journal that is none", (_journal, ("list",))
    for title, command in words.COMMANDS.items():
        yield f"a command with {title}", (partial(_command, command), RUN_KINDS)


def _launched(name: str, good: Good, _outside: Path) -> None:
    folder = good.run.attempts / name
    folder.mkdir()
    shutil.copy(good.run.attempt(1).launch, folder / "launch.json")


def _touched(name: str, good: Good, _outside: Path) -> None:
    (good.run.path / name).write_text("said\n")


def _queued(name: str, good: Good, _outside: Path) -> None:
    queue = good.data / "queue" / "cpu"
    queue.mkdir(exist_ok=True)
    (queue / f"{name:0>12}"[:200]).touch()
    (queue / f"{'²' * 12}-{name[:100]}").touch()


def _checkpoint(name: str, good: Good, _outside: Path) -> None:
    write_checkpoint(good.run.checkpoints, 9)
    (good.run.checkpoints / "step-9").rename(good.run.checkpoints / name)


def _event(line: str, good: Good, _outside: Path) -> None:
    with good.run.events.open("ab") as stream:
        stream.write(line.encode() + b"\n")


def _manifest(name: str, good: Good, outside: Path) -> None:
    path = good.run.checkpoints / "step-7" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    precious = outside / "precious"
    manifest["files"] = [
        {"name": name, "size_bytes": precious.stat().st_size, "sha256": sha256_of_file(precious)}
    ] * 50
    path.write_text(json.dumps(manifest))


def _recipe_path(name: str, good: Good, _outside: Path) -> None:
    path = good.brought / "recipe.yaml"
    path.write_text(path.read_text().replace("/nowhere/model", json.dumps(name)))


def _weight_map(name: str, good: Good, _outside: Path) -> None:
    index = {"weight_map": {"model.norm.weight": name, "model.embed_tokens.weight": name}}
    (good.brought / "model" / "model.safetensors.index.json").write_text(json.dumps(index))


def _registry(name: str, good: Good, _outside: Path) -> None:
    (good.data / "models" / "registry.json").write_text(json.dumps({"v": 1, "paths": [name]}))


def _recipe_text(text: str, good: Good, outside: Path) -> None:
    path = good.brought / "recipe.yaml"
    filled = text.replace("{canary}", str(outside / "executed"))
    path.write_text(filled + ("" if text.startswith("!!") else path.read_text()))


def _run_recipe_text(text: str, good: Good, outside: Path) -> None:
    good.run.recipe.write_text(text.replace("{canary}", str(outside / "executed")))


def _weights(content: bytes, good: Good, _outside: Path) -> None:
    (good.brought / "model" / "model.safetensors").write_bytes(content)


def _adapter_weights(content: bytes, good: Good, _outside: Path) -> None:
    (good.run.adapter / "adapter_model.safetensors").write_bytes(content)


def _gguf(content: bytes, good: Good, _outside: Path) -> None:
    (good.brought / "model.gguf").write_bytes(content)


def _template(text: str, good: Good, outside: Path) -> None:
    folder = good.data / "models" / "model"
    (folder / "chat_template.jinja").write_text(text.replace("{canary}", str(outside / "executed")))


def _index(script: str, good: Good, _outside: Path) -> None:
    path = _no_index(good)
    database = sqlite3.connect(path)
    if "user_version" not in script:
        database.execute("PRAGMA user_version = 1")
    database.executescript(script)
    database.commit()
    database.close()


def _locked_index(good: Good, _outside: Path) -> None:
    """Held by this process until everything is made anew; others have to do without it."""
    database = sqlite3.connect(good.data / "index.sqlite3")
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("BEGIN EXCLUSIVE")
    good.held.append(database)


def _journal(good: Good, _outside: Path) -> None:
    for suffix in ("-wal", "-shm", "-journal"):
        (good.data / f"index.sqlite3{suffix}").write_bytes(bytes(range(256)) * 64)


def _no_index(good: Good) -> Path:
    for suffix in ("", "-wal", "-shm"):
        (good.data / f"index.sqlite3{suffix}").unlink(missing_ok=True)
    return good.data / "index.sqlite3"


def _command(content: str, good: Good, _outside: Path) -> None:
    (good.run.commands / "20261125-120000-aaaaaa.json").write_text(content)


LIES: Mapping[str, Told] = dict(_tables())
