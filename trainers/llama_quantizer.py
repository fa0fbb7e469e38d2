"""The child process that has llama.cpp quantize one file: `python -P -m trainers.llama_quantizer`.

One JSON object on stdin: {"source", "target", "file_type", "threads"}; one on stdout: {} or {"error":
{"code", "detail"}}. llama.cpp chooses the type of each tensor itself. Owns the call. Refuses to know why it
is made.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from trainers.errors import ErrorCode


def quantize(request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked for; a failure is an answer too."""
    try:
        import llama_cpp
    except ImportError as error:
        return _error(ErrorCode.LLAMA_CPP_MISSING, str(error))
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = request["file_type"]
    parameters.nthread = request["threads"]
    source, target = request["source"].encode(), request["target"].encode()
    code = llama_cpp.llama_model_quantize(source, target, parameters)
    return {} if code == 0 else _error(ErrorCode.LLAMA_CPP_FAILED, f"llama_model_quantize returned {code}")


def _error(code: ErrorCode, detail: str) -> dict[str, Any]:
    return {"error": {"code": code.value, "detail": detail}}


def main() -> None:
    """Answer the one request."""
    # Whatever the library prints must not end up in the answer.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answer.write(json.dumps(quantize(json.loads(sys.stdin.readline()))) + "\n")
    answer.flush()


if __name__ == "__main__":
    main()
