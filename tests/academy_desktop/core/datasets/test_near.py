from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path

import pytest

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.near import (
    LIKENESS,
    NearFinder,
    groups,
    likeness,
    repeated,
    runs_of,
)

WORDS = [f"word{number}" for number in range(3000)]


def made_texts(seed: int, count: int) -> list[str]:
    """Texts of 60 random words; each third is the one before it with one or a few words changed."""
    draw = random.Random(seed)
    texts: list[str] = []
    for number in range(count):
        words = draw.choices(WORDS, k=60)
        if number % 3 == 2:
            words = texts[-1].split()
            for _ in range(draw.randint(1, 4)):
                words[draw.randrange(60)] = draw.choice(WORDS)
        texts.append(" ".join(words))
    return texts


def found(texts: list[str]) -> set[tuple[int, int]]:
    finder = NearFinder()
    for text in texts:
        finder.add(text)
    return set(finder.pairs(texts.__getitem__, lambda: None))


@pytest.mark.parametrize("seed", [1, 2])
def test_pairs_are_those_of_a_comparison_of_all_with_all(seed: int) -> None:
    texts = made_texts(seed, 600)
    runs = list(map(runs_of, texts))
    wanted = {
        (one, other)
        for one, other in combinations(range(len(texts)), 2)
        if likeness(runs[one], runs[other]) >= LIKENESS
    }
    assert len(wanted) > 50
    pairs = found(texts)
    assert pairs <= wanted
    assert len(pairs) >= 0.97 * len(wanted)


def test_likeness_is_that_of_jaccard() -> None:
    assert likeness(runs_of("a b c d"), runs_of("A  b\nc d")) == 1.0
    assert likeness(runs_of("a b c d"), runs_of("a b c e")) == pytest.approx(1 / 3)
    assert likeness(runs_of("a"), runs_of("b")) == 0.0
    assert found([]) == set()


def test_of_a_chain_every_other_stays_and_all_hang_together() -> None:
    assert repeated([(0, 1), (1, 2), (2, 3)]) == {1, 3}
    assert set(groups([(0, 1), (1, 2), (5, 7)]).values()) == {0, 5}


def lines(path: Path, texts: list[str]) -> Path:
    rows = [{"question": f"Q{n}: {text}", "answer": f"{text} {n}"} for n, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("seed", range(4))
def test_near_duplicates_never_fall_on_both_sides(tmp_path: Path, seed: int) -> None:
    library = Library(tmp_path / "datasets")
    made = library.import_files(
        [lines(tmp_path / "a.jsonl", made_texts(5, 150))], "a", eval_fraction=0.3, seed=seed
    )
    sides = {
        split: [runs_of("\n".join(turn["content"] for turn in row.messages)) for row in rows]
        for split, rows in (("train", library.rows(made.id)), ("eval", library.rows(made.id, "eval")))
    }
    assert made.rows_kept == 150
    assert len(sides["eval"]) > 20
    assert max(likeness(one, other) for one in sides["train"] for other in sides["eval"]) < LIKENESS


def test_near_duplicates_are_dropped_on_request_and_named(tmp_path: Path) -> None:
    library = Library(tmp_path / "datasets")
    path = lines(tmp_path / "a.jsonl", made_texts(5, 150))
    made = library.import_files([path], "a", near_dups="drop")
    count = made.dropped["near_duplicate"]
    assert count >= 5
    assert made.rows_kept == 150 - count
    dropped = (library.folder(made.id) / "dropped.jsonl").read_text().splitlines()
    assert [json.loads(row)["reason"] for row in dropped] == ["near_duplicate"] * count
    left = [runs_of("\n".join(turn["content"] for turn in row.messages)) for row in library.rows(made.id)]
    assert max(likeness(one, other) for one, other in combinations(left, 2)) < LIKENESS
