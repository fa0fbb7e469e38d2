"""Commits of a Git repository as rows: the change asks, the message answers.

`git` runs as a child that reads only: no hook, no pager, no helper of the repository's own configuration, no
network. Owns asking it and parting what it says. Refuses to know what becomes of the rows.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from trainers.errors import AcademyError, ErrorCode

#: What the row asks; the change follows.
QUESTION = "Write the commit message for this change."

_READ_BYTES = 1 << 16
#: What a repository's own configuration could make git run, and what keeps it from that.
_HARMLESS = (
    "core.fsmonitor=false", "core.hooksPath=/dev/null", "core.pager=cat", "core.sshCommand=false",
    "core.gitProxy=false", "core.askPass=false", "credential.helper=", "diff.external=", "gpg.program=false",
    "log.showSignature=false", "protocol.allow=never", "log.mailmap=false", "core.attributesFile=/dev/null",
)  # fmt: skip
_VARIABLES = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_ATTR_NOSYSTEM": "1",
    "LC_ALL": "C.UTF-8",
}


@dataclass(frozen=True)
class Limits:
    """How many commits are read, the newest first, and up to which size of a change, in bytes."""

    commits: int = 500
    diff_bytes: int = 20_000


@dataclass(frozen=True)
class Commit:
    """One commit: its hash, its message, and its change as far as the limit lets see."""

    hash: str
    message: str
    diff: str
    is_cut: bool

    def row(self) -> dict[str, str]:
        """The row that learns the message from the change."""
        return {"prompt": f"{QUESTION}\n\n{self.diff}", "completion": self.message, "commit": self.hash}


def read_commits(
    repository: Path, limits: Limits, watch: Callable[[], None] = lambda: None
) -> Iterator[Commit]:
    """Yield commits that are no merges and change text, the newest first; `watch` is called now and then.

    Raises:
        AcademyError: `file_not_found`; `file_unreadable` where git is missing or the folder is no repository.
    """
    if not repository.is_dir():
        raise AcademyError(ErrorCode.FILE_NOT_FOUND, path=str(repository))
    # A message cannot hold a mark that nobody knows before.
    mark = secrets.token_hex(16)
    with _git(repository, mark, limits.commits) as (output, finish):
        for block in _blocks(output, f"\x01{mark}\n".encode(), limits.diff_bytes + (1 << 16), watch):
            commit = _parsed(block, mark, limits.diff_bytes)
            if commit is not None:
                yield commit
        finish()


@contextmanager
def _git(repository: Path, mark: str, commits: int) -> Iterator[tuple[IO[bytes], Callable[[], None]]]:
    program = shutil.which("git")
    if program is None:
        raise AcademyError(ErrorCode.FILE_UNREADABLE, path=str(repository), detail="git is not installed")
    settings = [part for setting in _HARMLESS for part in ("-c", setting)]
    command = [
        program, "--no-pager", *settings, "-C", str(repository), "log", "--no-merges", "--no-ext-diff",
        "--no-textconv", "--no-show-signature", "--no-color", "--no-notes", "--no-mailmap",
        "--ignore-submodules=all", "--submodule=short", "-p", f"--max-count={commits}",
        f"--format=%x01{mark}%n%H%n%B%x01{mark}-", "HEAD", "--",
    ]  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**kept, **_VARIABLES},
    )

    def finish() -> None:
        said = child.stderr.read(4096).decode("utf-8", "replace") if child.stderr else ""
        if child.wait() != 0:
            detail = (said.strip().splitlines() or [f"git ended with {child.returncode}"])[0]
            raise AcademyError(ErrorCode.FILE_UNREADABLE, path=str(repository), detail=detail)

    with child:
        try:
            if child.stdout is None:
                raise ValueError("the child has no output")
            yield child.stdout, finish
        finally:
            child.kill()


def _blocks(output: IO[bytes], mark: bytes, most: int, watch: Callable[[], None]) -> Iterator[bytes]:
    """What stands between marks, each as far as `most` bytes."""
    held = bytearray()
    is_first = True
    while chunk := output.read(_READ_BYTES):
        watch()
        held += chunk
        while (end := held.find(mark)) >= 0:
            if not is_first:
                yield bytes(held[:end])
            is_first = False
            del held[: end + len(mark)]
        if len(held) > most + len(mark):  # a mark may lie across two chunks: keep what could be its beginning
            del held[most : -len(mark)]
    if not is_first:
        yield bytes(held)


def _parsed(block: bytes, mark: str, most: int) -> Commit | None:
    """Read a commit; None where it says or changes nothing that can be read."""
    head, parted, diff = block.partition(f"\x01{mark}-".encode())
    name, _, message = head.decode("utf-8", "replace").partition("\n")
    diff = diff.strip(b"\n")
    if not parted or not message.strip() or not diff or b"\x00" in diff:
        return None
    shown = diff[:most]
    return Commit(name, message.strip(), shown.decode("utf-8", "replace"), len(diff) > most)
