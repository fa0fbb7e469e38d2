from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from academy_desktop.core.estimate.terms import MemoryTerms
from academy_desktop.text.estimates import CHANGES, TERMS, EstimateWords
from academy_desktop.text.formats import Formats

GIB = 1024**3
WORDS = EstimateWords(lambda text: text, Formats("en"))


def found(**facts: Any) -> SimpleNamespace:
    """A forecast."""
    known = {
        "device": "cpu",
        "memory": SimpleNamespace(program=GIB, weights=2 * GIB, adapter=1000),
        "memory_bytes": 3 * GIB,
        "memory_range": SimpleNamespace(low=2.5 * GIB, high=3.5 * GIB),
        "limit_bytes": 4 * GIB,
        "disk_bytes": GIB,
        "disk_free_bytes": 9 * GIB,
        "seconds": 90.0,
        "seconds_range": SimpleNamespace(low=60.0, high=120.0),
        "fits_memory": True,
        "fits_disk": True,
        "is_tight": False,
        "counted": True,
        "runs": 0,
    }
    return SimpleNamespace(**(known | facts))


def test_the_verdict_names_what_is_missing() -> None:
    assert WORDS.verdict(found()) == "This fits"
    assert WORDS.verdict(found(is_tight=True)) == "This fits, but only just"
    assert WORDS.verdict(found(fits_disk=False)) == "This does not fit on the disk"
    assert WORDS.verdict(found(fits_memory=False, fits_disk=False)) == "This does not fit into the memory"


def test_a_figure_never_stands_without_its_range() -> None:
    plain = WORDS.memory(found()).replace("\u00a0", " ")
    assert plain == "About 3.0 GiB of memory (2.5 GiB to 3.5 GiB); 4.0 GiB are free."
    assert "graphics card" in WORDS.memory(found(device="cuda"))
    assert "(1 min to 2 min)" in WORDS.time(found())


def test_items_come_the_largest_first_and_crumbs_are_left_out() -> None:
    assert [name for name, _ in WORDS.held(found())] == ["weights", "program"]


def test_every_item_of_the_memory_has_words() -> None:
    assert TERMS.keys() == MemoryTerms.__dataclass_fields__.keys()


def test_what_would_fit_is_said_change_by_change() -> None:
    said = WORDS.nearest([("training.batch_size", 1), ("hardware.quantization", "nf4")])
    assert said == "This would fit: batch size 1, weights in 4 bit (NF4)."
    assert all("{value}" in text for text in CHANGES.values())


def test_the_basis_is_told() -> None:
    assert "No run of this kind" in WORDS.basis(found())
    assert "from 1 finished run " in WORDS.basis(found(runs=1))
    assert "sample" in WORDS.basis(found(runs=3, counted=False))
