"""Models in transformers as subjects: base + adapter, the yardstick of every proof, and exported folders.

Owns torch's side of asking: float32 on the CPU, scores at chosen positions, batched greedy answers. Refuses
to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, PreTrainedModel
from transformers.utils import logging as transformers_logging

from trainers.exporting.subject import Answer, Logits
from trainers.rendering import Message, Renderer

#: Prompts answered at once.
BATCH = 16


class TransformersModel:
    """A model in transformers and the renderer of its folder."""

    def __init__(self, model: PreTrainedModel | PeftModel, renderer: Renderer) -> None:
        self._model = model.eval()
        self._renderer = renderer

    @classmethod
    def load(cls, model_dir: Path, adapter: Path | None = None) -> TransformersModel:
        """Load a model's folder, with an adapter on top if one is given, in float32 on the CPU."""
        transformers_logging.disable_progress_bar()
        renderer = Renderer.load(model_dir)
        config = AutoConfig.from_pretrained(model_dir, local_files_only=True)
        # The faster ways to compute attention leave out a cap on its scores (Gemma 2).
        attention = "eager" if getattr(config, "attn_logit_softcapping", None) else None
        base = AutoModelForCausalLM.from_pretrained(
            model_dir,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            attn_implementation=attention,
        )
        # What a call leaves open is taken from here: the folder's own may ask for sampling or penalties.
        base.generation_config = GenerationConfig()
        if adapter is None:
            return cls(base, renderer)
        return cls(PeftModel.from_pretrained(base, adapter, local_files_only=True), renderer)

    @contextmanager
    def without_adapter(self) -> Iterator[None]:
        """Be the base model for a while."""
        if isinstance(self._model, PeftModel):
            with self._model.disable_adapter():
                yield
        else:
            yield

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation up to where the answer begins."""
        return self._renderer.prompt(messages).ids

    def text_ids(self, text: str) -> list[int]:
        """Token ids of a text that no template wraps."""
        return [*self._renderer.beginning, *self._renderer.encode(text)]

    @torch.inference_mode()
    def logits(self, ids: Sequence[int], positions: Sequence[int]) -> Logits:
        """Raw next-token scores after each of `positions` of `ids`, (positions, vocabulary)."""
        batch = torch.tensor([list(ids)])
        # Only these positions go through the head: a vocabulary wide, it is most of a small model.
        kept = torch.tensor(list(positions), dtype=torch.long)
        scores = self._model(input_ids=batch, logits_to_keep=kept).logits
        result: Logits = scores[0].float().numpy()
        return result

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[Answer]:
        """Answer each prompt greedily, those of similar length together."""
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        answers: dict[int, Answer] = {}
        for start in range(0, len(order), BATCH):
            indices = order[start : start + BATCH]
            batch = self._generate_batch([prompts[index] for index in indices], max_new_tokens)
            answers.update(zip(indices, batch, strict=True))
        return [answers[index] for index in range(len(prompts))]

    def _generate_batch(self, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[Answer]:
        width, pad = max(map(len, prompts)), self._renderer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        ends = sorted(self._renderer.end_of_turn_ids)
        # A fresh configuration: the folder's own may ask for sampling or penalties.
        settings = GenerationConfig(
            max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=ends or None, pad_token_id=pad
        )
        generated = self._model.generate(input_ids=ids, attention_mask=mask, generation_config=settings)
        return [_cut(row[width:].tolist(), frozenset(ends)) for row in generated]


def _cut(ids: list[int], ends: frozenset[int]) -> Answer:
    """Return the answer before its end token."""
    for place, token in enumerate(ids):
        if token in ends:
            return Answer(tuple(ids[:place]), ended=True)
    return Answer(tuple(ids), ended=False)
