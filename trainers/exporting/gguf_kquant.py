"""The whole model in one of llama.cpp's mixed number formats: written in 16 bit, quantized by llama.cpp.

Owns the steps; the last is done by a child process, because llama.cpp aborts the process that it fails in.
Refuses to know which tensor gets which type: llama.cpp chooses, with one exception, see `_KEPT_FINE`.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

from trainers.device import usable_cores
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.adapter import Adapter
from trainers.exporting.child import make_file
from trainers.exporting.gguf_plan import plan_gguf
from trainers.exporting.importance import TokenRows, write_importance
from trainers.exporting.watch import Watch

#: Name → llama.cpp's number for the mixture, and the type of most tensors.
K_QUANTS = {
    "q4_k_m": (LlamaFileType.MOSTLY_Q4_K_M, GGMLQuantizationType.Q4_K),
    "q5_k_m": (LlamaFileType.MOSTLY_Q5_K_M, GGMLQuantizationType.Q5_K),
    "q6_k": (LlamaFileType.MOSTLY_Q6_K, GGMLQuantizationType.Q6_K),
}
#: Rows that do not divide into blocks of 256 get an older format from llama.cpp. For Q5_K that is Q5_1, whose
#: products add up a block's inputs in f16: on SmolLM2-135M, whose rows are 576 wide, questions that had
#: nothing to do with its training came out 1.3 nats per token apart. Such matrices are kept in Q8_0 instead.
_SUPER_BLOCK = 256
_KEPT_FINE = {"q5_k_m": GGMLQuantizationType.Q8_0}
#: The step between: exact enough that rounding twice does not show. Too large a number makes it bf16.
_BETWEEN, _BETWEEN_WIDE = "f16", "bf16"
_BETWEEN_BYTES = 2.0
#: Smallest block of any type that llama.cpp falls back to: rows that do not divide into it stay in 16 bit.
_SMALLEST_BLOCK = 32
_BETWEEN_SUFFIX, _IMPORTANCE_SUFFIX = ".16bit", ".importance"


class GgufKQuant:
    """A plan to write one model in a mixed format; what can be refused is refused here.

    With `rows` of token ids its errors are weighed by how the model uses its inputs while it reads them.
    """

    def __init__(
        self, name: str, model_dir: Path, adapter: Adapter | None, quant: str, rows: TokenRows = ()
    ) -> None:
        self._rows = rows
        self._file_type, self._type = K_QUANTS[quant]
        self._quant = quant
        if find_spec("llama_cpp") is None:
            raise AcademyError(ErrorCode.LLAMA_CPP_MISSING, detail=quant)
        self._plan = plan_gguf(name, model_dir, adapter, _BETWEEN)
        self._wide = partial(plan_gguf, name, model_dir, adapter, _BETWEEN_WIDE)
        odd = self._plan.matrices_not_in_blocks_of(_SMALLEST_BLOCK)
        if odd:
            known = ", ".join(("f32", "f16", "bf16", "q8_0"))
            raise AcademyError(ErrorCode.QUANT_UNSUPPORTED, quant=quant, known=known, tensor=odd[0])

    @property
    def size_bytes(self) -> int:
        """An upper bound of what is on the disk at once: the file in 16 bit, the quantized one beside it."""
        return self._plan.size_bytes + self._expected_bytes(0.6)

    @property
    def is_converted(self) -> bool:
        """Whether llama.cpp's converter writes the step between."""
        return self._plan.is_converted

    def write(self, path: Path, watch: Watch) -> None:
        """Write the file at `path`."""
        between = path.with_name(f"{path.name}{_BETWEEN_SUFFIX}")
        importance = path.with_name(f"{path.name}{_IMPORTANCE_SUFFIX}")
        try:
            self._write_between(between, watch)
            if self._rows:
                write_importance(between, self._rows, importance, watch)
            self._quantize(between, path, watch, importance if self._rows else None)
        finally:
            between.unlink(missing_ok=True)
            importance.unlink(missing_ok=True)

    def _write_between(self, between: Path, watch: Watch) -> None:
        try:
            self._plan.write(between, watch)
        except AcademyError as error:
            if error.code is not ErrorCode.QUANT_UNSUPPORTED:
                raise
            self._wide().write(between, watch)

    def _kept_fine(self) -> dict[str, int]:
        kind = _KEPT_FINE.get(self._quant)
        if kind is None:
            return {}
        return dict.fromkeys(self._plan.matrices_not_in_blocks_of(_SUPER_BLOCK), int(kind))

    def _expected_bytes(self, spare: float = 0.0) -> int:
        values, stored = GGML_QUANT_SIZES[self._type]
        share = stored / values / _BETWEEN_BYTES
        return round(self._plan.size_bytes * min(share * (1 + spare), 1.0))

    def _quantize(self, source: Path, target: Path, watch: Watch, importance: Path | None = None) -> None:
        request = {
            "source": str(source),
            "target": str(target),
            "file_type": int(self._file_type),
            "types": self._kept_fine(),
            "threads": usable_cores(),
            "importance": str(importance) if importance else None,
        }
        make_file("trainers.llama_quantizer", request, target, self._expected_bytes(), watch)
