"""Faults that exports are known to have had elsewhere, each made on purpose in an otherwise sound file.

The file is whole and its record is right: only asking it shows that the model is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.trainers.exporting.making import QUIET, Gguf, certify, vouch
from tests.trainers.tiny_model import Tiny, teach_run, write_model
from trainers.exporting.adapter import Adapter, LoraPair
from trainers.exporting.certificate import Certificate, CheckId
from trainers.exporting.gguf_kquant import K_QUANTS, GgufKQuant
from trainers.exporting.gguf_model import GgufModel
from trainers.layout import RunDir

#: Stretched positions, so that a file can lose them.
SCALED: dict[str, Any] = {
    "rope_parameters": {
        "rope_theta": 10_000.0,
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    }
}

#: Writes a faulty file: its path, the base model, the adapter, the number format.
Fault = Callable[[Path, Path, Path, str], None]


def write(path: Path, model: Path, adapter: Adapter | None, quant: str) -> None:
    plan = (GgufKQuant if quant in K_QUANTS else GgufModel)("x", model, adapter, quant)
    plan.write(path, QUIET)


def with_pairs(change: Callable[[str, LoraPair], LoraPair]) -> Fault:
    """A merged file whose writer got the adapter wrong."""

    def make(path: Path, model: Path, adapter: Path, quant: str) -> None:
        right = Adapter.load(adapter)
        wrong = {name: change(name, pair) for name, pair in right.pairs.items()}
        write(path, model, Adapter(wrong, right.rank, right.scale), quant)

    return make


def transposed(_name: str, pair: LoraPair) -> LoraPair:
    square = pair.shape[0] == pair.shape[1]
    return LoraPair(pair.b.T.contiguous(), pair.a.T.contiguous(), pair.scale) if square else pair


def scaled(factor: float) -> Fault:
    return with_pairs(lambda _, pair: LoraPair(pair.a, pair.b, pair.scale * factor))


def without_adapter(path: Path, model: Path, _adapter: Path, quant: str) -> None:
    write(path, model, None, quant)


def without_one_layer(name: str, pair: LoraPair) -> LoraPair:
    return LoraPair(pair.a, pair.b * (0.0 if ".layers.1." in name else 1.0), pair.scale)


def edited(change: Callable[[Gguf], None]) -> Fault:
    """A sound file that was changed afterwards."""

    def make(path: Path, model: Path, adapter: Path, quant: str) -> None:
        sound = path.with_suffix(".sound")
        write(sound, model, Adapter.load(adapter), quant)
        file = Gguf.read(sound)
        sound.unlink()
        change(file)
        file.write(path)

    return make


def unpermuted(file: Gguf) -> None:
    for name in [name for name in file.tensors if "attn_q" in name or "attn_k" in name]:
        values, kind = file.tensors[name]
        heads = 4 if "attn_q" in name else 2
        halves = values.reshape(heads, values.shape[0] // heads // 2, 2, values.shape[1])
        file.tensors[name] = (np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape)), kind)


def swap_tokens(file: Gguf) -> None:
    tokens = list(file.value("tokenizer.ggml.tokens"))
    first, second = tokens.index("Ġof"), tokens.index("Ġcapital")
    tokens[first], tokens[second] = tokens[second], tokens[first]
    file.set("tokenizer.ggml.tokens", tokens)


def template(change: Callable[[str], str]) -> Fault:
    return edited(
        lambda file: file.set("tokenizer.chat_template", change(file.value("tokenizer.chat_template")))
    )


def drop(file: Gguf, key: str) -> None:
    del file.metadata[key]


def drop_tensor(file: Gguf, name: str) -> None:
    del file.tensors[name]


def shorten_vocabulary(file: Gguf) -> None:
    for key in ("tokens", "token_type"):
        file.set(f"tokenizer.ggml.{key}", file.value(f"tokenizer.ggml.{key}")[:-8])
    file.set("llama.vocab_size", len(file.value("tokenizer.ggml.tokens")))
    values, kind = file.tensors["token_embd.weight"]
    file.tensors["token_embd.weight"] = (values[:-8], kind)


def swap(first: str, second: str) -> Fault:
    """Two tensors, or two layers where the names end in a dot, change places."""

    def change(file: Gguf) -> None:
        renamed = {}
        for name, one in file.tensors.items():
            other = name
            if first in name:
                other = name.replace(first, second)
            elif second in name:
                other = name.replace(second, first)
            renamed[other] = one
        file.tensors = renamed

    return edited(change)


def shift_vocabulary(file: Gguf) -> None:
    tokens = list(file.value("tokenizer.ggml.tokens"))
    file.set("tokenizer.ggml.tokens", [*tokens[:3], tokens[-9], *tokens[3:-9], *tokens[-8:]])


def shift_embedding(file: Gguf) -> None:
    values, kind = file.tensors["token_embd.weight"]
    file.tensors["token_embd.weight"] = (np.roll(values, 1, axis=0), kind)


def add_bos(file: Gguf) -> None:
    file.set("tokenizer.ggml.add_bos_token", True)
    file.set("tokenizer.ggml.bos_token_id", 0)


def end_is_text(file: Gguf) -> None:
    types = list(file.value("tokenizer.ggml.token_type"))
    types[2] = 1
    file.set("tokenizer.ggml.token_type", types)


def noised(file: Gguf) -> None:
    values, kind = file.tensors["blk.0.ffn_up.weight"]
    noise = np.random.default_rng(7).normal(0.0, float(values.astype(np.float32).std()), values.shape)
    file.tensors["blk.0.ffn_up.weight"] = ((values + noise).astype(values.dtype), kind)


def scales_zeroed(file: Gguf) -> None:
    """The scales of Q8_0's blocks: two bytes of each 34."""
    values, kind = file.tensors["blk.1.ffn_down.weight"]
    blocks = values.reshape(-1, 34).copy()
    blocks[::2, :2] = 0
    file.tensors["blk.1.ffn_down.weight"] = (blocks.reshape(values.shape), kind)


