"""Reads what rendering needs from a model's folder: tokenizer, chat template, special tokens, end ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from trainers.errors import AcademyError, ErrorCode
from trainers.files import read_regular

#: The names that a chat template may use, as transformers hands them over.
SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


#: The largest vocabularies take tens of megabytes, the longest templates tens of kilobytes.
_MOST_TOKENIZER_BYTES = 256 * 1024 * 1024
_MOST_TEMPLATE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What a model's folder says about text and tokens."""

    tokenizer: Tokenizer
    chat_template: str
    special_tokens: dict[str, str]
    end_ids: frozenset[int]


def read_model_files(model_dir: Path) -> ModelFiles:
    """Read a model's folder.

    Raises:
        AcademyError: `model_without_tokenizer`, `model_without_chat_template` or `model_damaged`.
    """
    tokenizer = _read_tokenizer(model_dir)
    config = _read_object(model_dir / "tokenizer_config.json")
    template = _chat_template(model_dir, config)
    if template is None:
        raise AcademyError(ErrorCode.MODEL_WITHOUT_CHAT_TEMPLATE, path=str(model_dir))
    special_tokens = _special_tokens(_read_object(model_dir / "special_tokens_map.json"), config)
    generation = _read_object(model_dir / "generation_config.json")
    return ModelFiles(tokenizer, template, special_tokens, _end_ids(generation.get("eos_token_id")))


def _read_tokenizer(model_dir: Path) -> Tokenizer:
    path = model_dir / "tokenizer.json"
    if not path.is_file():
        raise AcademyError(ErrorCode.MODEL_WITHOUT_TOKENIZER, path=str(model_dir))
    try:
        return Tokenizer.from_buffer(read_regular(path, _MOST_TOKENIZER_BYTES))
    except Exception as error:  # the library raises a bare Exception for every kind of damage
        raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(path), detail=str(error)) from error


def _read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path`; an absent file is an empty object."""
    try:
        value = json.loads(read_regular(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(path), detail=str(error)) from error
    if not isinstance(value, dict):
        raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(path), detail="not a JSON object")
    return value


def _chat_template(model_dir: Path, config: Mapping[str, Any]) -> str | None:
    """Return the default chat template: the file of its own wins over the tokenizer's configuration."""
    path = model_dir / "chat_template.jinja"
    if path.is_file():
        try:
            return read_regular(path, _MOST_TEMPLATE_BYTES).decode("utf-8")
        except (OSError, ValueError) as error:
            raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(path), detail=str(error)) from error
    value = config.get("chat_template")
    if isinstance(value, list):
        named = {entry.get("name"): entry.get("template") for entry in value if isinstance(entry, dict)}
        value = named.get("default")
    return value if isinstance(value, str) and value.strip() else None


def _special_tokens(*sources: Mapping[str, Any]) -> dict[str, str]:
    """Texts of the special tokens; a later source wins."""
    found: dict[str, str] = {}
    for source in sources:
        for name in SPECIAL_TOKENS:
            value = source.get(name)
            text = value.get("content") if isinstance(value, dict) else value
            if isinstance(text, str):
                found[name] = text
    return found


def _end_ids(value: object) -> frozenset[int]:
    values = value if isinstance(value, list) else [value]
    return frozenset(entry for entry in values if isinstance(entry, int) and not isinstance(entry, bool))
