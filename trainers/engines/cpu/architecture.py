"""Which models this engine knows: a dense decoder's shape, read from `config.json` and the weights' names.

Owns the families' differences as data. Refuses to know tensors, and to guess: what is not known exactly is
refused with a reason, and another engine trains it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainers.recipe import LINEAR_LAYERS, TrainRecipe

#: model_type → width of a head where the configuration leaves it out (None: hidden size / heads).
FAMILIES: Mapping[str, int | None] = {
    "llama": None, "mistral": None, "qwen2": None, "qwen3": 128, "gemma3_text": 256,
}  # fmt: skip
_FLOATS = frozenset({"F32", "BF16", "F16"})
#: Weights in linear layers. Making the kernels takes some seconds, once per version of them and machine.
_LEAST_TO_COMPILE = 10_000_000
_GEMMA_PATTERN = 6  # every sixth layer of Gemma 3 looks at everything


class UnknownModelError(Exception):
    """This engine does not know such a model; the text says what about it."""


@dataclass(frozen=True)
class Rope:
    """Rotary positions: `factor` stretches all of them (linear), `llama3` the slow ones only."""

    theta: float
    kind: Literal["default", "linear", "llama3"] = "default"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_length: int = 8192


@dataclass(frozen=True)
class Attention:
    """How one layer looks back: over `window` tokens, itself included, or over all (None)."""

    rope: Rope
    window: int | None


@dataclass(frozen=True)
class Architecture:
    """A dense decoder. `norm_offset` is added to the weights of norms (Gemma keeps them less 1)."""

    family: str
    vocabulary: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    epsilon: float
    score_scale: float
    tied: bool
    gelu: bool
    qk_norm: bool
    post_norms: bool
    norm_offset: float
    embedding_scale: float
    layers: tuple[Attention, ...]

    @property
    def linear_parameters(self) -> int:
        """Weights in the linear layers, without the head."""
        attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        return len(self.layers) * (attention + 3 * self.hidden * self.intermediate)


def refusal(recipe: TrainRecipe) -> str | None:
    """Return why this engine cannot train a recipe, in a few words, or None where it can."""
    if recipe.hardware.quantization != "none":
        return "it does not train models in 4 bit"
    if recipe.hardware.optimizer == "adamw_8bit":
        return "its optimizer computes in 32 bit"
    if recipe.method not in {"sft", "pretrain"}:
        return f"it does not learn by {recipe.method}"
    if recipe.lora.use_dora or recipe.lora.init != "default":
        return "it has plain LoRA adapters only"
    if recipe.training.neftune_noise_alpha is not None:
        return "it has no noise on the input"
    if recipe.lora.dropout > 0:
        return "it has no dropout"
    unknown = [layer for layer in recipe.lora.layers() if layer not in LINEAR_LAYERS]
    if unknown:
        return f"it has no adapter for {unknown[0]}"
    try:
        read(Path(recipe.model.path))
    except UnknownModelError as error:
        return str(error)
    except (OSError, ValueError, KeyError, TypeError):
        return "it cannot read the model's configuration"
    return None


def compiling_pays(recipe: TrainRecipe) -> bool:
    """Whether a recipe's model, one that is known, is so large that compiled kernels save their own time."""
    return read(Path(recipe.model.path)).linear_parameters >= _LEAST_TO_COMPILE


