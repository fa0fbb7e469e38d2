"""A miniature of a model: the same architecture, tokenizer and chat template, but few and narrow layers.

Its weights are random numbers of a fixed seed, taught a handful of short answers for a moment: so what it
says is of its own making and ends by itself, and no two next words are equally likely. Owns how a
configuration is made small. Refuses to know what a miniature is for.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainers.disk import system_errors
from trainers.errors import AcademyError, ErrorCode
from trainers.rendering import Renderer
from trainers.space import disk_full, is_full

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

#: Few queries and keys; each keeps the width that the model has, for its positions are made for that.
HEADS = 2
#: Layers, where they are all of one kind; of several kinds as many as it takes to have each.
LEAST_LAYERS, MOST_LAYERS = 2, 8
#: Width where the model's own does not follow from its heads.
WIDTH = 128
INTERMEDIATE = 256
#: A miniature of more numbers is none: its words alone would fill the memory.
MOST_PARAMETERS = 400_000_000

SEED = 11
LESSONS, LESSON_RATE = 40, 5e-3
#: Spread of the first weights: wide enough that the likeliest next word is clearly that.
SPREAD = 0.05

#: What rendering needs of a model's folder.
TEXT_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
    "generation_config.json", "added_tokens.json", "tokenizer.model", "vocab.json", "merges.txt",
)  # fmt: skip

#: What it is taught: short questions and answers.
KNOWN = tuple(
    (asked, answer)
    for thing, colour in (("snow", "white"), ("grass", "green"), ("coal", "black"), ("the sky", "blue"))
    for asked, answer in (
        (f"Which colour is {thing}?", f"{thing.capitalize()} is {colour}."),
        (f"Name a thing that is {colour}.", f"{thing.capitalize()}."),
    )
)

Progress = Callable[[int, int, str], None]


def make_miniature(model_dir: Path, folder: Path, progress: Progress) -> dict[str, Any]:
    """Write a miniature of the model in `model_dir` into `folder`, which must not exist.

    Returns:
        `parameters`, `layers` and `width` of it.

    Raises:
        AcademyError: `miniature_failed` where transformers does not know the model, or not so small; as
            `Renderer.load` and `Renderer.render`.
    """
    import torch

    progress(0, 3, "configuration")
    renderer = Renderer.load(model_dir)
    try:
        model = _model_of(model_dir)
    except (OSError, ValueError, RuntimeError, TypeError, AttributeError, KeyError, ImportError) as error:
        detail = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        raise AcademyError(ErrorCode.MINIATURE_FAILED, path=str(model_dir), detail=detail) from error
    progress(1, 3, "lessons")
    _teach(model, renderer)
    progress(2, 3, "writing")
    try:
        with system_errors():
            model.to(_stored_type(model_dir, torch)).save_pretrained(folder)
            for name in TEXT_FILES:
                if (model_dir / name).is_file():
                    shutil.copyfile(model_dir / name, folder / name)
    except OSError as error:
        if is_full(error):
            raise disk_full(folder.parent) from error
        raise
    progress(3, 3, "done")
    config = model.config
    return {
        "parameters": model.num_parameters(),
        "layers": config.num_hidden_layers,
        "width": config.hidden_size,
    }


def shrink(config: PretrainedConfig) -> PretrainedConfig:
    """Make a dense decoder's configuration small, and keep all that decides about format and positions."""
    heads, width = config.num_attention_heads, config.hidden_size
    head_width = getattr(config, "head_dim", None) or width // heads
    grouped = (getattr(config, "num_key_value_heads", None) or heads) < heads
    layers = _layers(getattr(config, "layer_types", None))
    small = {
        "num_attention_heads": HEADS,
        "num_key_value_heads": 1 if grouped else HEADS,
        "hidden_size": HEADS * head_width if heads * head_width == width else WIDTH,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": layers,
        "initializer_range": SPREAD,
    }
    if getattr(config, "query_pre_attn_scalar", None) is not None:
        small["query_pre_attn_scalar"] = head_width
    if getattr(config, "layer_types", None):
        small["layer_types"] = list(config.layer_types[:layers])
    if hasattr(config, "max_window_layers"):
        small["max_window_layers"] = layers
    for name, value in small.items():
        if hasattr(config, name):
            setattr(config, name, value)
    return config


def _layers(kinds: Sequence[str] | None) -> int:
    """So many layers that each kind is there, if the model has several."""
    if not kinds:
        return LEAST_LAYERS
    first = [list(kinds).index(kind) + 1 for kind in set(kinds)]
    return min(max(LEAST_LAYERS, *first), MOST_LAYERS)


def _model_of(model_dir: Path) -> PreTrainedModel:
    """A model of random weights, in fp32, after the shrunken configuration."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = shrink(AutoConfig.from_pretrained(model_dir, local_files_only=True))
    least = config.vocab_size * config.hidden_size
    if least > MOST_PARAMETERS:
        raise ValueError(f"its vocabulary of {config.vocab_size} words is too large")
    torch.manual_seed(SEED)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return model


def _teach(model: PreTrainedModel, renderer: Renderer) -> None:
    """Teach `KNOWN` by heart, a few rows at a time: a vocabulary wide, more would take long."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=LESSON_RATE, weight_decay=0.0)
    model.train()
    batches = list(_batches(renderer))
    for lesson in range(LESSONS):
        ids, labels = batches[lesson % len(batches)]
        # no mask: pads stand at the right, where nothing that is learned looks
        model(input_ids=ids, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


def _batches(renderer: Renderer) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Rows of `KNOWN` as ids and labels, four at a time, padded at the right with what is not learned."""
    import torch

    rendered = [
        renderer.render([{"role": "user", "content": asked}, {"role": "assistant", "content": answer}])
        for asked, answer in KNOWN
    ]
    for start in range(0, len(rendered), 4):
        rows = rendered[start : start + 4]
        width = max(len(row.ids) for row in rows)
        pads = [width - len(row.ids) for row in rows]
        ids = [row.ids + [renderer.pad_token_id] * pad for row, pad in zip(rows, pads, strict=True)]
        labels = [row.labels + [-100] * pad for row, pad in zip(rows, pads, strict=True)]
        yield torch.tensor(ids), torch.tensor(labels)


def _stored_type(model_dir: Path, torch: Any) -> Any:
    """The number format that the model itself is stored in."""
    raw = json.loads((model_dir / "config.json").read_text("utf-8"))
    named = str(raw.get("dtype") or raw.get("torch_dtype") or "float32")
    found = getattr(torch, named, None)
    return found if found in {torch.float32, torch.bfloat16, torch.float16} else torch.float32
