"""The user's language, loaded once and handed to whoever speaks: the window and the command line alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from gettext import NullTranslations
from pathlib import Path

from academy_desktop.text import catalogs
from academy_desktop.text.findings import Findings
from academy_desktop.text.formats import Formats
from academy_desktop.text.messages import Messages


@dataclass(frozen=True)
class Words:
    """Texts and formats of one language."""

    translations: NullTranslations
    formats: Formats
    messages: Messages
    findings: Findings

    @classmethod
    def load(cls, folder: Path) -> Words:
        """Load the language that the environment asks for, if there is a catalog of it in `folder`."""
        translations, formats = catalogs.load(folder)
        messages = Messages(translations, formats)
        return cls(translations, formats, messages, Findings(translations, messages))

    @property
    def gettext(self) -> Callable[[str], str]:
        """Translates a marked text."""
        return self.translations.gettext
