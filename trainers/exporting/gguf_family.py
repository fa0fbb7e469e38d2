"""The model families that the GGUF writer knows: what config.json must say, and what is particular.

Owns the table of families, and refuses every setting that llama.cpp would load and compute differently.
Refuses to know tensors' values and tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gguf import MODEL_ARCH, GGUFWriter

from trainers.errors import AcademyError, ErrorCode

Raw = Mapping[str, Any]

#: What a refusal says of a model that none of the families is for.
UNKNOWN_FAMILY = "family"

#: llama.cpp scales the attention of the largest Gemmas by another width (gemma2.cpp, gemma3.cpp); it knows
#: them by their number of layers.
_WIDE_SCALE_LAYERS = {MODEL_ARCH.GEMMA2: 46, MODEL_ARCH.GEMMA3: 62}


def _nothing(_raw: Raw, _writer: GGUFWriter) -> None:
    """Add nothing to the header."""


def _no_more(_raw: Raw) -> None:
    """Ask for nothing more."""


@dataclass(frozen=True)
class Family:
    """What is particular about a family.

    Attributes:
        arch: llama.cpp's architecture.
        activation: the only one that llama.cpp computes.
        pairs_rotated: llama.cpp rotates neighbouring pairs of a head's rows, transformers its two halves.
        norm_shift: added to the weights of norms, which the family stores without it.
        head_is_embedding: llama.cpp takes the embedding for the head, always.
        check: refuses settings.
        describe: adds what only this family has.
    """

    arch: MODEL_ARCH
    activation: str = "silu"
    pairs_rotated: bool = False
    norm_shift: float = 0.0
    head_is_embedding: bool = False
    check: Callable[[Raw], None] = _no_more
    describe: Callable[[Raw, GGUFWriter], None] = _nothing


def unsupported(raw: Raw, detail: str) -> AcademyError:
    """Return the refusal of a model with its reason."""
    return AcademyError(ErrorCode.ARCHITECTURE_UNSUPPORTED, architecture=architecture_of(raw), detail=detail)


def architecture_of(raw: Raw) -> str:
    """Return transformers' class of the model."""
    return str((raw.get("architectures") or [raw.get("model_type", "")])[0])


def family_of(raw: Raw) -> Family:
    """Return the family of a config.json.

    Raises:
        AcademyError: `architecture_unsupported`, with what stands in the way.
    """
    family = FAMILIES.get(architecture_of(raw))
    if family is None:
        raise unsupported(raw, UNKNOWN_FAMILY)
    if raw.get("quantization_config"):
        raise unsupported(raw, "quantization_config")
    activation = raw.get("hidden_activation") or raw.get("hidden_act") or family.activation
    if activation != family.activation:
        raise unsupported(raw, f"hidden_act={activation}")
    family.check(raw)
    return family


def window_of(raw: Raw) -> int | None:
    """Return the width of the attention's window in tokens where all layers have one, or None.

    llama.cpp computes full attention for these families; the two are the same up to that many tokens.
    """
    if not raw.get("use_sliding_window", True):
        return None
    window = raw.get("sliding_window")
    return None if window is None else int(window)


def _check_gemma(arch: MODEL_ARCH, pattern: int) -> Callable[[Raw], None]:
    def check(raw: Raw) -> None:
        layers, heads = int(raw["num_hidden_layers"]), int(raw["num_attention_heads"])
        width = (
            int(raw["hidden_size"]) // heads if layers == _WIDE_SCALE_LAYERS[arch] else int(raw["head_dim"])
        )
        if float(raw.get("query_pre_attn_scalar", 256)) != width:
            raise unsupported(raw, f"query_pre_attn_scalar={raw.get('query_pre_attn_scalar', 256)}")
        expected = ["sliding_attention" if (at + 1) % pattern else "full_attention" for at in range(layers)]
        if list(raw.get("layer_types") or expected) != expected:
            raise unsupported(raw, "layer_types")
        if int(raw.get("sliding_window_pattern") or pattern) != pattern:
            raise unsupported(raw, f"sliding_window_pattern={raw['sliding_window_pattern']}")
        for name in ("attention_bias", "use_bidirectional_attention"):
            if raw.get(name):
                raise unsupported(raw, name)
        if (raw.get("attn_logit_softcapping") is None) != (arch is MODEL_ARCH.GEMMA3):
            raise unsupported(raw, f"attn_logit_softcapping={raw.get('attn_logit_softcapping')}")

    return check


def _describe_gemma2(raw: Raw, writer: GGUFWriter) -> None:
    writer.add_attn_logit_softcapping(float(raw["attn_logit_softcapping"]))
    # Without the key llama.cpp would take the usual value; 0 turns it off.
    writer.add_final_logit_softcapping(float(raw.get("final_logit_softcapping") or 0.0))
    writer.add_sliding_window(int(raw["sliding_window"]))


def _describe_gemma3(raw: Raw, writer: GGUFWriter) -> None:
    if raw.get("final_logit_softcapping"):
        writer.add_final_logit_softcapping(float(raw["final_logit_softcapping"]))
    writer.add_sliding_window(int(raw["sliding_window"]))


def _check_phi3(raw: Raw) -> None:
    for name in ("attention_bias", "mlp_bias"):
        if raw.get(name):
            raise unsupported(raw, name)


def _describe_phi3(raw: Raw, writer: GGUFWriter) -> None:
    # Zero tells llama.cpp that there is none (Phi-4).
    writer.add_sliding_window(window_of(raw) or 0)


_LLAMA = Family(MODEL_ARCH.LLAMA, pairs_rotated=True)

#: transformers' class → family.
FAMILIES: dict[str, Family] = {
    "LlamaForCausalLM": _LLAMA,
    "MistralForCausalLM": _LLAMA,
    "Qwen2ForCausalLM": Family(MODEL_ARCH.QWEN2),
    "Qwen3ForCausalLM": Family(MODEL_ARCH.QWEN3),
    "Gemma2ForCausalLM": Family(
        MODEL_ARCH.GEMMA2,
        activation="gelu_pytorch_tanh",
        norm_shift=1.0,
        head_is_embedding=True,
        check=_check_gemma(MODEL_ARCH.GEMMA2, 2),
        describe=_describe_gemma2,
    ),
    "Gemma3ForCausalLM": Family(
        MODEL_ARCH.GEMMA3,
        activation="gelu_pytorch_tanh",
        norm_shift=1.0,
        check=_check_gemma(MODEL_ARCH.GEMMA3, 6),
        describe=_describe_gemma3,
    ),
    "Phi3ForCausalLM": Family(MODEL_ARCH.PHI3, check=_check_phi3, describe=_describe_phi3),
}
