"""A secret goes through pushes that fail in all ways, and is looked for afterwards wherever it must not be.

Looked through: every file below the trial's folder, every log line of every library, every traceback, and the
arguments and environment of every child.
"""

from __future__ import annotations

import base64
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keyring
from keyring.backend import KeyringBackend

from tests.academy_desktop.core.venom.far import Far, far_away
from tests.academy_desktop.core.venom.making import NAME, make_finished_run
from tests.chaos.trials import Case, Trial
from tests.chaos.venom import a_server
from trainers.errors import AcademyError


class _Ring(KeyringBackend):
    """A keyring in memory."""

    priority = 1.0

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.kept.pop(username, None)


class _Lines(logging.Handler):
    """Everything that anybody logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))


def canaries(root: Path) -> Trial:
    """Prepare the row; passwords and passphrases take turns."""
    children: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"}:
            children.append(repr(arguments))

    sys.addaudithook(watch)

    def trial(case: Case) -> str | None:
        canary = f"canary-{case.random.getrandbits(96):024x}"
        by_password = case.number % 2 == 0
        folder = root / str(case.number)
        with _listening() as lines, _ring() as ring, a_server(folder) as bench:
            with far_away(bench, folder, None if by_password else canary) as far:
                said = _through_everything(far, canary, ring, by_password=by_password)
            if said is not None:
                return said
            found = _found(canary, folder, [*lines.said, *children])
        return f"{canary} stands in {found}" if found else None

    return trial


def _through_everything(far: Far, canary: str, ring: _Ring, *, by_password: bool) -> str | None:
    """A wrong secret, a stranger's host, a cut, and a push that works; returns what did not work."""
    route = far.route
    if by_password:
        far.ssh.rights.keys, far.ssh.rights.password = [], canary
        route = route.model_copy(update={"login": "password", "key_file": None})
    far.connect(route)
    venom, run = far.bench.venom, make_finished_run(far.bench.data)
    trials: list[Callable[[], object]] = [
        lambda: venom.secrets.hold(route, canary + "-wrong"),
        lambda: far.bench.push(run),
        lambda: venom.secrets.keep(route, canary),
        lambda: venom.connections.trust(NAME, _another_key()),
        lambda: far.bench.push(run),
        lambda: venom.connections.trust(NAME, route.host_key),
        lambda: far.wire.arm("reset", 6_000),
        lambda: far.bench.push(run),
        lambda: far.bench.push(run),
        lambda: venom.rollback(NAME),
    ]
    told = []
    for attempt in trials:
        try:
            attempt()
        except AcademyError:
            told.append(traceback.format_exc())
    if canary not in ring.kept.values():
        return "the keyring was not given the secret"
    if far.bench.last is None or not far.bench.last.verified:
        return "the push that should work did not"
    in_words = [one for one in told if canary in one]
    return f"a traceback tells it: {in_words[0]}" if in_words else None


def _another_key() -> str:
    import asyncssh

    return asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()


def _found(canary: str, folder: Path, words: list[str]) -> str:
    """Where the secret stands, plain or in base64; empty where it does not."""
    shapes = [canary.encode(), base64.b64encode(canary.encode()).rstrip(b"=")[:-2]]
    for path in (one for one in folder.rglob("*") if one.is_file()):
        content = path.read_bytes()
        if any(shape in content for shape in shapes):
            return str(path.relative_to(folder))
    return next(("a log or a child: " + word[:200] for word in words if canary in word), "")


@contextmanager
def _listening() -> Iterator[_Lines]:
    lines, top = _Lines(), logging.getLogger()
    before = top.level
    top.addHandler(lines)
    top.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        top.removeHandler(lines)
        top.setLevel(before)


@contextmanager
def _ring() -> Iterator[_Ring]:
    before, made = keyring.get_keyring(), _Ring()
    keyring.set_keyring(made)
    try:
        yield made
    finally:
        keyring.set_keyring(before)
