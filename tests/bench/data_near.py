"""Near duplicates against datasketch, each in a process of its own, from texts to the ones that go.

A fifth of the texts are seeded changes of another. The rival is built the quickest way that its documentation
shows, tuned so that it finds as many, and its candidates are verified as ours are: both do the same work. It
comes with the `bench` extra (`pip install -e .[bench]`); without it the figure says so and does not hold.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from academy_desktop.core.datasets.near import LIKENESS, likeness, runs_of
from tests.bench.children import Told, run_code, version_of
from tests.bench.figure import Figure, Setting, against, alone

#: Bars: times as fast, and shares of the seeded pairs and of those found.
TIMES, RECALL, PRECISION = 40.0, 0.97, 0.999

_OURS = """
import json, sys, time
from academy_desktop.core.datasets.near import NearFinder, repeated
texts = open(sys.argv[1]).read().splitlines()
begun = time.perf_counter()
finder = NearFinder()
for text in texts:
    finder.add(text)
pairs = list(finder.pairs(texts.__getitem__, lambda: None))
finder.close()
out = repeated(pairs)
print(json.dumps({"s": time.perf_counter() - begun, "pairs": pairs, "dropped": len(out)}))
"""
_DATASKETCH = """
import json, sys, time
from datasketch import MinHash, MinHashLSH
from academy_desktop.core.datasets.near import LIKENESS, likeness, runs_of
texts = open(sys.argv[1]).read().splitlines()
begun = time.perf_counter()
sets = [runs_of(text) for text in texts]
index = MinHashLSH(threshold=LIKENESS, num_perm=128, weights=(0.02, 0.98))
pairs, out = [], set()
sketches = MinHash.generator(([run.encode() for run in runs] for runs in sets), num_perm=128)
for number, sketch in enumerate(sketches):
    found = [other for other in index.query(sketch) if likeness(sets[other], sets[number]) >= LIKENESS]
    pairs += [(other, number) for other in found]
    if not out.issuperset(found):
        out.add(number)
    index.insert(number, sketch, check_duplication=False)
print(json.dumps({"s": time.perf_counter() - begun, "pairs": pairs, "dropped": len(out)}))
"""


def measure(setting: Setting) -> Iterator[Figure]:
    """Recall and precision of ours; then the time beside the rival's, in turn."""
    path = setting.folder / "near.txt"
    seeded, texts = write_texts(path, 3_000 if setting.short else 100_000)
    alike = {pair for pair in seeded if _likeness(texts, pair) >= LIKENESS}
    ours = run_code(_OURS, path)
    found = _pairs(ours)
    right = sum(_likeness(texts, pair) >= LIKENESS for pair in found)
    yield alone(
        "data.near.recall", len(alike & found) / len(alike), "share", at_least=RECALL, seeded=len(alike)
    )
    yield alone("data.near.precision", right / len(found), "share", at_least=PRECISION, found=len(found))
    version = version_of("datasketch")
    if version is None:
        yield alone("data.near", ours["s"], "s", holds=False, missing="datasketch")
        return
    times, rival = [], Told()
    for _ in range(1 if setting.short else 3):
        ours, rival = run_code(_OURS, path), run_code(_DATASKETCH, path)
        times.append((ours["s"], rival["s"]))
    yield against(
        "data.near",
        times,
        f"datasketch {version}",
        "s",
        better="less",
        bar=None if setting.short else TIMES,
        rows=len(texts),
        dropped=ours["dropped"],
        rival_dropped=rival["dropped"],
        rival_recall=len(alike & _pairs(rival)) / len(alike),
    )


def write_texts(path: Path, count: int) -> tuple[set[tuple[int, int]], list[str]]:
    """Texts of sixty words, one a line; returns the seeded pairs and the texts."""
    draw = random.Random(2)
    words = [f"word{number}" for number in range(5000)]
    texts = [" ".join(draw.choices(words, k=60)) for _ in range(count)]
    seeded = set()
    for number in range(4, count, 5):
        changed = texts[number - 1].split()
        for _ in range(draw.randint(1, 3)):
            changed[draw.randrange(60)] = draw.choice(words)
        texts[number] = " ".join(changed)
        seeded.add((number - 1, number))
    path.write_text("\n".join(texts))
    return seeded, texts


def _pairs(told: Told) -> set[tuple[int, int]]:
    return {(one, other) for one, other in told["pairs"]}


def _likeness(texts: list[str], pair: tuple[int, int]) -> float:
    return likeness(runs_of(texts[pair[0]]), runs_of(texts[pair[1]]))
