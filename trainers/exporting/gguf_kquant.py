"""The whole model in one of llama.cpp's mixed number formats: written in 16 bit, quantized by llama.cpp.

Owns the two steps and the wait for the child process that does the second: llama.cpp aborts the process that
it fails in. Refuses to know which tensor gets which type: llama.cpp chooses.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

from trainers.device import usable_cores
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.adapter import Adapter
from trainers.exporting.gguf_model import GgufModel
from trainers.exporting.watch import Watch
from trainers.llama_client import child_environment, telling_line

#: Name → llama.cpp's number for the mixture, and the type of most tensors.
K_QUANTS = {
    "q4_k_m": (LlamaFileType.MOSTLY_Q4_K_M, GGMLQuantizationType.Q4_K),
    "q5_k_m": (LlamaFileType.MOSTLY_Q5_K_M, GGMLQuantizationType.Q5_K),
    "q6_k": (LlamaFileType.MOSTLY_Q6_K, GGMLQuantizationType.Q6_K),
}
#: The step between: exact enough that rounding twice does not show. Too large a number makes it bf16.
_BETWEEN, _BETWEEN_WIDE = "f16", "bf16"
_BETWEEN_BYTES = 2.0
#: Smallest block of any type that llama.cpp falls back to: rows that do not divide into it stay in 16 bit.
_SMALLEST_BLOCK = 32
_POLL_S = 0.2
_BETWEEN_SUFFIX = ".16bit"


class GgufKQuant:
    """A plan to write one model in a mixed format; what can be refused is refused here."""

    def __init__(self, name: str, model_dir: Path, adapter: Adapter | None, quant: str) -> None:
        self._file_type, self._type = K_QUANTS[quant]
        self._quant = quant
        if find_spec("llama_cpp") is None:
            raise AcademyError(ErrorCode.LLAMA_CPP_MISSING, detail=quant)
        self._plans = {kind: GgufModel(name, model_dir, adapter, kind) for kind in (_BETWEEN, _BETWEEN_WIDE)}
        odd = self._plans[_BETWEEN].matrices_not_in_blocks_of(_SMALLEST_BLOCK)
        if odd:
            known = ", ".join(("f32", "f16", "bf16", "q8_0"))
            raise AcademyError(ErrorCode.QUANT_UNSUPPORTED, quant=quant, known=known, tensor=odd[0])

    @property
    def size_bytes(self) -> int:
        """An upper bound of what is on the disk at once: the file in 16 bit, the quantized one beside it."""
        return self._plans[_BETWEEN].size_bytes + self._expected_bytes(0.6)

    def write(self, path: Path, watch: Watch) -> None:
        """Write the file at `path`."""
        between = path.with_name(f"{path.name}{_BETWEEN_SUFFIX}")
        try:
            self._plans[_BETWEEN].write(between, watch)
        except AcademyError as error:
            if error.code is not ErrorCode.QUANT_UNSUPPORTED:
                raise
            self._plans[_BETWEEN_WIDE].write(between, watch)
        try:
            self._quantize(between, path, watch)
        finally:
            between.unlink(missing_ok=True)

    def _expected_bytes(self, spare: float = 0.0) -> int:
        values, stored = GGML_QUANT_SIZES[self._type]
        share = stored / values / _BETWEEN_BYTES
        return round(self._plans[_BETWEEN].size_bytes * min(share * (1 + spare), 1.0))

    def _quantize(self, source: Path, target: Path, watch: Watch) -> None:
        """Let the child work, tell how much it has written, and end it when asked to."""
        request = {
            "source": str(source),
            "target": str(target),
            "file_type": int(self._file_type),
            "threads": usable_cores(),
        }
        with tempfile.TemporaryFile() as said:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "trainers.llama_quantizer"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=child_environment(),
            )
            try:
                answer = self._wait(child, json.dumps(request).encode() + b"\n", target, watch)
            except BaseException:
                child.kill()
                child.communicate()
                raise
            if not answer.strip():
                said.seek(0)
                detail = f"exit code {child.returncode}: {telling_line(said.read())}"
                raise AcademyError(ErrorCode.LLAMA_CPP_FAILED, path=str(target), detail=detail)
        problem = json.loads(answer).get("error")
        if problem is not None:
            facts = {"path": target.name, "detail": problem["detail"]}
            raise AcademyError(ErrorCode(problem["code"]), **facts)

    def _wait(self, child: subprocess.Popen[bytes], request: bytes, target: Path, watch: Watch) -> bytes:
        total = self._expected_bytes()
        asked: bytes | None = request
        while True:
            try:
                answer, _ = child.communicate(asked, timeout=_POLL_S)
            except subprocess.TimeoutExpired:
                asked = None
                written = target.stat().st_size if target.exists() else 0
                watch.progress(min(written, total - 1), total, "bytes")
            else:
                watch.progress(total, total, "bytes")
                return answer
