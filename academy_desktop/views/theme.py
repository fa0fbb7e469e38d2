"""How the window looks: one small table of tokens for each theme, and the style sheet made from it.

Owns colours, sizes and radii. Refuses to know pages: a widget names its role by a property, the sheet does
the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from string import Template
from types import MappingProxyType

from PySide6.QtGui import QColor, QPalette

from academy_desktop.core.states import JobState

#: Distances in px, on a grid of 4: within a group, between groups, around a page.
GAP_S, GAP, GAP_M, GAP_L, GAP_XL = 4, 8, 12, 16, 24


@dataclass(frozen=True)
class Tokens:
    """The colours of one theme, as `#rrggbb`; `soft` ones lie behind text of the same name."""

    window: str
    rail: str
    surface: str
    raised: str
    inset: str
    hover: str
    border: str
    border_strong: str
    text: str
    muted: str
    faint: str
    accent: str
    accent_strong: str
    accent_soft: str
    on_accent: str
    second: str
    success: str
    success_soft: str
    warning: str
    warning_soft: str
    danger: str
    danger_soft: str
    neutral_soft: str


LIGHT = Tokens(
    window="#f5f6f8",
    rail="#fbfbfc",
    surface="#ffffff",
    raised="#ffffff",
    inset="#f2f3f6",
    hover="#eef0f4",
    border="#e4e7ec",
    border_strong="#d0d5dd",
    text="#1a1d24",
    muted="#5b6472",
    faint="#8b94a3",
    accent="#3f56d6",
    accent_strong="#3246b8",
    accent_soft="#eceffd",
    on_accent="#ffffff",
    second="#d97706",
    success="#187a48",
    success_soft="#e5f5ec",
    warning="#9a5b00",
    warning_soft="#fdf2dd",
    danger="#bf3234",
    danger_soft="#fdecec",
    neutral_soft="#eceff3",
)

DARK = Tokens(
    window="#121419",
    rail="#16191f",
    surface="#1b1e26",
    raised="#272b35",
    inset="#14171d",
    hover="#252935",
    border="#2a2f3a",
    border_strong="#3b4250",
    text="#e9ebf0",
    muted="#a2aab8",
    faint="#727b8b",
    accent="#8fa0ff",
    accent_strong="#a8b5ff",
    accent_soft="#262c48",
    on_accent="#11142a",
    second="#f0b95a",
    success="#5fd195",
    success_soft="#17322a",
    warning="#f0b95a",
    warning_soft="#37290f",
    danger="#ff8585",
    danger_soft="#3a1d21",
    neutral_soft="#272c36",
)

#: Job state → the tokens of its badge: text and what lies behind it.
STATE_TOKENS: Mapping[JobState, tuple[str, str]] = MappingProxyType(
    {
        JobState.QUEUED: ("muted", "neutral_soft"),
        JobState.STARTING: ("accent", "accent_soft"),
        JobState.RUNNING: ("accent", "accent_soft"),
        JobState.PAUSED: ("warning", "warning_soft"),
        JobState.STOPPING: ("warning", "warning_soft"),
        JobState.SUCCEEDED: ("success", "success_soft"),
        JobState.STOPPED: ("muted", "neutral_soft"),
        JobState.FAILED: ("danger", "danger_soft"),
        JobState.INTERRUPTED: ("warning", "warning_soft"),
    }
)


@dataclass(frozen=True)
class Sizes:
    """Type sizes and radii in px, from the size of the system's own font."""

    font_small: int
    font_body: int
    font_heading: int
    font_number: int
    font_title: int
    font_display: int
    radius: int = 8
    radius_card: int = 12

    @classmethod
    def from_body(cls, body_px: int) -> Sizes:
        """The whole scale for a body size; never smaller than can be read."""
        body = max(body_px, 13)
        return cls(body - 1, body, body + 2, body + 5, body + 7, body + 13)


def state_colours(tokens: Tokens, state: JobState) -> tuple[QColor, QColor]:
    """The colours of a state's badge: text, background."""
    text, background = STATE_TOKENS[state]
    return QColor(getattr(tokens, text)), QColor(getattr(tokens, background))


def stylesheet(template: str, tokens: Tokens, sizes: Sizes, mono: str) -> str:
    """The style sheet of a theme; a name in the template that is no token is an error (KeyError)."""
    return Template(template).substitute(asdict(tokens), mono=f'"{mono}"', **asdict(sizes))


def palette(tokens: Tokens) -> QPalette:
    """The palette for what the style sheet does not reach: selections, placeholders, native parts."""
    made = QPalette()
    roles = {
        QPalette.ColorRole.Window: tokens.window,
        QPalette.ColorRole.Base: tokens.surface,
        QPalette.ColorRole.AlternateBase: tokens.inset,
        QPalette.ColorRole.Text: tokens.text,
        QPalette.ColorRole.WindowText: tokens.text,
        QPalette.ColorRole.Button: tokens.surface,
        QPalette.ColorRole.ButtonText: tokens.text,
        QPalette.ColorRole.ToolTipBase: tokens.raised,
        QPalette.ColorRole.ToolTipText: tokens.text,
        QPalette.ColorRole.PlaceholderText: tokens.muted,
        QPalette.ColorRole.Highlight: tokens.accent,
        QPalette.ColorRole.HighlightedText: tokens.on_accent,
        QPalette.ColorRole.Link: tokens.accent,
    }
    for role, colour in roles.items():
        made.setColor(role, QColor(colour))
    return made