FAULTS: dict[str, tuple[Fault, set[CheckId]]] = {
    "adapter-transposed": (with_pairs(transposed), {"mean_kl"}),
    "adapter-scaled-by-rank": (scaled(1 / 8), {"mean_kl", "greedy_text"}),
    "adapter-subtracted": (scaled(-1.0), {"mean_kl", "greedy_text"}),
    "adapter-left-out": (without_adapter, {"mean_kl", "greedy_text"}),
    "adapter-missing-in-one-layer": (with_pairs(without_one_layer), {"mean_kl"}),
    "eos-dropped": (edited(lambda file: drop(file, "tokenizer.ggml.eos_token_id")), {"end_token"}),
    "eos-wrong": (edited(lambda file: file.set("tokenizer.ggml.eos_token_id", 0)), {"end_token"}),
    "template-dropped": (edited(lambda file: drop(file, "tokenizer.chat_template")), {"prompt_tokens"}),
    "template-without-newline": (
        template(lambda text: text.replace("assistant\n", "assistant")),
        {"prompt_tokens"},
    ),
    "template-with-system": (
        template(lambda text: "<|im_start|>system\nBe brief.<|im_end|>\n" + text),
        {"prompt_tokens"},
    ),
    "template-broken": (template(lambda text: text + "{% for %}"), {"prompt_tokens"}),
    "tensor-zeroed": (edited(lambda file: file.scale("blk.1.ffn_down.weight", 0.0)), {"mean_kl"}),
    "norm-zeroed": (edited(lambda file: file.scale("output_norm.weight", 0.0)), {"mean_kl", "greedy_text"}),
    "heads-not-reordered": (edited(unpermuted), {"mean_kl"}),
    "rotary-base-wrong": (edited(lambda file: file.set("llama.rope.freq_base", 100.0)), {"metadata"}),
    "tokens-swapped": (edited(swap_tokens), {"prompt_tokens"}),
    "merges-dropped": (
        edited(lambda file: file.set("tokenizer.ggml.merges", file.value("tokenizer.ggml.merges")[:20])),
        {"prompt_tokens"},
    ),
    "tensor-not-a-number": (edited(lambda file: file.scale("blk.0.attn_v.weight", float("nan"))), {"loads"}),
    "scores-overflow": (
        edited(lambda file: file.scale("output_norm.weight", 1e38)),
        {"mean_kl", "perplexity"},
    ),
    "tensor-missing": (edited(lambda file: drop_tensor(file, "blk.1.attn_k.weight")), {"loads"}),
    "vocabulary-too-short": (edited(lambda file: shorten_vocabulary(file)), {"loads"}),
    "bos-doubled": (template(lambda text: "{{ bos_token }}" + text), {"prompt_tokens"}),
    "bos-added": (edited(add_bos), {"prompt_tokens"}),
    "layers-swapped": (swap("blk.0.", "blk.1."), {"mean_kl", "greedy_text"}),
    "gate-and-up-swapped": (swap("ffn_gate", "ffn_up"), {"mean_kl"}),
    "norms-swapped": (swap("attn_norm", "ffn_norm"), {"tensors"}),
    "keys-and-values-swapped": (swap("attn_k", "attn_v"), {"mean_kl", "greedy_text"}),
    "vocabulary-shifted": (edited(shift_vocabulary), {"prompt_tokens"}),
    "embedding-shifted": (edited(shift_embedding), {"mean_kl", "greedy_text"}),
    "end-token-is-text": (edited(end_is_text), {"metadata"}),
    "rope-scaling-lost": (edited(lambda file: drop_tensor(file, "rope_freqs.weight")), {"mean_kl"}),
    "norm-epsilon-wrong": (
        edited(lambda file: file.set("llama.attention.layer_norm_rms_epsilon", 1.0)),
        {"mean_kl"},
    ),
    "weights-noised": (edited(noised), {"tensors"}),
    "template-of-another-family": (
        template(lambda text: text.replace("<|im_start|>", "<|endoftext|>")),
        {"prompt_tokens"},
    ),
}  # fmt: skip

