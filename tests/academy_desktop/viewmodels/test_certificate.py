from __future__ import annotations

from pathlib import Path

import pytest

from academy_desktop.core.exports import FinishedExport
from academy_desktop.viewmodels.certificate import CHECK_TITLES, ExportCard, Verdicts
from tests.academy_desktop.viewmodels.making import words
from tests.pictures.export import BAD, GOOD, add_export, certify
from trainers.exporting.certificate import MEANINGS, CheckId
from trainers.layout import RunDir
from trainers.recipe import ExportItem


def verdicts() -> Verdicts:
    return Verdicts(words().formats, words().gettext)


def card_of(
    folder: Path, values: dict[CheckId, tuple[float, float]] | None, item: ExportItem | None = None
) -> ExportCard:
    export = add_export(RunDir(folder), item or ExportItem(format="gguf", quant="q8_0"), 144_811_456)
    verdict = None if values is None else certify(export, values, 1_800_000_000.0)
    return verdicts().card(FinishedExport(export, verdict))


def test_a_proven_export_says_so_with_every_check_beside_its_bound(tmp_path: Path) -> None:
    card = card_of(tmp_path, GOOD)
    assert (card.title, card.size, card.standing, card.word) == (
        "GGUF model · Q8_0",
        "138\u00a0MiB",
        "proven",
        "Proven",
    )
    assert card.path == str(tmp_path / "exports" / "gguf-q8_0.gguf")
    assert "both were asked 24 held-out rows" in card.sentence
    shown = {line.title: (line.value, line.bound, line.passed) for line in card.checks}
    assert shown["The same next word"] == ("99.6%", "at least 95%", True)
    assert shown["Distance on the whole"] == ("0.0013", "at most 0.03", True)
    assert shown["The file is whole"] == ("yes", "", True)
    assert [line.meaning for line in card.checks] == [MEANINGS[check] for check in GOOD]
    assert [figure.value for figure in card.figures] == ["99.6%", "100%", "1.187", "100%"]


def test_an_export_that_failed_tells_what_to_do_and_which_checks(tmp_path: Path) -> None:
    card = card_of(tmp_path, BAD)
    assert (card.standing, card.word) == ("failed", "Not proven")
    assert "do not use it" in card.sentence
    failed = {line.title for line in card.checks if not line.passed}
    assert failed == {"The same next word", "Distance on the whole", "The same certainty", "The same answers"}


def test_an_export_that_nobody_checked_says_how_to(tmp_path: Path) -> None:
    card = card_of(tmp_path, None)
    assert (card.standing, card.word, card.checks, card.figures) == ("unknown", "Not checked yet", (), ())
    assert "Prove it" in card.sentence


@pytest.mark.parametrize(
    ("modelfile", "card", "said"),
    [
        (True, True, "With a Modelfile for Ollama and a model card"),
        (True, False, "With a Modelfile for Ollama"),
        (False, True, "With a model card"),
        (False, False, ""),
    ],
)
def test_what_lies_beside_a_file_is_said(tmp_path: Path, modelfile: bool, card: bool, said: str) -> None:
    export = add_export(RunDir(tmp_path), ExportItem(format="gguf", quant="q8_0"), 1)
    finished = FinishedExport(export, None, has_modelfile=modelfile, has_card=card)
    assert verdicts().card(finished).beside == said


def test_an_adapter_has_no_number_format_in_its_name(tmp_path: Path) -> None:
    assert card_of(tmp_path, None, ExportItem(format="adapter")).title == "Adapter"


def test_a_file_that_was_weighed_is_told_from_one_that_was_not(tmp_path: Path) -> None:
    weighed = ExportItem(format="gguf", quant="q4_k_m", importance=True)
    assert card_of(tmp_path, None, weighed).title == "GGUF model · Q4_K_M · weighed by your rows"


@pytest.mark.parametrize(
    ("share", "said"), [(1.0, "100%"), (0.98, "98%"), (0.97999, "97.9%"), (0.9996, "99.9%"), (0.0, "0%")]
)
def test_a_share_is_never_rounded_up_to_its_bound(share: float, said: str) -> None:
    assert verdicts().share(share) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0301, "0.031"), (0.03, "0.03"), (3e-7, "below 0.00001"), (0.0, "0"), (1.234, "1.3"), (12.1, "13")],
)
def test_a_distance_is_never_rounded_down_to_its_bound(tmp_path: Path, value: float, said: str) -> None:
    card = card_of(tmp_path, GOOD | {"mean_kl": (value, 0.03)})
    [line] = [line for line in card.checks if line.title == "Distance on the whole"]
    assert line.value == said


def test_every_check_that_there_can_be_has_a_title() -> None:
    assert CHECK_TITLES.keys() == MEANINGS.keys()
