"""How likely a causal language model holds tokens to be, computed at the positions that are asked for only.

The head is the dearest layer at a vocabulary of 49,000 and more, and most positions are prompt or padding.
Refuses to know what is learned from the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from trainers.rows import IGNORED

Batch = Mapping[str, Tensor]


def supervised_loss(model: torch.nn.Module, batch: Batch) -> tuple[Tensor, int]:
    """Return (sum of the losses over supervised positions in nats, their number).

    Args:
        model: a PEFT model around a causal language model.
        batch: `input_ids`, `attention_mask`, `labels`, each of shape (rows, tokens).
    """
    targets = batch["labels"][:, 1:]
    learned = targets != IGNORED
    logits = _logits(model, batch, learned)
    return cross_entropy(logits, targets[learned], reduction="sum"), int(learned.sum())


def log_probabilities(model: torch.nn.Module, batch: Batch, wanted: Tensor) -> Tensor:
    """Return the log-probability of each token but the first, in nats; 0 where it is not `wanted`.

    Args:
        model: as for `supervised_loss`.
        batch: `input_ids` and `attention_mask`, each of shape (rows, tokens).
        wanted: which tokens, bool of shape (rows, tokens - 1).
    """
    targets = batch["input_ids"][:, 1:]
    found = -cross_entropy(_logits(model, batch, wanted), targets[wanted], reduction="none")
    return torch.zeros(targets.shape, dtype=found.dtype, device=found.device).masked_scatter(wanted, found)


def _logits(model: torch.nn.Module, batch: Batch, wanted: Tensor) -> Tensor:
    """Return the scores that predict the wanted tokens, in fp32, of shape (wanted, vocabulary)."""
    causal = model.get_base_model() if isinstance(model, PeftModel) else model
    assert isinstance(causal, PreTrainedModel)
    hidden = causal.base_model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False
    ).last_hidden_state
    logits: Tensor = causal.get_output_embeddings()(hidden[:, :-1][wanted]).float()
    text_config = causal.config.get_text_config()
    scale = getattr(text_config, "logit_scale", None)
    if scale is not None:  # Cohere
        logits = logits * scale
    cap = getattr(text_config, "final_logit_softcapping", None)
    if cap is not None:  # Gemma 2
        logits = cap * torch.tanh(logits / cap)
    return logits
