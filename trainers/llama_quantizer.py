"""The child process that has llama.cpp quantize one file: `python -P -m trainers.llama_quantizer`.

One JSON object on stdin: {"source", "target", "file_type", "types", "threads", "importance"}; one on
stdout: {} or {"error": {"code", "detail"}}. `importance` is null or a safetensors file with a weight for each
column of a matrix. llama.cpp chooses the type of each tensor that is not named in `types`. Owns the call.
Refuses to know why it is made.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from trainers.errors import ErrorCode
from trainers.host_ties import die_with_parent

#: Of the mean weight of a matrix's columns: none counts for less.
_LEAST_SHARE = 1e-3
#: Rows that do not divide into the blocks of K-quants get an older format, which is left as it is: weighed,
#: SmolLM2-135M (rows of 576) went from a divergence of 0.03 to 0.8 nats per token in q5_k_m.
_SUPER_BLOCK = 256


def quantize(request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked for; a failure is an answer too."""
    try:
        import llama_cpp
    except ImportError as error:
        return _error(ErrorCode.LLAMA_CPP_MISSING, str(error))
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = request["file_type"]
    parameters.nthread = request["threads"]
    types = _types(request["types"])
    parameters.tt_overrides = types
    kept = _importance(request["importance"]) if request["importance"] else None
    if kept is not None:
        parameters.imatrix = kept.entries
    source, target = request["source"].encode(), request["target"].encode()
    code = llama_cpp.llama_model_quantize(source, target, parameters)
    return {} if code == 0 else _error(ErrorCode.LLAMA_CPP_FAILED, f"llama_model_quantize returned {code}")


@dataclass(frozen=True)
class _Importance:
    """An array of `llama_model_imatrix_data`, ended by an empty one, and the memory that it points to."""

    entries: Any
    memory: Mapping[str, NDArray[np.float32]]


def _types(named: Mapping[str, int]) -> Any:
    """An array of `llama_model_tensor_override`, ended by an empty one: patterns that fit one name each."""
    import llama_cpp

    entries = (llama_cpp.llama_model_tensor_override * (len(named) + 1))()
    for entry, (name, number) in zip(entries, named.items(), strict=False):
        entry.pattern = f"^{re.escape(name)}$".encode()
        entry.type = number
    return entries


def _importance(path: str) -> _Importance:
    import llama_cpp

    known = load_file(path).items()
    weights = {name: _bounded(values) for name, values in known if values.size % _SUPER_BLOCK == 0}
    entries = (llama_cpp.llama_model_imatrix_data * (len(weights) + 1))()
    for entry, (name, values) in zip(entries, weights.items(), strict=False):
        entry.name = name.encode()
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entry.size = values.size
    return _Importance(entries, weights)


def _bounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return weights without zeros: what these rows never used, others may."""
    bounded: NDArray[np.float32] = np.maximum(values, _LEAST_SHARE * values.mean())
    return bounded


def _error(code: ErrorCode, detail: str) -> dict[str, Any]:
    return {"error": {"code": code.value, "detail": detail}}


def main() -> None:
    """Answer the one request."""
    die_with_parent()
    # Whatever the library prints must not end up in the answer.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answer.write(json.dumps(quantize(json.loads(sys.stdin.readline()))) + "\n")
    answer.flush()


if __name__ == "__main__":
    main()
