"""The loops of `batchnorm_cpu`, compiled.

Rows of features lie behind each other in flat arrays. `chunks` holds, for each chunk of rows, its
first real row, the one after the last, and the row after the padding behind it. A pattern is a row
of one number for each feature, repeated, so that loops over it are long enough for vectors.

Shape letters: F features, K chunks, W numbers of a pattern.
"""

from __future__ import annotations

import numpy as np

from ctcasr.kernels.jit import Array, Function, Number, cached, jit

_NOTHING = np.float32(0)


@jit
def _clamped(x: Number, least: Number, most: Number) -> Number:
    """`x` within bounds; NaN stays."""
    low = least if x < least else x
    return most if low > most else low


@jit
def _let_through(grad: Number, x: Number, least: Number, most: Number) -> Number:
    """The gradient of a clamp of `x`: none at its bounds and beyond."""
    return _NOTHING if x <= least or x >= most else grad


@jit
def _fold(pattern: Array, row: Array) -> None:
    """Sum the repetitions of a pattern [W] to a row [F], and clear the pattern."""
    features = len(row)
    row[:] = 0
    for start in range(0, len(pattern), features):
        for feature in range(features):
            row[feature] += pattern[start + feature]
    pattern[:] = 0


@jit
def _repeat(row: Array, pattern: Array) -> None:
    """A row [F] as a pattern [W]."""
    features = len(row)
    for start in range(0, len(pattern), features):
        for feature in range(features):
            pattern[start + feature] = row[feature]


@jit
def _sum(rows: Array, start: Number, end: Number, sums: Array) -> None:
    """Add rows to sums in a pattern."""
    wide = len(sums)
    for block in range(start, end, wide):
        part = rows[block : min(block + wide, end)]
        for place in range(len(part)):
            sums[place] += part[place]


@jit
def _sum_squares(rows: Array, start: Number, end: Number, mean: Array, sums: Array) -> None:
    """Add squares of rows around the mean to sums in a pattern."""
    wide = len(sums)
    for block in range(start, end, wide):
        part = rows[block : min(block + wide, end)]
        for place in range(len(part)):
            centred = part[place] - mean[place]
            sums[place] += centred * centred


@cached("batchnorm_loops.py")
def measure(version: int) -> Function:
    """Means [K, F] of each chunk, and sums of squares [K, F] around them."""

    def loop(
        chunks: Array,
        first: Number,
        last: Number,
        features: Number,
        rows: Array,
        means: Array,
        squares: Array,
        wide: Number,
    ) -> None:
        _ = version
        sums = np.zeros(wide, np.float32)
        mean = np.zeros(wide, np.float32)
        for chunk in range(first, last):
            start = chunks[chunk, 0] * features
            end = chunks[chunk, 1] * features
            _sum(rows, start, end, sums)
            _fold(sums, means[chunk])
            means[chunk] /= np.float32(max(1, chunks[chunk, 1] - chunks[chunk, 0]))
            _repeat(means[chunk], mean)
            _sum_squares(rows, start, end, mean, sums)
            _fold(sums, squares[chunk])

    return loop


@jit
def _normalise(
    rows: Array,
    start: Number,
    end: Number,
    patterns: Array,
    least: Number,
    most: Number,
    out: Array,
) -> None:
    """Rows normalised by scale and shift, and clamped."""
    scale, shift = patterns[0], patterns[1]
    wide = len(scale)
    for block in range(start, end, wide):
        part = rows[block : min(block + wide, end)]
        out_part = out[block : block + len(part)]
        for place in range(len(part)):
            normed = part[place] * scale[place] + shift[place]
            out_part[place] = _clamped(normed, least, most)


@cached("batchnorm_loops.py")
def normalise(version: int) -> Function:
    """Rows times the first pattern and plus the second, clamped; zero in the padding."""

    def loop(
        chunks: Array,
        first: Number,
        last: Number,
        features: Number,
        rows: Array,
        patterns: Array,
        least: Number,
        most: Number,
        out: Array,
    ) -> None:
        _ = version
        for chunk in range(first, last):
            start = chunks[chunk, 0] * features
            end = chunks[chunk, 1] * features
            _normalise(rows, start, end, patterns, least, most, out)
            out[end : chunks[chunk, 2] * features] = 0

    return loop


@jit
def _sum_gradients(
    rows: Array,
    upstream: Array,
    start: Number,
    end: Number,
    patterns: Array,
    least: Number,
    most: Number,
    sums: Array,
    products: Array,
) -> None:
    """Add the gradients of rows, and their products with the centred rows, to sums in patterns."""
    scale, shift, mean = patterns[0], patterns[1], patterns[2]
    wide = len(scale)
    for block in range(start, end, wide):
        part = rows[block : min(block + wide, end)]
        upstream_part = upstream[block : block + len(part)]
        for place in range(len(part)):
            normed = part[place] * scale[place] + shift[place]
            grad = _let_through(upstream_part[place], normed, least, most)
            sums[place] += grad
            products[place] += grad * (part[place] - mean[place])


@cached("batchnorm_loops.py")
def sum_gradients(version: int) -> Function:
    """Sums [K, F] of the gradients, and of their products with the centred rows.

    Patterns are scale, shift and mean.
    """

    def loop(
        chunks: Array,
        first: Number,
        last: Number,
        features: Number,
        rows: Array,
        upstream: Array,
        patterns: Array,
        least: Number,
        most: Number,
        sums: Array,
        products: Array,
    ) -> None:
        _ = version
        wide = patterns.shape[1]
        own_sums = np.zeros(wide, np.float32)
        own_products = np.zeros(wide, np.float32)
        for chunk in range(first, last):
            start = chunks[chunk, 0] * features
            end = chunks[chunk, 1] * features
            _sum_gradients(
                rows, upstream, start, end, patterns, least, most, own_sums, own_products
            )
            _fold(own_sums, sums[chunk])
            _fold(own_products, products[chunk])

    return loop


@jit
def _gradient(
    rows: Array,
    upstream: Array,
    start: Number,
    end: Number,
    patterns: Array,
    least: Number,
    most: Number,
    out: Array,
) -> None:
    """The gradient of rows: their own, and what came by way of mean and variance."""
    scale, shift, mean = patterns[0], patterns[1], patterns[2]
    slope, offset = patterns[3], patterns[4]
    wide = len(scale)
    for block in range(start, end, wide):
        part = rows[block : min(block + wide, end)]
        upstream_part = upstream[block : block + len(part)]
        out_part = out[block : block + len(part)]
        for place in range(len(part)):
            normed = part[place] * scale[place] + shift[place]
            grad = _let_through(upstream_part[place], normed, least, most)
            by_statistics = (part[place] - mean[place]) * slope[place] + offset[place]
            out_part[place] = grad * scale[place] + by_statistics


@cached("batchnorm_loops.py")
def gradient(version: int) -> Function:
    """The gradient of each row; zero in the padding.

    Patterns are scale, shift, mean, and what a centred row is multiplied by and what is added.
    """

    def loop(
        chunks: Array,
        first: Number,
        last: Number,
        features: Number,
        rows: Array,
        upstream: Array,
        patterns: Array,
        least: Number,
        most: Number,
        out: Array,
    ) -> None:
        _ = version
        for chunk in range(first, last):
            start = chunks[chunk, 0] * features
            end = chunks[chunk, 1] * features
            _gradient(rows, upstream, start, end, patterns, least, most, out)
            out[end : chunks[chunk, 2] * features] = 0

    return loop
