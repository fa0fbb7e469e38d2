"""Rotary position encoding: from config.json, old and new, to llama.cpp's keys and tensors.

Owns the ways to stretch positions that llama.cpp computes as transformers does; refuses the others. Refuses
to know the rest of a model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from gguf import GGUFWriter, RopeScalingType

from trainers.exporting.gguf_family import unsupported

_KINDS = ("default", "linear", "llama3", "yarn", "longrope")
#: Settings of YaRN that transformers reads and that are not written here.
_UNKNOWN_YARN = ("attention_factor", "mscale", "mscale_all_dim", "truncate")


@dataclass(frozen=True)
class Rope:
    """How positions are encoded.

    Attributes:
        kind: transformers' name of the scaling.
        width: rotated values of each head.
        settings: the rest, in the names that transformers 5 uses.
        window_theta: base of the layers whose attention has a window, where it is another one.
    """

    kind: str
    width: int
    settings: Mapping[str, Any]
    window_theta: float | None = None

    @classmethod
    def read(cls, raw: Mapping[str, Any], head_width: int) -> Rope:
        """Read config.json; older files spread the settings out.

        Raises:
            AcademyError: `architecture_unsupported`.
        """
        settings = dict(raw.get("rope_parameters") or raw.get("rope_scaling") or {})
        window: Mapping[str, Any] = settings.pop("sliding_attention", None) or {}
        settings = {**settings, **(settings.pop("full_attention", None) or {})}
        kind = str(settings.get("rope_type") or settings.get("type") or "default")
        if kind == "su":  # an older name
            kind = "longrope"
        if kind not in _KINDS or window.get("rope_type", "default") != "default":
            raise unsupported(raw, f"rope_type={kind}")
        for name in _UNKNOWN_YARN if kind in {"yarn", "longrope"} else ():
            if settings.get(name) not in {None, True}:
                raise unsupported(raw, f"{name}={settings[name]}")
        share = float(settings.get("partial_rotary_factor") or raw.get("partial_rotary_factor") or 1.0)
        if share != 1.0 and raw.get("model_type") != "phi3":
            raise unsupported(raw, "partial_rotary_factor")
        known = {
            "rope_theta": raw.get("rope_theta") or 10_000.0,
            "original_max_position_embeddings": raw.get("original_max_position_embeddings")
            or (raw["max_position_embeddings"] if kind == "yarn" else None),
            "max_position_embeddings": raw["max_position_embeddings"],
        }
        local = window.get("rope_theta") or raw.get("rope_local_base_freq")
        rope = cls(kind, int(head_width * share), {**known, **settings}, local and float(local))
        rope.check(raw)
        return rope

    def check(self, raw: Mapping[str, Any]) -> None:
        """Refuse factors that do not fit."""
        if self.kind == "longrope":
            for name in ("long_factor", "short_factor"):
                if len(self.settings[name]) != self.width // 2:
                    raise unsupported(raw, name)
            if not self.settings["original_max_position_embeddings"]:
                raise unsupported(raw, "original_max_position_embeddings")

    def describe(self, writer: GGUFWriter) -> None:
        """Write the keys into the header."""
        writer.add_rope_dimension_count(self.width)
        writer.add_rope_freq_base(float(self.settings["rope_theta"]))
        if self.window_theta is not None:
            writer.add_rope_freq_base_swa(self.window_theta)
        match self.kind:
            case "linear":
                writer.add_rope_scaling_type(RopeScalingType.LINEAR)
                writer.add_rope_scaling_factor(float(self.settings["factor"]))
            case "yarn":
                self._describe_yarn(writer)
            case "longrope":
                writer.add_rope_scaling_attn_factors(self._attention_factor())
        if self.kind != "llama3" and self.settings["original_max_position_embeddings"]:
            writer.add_rope_scaling_orig_ctx_len(self._old_context)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the factors that llama.cpp reads as tensors, each (width / 2,) in float32."""
        if self.kind == "llama3":
            return {"rope_freqs.weight": self._llama3()}
        if self.kind != "longrope":
            return {}
        return {
            f"rope_factors_{name}.weight": torch.tensor(self.settings[f"{name}_factor"], dtype=torch.float32)
            for name in ("long", "short")
        }

    @property
    def _old_context(self) -> int:
        return int(self.settings["original_max_position_embeddings"])

    def _describe_yarn(self, writer: GGUFWriter) -> None:
        writer.add_rope_scaling_type(RopeScalingType.YARN)
        writer.add_rope_scaling_factor(float(self.settings["factor"]))
        if self.settings.get("beta_fast") is not None:
            writer.add_rope_scaling_yarn_beta_fast(float(self.settings["beta_fast"]))
        if self.settings.get("beta_slow") is not None:
            writer.add_rope_scaling_yarn_beta_slow(float(self.settings["beta_slow"]))

    def _attention_factor(self) -> float:
        """As transformers' `_compute_longrope_parameters`."""
        scale = float(self.settings["max_position_embeddings"]) / self._old_context
        return math.sqrt(1 + math.log(scale) / math.log(self._old_context)) if scale > 1.0 else 1.0

    def _llama3(self) -> torch.Tensor:
        """Divisors of the frequencies, as transformers' `_compute_llama3_parameters`.

        Long wavelengths are stretched by `factor`, short ones kept, those between blended. The numbers are
        those of llama.cpp's converter to the last bit, hence the order of the operations.
        """
        base, factor = float(self.settings["rope_theta"]), float(self.settings["factor"])
        low, high = float(self.settings["low_freq_factor"]), float(self.settings["high_freq_factor"])
        frequencies = 1.0 / (base ** (torch.arange(0, self.width, 2, dtype=torch.float32) / self.width))
        wavelengths = 2 * math.pi / frequencies
        smooth = (self._old_context / wavelengths - low) / (high - low)
        blended = 1 / ((1 - smooth) / factor + smooth)
        stretched = torch.where(wavelengths > self._old_context / low, factor, blended)
        return torch.where(wavelengths < self._old_context / high, 1.0, stretched)
