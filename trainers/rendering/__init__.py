"""Rows to text to token ids to labels: the only code that does so, for looking at rows and for training.

Owns the chat template's environment, the tokenization of a rendered conversation and the choice of the tokens
that are trained. Refuses to know models, weights, torch and transformers.
"""

from __future__ import annotations

from trainers.rendering.renderer import IGNORED, Prompt, Rendered, Renderer
from trainers.rendering.spans import Note, Span
from trainers.rendering.template import ChatTemplate, Message, Tool, render_template

__all__ = [
    "IGNORED",
    "ChatTemplate",
    "Message",
    "Note",
    "Prompt",
    "Rendered",
    "Renderer",
    "Span",
    "Tool",
    "render_template",
]
