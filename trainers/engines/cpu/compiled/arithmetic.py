"""Numbers as the compiled kernels see them: bf16 by its bits, sums in a written order, an exponential.

Nothing here may be reordered, contracted or approximated by the compiler. Numba keeps two copies of a
parallel loop, which are optimized differently: the process that compiles runs the one, a process that finds
the code in the cache runs the other. Only what is fully specified gives the same bits in both. So sums run in
LANES partial sums, which vector units hold, and products are fused with sums where `fma` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

P = ParamSpec("P")
R = TypeVar("R")
Array = Any

#: Partial sums of a row, a power of two.
LANES = 128
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
_LOWEST = np.float32(-3e38)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a helper into its callers."""
    return cast(Callable[P, R], numba.njit(inline="always", error_model="numpy")(function))


@cache
def compiled(kernel: Callable[..., None], keep: bool) -> Callable[..., None]:
    """Return a kernel that is compiled at its first call with types that are new."""
    return cast(Callable[..., None], numba.njit(parallel=True, error_model="numpy", cache=keep)(kernel))


def _bits_of(typing: Any, x: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), code


def _float_of(typing: Any, x: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), code


def _fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), code


bits_of: Any = intrinsic(_bits_of)
float_of: Any = intrinsic(_float_of)
#: a * b + c, rounded once.
fma: Any = intrinsic(_fma)


def wide(x: Any) -> Any:
    """Return a stored value as fp32."""
    raise NotImplementedError


def stored(value: Any, like: Any) -> Any:
    """Return an fp32 value as it is stored beside `like`, rounded to the nearest."""
    raise NotImplementedError


def _wide(x: Any) -> Any:
    if x == types.uint16:
        return _widened
    return _itself


def _stored(value: Any, like: Any) -> Any:
    if like == types.uint16:
        return _rounded
    return _unrounded


def _widened(x: Any) -> Any:
    return float_of(np.uint32(np.uint32(x) << np.uint32(16)))


def _itself(x: Any) -> Any:
    return x


def _unrounded(value: Any, like: Any) -> Any:
    return np.float32(value)


def _rounded(value: Any, like: Any) -> Any:
    bits = bits_of(np.float32(value))
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


overload(wide, inline="always")(_wide)
overload(stored, inline="always")(_stored)


@inlined
def exp(x: Any) -> Any:
    """Return e^x within 2e-7 of the true value relatively: a polynomial, so that it fits vector units."""
    x = np.float32(-87) if x < np.float32(-87) else x
    x = np.float32(88) if x > np.float32(88) else x
    x = x * np.float32(1.44269504)
    whole = np.floor(x + HALF)
    f = x - whole
    p = fma(np.float32(1.5403530e-4), f, np.float32(1.3333558e-3))
    p = fma(p, f, np.float32(9.6181291e-3))
    p = fma(p, f, np.float32(5.5504109e-2))
    p = fma(p, f, np.float32(2.4022651e-1))
    p = fma(p, f, np.float32(6.9314718e-1))
    p = fma(p, f, ONE)
    return p * float_of(np.uint32((np.int32(whole) + np.int32(127)) << np.int32(23)))


@inlined
def emptied(lanes: Array) -> None:
    """Begin a sum."""
    for j in range(LANES):
        lanes[j] = ZERO


@inlined
def total(lanes: Array) -> Any:
    """Return the sum of the lanes, halving them again and again."""
    half = LANES // 2
    while half > 0:
        for j in range(half):
            lanes[j] = lanes[j] + lanes[half + j]
        half //= 2
    return lanes[0]


@inlined
def largest(row: Array, first: int, last: int, lanes: Array) -> Any:
    """Return the largest value, without regard to what is not a number, which a sum after it finds."""
    for j in range(LANES):
        lanes[j] = _LOWEST
    for start in range(first, last, LANES):
        for j in range(min(LANES, last - start)):
            value = wide(row[start + j])
            lanes[j] = value if value > lanes[j] else lanes[j]
    top = _LOWEST
    for j in range(LANES):
        top = lanes[j] if lanes[j] > top else top
    return top


@inlined
def exponentials(row: Array, first: int, last: int, top: Any, lanes: Array) -> Any:
    """Return the sum of e^(x - top)."""
    emptied(lanes)
    for start in range(first, last, LANES):
        for j in range(min(LANES, last - start)):
            lanes[j] += exp(wide(row[start + j]) - top)
    return total(lanes)
