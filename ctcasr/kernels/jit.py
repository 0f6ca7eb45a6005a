"""What compiled kernels stand on: the jit decorator, bit patterns of floats, 2^x, and a shared counter."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic, overload

# Sums may be split over SIMD lanes (reassoc) and multiply-adds fused (contract); NaN and infinity keep their meaning.
_LANES = ("contract", "reassoc", "nsz")

_intrinsic: Any = intrinsic  # numba's type would have callers pass the typing context


def jit(function: Callable[..., Any] | None = None, *, fastmath: Iterable[str] = _LANES) -> Any:
    """Serial kernel that runs without the GIL and is compiled into its callers."""
    compile_serial = njit(nogil=True, fastmath=set(fastmath), error_model="numpy")
    return compile_serial if function is None else compile_serial(function)


def cached(sources: str, *, fastmath: Iterable[str] = _LANES) -> Any:
    """Decorator of `build(version)`, which makes a kernel: kept on disk where numba finds a folder, else compiled anew.

    Numba looks only at the file of a cached function, so `version`, which the function must name, stands for all files
    that the kernel is made of: those beside it that match `sources`, and the files of this room.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": set(fastmath), "error_model": "numpy"}

    def compiled(build: Callable[[int], Callable[..., Any]]) -> Any:
        beside = sorted(Path(build.__code__.co_filename).parent.glob(sources))
        files = [*beside, *sorted(Path(__file__).parent.glob("*.py"))]
        function = build(zlib.crc32(b"".join(path.read_bytes() for path in files)))
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # numba: "cannot cache function: no locator available"
            return njit(**options)(function)

    return compiled


@_intrinsic
def bits_of(context: Any, x: Any) -> Any:
    """Bit pattern of a float64 as int64, of a float32 as int32."""
    result = types.int64 if x == types.float64 else types.int32

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(signature.return_type))

    return result(x), generate


@_intrinsic
def float_of(context: Any, x: Any) -> Any:
    """Float64 with the bit pattern of an int64, float32 with that of an int32."""
    result = types.float64 if x == types.int64 else types.float32

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(signature.return_type))

    return result(x), generate


@_intrinsic
def take_next(context: Any, counter: Any) -> Any:
    """Add one to counter[0] (int64) atomically and return what it held: how threads share out the rows."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        one = context.get_constant(types.int64, 1)
        return builder.atomic_rmw("add", array.data, one, "monotonic")

    return types.int64(counter), generate


def _chebyshev(degree: int) -> np.ndarray:
    """Coefficients of 2^f on |f| <= 1/2, constant first."""
    fit = np.polynomial.Chebyshev.interpolate(np.exp2, degree, domain=[-0.5, 0.5])
    return fit.convert(kind=np.polynomial.Polynomial).coef


_A0, _A1, _A2, _A3, _A4, _A5, _A6 = (np.float32(c) for c in _chebyshev(6))
_B0, _B1, _B2, _B3, _B4, _B5, _B6, _B7, _B8, _B9, _B10, _B11, _B12 = (
    float(np.log(2.0) ** k / np.prod(np.arange(1.0, k + 1))) for k in range(13)
)
# Adding 1.5 * 2^(mantissa bits) leaves the nearest integer in the low bits of the sum.
_ROUND32, _ROUND64 = np.float32(1.5 * 2**23), 1.5 * 2.0**52
_LOW32, _LOW64 = np.float32(-127), -1023.0


@jit(fastmath={"contract"})  # no reassoc: (x + r) - r must not be simplified
def _exp2_single(x: Any) -> Any:
    x = _LOW32 if x < _LOW32 else x  # this way round a NaN stays a NaN
    r = x + _ROUND32
    f = x - (r - _ROUND32)
    p = _A0 + f * (_A1 + f * (_A2 + f * (_A3 + f * (_A4 + f * (_A5 + f * _A6)))))
    return p * float_of(np.int32((bits_of(r) + 127) << 23))


@jit(fastmath={"contract"})
def _exp2_double(x: Any) -> Any:
    x = _LOW64 if x < _LOW64 else x
    r = x + _ROUND64
    f = x - (r - _ROUND64)
    f4 = (f * f) * (f * f)
    low = _B0 + f * _B1 + (f * f) * (_B2 + f * _B3)
    mid = _B4 + f * _B5 + (f * f) * (_B6 + f * _B7)
    high = _B8 + f * _B9 + (f * f) * (_B10 + f * _B11) + f4 * _B12
    return (low + f4 * (mid + f4 * high)) * float_of((bits_of(r) + 1023) << 52)


def exp2(x: Any) -> Any:
    """2^x, branch-free so that loops over it vectorise: float32 (to 2e-7) or float64 (4e-16), 0 below the range.

    For compiled code only; x must lie below 127 (float32) or 1023 (float64).
    """
    raise NotImplementedError("exp2 is for compiled code")


@overload(exp2)
def _exp2(x: Any) -> Any:
    def single(x: Any) -> Any:
        return _exp2_single(x)

    def double(x: Any) -> Any:
        return _exp2_double(x)

    return single if x == types.float32 else double
