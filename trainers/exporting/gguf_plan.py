"""Who writes a model as GGUF: our own writer where it knows the model, llama.cpp's converter otherwise.

Owns that choice. Refuses to know how either does it.
"""

from __future__ import annotations

from pathlib import Path

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.adapter import Adapter
from trainers.exporting.gguf_converted import GgufConverted
from trainers.exporting.gguf_family import UNKNOWN_FAMILY
from trainers.exporting.gguf_model import GgufModel


def plan_gguf(name: str, model_dir: Path, adapter: Adapter | None, quant: str) -> GgufModel | GgufConverted:
    """Return the plan of a model's file.

    Raises:
        AcademyError: as `GgufModel` for a model that our writer refuses on purpose, as `GgufConverted` for
            one that it does not know.
    """
    try:
        return GgufModel(name, model_dir, adapter, quant)
    except AcademyError as error:
        if not _is_unknown(error):
            raise
        return GgufConverted(name, model_dir, adapter, quant)


def _is_unknown(error: AcademyError) -> bool:
    """Whether the model is none of ours; a setting that llama.cpp would get wrong is nothing to convert."""
    if error.code is ErrorCode.TOKENIZER_UNSUPPORTED:
        return True
    return error.code is ErrorCode.ARCHITECTURE_UNSUPPORTED and error.facts.get("detail") == UNKNOWN_FAMILY
