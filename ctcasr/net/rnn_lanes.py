"""What the compiled RNN stands on: SIMD values in LLVM's own words, and the small matrix product.

Functions here write instructions into an LLVM function that is being built; numba compiles it.
"""

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
FLOAT = ir.FloatType()
INT = ir.IntType(32)
_VECTOR = ir.VectorType(FLOAT, LANES)
_BITS = ir.VectorType(INT, LANES)
_ALIGNMENT = 4  # bytes: buffers are only known to hold floats


def _fma(builder: Any, factor: Any, other: Any, summand: Any) -> Any:
    """factor * other + summand of SIMD values, rounded once (llvmlite has it for numbers only)."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    name = f"llvm.fma.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [factor, other, summand])


class Value:
    """A SIMD value of float32 while an LLVM function is being built.

    Arithmetic on it writes instructions.
    """

    def __init__(self, builder: Any, raw: Any) -> None:
        self.builder = builder
        self.raw = raw

    def raw_of(self, x: float | Value) -> Any:
        """The LLVM value of a constant or of another Value."""
        if isinstance(x, Value):
            return x.raw
        return ir.Constant(_VECTOR, [_Literal(x)] * LANES)

    def make(self, raw: Any) -> Value:
        """A value of the same function."""
        return Value(self.builder, raw)

    def __add__(self, other: float | Value) -> Value:
        operand = self.raw_of(other)
        result = self.builder.fadd(self.raw, operand)
        return self.make(result)

    def __sub__(self, other: float | Value) -> Value:
        operand = self.raw_of(other)
        result = self.builder.fsub(self.raw, operand)
        return self.make(result)

    def __rsub__(self, other: float) -> Value:
        operand = self.raw_of(other)
        result = self.builder.fsub(operand, self.raw)
        return self.make(result)

    def __mul__(self, other: float | Value) -> Value:
        operand = self.raw_of(other)
        result = self.builder.fmul(self.raw, operand)
        return self.make(result)

    def __rtruediv__(self, other: float) -> Value:
        operand = self.raw_of(other)
        result = self.builder.fdiv(operand, self.raw)
        return self.make(result)

    def fma(self, factor: Value, summand: float | Value) -> Value:
        """self * factor + summand, rounded once."""
        addend = self.raw_of(summand)
        fused = _fma(self.builder, self.raw, factor.raw, addend)
        return self.make(fused)

    def below(self, other: float) -> Any:
        """Where it is less than `other`; false for NaN."""
        limit = self.raw_of(other)
        return self.builder.fcmp_ordered("<", self.raw, limit)

    def above(self, other: float) -> Any:
        """Where it is greater than `other`; false for NaN."""
        limit = self.raw_of(other)
        return self.builder.fcmp_ordered(">", self.raw, limit)

    def where(self, condition: Any, other: float | Value) -> Value:
        """`other` where the condition holds, else itself."""
        chosen = self.raw_of(other)
        selected = self.builder.select(condition, chosen, self.raw)
        return self.make(selected)

    def clamped(self, least: float, most: float) -> Value:
        """Within a range; NaN stays NaN."""
        raised = self.where(self.below(least), least)
        return raised.where(raised.above(most), most)


class _Literal(ir.Constant):
    def __init__(self, x: float) -> None:
        super().__init__(FLOAT, float(np.float32(x)))


def _chebyshev(degree: int) -> list[float]:
    """Coefficients of 2^f on |f| <= 1/2, constant first."""
    domain = [-0.5, 0.5]
    fit = np.polynomial.Chebyshev.interpolate(np.exp2, degree, domain)
    powers = fit.convert(kind=np.polynomial.Polynomial)
    return [float(coefficient) for coefficient in powers.coef]


_EXP2 = _chebyshev(6)
_EXP2_RANGE = 126.0  # exponents of float32 that are neither denormal nor infinite
_ROUND = 1.5 * 2**23  # added, it leaves the nearest integer in the low bits of the sum
_EXPONENT_BIAS = 127  # of float32
_MANTISSA_BITS = 23
_LOG2E = float(np.log2(np.e))
_TANH = [  # x^3, x^5 and on of its series
    -1 / 3,
    2 / 15,
    -17 / 315,
    62 / 2835,
    -1382 / 155925,
]
_TANH_SERIES_SQUARE = 0.0625  # x^2 below which the series is exact enough


def exp2(x: Value) -> Value:
    """2^x to 2e-7, within 2^-126 .. 2^126; NaN stays NaN."""
    x = x.clamped(-_EXP2_RANGE, _EXP2_RANGE)
    rounded = x + _ROUND
    rest = x - (rounded - _ROUND)
    power = rest * 0.0 + _EXP2[-1]
    for coefficient in _EXP2[-2::-1]:
        power = power.fma(rest, coefficient)
    builder = x.builder
    bias = ir.Constant(_BITS, [_EXPONENT_BIAS] * LANES)
    shift = ir.Constant(_BITS, [_MANTISSA_BITS] * LANES)
    integer = builder.bitcast(rounded.raw, _BITS)
    exponent = builder.add(integer, bias)
    bits = builder.shl(exponent, shift)
    scale = builder.bitcast(bits, _VECTOR)
    return power * x.make(scale)


def sigmoid(x: Value) -> Value:
    """1 / (1 + e^-x)."""
    return 1.0 / (exp2(x * -_LOG2E) + 1.0)


def tanh(x: Value) -> Value:
    """Hyperbolic tangent: by its series around zero, where the quotient would cancel."""
    square = x * x
    series = square * _TANH[-1]
    for coefficient in _TANH[-2::-1]:
        series = (series + coefficient) * square
    squared_exponential = exp2(x * (2 * _LOG2E))  # e^2x
    quotient = 1.0 - 2.0 / (squared_exponential + 1.0)
    near_zero = square.below(_TANH_SERIES_SQUARE)
    return quotient.where(near_zero, series.fma(x, x))


class Row:
    """Gates of one row and frame, each `hidden` floats behind the one before.

    Cells read and write LANES of them at a time.
    """

    def __init__(self, builder: Any, pointer: Any, start: Any, hidden: Any) -> None:
        self.builder = builder
        self.pointer = pointer
        self.start = start
        self.hidden = hidden

    def _place(self, gate: int) -> Any:
        number = ir.Constant(self.hidden.type, gate)
        ahead = self.builder.mul(self.hidden, number)
        element = self.builder.add(self.start, ahead)
        address = self.builder.gep(self.pointer, [element])
        return self.builder.bitcast(address, _VECTOR.as_pointer())

    def load(self, gate: int = 0) -> Value:
        """The units of one gate."""
        place = self._place(gate)
        raw = self.builder.load(place, align=_ALIGNMENT)
        return Value(self.builder, raw)

    def store(self, value: Value, gate: int = 0) -> None:
        """Write the units of one gate."""
        place = self._place(gate)
        self.builder.store(value.raw, place, align=_ALIGNMENT)

    def clear(self) -> None:
        """Store zeros."""
        zeros = ir.Constant(_VECTOR, [_Literal(0.0)] * LANES)
        place = self._place(0)
        self.builder.store(zeros, place, align=_ALIGNMENT)


def cell(body: Callable[..., None]) -> Any:
    """Decorator: `f(hidden, array, start, array, start, ...)` for compiled code.

    It runs `body(row, row, ...)` along `hidden`, LANES units at a time.
    """

    @_intrinsic
    def run(context: Any, hidden: Any, *places: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            units, packed = args
            values = cgutils.unpack_tuple(builder, packed)
            starts = values[1::2]
            pointers = []
            kinds = places[::2]
            arrays = values[::2]
            for kind, value in zip(kinds, arrays, strict=True):
                pointers.append(_data_pointer(context, builder, kind, value))
            zero = ir.Constant(units.type, 0)
            step = ir.Constant(units.type, LANES)
            with cgutils.for_range_slice(builder, zero, units, step) as (unit, _):
                rows = []
                for pointer, start in zip(pointers, starts, strict=True):
                    place = builder.add(start, unit)
                    rows.append(Row(builder, pointer, place, units))
                body(*rows)
            return context.get_dummy_value()

        return types.void(hidden, types.StarArgTuple(places)), generate

    return run


def _data_pointer(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Where the elements of a numba array lie."""
    return context.make_array(kind)(context, builder, array).data


