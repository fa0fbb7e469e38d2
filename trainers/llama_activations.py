"""How strongly each input of each matrix is used: the mean squares of what llama.cpp multiplies it by.

Only ever imported in the child process `trainers.llama_worker`. Owns the look into llama.cpp's products while
they are computed, and the layout of its tensors, which it checks before it trusts it. Refuses to know what
the figures are for.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp._ggml import libggml_base_path
from numpy.typing import NDArray

_F32 = 0
_PRODUCT = b"MUL_MAT"
_WEIGHT, _EMBEDDING = b".weight", b"token_embd.weight"
_LIBRARIES = ("libggml-base.so", "libggml-base.dylib", "ggml-base.dll")


class _Tensor(ctypes.Structure):
    """`struct ggml_tensor` (ggml.h) as far as it is read here."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
    )


class Activations:
    """Sums of squares by tensor, one for each column, over all tokens so far.

    Attributes:
        begins: whether the batch holds the first token of a text. It is left out: whatever it says, its
            activations are many times as strong as all others (Sun et al. 2024, Massive Activations in Large
            Language Models), and the figures would speak of it alone.
        callback: what llama.cpp calls for each step of a computation.
        failure: what went wrong in it; nothing can be raised through C.
    """

    def __init__(self) -> None:
        self.begins = False
        self.failure: Exception | None = None
        self.callback: Any = llama_cpp.ggml_backend_sched_eval_callback(self._called)
        self._library = _load_library()
        self._sums: dict[str, NDArray[np.float64]] = {}
        self._counts: dict[str, int] = {}

    def means(self) -> dict[str, NDArray[np.float32]]:
        """Return the mean squares by the name of the tensor."""
        return {
            name: (sums / max(self._counts[name], 1)).astype(np.float32) for name, sums in self._sums.items()
        }

    def _called(self, address: int, is_asked: bool, _data: int | None) -> bool:
        """Asked: whether the result of a step is of interest. Otherwise: take it; whether to go on."""
        if self.failure is not None:
            return False
        try:
            weight = self._weight_of(address)
            if is_asked or weight is None:
                return weight is not None or not is_asked
            self._add(*weight)
        except Exception as error:
            self.failure = error
            return False
        return True

    def _weight_of(self, address: int) -> tuple[str, _Tensor] | None:
        """Return the name of a product's matrix and what it is multiplied by, or None for another step."""
        if self._library.ggml_op_desc(address) != _PRODUCT:
            return None
        product = self._tensor(address)
        matrix, inputs = self._tensor(product.src[0]), self._tensor(product.src[1])
        # Products of two activations have no weight; experts are asked in another kind of step.
        # A head that is the embedding as well is no product alone: each of its rows is read as it is.
        if not matrix.name.endswith(_WEIGHT) or matrix.name == _EMBEDDING or matrix.ne[2] != 1:
            return None
        return matrix.name.decode(), inputs

    def _add(self, name: str, inputs: _Tensor) -> None:
        columns, rows = inputs.ne[0], inputs.ne[1] * inputs.ne[2] * inputs.ne[3]
        if inputs.type != _F32 or inputs.nb[0] != 4 or inputs.nb[1] != 4 * columns:
            raise TypeError(f"the inputs of {name} are not rows of float32")
        pointer = ctypes.cast(inputs.data, ctypes.POINTER(ctypes.c_float))
        values = np.ctypeslib.as_array(pointer, (rows, columns))[self.begins :].astype(np.float64)
        known = self._sums.setdefault(name, np.zeros(columns))
        known += np.square(values).sum(axis=0)
        self._counts[name] = self._counts.get(name, 0) + len(values)

    def _tensor(self, address: int) -> _Tensor:
        """Read a tensor, and make sure that the library sees the same in it."""
        tensor = _Tensor.from_address(address)
        if (
            self._library.ggml_get_name(address) != address + _Tensor.name.offset
            or self._library.ggml_get_data(address) != tensor.data
        ):
            raise TypeError("this llama.cpp lays its tensors out in another way")
        return tensor


def _load_library() -> ctypes.CDLL:
    """Return the library that llama.cpp's bindings have loaded already, with the functions used here."""
    path = next(libggml_base_path / name for name in _LIBRARIES if (libggml_base_path / name).exists())
    library = ctypes.CDLL(str(path))
    results: dict[str, Callable[..., Any] | type] = {
        "ggml_op_desc": ctypes.c_char_p,
        "ggml_get_name": ctypes.c_void_p,  # where it lies, to compare with the layout
        "ggml_get_data": ctypes.c_void_p,
    }
    for name, result in results.items():
        function = getattr(library, name)
        function.argtypes = (ctypes.c_void_p,)
        function.restype = result
    return library
