from __future__ import annotations

import pytest
from PySide6.QtGui import QColor

from academy_desktop.app import RESOURCES
from academy_desktop.core.states import JobState
from academy_desktop.views.theme import DARK, LIGHT, STATE_TOKENS, Sizes, Tokens, stylesheet

THEMES = pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])

#: Text on what lies behind it.
PAIRS = (
    *(
        (text, ground)
        for text in ("text", "muted")
        for ground in ("window", "rail", "surface", "raised", "inset")
    ),
    *((text, "hover") for text in ("text", "muted")),
    *((text, "accent_soft") for text in ("text", "muted", "accent")),
    ("on_accent", "accent"),
    ("on_accent", "accent_strong"),
    ("accent", "surface"),
    ("text", "danger_soft"),
    *STATE_TOKENS.values(),
)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2, “relative luminance”)."""
    shown = QColor(colour)
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (shown.redF(), shown.greenF(), shown.blueF())
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(tokens: Tokens, one: str, other: str) -> float:
    """Contrast ratio (WCAG 2.2, “contrast ratio”)."""
    low, high = sorted(luminance(getattr(tokens, name)) for name in (one, other))
    return (high + 0.05) / (low + 0.05)


@THEMES
def test_every_text_stands_out_from_its_ground(tokens: Tokens) -> None:
    weak = {pair: round(contrast(tokens, *pair), 2) for pair in PAIRS if contrast(tokens, *pair) < 4.5}
    assert weak == {}


@THEMES
def test_icons_points_and_rings_can_be_seen(tokens: Tokens) -> None:
    parts = (("accent", "surface"), ("second", "surface"), ("faint", "surface"), ("accent", "window"))
    icons = ((name, "surface") for name in ("success", "warning", "danger"))
    weak = {pair: contrast(tokens, *pair) for pair in (*parts, *icons) if contrast(tokens, *pair) < 3}
    assert weak == {}


def test_every_state_has_its_colours() -> None:
    assert set(STATE_TOKENS) == set(JobState)


@THEMES
def test_the_style_sheet_names_only_tokens_that_there_are(tokens: Tokens) -> None:
    sheet = stylesheet(
        (RESOURCES / "themes" / "app.qss").read_text("utf-8"), tokens, Sizes.from_body(13), "Mono"
    )
    assert "$" not in sheet
    assert tokens.accent in sheet


def test_no_text_is_smaller_than_can_be_read() -> None:
    assert Sizes.from_body(5).font_small >= 12
    assert Sizes.from_body(20).font_body == 20
