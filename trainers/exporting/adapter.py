"""Reads a LoRA adapter in PEFT layout, as plain matrices.

Owns what a PEFT folder means: names, scale, and which variants the arithmetic here would get wrong. Those are
refused, because an export that leaves a part of the adapter out looks finished and answers differently.
Refuses to know base models and output formats.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.base_model import read_header
from trainers.files import read_regular

CONFIG_NAME = "adapter_config.json"
WEIGHTS_NAME = "adapter_model.safetensors"
_PREFIX = "base_model.model."

#: Settings that leave the result B·A·scale whatever their value, or that are read below.
_HARMLESS = frozenset(
    {
        "auto_mapping", "base_model_name_or_path", "exclude_modules", "inference_mode", "layers_pattern",
        "layers_to_transform", "lora_alpha", "lora_dropout", "megatron_core", "peft_type", "peft_version",
        "qalora_group_size", "r", "revision", "runtime_config", "target_modules", "task_type", "use_rslora",
    }
)  # fmt: skip

#: Ways to initialise that do not touch the base model's weights.
_PLAIN_STARTS = (True, False, "gaussian", "orthogonal")


@dataclass(frozen=True)
class LoraPair:
    """The update of one weight: `b @ a * scale`; `a` is (rank, in), `b` is (out, rank), both float32."""

    a: torch.Tensor
    b: torch.Tensor
    scale: float

    @property
    def rank(self) -> int:
        """Width of the pair."""
        return self.a.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the weight that the pair updates: (out, in)."""
        return self.b.shape[0], self.a.shape[1]

    def delta(self) -> torch.Tensor:
        """The update, (out, in) in float32."""
        return self.rows(0, self.b.shape[0])

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """Rows of the update, (stop - start, in) in float32."""
        return (self.b[start:stop] @ self.a).mul_(self.scale)


@dataclass(frozen=True)
class Adapter:
    """All pairs, by the name of the base model's tensor that each updates (`model.layers.0.….weight`)."""

    pairs: Mapping[str, LoraPair]
    rank: int
    scale: float

    @classmethod
    def load(cls, folder: Path) -> Adapter:
        """Read configuration and weights.

        Raises:
            AcademyError: `adapter_damaged` or `adapter_unsupported`.
        """
        config = _read_config(folder / CONFIG_NAME)
        _refuse_variants(config)
        rank, alpha = _number(folder, config, "r"), _number(folder, config, "lora_alpha")
        # PEFT, LoraLayer.update_layer: rank-stabilised LoRA divides by the root of the rank.
        scale = alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank
        path = folder / WEIGHTS_NAME
        try:
            read_header(path)  # the library reads whatever a header says, and would wait for a pipe
            tensors = load_file(path)
        except AcademyError as error:
            detail = str(error.facts.get("detail", ""))
            raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=str(path), detail=detail) from error
        except (OSError, SafetensorError) as error:
            raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=str(path), detail=str(error)) from error
        return cls(_pair_up(path, tensors, int(rank), scale), int(rank), scale)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=str(path), detail=str(error)) from error
    if not isinstance(config, dict):
        raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=str(path), detail="not an object")
    return config


def _refuse_variants(config: Mapping[str, Any]) -> None:
    """Refuse whatever is switched on and not known to be plain LoRA; future switches included."""
    if config.get("peft_type") != "LORA":
        raise AcademyError(ErrorCode.ADAPTER_UNSUPPORTED, detail=f"peft_type={config.get('peft_type')}")
    if config.get("init_lora_weights", True) not in _PLAIN_STARTS:
        detail = f"init_lora_weights={config['init_lora_weights']}"
        raise AcademyError(ErrorCode.ADAPTER_UNSUPPORTED, detail=detail)
    if config.get("bias", "none") != "none":
        raise AcademyError(ErrorCode.ADAPTER_UNSUPPORTED, detail=f"bias={config['bias']}")
    for key, value in config.items():
        if value and key not in _HARMLESS and key not in {"bias", "init_lora_weights"}:
            raise AcademyError(ErrorCode.ADAPTER_UNSUPPORTED, detail=f"{key}={value}")


def _number(folder: Path, config: Mapping[str, Any], key: str) -> float:
    value = config.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        path = str(folder / CONFIG_NAME)
        raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=path, detail=f"{key}={value!r}")
    return value


def _pair_up(path: Path, tensors: Mapping[str, torch.Tensor], rank: int, scale: float) -> dict[str, LoraPair]:
    halves: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        module, _, half = name.removeprefix(_PREFIX).rpartition(".lora_")
        if not name.startswith(_PREFIX) or half not in {"A.weight", "B.weight"}:
            raise AcademyError(ErrorCode.ADAPTER_UNSUPPORTED, detail=name)
        if not torch.isfinite(tensor).all():
            raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=str(path), detail=f"{name}: not finite")
        halves.setdefault(f"{module}.weight", {})[half[0]] = tensor.float()
    if not halves:
        raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=str(path), detail="no tensors")
    pairs: dict[str, LoraPair] = {}
    for name, half_tensors in sorted(halves.items()):
        a, b = half_tensors.get("A"), half_tensors.get("B")
        if a is None or b is None:
            raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=str(path), detail=f"{name}: half is missing")
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != rank or b.shape[1] != rank:
            detail = f"{name}: {tuple(b.shape)} by {tuple(a.shape)}, rank {rank}"
            raise AcademyError(ErrorCode.ADAPTER_DAMAGED, path=str(path), detail=detail)
        pairs[name] = LoraPair(a, b, scale)
    return pairs
