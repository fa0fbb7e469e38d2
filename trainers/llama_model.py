"""One GGUF model in llama.cpp, through its C interface.

Only ever imported in the child process `trainers.llama_worker`: a damaged file aborts the process that loads
it. Owns pointers and batches. Refuses to know what is asked for and why.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from trainers.llama_activations import Activations

#: Answers generated side by side: the weights are read once for all of them.
SEQUENCES = 8
#: Tokens computed at once while activations are counted: the scores of all of them are in memory.
_COUNTED_AT_ONCE = 128


#: A pointer of the C library; its Python binding does not type them consistently.
Pointer = Any


class LlamaError(Exception):
    """llama.cpp refused something; its own words went to stderr."""


@dataclass
class Conversation:
    """One answer in the making, in a sequence of its own of the context's memory."""

    sequence: int
    position: int
    ids: list[int]
    next_id: int


class LlamaModel:
    """A loaded model, with an adapter added to it if one is given."""

    def __init__(self, path: Path, lora: Path | None, threads: int) -> None:
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        # Repacked weights crash at the first batch on processors with AMX (ggml-org/llama.cpp#20824).
        parameters.use_extra_bufts = False
        parameters.check_tensors = True
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        vocabulary = llama_cpp.llama_model_get_vocab(model) if model else None
        if not model or not vocabulary:
            raise LlamaError("the file could not be loaded")
        self._model = model
        self._vocabulary = vocabulary
        self._threads = threads
        self._context: Pointer | None = None
        self._context_tokens = 0
        self._activations: Activations | None = None
        self._lora = None
        if lora is not None:
            self._lora = llama_cpp.llama_adapter_lora_init(model, str(lora).encode())
            if not self._lora:
                raise LlamaError("the adapter could not be loaded")

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens."""
        return int(llama_cpp.llama_vocab_n_tokens(self._vocabulary))

    def metadata(self) -> dict[str, str]:
        """Return the file's metadata as llama.cpp read it, arrays left out."""
        count = llama_cpp.llama_model_meta_count(self._model)
        found: dict[str, str] = {}
        for index in range(count):
            key = self._text(llama_cpp.llama_model_meta_key_by_index, index)
            found[key] = self._text(llama_cpp.llama_model_meta_val_str_by_index, index)
        return found

    def end_ids(self) -> list[int]:
        """Return every id at which llama.cpp ends an answer."""
        tokens = range(self.vocabulary_size)
        return [token for token in tokens if llama_cpp.llama_vocab_is_eog(self._vocabulary, token)]

    def special_texts(self) -> dict[str, str]:
        """Return the texts of the begin and end token, in a chat template's names."""
        ids = {
            "bos_token": llama_cpp.llama_vocab_bos(self._vocabulary),
            "eos_token": llama_cpp.llama_vocab_eos(self._vocabulary),
        }
        return {
            name: llama_cpp.llama_vocab_get_text(self._vocabulary, token).decode("utf-8", "replace")
            for name, token in ids.items()
            if token >= 0
        }

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of a text in which special tokens are written out; nothing is added."""
        raw = text.encode()
        count = -(len(raw) + 8)
        while count < 0:  # what it returned is how much room it needs
            room = -count
            ids = (llama_cpp.llama_token * room)()
            count = llama_cpp.llama_tokenize(self._vocabulary, raw, len(raw), ids, room, False, True)
            if -count == room:
                raise LlamaError("the text could not be tokenized")
        return list(ids[:count])

    def logits(self, ids: Sequence[int], positions: Sequence[int]) -> NDArray[np.float32]:
        """Return the scores of the next token after each of `positions`, (positions, vocabulary)."""
        context = self._fresh_context(len(ids), 1)
        wanted = set(positions)
        entries = [(token, place, 0, place in wanted) for place, token in enumerate(ids)]
        self._decode(context, entries)
        return np.stack([self._scores(context, place).copy() for place in positions])

    def generate(self, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[tuple[list[int], bool]]:
        """Answer each prompt greedily: ids without the end token, and whether the model ended by itself."""
        answers: list[tuple[list[int], bool]] = []
        for start in range(0, len(prompts), SEQUENCES):
            group = prompts[start : start + SEQUENCES]
            answers += self._generate_group(group, max_new_tokens)
        return answers

    def count_activations(self, ids: Sequence[int]) -> None:
        """Add what each matrix is multiplied by while `ids` are read to the sums of this model."""
        if self._activations is None:
            self._activations = Activations()
            self._context_tokens = 0  # the context was opened without it
        context = self._fresh_context(len(ids), 1)
        for start in range(0, len(ids), _COUNTED_AT_ONCE):
            part = ids[start : start + _COUNTED_AT_ONCE]
            self._activations.begins = start == 0
            # Scores are wanted everywhere: the last layer is computed for no other tokens.
            entries = [(token, place, 0, True) for place, token in enumerate(part, start=start)]
            try:
                self._decode(context, entries)
            finally:
                if self._activations.failure is not None:
                    raise LlamaError(str(self._activations.failure)) from self._activations.failure

    def mean_squares(self) -> dict[str, NDArray[np.float32]]:
        """Return what was counted: for each matrix the mean square of each of its inputs."""
        return {} if self._activations is None else self._activations.means()

    def _generate_group(self, prompts: Sequence[Sequence[int]], limit: int) -> list[tuple[list[int], bool]]:
        context = self._fresh_context(max(map(len, prompts)) + limit, len(prompts))
        talks = [self._begin(context, number, prompt) for number, prompt in enumerate(prompts)]
        for _ in range(limit):
            going = [talk for talk in talks if not self._ends(talk)]
            if not going:
                break
            for talk in going:
                talk.ids.append(talk.next_id)
            self._decode(context, [(talk.next_id, talk.position, talk.sequence, True) for talk in going])
            for row, talk in enumerate(going):
                talk.position += 1
                talk.next_id = int(self._scores(context, row).argmax())
        # The end token counts: what fills the limit was cut, as in transformers.
        return [(talk.ids, len(talk.ids) < limit and self._ends(talk)) for talk in talks]

    def _begin(self, context: Pointer, sequence: int, prompt: Sequence[int]) -> Conversation:
        last = len(prompt) - 1
        self._decode(context, [(token, place, sequence, place == last) for place, token in enumerate(prompt)])
        return Conversation(sequence, len(prompt), [], int(self._scores(context, last).argmax()))

    def _ends(self, talk: Conversation) -> bool:
        return bool(llama_cpp.llama_vocab_is_eog(self._vocabulary, talk.next_id))

    def _fresh_context(self, tokens: int, sequences: int) -> Pointer:
        """Return an empty context with room for `tokens` in each of `sequences`."""
        needed = max(tokens * sequences, SEQUENCES)  # llama.cpp aborts with less than one for each sequence
        if self._context is None or self._context_tokens < needed:
            self._context = self._open_context(needed)
            self._context_tokens = needed
        memory = llama_cpp.llama_get_memory(self._context)
        if memory:
            llama_cpp.llama_memory_clear(memory, False)
        return self._context

    def _open_context(self, tokens: int) -> Pointer:
        if self._context is not None:
            llama_cpp.llama_free(self._context)
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = tokens
        parameters.n_seq_max = SEQUENCES
        parameters.kv_unified = True
        parameters.n_threads = parameters.n_threads_batch = self._threads
        parameters.no_perf = True
        if self._activations is not None:
            parameters.cb_eval = self._activations.callback
        context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not context:
            raise LlamaError("no memory for the context")
        if self._lora:
            pointers = (type(self._lora) * 1)(self._lora)
            if llama_cpp.llama_set_adapters_lora(context, pointers, 1, (ctypes.c_float * 1)(1.0)) != 0:
                raise LlamaError("the adapter does not fit the model")
        return context

    def _decode(self, context: Pointer, entries: Sequence[tuple[int, int, int, bool]]) -> None:
        """Compute a batch; an entry is a token, its position, its sequence, and whether scores are wanted."""
        with _batch(len(entries)) as batch:
            for row, (token, position, sequence, wanted) in enumerate(entries):
                batch.token[row] = token
                batch.pos[row] = position
                batch.n_seq_id[row] = 1
                batch.seq_id[row][0] = sequence
                batch.logits[row] = wanted
            batch.n_tokens = len(entries)
            code = llama_cpp.llama_decode(context, batch)
        if code != 0:
            raise LlamaError(f"llama_decode returned {code}")

    def _scores(self, context: Pointer, row: int) -> NDArray[np.float32]:
        """Return the scores of a batch's row; they are overwritten by the next batch."""
        pointer = llama_cpp.llama_get_logits_ith(context, row)
        return np.ctypeslib.as_array(pointer, (self.vocabulary_size,))

    def _text(self, read: Callable[[Pointer, int, Any, int], int], index: int) -> str:
        """Return a text that the library writes into a buffer, asking for its length first."""
        length = read(self._model, index, ctypes.create_string_buffer(1), 1)
        buffer = ctypes.create_string_buffer(length + 1)
        read(self._model, index, buffer, length + 1)
        return buffer.value.decode("utf-8", "replace")


@contextmanager
def _batch(tokens: int) -> Iterator[Pointer]:
    batch = llama_cpp.llama_batch_init(tokens, 0, 1)
    try:
        yield batch
    finally:
        llama_cpp.llama_batch_free(batch)
