from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from academy_desktop.core.datasets.commits import Limits
from academy_desktop.core.datasets.fetching import Fetcher
from tests.academy_desktop.core.datasets.test_commits import commit, git
from trainers.errors import AcademyError, ErrorCode


@dataclass(frozen=True)
class Server:
    name: str


def fetcher(folder: Path, *lessons: dict[str, Any]) -> Fetcher:
    def ask(name: str, limit: int, tags: Sequence[str]) -> list[dict[str, Any]]:
        assert (name, list(tags)) == ("home", ["git"])
        return list(lessons)[:limit]

    return Fetcher(folder, lambda: [Server("home"), Server("away")], ask)


def test_commits_become_a_file_that_can_be_imported(tmp_path: Path) -> None:
    repository = tmp_path / "lamp"
    repository.mkdir()
    git(repository, "init", "-q")
    commit(repository, "a.txt", b"one\n", "Say one")
    commit(repository, "a.txt", b"two\n", "Say two")
    found = fetcher(tmp_path / "fetched").commits(repository, Limits(1))
    assert (found.path.name, found.rows) == ("commits.jsonl", 1)
    assert json.loads(found.path.read_text("utf-8"))["completion"] == "Say two"


def test_lessons_become_a_file_too(tmp_path: Path) -> None:
    lessons = [{"situation": f"S{n}", "action": "A", "result": "success"} for n in range(3)]
    fetch = fetcher(tmp_path / "fetched", *lessons)
    assert list(fetch.connections()) == ["home", "away"]
    found = fetch.lessons("home", 2, ["git"])
    assert found.rows == 2
    assert [json.loads(line) for line in found.path.read_text("utf-8").splitlines()] == lessons[:2]


def test_what_nobody_imported_for_a_day_goes(tmp_path: Path) -> None:
    fetch = fetcher(tmp_path / "fetched", {"situation": "S"})
    old, fresh = (fetch.lessons("home", 1, ["git"]).path for _ in range(2))
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(old.parent, (long_ago, long_ago))
    assert fetch.lessons("home", 1, ["git"]).path.exists()
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AcademyError) as caught:
        fetcher(tmp_path / "fetched").commits(tmp_path / "nothing", Limits())
    assert caught.value.code is ErrorCode.FILE_NOT_FOUND