#: Faults under rounding: name → (fault, number format, checks that must say so).
QUANTIZED: dict[str, tuple[Fault, str, set[CheckId]]] = {
    "q8-adapter-left-out": (without_adapter, "q8_0", {"mean_kl"}),
    "q8-adapter-scaled-by-rank": (scaled(1 / 8), "q8_0", {"mean_kl"}),
    "q8-scales-zeroed": (edited(scales_zeroed), "q8_0", {"tensors"}),
    "q8-layers-swapped": (swap("blk.0.", "blk.1."), "q8_0", {"mean_kl"}),
    "q4-adapter-left-out": (without_adapter, "q4_k_m", {"mean_kl"}),
    "q4-adapter-transposed": (with_pairs(transposed), "q4_k_m", {"tensors"}),
    "q4-eos-wrong": (
        edited(lambda file: file.set("tokenizer.ggml.eos_token_id", 0)), "q4_k_m", {"end_token"}
    ),
    "q4-template-without-newline": (
        template(lambda text: text.replace("assistant\n", "assistant")), "q4_k_m", {"prompt_tokens"}
    ),
}  # fmt: skip


def seeded() -> dict[str, tuple[Fault, str, set[CheckId]]]:
    """Return every fault with its number format and the checks that must say so."""
    return {name: (fault, "f16", checks) for name, (fault, checks) in FAULTS.items()} | QUANTIZED


def certify_faults(parent: RunDir, model: Path) -> dict[str, Certificate]:
    """Put every fault into an export of a finished run, prove them all, and return the verdicts."""
    parent.exports.mkdir(exist_ok=True)
    for name, (make, quant, _) in seeded().items():
        path = parent.exports / f"{name}.gguf"
        make(path, model, parent.adapter, quant)
        vouch(path, parent, "gguf", quant)
    found = certify(parent, *(f"{name}.gguf" for name in seeded()), rows=6)
    return {name: found[f"{name}.gguf"] for name in seeded()}


def scaled_run(root: Path, dataset: Path) -> tuple[RunDir, Path]:
    """A finished run upon a base with stretched positions, and that base; taught well enough for 4 bit."""
    base = write_model(root / "scaled", lessons=300, **SCALED)
    return teach_run(root / "parent", Tiny(base, dataset)), base
