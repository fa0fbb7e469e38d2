from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from academy_desktop.core.datasets.commits import QUESTION, Commit, Limits, read_commits
from trainers.errors import AcademyError, ErrorCode

WHO = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org",
}  # fmt: skip


def git(repository: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(repository), *words], check=True, env=WHO, capture_output=True)


def commit(repository: Path, name: str, content: bytes, message: str) -> None:
    (repository / name).write_bytes(content)
    git(repository, "add", "-A")
    git(repository, "commit", "-m", message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "repository"
    path.mkdir()
    git(path, "init", "-q")
    commit(path, "a.txt", b"one\n", "Say one\n\nBecause it is first.")
    commit(path, "a.txt", b"two\n", "Say two")
    return path


def read(repository: Path, **limits: int) -> list[Commit]:
    return list(read_commits(repository, Limits(**limits)))


def test_a_change_asks_and_its_message_answers(repository: Path) -> None:
    newest, first = read(repository)
    assert (newest.message, first.message) == ("Say two", "Say one\n\nBecause it is first.")
    assert newest.diff.startswith("diff --git a/a.txt b/a.txt")
    assert "-one\n+two" in newest.diff
    assert len(newest.hash) == 40
    row = newest.row()
    assert row["prompt"] == f"{QUESTION}\n\n{newest.diff}"
    assert row["completion"] == "Say two"


def test_limits_hold(repository: Path) -> None:
    commit(repository, "b.txt", b"x\n" * 500_000, "Grow")
    grown, before = read(repository, commits=2, diff_bytes=300)
    assert (grown.message, len(grown.diff), grown.is_cut) == ("Grow", 300, True)
    assert (before.message, before.is_cut) == ("Say two", False)


def test_what_a_hostile_repository_asks_to_run_is_not_run(repository: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {touched}\ncat\n")
    script.chmod(0o755)
    (repository / ".git" / "hooks").mkdir(exist_ok=True)
    for hook in ("post-checkout", "pre-commit", "fsmonitor-watchman"):
        (repository / ".git" / "hooks" / hook).symlink_to(script)
    commit_message = "Name drivers"
    (repository / ".git" / "hooks" / "pre-commit").unlink()
    commit(repository, ".gitattributes", b"* diff=evil\n", commit_message)
    for name in (
        "core.pager", "core.fsmonitor", "core.sshCommand", "core.askPass", "diff.external",
        "diff.evil.command", "diff.evil.textconv", "gpg.program", "credential.helper", "pager.log",
        "core.editor", "alias.log",
    ):  # fmt: skip
        git(repository, "config", name, str(script))
    git(repository, "config", "log.showSignature", "true")
    git(repository, "config", "extensions.partialClone", "origin")
    git(repository, "config", "remote.origin.url", f"ext::{script}")
    touched.unlink(missing_ok=True)
    assert read(repository)[0].message == commit_message
    assert not touched.exists()


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AcademyError) as caught:
        read(tmp_path / "nowhere")
    assert caught.value.code is ErrorCode.FILE_NOT_FOUND
    with pytest.raises(AcademyError) as caught:
        read(tmp_path)
    assert caught.value.code is ErrorCode.FILE_UNREADABLE
    assert "not a git repository" in str(caught.value.facts["detail"])