def read(folder: Path) -> Architecture:
    """Read a model's shape.

    Raises:
        UnknownModelError: the model is not exactly of a family that is known.
    """
    config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    shapes = tensor_shapes(folder)
    architecture = _parse(config, tied="lm_head.weight" not in shapes)
    expected = dict(_expected(architecture, shapes.keys()))
    for name in expected.keys() ^ shapes.keys():
        if not name.endswith("rotary_emb.inv_freq"):
            raise UnknownModelError(f"it does not know the model's tensor {name}")
    for name, shape in expected.items():
        if shapes[name] != shape:
            raise UnknownModelError(f"the model's tensor {name} has another shape")
    return architecture


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return name → shape of all tensors in a folder's safetensors files, from their headers."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in weight_files(folder):
        with path.open("rb") as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(size))
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            if entry["dtype"] not in _FLOATS:
                raise UnknownModelError(f"it does not read weights in {entry['dtype']}")
            shapes[name] = tuple(entry["shape"])
    if not shapes:
        raise UnknownModelError("the weights are not in safetensors files")
    return shapes


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files that transformers would read: those of the index, or the one there is."""
    index = folder / "model.safetensors.index.json"
    single = folder / "model.safetensors"
    if single.exists():
        return [single]
    if not index.exists():
        return []
    return [
        folder / name for name in sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    ]


def _parse(config: Mapping[str, Any], *, tied: bool) -> Architecture:
    family = config["model_type"]
    if family not in FAMILIES:
        raise UnknownModelError(f"it does not know models of type {family}")
    gemma = family == "gemma3_text"
    if config.get("quantization_config"):
        raise UnknownModelError("the model is quantized")
    for option in ("final_logit_softcapping", "attn_logit_softcapping", "use_bidirectional_attention"):
        if config.get(option):
            raise UnknownModelError(f"it does not know {option}")
    if config.get("partial_rotary_factor", 1.0) != 1.0:
        raise UnknownModelError("it does not know partial rotary positions")
    activation = config.get("hidden_activation") if gemma else config.get("hidden_act", "silu")
    if activation != ("gelu_pytorch_tanh" if gemma else "silu"):
        raise UnknownModelError(f"it does not know the activation {activation}")
    if tied and not config.get("tie_word_embeddings", gemma):
        raise UnknownModelError("the model's head is missing")
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    head_dim = int(config.get("head_dim") or FAMILIES[family] or hidden // heads)
    scalar = config.get("query_pre_attn_scalar", 256) if gemma else head_dim
    return Architecture(
        family=family,
        vocabulary=int(config["vocab_size"]),
        hidden=hidden,
        intermediate=int(config["intermediate_size"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=head_dim,
        epsilon=float(config.get("rms_norm_eps", 1e-6)),
        score_scale=float(scalar) ** -0.5,
        tied=tied or bool(config.get("tie_word_embeddings", gemma)),
        gelu=gemma,
        qk_norm=family in {"qwen3", "gemma3_text"},
        post_norms=gemma,
        norm_offset=1.0 if gemma else 0.0,
        embedding_scale=hidden**0.5 if gemma else 1.0,
        layers=tuple(_layers(config, family)),
    )


def _layers(config: Mapping[str, Any], family: str) -> Iterator[Attention]:
    count = int(config["num_hidden_layers"])
    window = config.get("sliding_window")
    if family in {"qwen2", "qwen3"} and not config.get("use_sliding_window", False):
        window = None
    kinds = config.get("layer_types") or _default_kinds(config, family, count)
    if len(kinds) != count or set(kinds) - {"full_attention", "sliding_attention"}:
        raise UnknownModelError("it does not know the kinds of the model's layers")
    for kind in kinds:
        sliding = kind == "sliding_attention" and family != "llama"
        yield Attention(_rope(config, kind, family), int(window) if sliding and window else None)


def _default_kinds(config: Mapping[str, Any], family: str, count: int) -> list[str]:
    """What transformers fills in where a configuration does not name the kind of each layer."""
    full, sliding = "full_attention", "sliding_attention"
    match family:
        case "mistral":
            return [sliding] * count
        case "gemma3_text":
            every = int(config.get("sliding_window_pattern") or _GEMMA_PATTERN)
            return [sliding if (number + 1) % every else full for number in range(count)]
        case "qwen2" | "qwen3":
            first = int(config.get("max_window_layers", 28))
            return [sliding if number >= first else full for number in range(count)]
    return [full] * count


def _rope(config: Mapping[str, Any], kind: str, family: str) -> Rope:
    found = dict(config.get("rope_parameters") or {})
    found = found.get(kind, found) if kind in found else found
    if not found:
        local = family == "gemma3_text" and kind == "sliding_attention"
        theta = config.get("rope_local_base_freq", 1e4) if local else config.get("rope_theta")
        found = {} if local else dict(config.get("rope_scaling") or {})
        found["rope_theta"] = theta
    name = found.get("rope_type", found.get("type", "default"))
    if name not in {"default", "linear", "llama3"} or found.get("partial_rotary_factor", 1.0) != 1.0:
        raise UnknownModelError(f"it does not know rotary positions of type {name}")
    if found.get("rope_theta") is None:
        raise UnknownModelError("the configuration does not say rope_theta")
    return Rope(
        theta=float(found["rope_theta"]),
        kind=name,
        factor=float(found.get("factor", 1.0)),
        low_freq_factor=float(found.get("low_freq_factor", 1.0)),
        high_freq_factor=float(found.get("high_freq_factor", 4.0)),
        original_length=int(
            found.get("original_max_position_embeddings") or config.get("max_position_embeddings", 8192)
        ),
    )


def _expected(one: Architecture, there: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield name and shape of every tensor that such a model has; biases only where they are there."""
    yield "model.embed_tokens.weight", (one.vocabulary, one.hidden)
    yield "model.norm.weight", (one.hidden,)
    if "lm_head.weight" in there:
        yield "lm_head.weight", (one.vocabulary, one.hidden)
    norms = ["input_layernorm", "post_attention_layernorm"]
    if one.post_norms:
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    for number in range(len(one.layers)):
        prefix = f"model.layers.{number}"
        for norm in norms:
            yield f"{prefix}.{norm}.weight", (one.hidden,)
        if one.qk_norm:
            for norm in ("q_norm", "k_norm"):
                yield f"{prefix}.self_attn.{norm}.weight", (one.head_dim,)
        for layer, shape in linear_shapes(one).items():
            yield f"{prefix}.{layer}.weight", shape
            if f"{prefix}.{layer}.bias" in there:
                yield f"{prefix}.{layer}.bias", shape[:1]


def linear_shapes(one: Architecture) -> dict[str, tuple[int, int]]:
    """Return the name below a layer → (out, in) of each linear layer, in the order of PEFT's parameters."""
    queries, keys = one.heads * one.head_dim, one.kv_heads * one.head_dim
    return {
        "self_attn.q_proj": (queries, one.hidden),
        "self_attn.k_proj": (keys, one.hidden),
        "self_attn.v_proj": (keys, one.hidden),
        "self_attn.o_proj": (one.hidden, queries),
        "mlp.gate_proj": (one.intermediate, one.hidden),
        "mlp.up_proj": (one.intermediate, one.hidden),
        "mlp.down_proj": (one.hidden, one.intermediate),
    }
