"""The child process that alone loads llama.cpp: `python -P -m trainers.llama_worker`.

Speaks JSON Lines: one request per line on stdin, one answer per line on stdout; ends at end of file on stdin.
The first request opens a model. Owns the requests. Refuses to know why they are made.

    {"op": "open", "path", "lora", "threads"}       → metadata{}, texts{bos_token, eos_token}, end_ids
    {"op": "tokenize", "text"}                      → ids
    {"op": "logits", "ids", "positions", "path"}    → writes float32 (positions, vocabulary) to a .npy file
    {"op": "generate", "prompts", "max_new_tokens"} → answers[{ids, ended}]
    {"op": "count", "ids"}                          → adds to the mean squares of the matrices' inputs
    {"op": "mean_squares", "path"}                  → writes them to a .safetensors file, by matrix

A request that fails is answered by {"error": {"code", "detail"}}.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save_file

from trainers.errors import ErrorCode
from trainers.host_ties import die_with_parent

if TYPE_CHECKING:
    from trainers.llama_model import LlamaModel

Reply = dict[str, Any]


class Worker:
    """Answers requests about one model."""

    def __init__(self) -> None:
        self._model: LlamaModel | None = None

    def answer(self, request: dict[str, Any]) -> Reply:
        """Do what one request asks for; failures are answers too."""
        try:
            return self._answer(request)
        except ImportError as error:
            return _error(ErrorCode.LLAMA_CPP_MISSING, error)
        except Exception as error:  # a worker that died of it would say less
            return _error(ErrorCode.LLAMA_CPP_FAILED, error)

    def _answer(self, request: dict[str, Any]) -> Reply:
        if request["op"] == "open":
            return self._open(request)
        if self._model is None:
            raise RuntimeError("no model is open")
        match request["op"]:
            case "tokenize":
                return {"ids": self._model.tokenize(request["text"])}
            case "logits":
                np.save(request["path"], self._model.logits(request["ids"], request["positions"]))
                return {}
            case "generate":
                answers = self._model.generate(request["prompts"], request["max_new_tokens"])
                return {"answers": [{"ids": ids, "ended": ended} for ids, ended in answers]}
            case "count":
                self._model.count_activations(request["ids"])
                return {}
            case "mean_squares":
                save_file(self._model.mean_squares(), request["path"])
                return {}
        raise ValueError(f"unknown request {request['op']}")

    def _open(self, request: dict[str, Any]) -> Reply:
        from trainers.llama_model import LlamaModel

        lora = request["lora"]
        self._model = LlamaModel(Path(request["path"]), Path(lora) if lora else None, request["threads"])
        return {
            "metadata": self._model.metadata(),
            "texts": self._model.special_texts(),
            "end_ids": self._model.end_ids(),
        }


def _error(code: ErrorCode, error: Exception) -> Reply:
    return {"error": {"code": code.value, "detail": str(error) or type(error).__name__}}


def main() -> None:
    """Answer requests until stdin ends."""
    die_with_parent()
    # Whatever the library prints must not end up between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        answers.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
