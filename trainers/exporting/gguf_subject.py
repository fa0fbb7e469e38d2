"""A GGUF file as a subject: asked the way that llama.cpp's users ask, by what the file itself says.

Owns the way from a conversation to the file's own prompt tokens. Refuses to know transformers' side.
"""

from __future__ import annotations

from collections.abc import Sequence

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.subject import Answer, Logits
from trainers.llama_client import LlamaClient
from trainers.rendering import Message, render_template


class GgufSubject:
    """A model opened in llama.cpp."""

    def __init__(self, client: LlamaClient) -> None:
        self._client = client

    @property
    def chat_template(self) -> str:
        """The template that the file carries; empty if none."""
        return self._client.metadata.get("tokenizer.chat_template", "")

    @property
    def end_ids(self) -> frozenset[int]:
        """Every id at which llama.cpp ends an answer."""
        return self._client.end_ids

    @property
    def eos_id(self) -> int | None:
        """The end token that the file declares."""
        return self._declared("eos")

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Token ids by the embedded template and llama.cpp's own tokenizer.

        Raises:
            AcademyError: `template_failed`, also for a file without a template.
        """
        if not self.chat_template:
            raise AcademyError(ErrorCode.TEMPLATE_FAILED, detail="the file carries no chat template")
        special = self._client.special_texts
        text = render_template(
            self.chat_template, messages, add_generation_prompt=True, special_tokens=special
        )
        return self._begun(text)

    def text_ids(self, text: str) -> list[int]:
        """Token ids of a text that no template wraps."""
        return self._begun(text)

    def logits(self, ids: Sequence[int], positions: Sequence[int]) -> Logits:
        """Raw next-token scores after each of `positions` of `ids`, (positions, vocabulary)."""
        return self._client.logits(ids, positions)

    def generate(self, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[Answer]:
        """Answer each prompt greedily; the file alone says where an answer ends."""
        return self._client.generate(prompts, max_new_tokens)

    def _begun(self, text: str) -> list[int]:
        """Token ids as llama.cpp's programs make them: a begin token that is there is not put there again."""
        ids, bos = self._client.tokenize(text), self._declared("bos")
        adds = self._client.metadata.get("tokenizer.ggml.add_bos_token") == "true"
        return [bos, *ids] if adds and bos is not None and ids[:1] != [bos] else ids

    def _declared(self, name: str) -> int | None:
        declared = self._client.metadata.get(f"tokenizer.ggml.{name}_token_id", "")
        return int(declared) if declared.isdecimal() else None
