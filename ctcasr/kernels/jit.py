"""What compiled kernels stand on: decorators, bit patterns of floats, 2^x, a shared counter."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias
from typing import overload as typing_overload

import numpy as np
from numba import config, njit, types
from numba.extending import intrinsic, overload

if config.DISABLE_JIT:  # type: ignore[attr-defined,unused-ignore]
    raise ImportError(
        "NUMBA_DISABLE_JIT is set, and ctcasr's loops run compiled only: unset it for this program"
    )

# Numba finds the types of a compiled function anew for each call, so no annotation is right for
# all of them. These names say what is meant; for a type checker both are Any.
Array: TypeAlias = Any
Number: TypeAlias = Any
Function: TypeAlias = Callable[..., Any]

# Sums may be split over SIMD lanes (reassoc) and multiply-adds fused (contract); NaN and infinity
# keep their meaning.
_LANES = ("contract", "reassoc", "nsz")

# Numba's own type would have callers pass the typing context.
_intrinsic: Callable[[Function], Function] = intrinsic


@typing_overload
def jit(function: Function) -> Function: ...


@typing_overload
def jit(*, fastmath: Iterable[str]) -> Callable[[Function], Function]: ...


def jit(function: Function | None = None, *, fastmath: Iterable[str] = _LANES) -> Any:
    """Serial kernel that runs without the GIL and is compiled into its callers."""
    compile_serial = njit(nogil=True, fastmath=set(fastmath), error_model="numpy")
    return compile_serial if function is None else compile_serial(function)


def jit_inline(function: Function) -> Any:
    """The same for what takes many arrays in each frame: LLVM would pass them one by one."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "forceinline": True}
    return njit(fastmath=set(_LANES), **options)(function)


def cached(
    sources: str, *, fastmath: Iterable[str] = _LANES, allocates: bool = True
) -> Callable[[Callable[[int], Function]], Any]:
    """Decorator of `build(version)`, which makes a kernel that is kept on disk.

    Where numba finds no folder for it, or what it finds is full or damaged, the kernel is compiled
    anew in each process. Numba looks only at the file of a cached function, so `version`, which the
    function must name, stands for all files that the kernel is made of: those beside it that match
    `sources`, and this one. A kernel that allocates no array counts no references to arrays, which
    costs a loop over frames a third of its time.
    """

    def compiled(build: Callable[[int], Function]) -> Any:
        function = build(_checksum(Path(build.__code__.co_filename).parent, sources))
        options: dict[str, Any] = {
            "nogil": True,
            "fastmath": set(fastmath),
            "error_model": "numpy",
            "_nrt": allocates,  # numba's run-time of references
        }
        try:
            kernel = njit(cache=True, **options)(function)
        except RuntimeError:  # numba: "cannot cache function: no locator available"
            return njit(**options)(function)
        kernel._cache = _TolerantCache(kernel._cache)
        return kernel

    return compiled


class _TolerantCache:
    """Numba's cache of a function, whose faults cost a compilation and nothing else."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The compiled code of a signature; None where there is none, or a damaged one."""
        try:
            return self._cache.load_overload(signature, context)
        except Exception:  # whatever unpickling makes of damaged bytes
            with suppress(OSError):
                self._cache.flush()
            return None

    def save_overload(self, signature: Any, code: Any) -> None:
        """Keep compiled code, if the disk takes it."""
        with suppress(OSError):
            self._cache.save_overload(signature, code)


def _checksum(folder: Path, pattern: str) -> int:
    """Of the files in a folder that match a pattern, and of this one."""
    paths = [*sorted(folder.glob(pattern)), Path(__file__)]
    contents = [path.read_bytes() for path in paths]
    return zlib.crc32(b"".join(contents))


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
    """Add one to counter[0] (int64) atomically and return what it held: how threads share work."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        one = context.get_constant(types.int64, 1)
        return builder.atomic_rmw("add", array.data, one, "monotonic")

    return types.int64(counter), generate


def _chebyshev(degree: int) -> np.ndarray:
    """Coefficients of 2^x on |x| <= 1/2, constant first."""
    fit = np.polynomial.Chebyshev.interpolate(np.exp2, degree, domain=[-0.5, 0.5])
    return fit.convert(kind=np.polynomial.Polynomial).coef


def _taylor(degree: int) -> list[float]:
    """Coefficients of 2^x at 0, constant first: ln(2)^k / k!."""
    coefficients = []
    for k in range(degree + 1):
        factorial = np.prod(np.arange(1.0, k + 1))
        coefficients.append(float(np.log(2.0) ** k / factorial))
    return coefficients


_SINGLE = tuple(np.float32(coefficient) for coefficient in _chebyshev(6))
_DOUBLE = tuple(_taylor(12))
# Adding 1.5 * 2^(mantissa bits) leaves the nearest integer in the low bits of the sum.
_ROUND32 = np.float32(1.5 * 2**23)
_ROUND64 = 1.5 * 2.0**52
# The smallest normal powers of two; below them the result is 0.
_LOW32 = np.float32(-127)
_LOW64 = -1023.0


@jit(fastmath={"contract"})  # no reassoc: (x + r) - r must not be simplified
def _exp2_single(x: Number) -> Number:
    x = _LOW32 if x < _LOW32 else x  # this way round a NaN stays a NaN
    rounded = x + _ROUND32
    fraction = x - (rounded - _ROUND32)
    power = _SINGLE[5] + fraction * _SINGLE[6]
    power = _SINGLE[4] + fraction * power
    power = _SINGLE[3] + fraction * power
    power = _SINGLE[2] + fraction * power
    power = _SINGLE[1] + fraction * power
    power = _SINGLE[0] + fraction * power
    whole = np.int32((bits_of(rounded) + 127) << 23)
    return power * float_of(whole)


@jit(fastmath={"contract"})
def _exp2_double(x: Number) -> Number:
    x = _LOW64 if x < _LOW64 else x
    rounded = x + _ROUND64
    fraction = x - (rounded - _ROUND64)
    square = fraction * fraction
    fourth = square * square
    # Estrin's scheme: thirds of the polynomial side by side, then together.
    low = _DOUBLE[0] + fraction * _DOUBLE[1]
    low += square * (_DOUBLE[2] + fraction * _DOUBLE[3])
    middle = _DOUBLE[4] + fraction * _DOUBLE[5]
    middle += square * (_DOUBLE[6] + fraction * _DOUBLE[7])
    high = _DOUBLE[8] + fraction * _DOUBLE[9]
    high += square * (_DOUBLE[10] + fraction * _DOUBLE[11])
    high += fourth * _DOUBLE[12]
    power = low + fourth * (middle + fourth * high)
    whole = (bits_of(rounded) + 1023) << 52
    return power * float_of(whole)


def exp2(x: Number) -> Number:
    """2^x, branch-free so that loops over it vectorise: float32 (to 2e-7) or float64 (4e-16).

    For compiled code only; x must lie below 127 (float32) or 1023 (float64). 0 below the range.

    Raises:
        NotImplementedError: called from Python.
    """
    raise NotImplementedError("exp2 is for compiled code")


@overload(exp2)
def _exp2(x: Number) -> Any:
    def single(x: Number) -> Number:
        return _exp2_single(x)

    def double(x: Number) -> Number:
        return _exp2_double(x)

    return single if x == types.float32 else double