def tile(rows: int) -> Any:
    """`f(a, a_at, a_stride, w, w_at, depth, c, c_at, c_stride)`: a product of so many rows.

    Rows of c [rows, WIDTH] += a [rows, depth] x panel w [depth, WIDTH], sums held in registers.
    """

    @_intrinsic
    def run(
        context: Any,
        a: Any,
        a_at: Any,
        a_stride: Any,
        w: Any,
        w_at: Any,
        depth: Any,
        c: Any,
        c_at: Any,
        c_stride: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointers = []
            for index in (0, 3, 6):  # a, w and c, each from its first element on
                kind = signature.args[index]
                array = _data_pointer(context, builder, kind, args[index])
                first = args[index + 1]
                pointers.append(builder.gep(array, [first]))
            factors, panel, sums = pointers
            _, _, factor_stride, _, _, depth, _, _, sum_stride = args
            _TileBuilder(builder, depth.type, rows).build(
                factors, factor_stride, panel, depth, sums, sum_stride
            )
            return context.get_dummy_value()

        arguments = (a, a_at, a_stride, w, w_at, depth, c, c_at, c_stride)
        return types.void(*arguments), generate

    return run


class _TileBuilder:
    """Writes the instructions of one small product."""

    def __init__(self, builder: Any, index_type: Any, rows: int) -> None:
        self.builder = builder
        self.index_type = index_type
        self.rows = rows

    def build(
        self,
        factors: Any,
        factor_stride: Any,
        panel: Any,
        depth: Any,
        sums: Any,
        sum_stride: Any,
    ) -> None:
        """A loop over the depth, whose sums are loaded before and stored after it."""
        builder = self.builder
        factor_rows = self._row_pointers(factors, factor_stride)
        places = self._sum_places(sums, sum_stride)
        first_sums = [builder.load(place, align=_ALIGNMENT) for place in places]
        before = builder.block
        loop = builder.append_basic_block("k")
        after = builder.append_basic_block("stored")
        builder.branch(loop)
        builder.position_at_end(loop)
        index = builder.phi(self.index_type)
        totals = [builder.phi(_VECTOR) for _ in first_sums]
        index.add_incoming(self._number(0), before)
        for total, first in zip(totals, first_sums, strict=True):
            total.add_incoming(first, before)
        new_sums = self._multiply(factor_rows, panel, index, totals)
        for total, value in zip(totals, new_sums, strict=True):
            total.add_incoming(value, loop)
        following = builder.add(index, self._number(1))
        index.add_incoming(following, loop)
        goes_on = builder.icmp_signed("<", following, depth)
        builder.cbranch(goes_on, loop, after)
        builder.position_at_end(after)
        for place, value in zip(places, new_sums, strict=True):
            builder.store(value, place, align=_ALIGNMENT)

    def _number(self, value: int) -> Any:
        return ir.Constant(self.index_type, value)

    def _vector(self, base: Any, place: Any) -> Any:
        address = self.builder.gep(base, [place])
        return self.builder.bitcast(address, _VECTOR.as_pointer())

    def _row_pointers(self, factors: Any, stride: Any) -> list[Any]:
        pointers = []
        for row in range(self.rows):
            number = self._number(row)
            offset = self.builder.mul(stride, number)
            pointers.append(self.builder.gep(factors, [offset]))
        return pointers

    def _sum_places(self, sums: Any, stride: Any) -> list[Any]:
        """Two SIMD values for each row, row after row."""
        places = []
        for row in range(self.rows):
            for half in (0, 1):
                row_start = self.builder.mul(stride, self._number(row))
                column = self._number(half * LANES)
                place = self.builder.add(row_start, column)
                places.append(self._vector(sums, place))
        return places

    def _multiply(
        self, factor_rows: list[Any], panel: Any, index: Any, totals: list[Any]
    ) -> list[Any]:
        """The sums after one more step of the depth."""
        builder = self.builder
        ahead = builder.mul(index, self._number(WIDTH))
        columns = []
        for half in (0, 1):
            column = self._number(half * LANES)
            place = builder.add(ahead, column)
            address = self._vector(panel, place)
            columns.append(builder.load(address, align=_ALIGNMENT))
        undefined = ir.Constant(_VECTOR, ir.Undefined)
        first_lane = ir.Constant(_BITS, [0] * LANES)
        new_sums = []
        for row, pointer in enumerate(factor_rows):
            address = builder.gep(pointer, [index])
            factor = builder.load(address)
            single = builder.insert_element(undefined, factor, INT(0))
            spread = builder.shuffle_vector(single, undefined, first_lane)
            for half in (0, 1):
                total = totals[2 * row + half]
                new_sums.append(_fma(builder, spread, columns[half], total))
        return new_sums
