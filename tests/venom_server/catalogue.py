"""What the stand-in takes for the same base model: Venom's own table, and the metadata that it trusts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: canonical name → spellings, in lower case.
ALIASES = {
    "gemma-2-2b-it": ("gemma2:2b", "gemma2:latest", "google/gemma-2-2b-it", "unsloth/gemma-2-2b-it"),
    "gemma-3-4b-it": ("gemma3:4b", "gemma3:latest", "google/gemma-3-4b-it"),
    "gemma-3-1b-it": ("gemma3:1b", "google/gemma-3-1b-it"),
    "phi-3-mini-4k-instruct": (
        "phi3:mini",
        "phi3:latest",
        "unsloth/phi-3-mini-4k-instruct",
        "microsoft/phi-3-mini-4k-instruct",
    ),
    "phi-3.5-mini-instruct": ("unsloth/phi-3.5-mini-instruct", "microsoft/phi-3.5-mini-instruct"),
    "llama-3.2-1b-instruct": ("llama3.2:1b", "unsloth/llama-3.2-1b-instruct"),
    "llama-3.2-3b-instruct": ("llama3.2:3b", "unsloth/llama-3.2-3b-instruct"),
    "qwen/qwen2.5-coder-3b-instruct": ("qwen2.5-coder:3b",),
    "qwen/qwen2.5-coder-7b-instruct": ("qwen2.5-coder:7b",),
}
#: Canonical names of the models that Venom can train itself: only for these it looks whether one is there.
TRAINABLE = frozenset(ALIASES) - {"gemma-3-1b-it"}


def canonical(name: str) -> str:
    """What two spellings of one model have in common."""
    lowered = name.strip().lower()
    for canon, spellings in ALIASES.items():
        if lowered == canon or lowered in spellings:
            return canon
    return lowered.partition("-onnx")[0]


def read_metadata(adapter_dir: Path) -> dict[str, Any]:
    """`metadata.json`; empty when there is none that can be read."""
    try:
        content = json.loads((adapter_dir / "metadata.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def trusted_base(metadata: dict[str, Any]) -> str:
    """The base model that the metadata names; empty where it is not trusted."""
    if metadata.get("metadata_version") != 2:
        return ""
    return str(metadata.get("effective_base_model") or metadata.get("base_model") or "")


def is_inconsistent(metadata: dict[str, Any]) -> bool:
    base, effective = metadata.get("base_model"), metadata.get("effective_base_model")
    return bool(base and effective) and canonical(str(base)) != canonical(str(effective))
