from __future__ import annotations

import io
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo

from academy_desktop.text import checks, considerate, errors, recipes, words
from academy_desktop.text.catalogs import DOMAIN, load
from academy_desktop.text.messages import Messages
from trainers.errors import ErrorCode

PACKAGE = Path(words.__file__).parent
EMPTY = errors.ERRORS[ErrorCode.FILE_EMPTY]


def write_catalog(folder: Path, language: str, **texts: str) -> None:
    catalog = Catalog(locale=language, domain=DOMAIN)
    catalog.add(EMPTY.sentence, texts.get("sentence", ""))
    catalog.add(EMPTY.title, texts.get("title", ""))
    place = folder / language / "LC_MESSAGES"
    place.mkdir(parents=True)
    with (place / f"{DOMAIN}.mo").open("wb") as stream:
        write_mo(stream, catalog)


@pytest.fixture
def german(tmp_path: Path) -> Path:
    write_catalog(tmp_path, "de", title="Die Datei ist leer", sentence="In der Datei[ {path}] steht nichts.")
    return tmp_path


@pytest.mark.parametrize("languages", [["de"], ["de_AT"], ["de_DE.UTF-8"], ["xx", "de", "en"]])
def test_texts_and_formats_speak_the_language_asked_for(german: Path, languages: list[str]) -> None:
    translations, formats = load(german, languages)
    said = Messages(translations, formats).describe("file_empty", {"path": "/a"})
    assert (said.title, said.sentence) == ("Die Datei ist leer", "In der Datei /a steht nichts.")
    assert formats.decimal(1.5, 1) == "1,5"


@pytest.mark.parametrize("languages", [[], ["fr"], ["C"], [""], ["../de"], ["en_GB"]])
def test_without_a_catalog_both_are_english(german: Path, languages: list[str]) -> None:
    translations, formats = load(german, languages)
    assert Messages(translations, formats).describe("file_empty").title == EMPTY.title
    assert formats.decimal(1.5, 1) == "1.5"


def test_what_is_not_translated_is_english(german: Path) -> None:
    translations, formats = load(german, ["de"])
    messages = Messages(translations, formats)
    assert messages.describe("file_empty").next_step == EMPTY.next_step
    assert messages.state("running") == "Running"


def test_the_environment_decides_by_default(german: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "de:en")
    assert load(german)[1].locale.language == "de"
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert load(german)[1].locale.language == "en"


def test_a_folder_that_is_not_there_is_english(tmp_path: Path) -> None:
    assert load(tmp_path / "nowhere", ["de"])[1].locale.language == "en"


def test_every_text_is_found_by_the_extractor() -> None:
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        content = io.BytesIO(path.read_bytes())
        for _, message, _, _ in extract("python", content, keywords={"N_": None}):
            assert isinstance(message, str)
            found.add(message)
    wanted = {template for text in errors.ERRORS.values() for template in text}
    wanted |= {template for text in checks.CHECKS.values() for template in text if template}
    tables = (
        words.STATES, words.STATE_SENTENCES, words.REASONS, words.PHASES, words.KINDS, words.DROPS,
        words.DROPS_BRIEF, words.WARNINGS, recipes.PROBLEMS, checks.ENGINE_REASONS,
        words.HELD, words.HELD_BRIEF, considerate.SHUTDOWN,
    )  # fmt: skip
    for table in tables:
        wanted |= set(table.values())
    assert wanted <= found
