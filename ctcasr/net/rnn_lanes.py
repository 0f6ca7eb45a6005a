"""What the compiled RNN stands on: SIMD values in LLVM's own words, 2^x, sigmoid, tanh, and the small matrix product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_intrinsic: Any = intrinsic  # numba's type would have callers pass the typing context
_WIDE = bool(binding.get_host_cpu_features().get("avx512f"))
LANES = 16 if _WIDE else 8  # floats in a SIMD value
WIDTH = 2 * LANES  # columns of a panel of packed weights: two values
TALL = 8 if _WIDE else 4  # rows of a product whose sums are held in registers
FLOAT, INT = ir.FloatType(), ir.IntType(32)
_VECTOR, _BITS = ir.VectorType(FLOAT, LANES), ir.VectorType(INT, LANES)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c of SIMD values, rounded once (llvmlite's own `fma` takes single numbers only)."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    return builder.call(
        cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32"), [a, b, c]
    )


class Value:
    """A SIMD value of float32 in an LLVM function that is being built; arithmetic on it writes instructions."""

    def __init__(self, builder: Any, raw: Any) -> None:
        self.builder, self.raw = builder, raw

    def of(self, x: float | Value) -> Any:
        """The LLVM value of a constant or of another Value."""
        return x.raw if isinstance(x, Value) else ir.Constant(_VECTOR, [_Literal(x)] * LANES)

    def make(self, raw: Any) -> Value:
        return Value(self.builder, raw)

    def __add__(self, other: float | Value) -> Value:
        return self.make(self.builder.fadd(self.raw, self.of(other)))

    def __sub__(self, other: float | Value) -> Value:
        return self.make(self.builder.fsub(self.raw, self.of(other)))

    def __rsub__(self, other: float) -> Value:
        return self.make(self.builder.fsub(self.of(other), self.raw))

    def __mul__(self, other: float | Value) -> Value:
        return self.make(self.builder.fmul(self.raw, self.of(other)))

    def __rtruediv__(self, other: float) -> Value:
        return self.make(self.builder.fdiv(self.of(other), self.raw))

    def fma(self, factor: Value, summand: float | Value) -> Value:
        """self * factor + summand, rounded once."""
        return self.make(_fma(self.builder, self.raw, factor.raw, self.of(summand)))

    def below(self, other: float) -> Any:
        """Where it is less than `other`; false for NaN."""
        return self.builder.fcmp_ordered("<", self.raw, self.of(other))

    def where(self, condition: Any, other: float | Value) -> Value:
        """`other` where the condition holds, else itself."""
        return self.make(self.builder.select(condition, self.of(other), self.raw))

    def at_most(self, most: float) -> Value:
        """min(self, most); NaN stays NaN."""
        return self.where(self.builder.fcmp_ordered(">", self.raw, self.of(most)), most)


class _Literal(ir.Constant):
    def __init__(self, x: float) -> None:
        super().__init__(FLOAT, float(np.float32(x)))


def _chebyshev(degree: int) -> list[float]:
    """Coefficients of 2^f on |f| <= 1/2, constant first."""
    fit = np.polynomial.Chebyshev.interpolate(np.exp2, degree, domain=[-0.5, 0.5])
    return [float(c) for c in fit.convert(kind=np.polynomial.Polynomial).coef]


_EXP2 = _chebyshev(6)
_ROUND = 1.5 * 2**23  # added, it leaves the nearest integer in the low bits of the sum
_LOG2E = float(np.log2(np.e))
_TANH = [-1 / 3, 2 / 15, -17 / 315, 62 / 2835, -1382 / 155925]


def exp2(x: Value) -> Value:
    """2^x to 2e-7, within 2^-126 .. 2^126; NaN stays NaN."""
    x = x.where(x.below(-126.0), -126.0).at_most(126.0)
    rounded = x + _ROUND
    rest = x - (rounded - _ROUND)
    power = rest * 0.0 + _EXP2[-1]
    for c in _EXP2[-2::-1]:
        power = power.fma(rest, c)
    build = x.builder
    bits = build.add(build.bitcast(rounded.raw, _BITS), ir.Constant(_BITS, [127] * LANES))
    return power * x.make(build.bitcast(build.shl(bits, ir.Constant(_BITS, [23] * LANES)), _VECTOR))


def sigmoid(x: Value) -> Value:
    """1 / (1 + e^-x)."""
    return 1.0 / (exp2(x * -_LOG2E) + 1.0)


def tanh(x: Value) -> Value:
    """Hyperbolic tangent: by its series around zero, where the quotient would cancel."""
    square = x * x
    series = square * _TANH[-1]
    for c in _TANH[-2::-1]:
        series = (series + c) * square
    wide = 1.0 - 2.0 / (exp2(x * (2 * _LOG2E)) + 1.0)
    return wide.where(square.below(0.0625), series.fma(x, x))


class Row:
    """Gates of one row and frame, each `hidden` floats behind the one before; cells read and write LANES of them at a time."""

    def __init__(self, builder: Any, pointer: Any, start: Any, hidden: Any) -> None:
        self.builder, self.pointer, self.start, self.hidden = builder, pointer, start, hidden

    def _at(self, gate: int) -> Any:
        ahead = self.builder.mul(self.hidden, ir.Constant(self.hidden.type, gate))
        return self.builder.bitcast(
            self.builder.gep(self.pointer, [self.builder.add(self.start, ahead)]),
            _VECTOR.as_pointer(),
        )

    def load(self, gate: int = 0) -> Value:
        return Value(self.builder, self.builder.load(self._at(gate), align=4))

    def store(self, value: Value, gate: int = 0) -> None:
        self.builder.store(value.raw, self._at(gate), align=4)

    def clear(self) -> None:
        """Store zeros."""
        self.builder.store(ir.Constant(_VECTOR, [_Literal(0.0)] * LANES), self._at(0), align=4)


def cell(body: Callable[..., None]) -> Any:
    """Decorator: `f(hidden, array, start, array, start, ...)` for compiled code, which runs `body(row, row, ...)` along `hidden`."""

    @_intrinsic
    def run(context: Any, hidden: Any, *places: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            values = cgutils.unpack_tuple(builder, args[1])
            arrays = [
                context.make_array(kind)(context, builder, value).data
                for kind, value in zip(places[::2], values[::2], strict=True)
            ]
            zero, step = ir.Constant(args[0].type, 0), ir.Constant(args[0].type, LANES)
            with cgutils.for_range_slice(builder, zero, args[0], step) as (j, _):
                body(
                    *(
                        Row(builder, array, builder.add(start, j), args[0])
                        for array, start in zip(arrays, values[1::2], strict=True)
                    )
                )
            return context.get_dummy_value()

        return types.void(hidden, types.StarArgTuple(places)), generate

    return run


def tile(rows: int) -> Any:
    """`f(a, a0, lda, w, w0, depth, c, c0, ldc)`: rows of c [rows, WIDTH] += a [rows, depth] x panel w [depth, WIDTH], sums in registers."""

    @_intrinsic
    def run(
        context: Any,
        a: Any,
        a0: Any,
        lda: Any,
        w: Any,
        w0: Any,
        depth: Any,
        c: Any,
        c0: Any,
        ldc: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def pointer(index: int) -> Any:
                array = context.make_array(signature.args[index])(
                    context, builder, args[index]
                ).data
                return builder.gep(array, [args[index + 1]])

            def vector(base: Any, place: Any) -> Any:
                return builder.bitcast(builder.gep(base, [place]), _VECTOR.as_pointer())

            lda, depth, ldc = args[2], args[5], args[8]
            number: Any = lambda n: ir.Constant(depth.type, n)  # noqa: E731
            a_rows = [builder.gep(pointer(0), [builder.mul(lda, number(i))]) for i in range(rows)]
            places = [
                vector(pointer(6), builder.add(builder.mul(ldc, number(i)), number(j * LANES)))
                for i in range(rows)
                for j in (0, 1)
            ]
            panel = pointer(3)
            start = [builder.load(place, align=4) for place in places]
            before, loop, after = (
                builder.block,
                builder.append_basic_block("k"),
                builder.append_basic_block("stored"),
            )
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(depth.type)
            sums = [builder.phi(_VECTOR) for _ in start]
            k.add_incoming(number(0), before)
            for total, first in zip(sums, start, strict=True):
                total.add_incoming(first, before)
            ahead = builder.mul(k, number(WIDTH))
            columns = [
                builder.load(vector(panel, builder.add(ahead, number(j * LANES))), align=4)
                for j in (0, 1)
            ]
            new = []
            for i in range(rows):
                single = builder.insert_element(
                    ir.Constant(_VECTOR, ir.Undefined),
                    builder.load(builder.gep(a_rows[i], [k])),
                    INT(0),
                )
                spread = builder.shuffle_vector(
                    single, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(_BITS, [0] * LANES)
                )
                new += [_fma(builder, spread, columns[j], sums[2 * i + j]) for j in (0, 1)]
            for total, value in zip(sums, new, strict=True):
                total.add_incoming(value, loop)
            following = builder.add(k, number(1))
            k.add_incoming(following, loop)
            builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
            builder.position_at_end(after)
            for place, value in zip(places, new, strict=True):
                builder.store(value, place, align=4)
            return context.get_dummy_value()

        return types.void(a, a0, lda, w, w0, depth, c, c0, ldc), generate

    return run
