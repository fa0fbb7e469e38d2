"""Finds the catalog of the user's language: gettext catalogs in `<folder>/<language>/LC_MESSAGES/academy.mo`.

Owns the choice of language. Texts and formats always speak the same one: without a catalog both are English.
"""

from __future__ import annotations

import gettext
from collections.abc import Sequence
from pathlib import Path

from academy_desktop.text.formats import Formats

DOMAIN = "academy"


def load(folder: Path, languages: Sequence[str] | None = None) -> tuple[gettext.NullTranslations, Formats]:
    """The translations and formats for `languages` (default: what the environment asks for)."""
    found = gettext.translation(DOMAIN, folder, languages, fallback=True)
    return found, Formats(found.info().get("language", "en"))
