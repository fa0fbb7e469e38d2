"""Base models: what is on this machine, what can be trained, and the demo model.

Everything here works without torch: a model is judged by its files.
"""

from __future__ import annotations

from academy_desktop.core.models.inspection import Model, inspect
from academy_desktop.core.models.library import DEMO_ID, Models

__all__ = ["DEMO_ID", "Model", "Models", "inspect"]
