"""Loops over time of one direction of an RNN, compiled; they run without the GIL, each on a thread of its own.

Rows are packed: those of frame t lie from `offsets[t]` on, the longest utterance first, so that the rows still (or already) running are
the first ones. In a buffer, a row holds both directions side by side. Of all rows a loop does `group`, `group + groups`, ...
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ctcasr.kernels.jit import cached
from ctcasr.net.rnn_cells import (
    gru_backward,
    gru_forward,
    lstm_backward,
    lstm_forward,
    rnn_backward,
    rnn_forward,
)
from ctcasr.net.rnn_lanes import TALL, WIDTH, tile

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_jit = njit(**_OPTIONS)
_tall, _four, _two, _one = (tile(rows) for rows in (TALL, 4, 2, 1))


@_jit
def _product(
    a: Any,
    a0: Any,
    lda: Any,
    w: Any,
    w0: Any,
    depth: Any,
    c: Any,
    c0: Any,
    ldc: Any,
    rows: Any,
    columns: Any,
) -> None:
    """Rows of c += a x w, with w packed in panels [depth, WIDTH]."""
    for column in range(0, columns, WIDTH):
        panel, i = w0 + column * depth, 0
        while rows - i >= TALL:
            _tall(a, a0 + i * lda, lda, w, panel, depth, c, c0 + i * ldc + column, ldc)
            i += TALL
        if rows - i >= 4:
            _four(a, a0 + i * lda, lda, w, panel, depth, c, c0 + i * ldc + column, ldc)
            i += 4
        if rows - i >= 2:
            _two(a, a0 + i * lda, lda, w, panel, depth, c, c0 + i * ldc + column, ldc)
            i += 2
        if rows - i >= 1:
            _one(a, a0 + i * lda, lda, w, panel, depth, c, c0 + i * ldc + column, ldc)


@_jit
def _running(offsets: Any, t: Any, group: Any, groups: Any) -> Any:
    """This loop's rows at frame t; none before the first frame and after the last."""
    if t < 0 or t + 1 >= offsets.size:
        return 0
    return max(0, offsets[t + 1] - offsets[t] - group + groups - 1) // groups


@_jit
def _frame(offsets: Any, t: Any, side: Any, group: Any, groups: Any) -> Any:
    """This loop's rows at frame t, how many of them have a frame before it in reading order, and the first row of both frames."""
    back = t + 1 if side else t - 1
    rows = _running(offsets, t, group, groups)
    return (
        rows,
        min(rows, _running(offsets, back, group, groups)),
        offsets[t] + group,
        offsets[back] + group,
    )


@cached("rnn_*.py", fastmath=())
def gru_frames(version: int) -> Any:
    def frames(
        gates: Any,
        inner: Any,
        out: Any,
        zeros: Any,
        w: Any,
        offsets: Any,
        hidden: Any,
        both: Any,
        side: Any,
        group: Any,
        groups: Any,
    ) -> None:
        """Outputs; `gates` holds what the input gives them and becomes r, z, n, `inner` holds the candidate's recurrent bias."""
        _ = version
        wide, last = both * hidden, offsets.size - 2
        for step in range(last + 1):
            rows, known, row, row_before = _frame(
                offsets, last - step if side else step, side, group, groups
            )
            here, there = row * wide + side * hidden, row_before * wide + side * hidden
            gate = row * 3 * wide + side * 3 * hidden
            panels = side * 3 * hidden * hidden
            _product(
                out,
                there,
                wide * groups,
                w,
                panels,
                hidden,
                gates,
                gate,
                3 * wide * groups,
                known,
                2 * hidden,
            )
            _product(
                out,
                there,
                wide * groups,
                w,
                panels + 2 * hidden * hidden,
                hidden,
                inner,
                here,
                wide * groups,
                known,
                hidden,
            )
            for i in range(rows):
                own = here + i * wide * groups
                before, at = (out, there + i * wide * groups) if i < known else (zeros, 0)
                gru_forward(
                    hidden, gates, gate + i * 3 * wide * groups, inner, own, before, at, out, own
                )

    return frames


@cached("rnn_*.py", fastmath=())
def gru_gradients(version: int) -> Any:
    def gradients(
        gates: Any,
        inner: Any,
        out: Any,
        upstream: Any,
        zeros: Any,
        w: Any,
        offsets: Any,
        hidden: Any,
        both: Any,
        side: Any,
        group: Any,
        groups: Any,
        grad: Any,
        kept: Any,
    ) -> None:
        """Gradients `grad` of n, r, z, inner, and in `kept` the outputs of the step before."""
        _ = version
        wide, last = both * hidden, offsets.size - 2
        state = np.zeros(_running(offsets, 0, group, groups) * hidden, np.float32)
        for step in range(last + 1):
            rows, known, row, row_before = _frame(
                offsets, step if side else last - step, side, group, groups
            )
            here, there = row * wide + side * hidden, row_before * wide + side * hidden
            gate = row * 3 * wide + side * 3 * hidden
            to = row * 4 * wide + side * 4 * hidden
            for i in range(rows):
                own = here + i * wide * groups
                before, at = (out, there + i * wide * groups) if i < known else (zeros, 0)
                gru_backward(
                    hidden,
                    gates,
                    gate + i * 3 * wide * groups,
                    inner,
                    own,
                    before,
                    at,
                    upstream,
                    own,
                    state,
                    i * hidden,
                    grad,
                    to + i * 4 * wide * groups,
                    kept,
                    own,
                )
            _product(
                grad,
                to + hidden,
                4 * wide * groups,
                w,
                side * 3 * hidden * hidden,
                3 * hidden,
                state,
                0,
                hidden,
                known,
                hidden,
            )

    return gradients


@cached("rnn_*.py", fastmath=())
def lstm_frames(version: int) -> Any:
    def frames(
        gates: Any,
        cells: Any,
        out: Any,
        zeros: Any,
        w: Any,
        offsets: Any,
        hidden: Any,
        both: Any,
        side: Any,
        group: Any,
        groups: Any,
    ) -> None:
        """Outputs and cells; `gates` holds what the input gives them and becomes i, f, g, o."""
        _ = version
        wide, last = both * hidden, offsets.size - 2
        for step in range(last + 1):
            rows, known, row, row_before = _frame(
                offsets, last - step if side else step, side, group, groups
            )
            here, there = row * wide + side * hidden, row_before * wide + side * hidden
            gate = row * 4 * wide + side * 4 * hidden
            _product(
                out,
                there,
                wide * groups,
                w,
                side * 4 * hidden * hidden,
                hidden,
                gates,
                gate,
                4 * wide * groups,
                known,
                4 * hidden,
            )
            for i in range(rows):
                own = here + i * wide * groups
                before, at = (cells, there + i * wide * groups) if i < known else (zeros, 0)
                lstm_forward(
                    hidden, gates, gate + i * 4 * wide * groups, cells, own, before, at, out, own
                )

    return frames


@cached("rnn_*.py", fastmath=())
def lstm_gradients(version: int) -> Any:
    def gradients(
        gates: Any,
        cells: Any,
        out: Any,
        upstream: Any,
        zeros: Any,
        w: Any,
        offsets: Any,
        hidden: Any,
        both: Any,
        side: Any,
        group: Any,
        groups: Any,
        grad: Any,
        kept: Any,
    ) -> None:
        """Gradients `grad` of i, f, g, o, and in `kept` the outputs of the step before."""
        _ = version
        wide, last = both * hidden, offsets.size - 2
        state = np.zeros(_running(offsets, 0, group, groups) * hidden, np.float32)
        cell_state = np.zeros_like(state)
        for step in range(last + 1):
            rows, known, row, row_before = _frame(
                offsets, step if side else last - step, side, group, groups
            )
            here, there = row * wide + side * hidden, row_before * wide + side * hidden
            gate = row * 4 * wide + side * 4 * hidden
            for i in range(rows):
                own, place = here + i * wide * groups, gate + i * 4 * wide * groups
                before, at = (out, there + i * wide * groups) if i < known else (zeros, 0)
                cells_before = cells if i < known else zeros
                lstm_backward(
                    hidden,
                    gates,
                    place,
                    cells,
                    own,
                    cells_before,
                    at,
                    before,
                    at,
                    upstream,
                    own,
                    state,
                    i * hidden,
                    cell_state,
                    i * hidden,
                    grad,
                    place,
                    kept,
                    own,
                )
            _product(
                grad,
                gate,
                4 * wide * groups,
                w,
                side * 4 * hidden * hidden,
                4 * hidden,
                state,
                0,
                hidden,
                known,
                hidden,
            )

    return gradients


@cached("rnn_*.py", fastmath=())
def rnn_frames(version: int) -> Any:
    def frames(
        gates: Any,
        _unused: Any,
        out: Any,
        zeros: Any,
        w: Any,
        offsets: Any,
        hidden: Any,
        both: Any,
        side: Any,
        group: Any,
        groups: Any,
    ) -> None:
        """Outputs; `gates` holds what the input gives them."""
        _ = version
        wide, last = both * hidden, offsets.size - 2
        for step in range(last + 1):
            rows, known, row, row_before = _frame(
                offsets, last - step if side else step, side, group, groups
            )
            here, there = row * wide + side * hidden, row_before * wide + side * hidden
            _product(
                out,
                there,
                wide * groups,
                w,
                side * hidden * hidden,
                hidden,
                gates,
                here,
                wide * groups,
                known,
                hidden,
            )
            for i in range(rows):
                rnn_forward(hidden, gates, here + i * wide * groups, out, here + i * wide * groups)

    return frames


@cached("rnn_*.py", fastmath=())
def rnn_gradients(version: int) -> Any:
    def gradients(
        _gates: Any,
        _unused: Any,
        out: Any,
        upstream: Any,
        zeros: Any,
        w: Any,
        offsets: Any,
        hidden: Any,
        both: Any,
        side: Any,
        group: Any,
        groups: Any,
        grad: Any,
        kept: Any,
    ) -> None:
        """Gradients `grad` of what tanh received, and in `kept` the outputs of the step before."""
        _ = version
        wide, last = both * hidden, offsets.size - 2
        state = np.zeros(_running(offsets, 0, group, groups) * hidden, np.float32)
        for step in range(last + 1):
            rows, known, row, row_before = _frame(
                offsets, step if side else last - step, side, group, groups
            )
            here, there = row * wide + side * hidden, row_before * wide + side * hidden
            for i in range(rows):
                own = here + i * wide * groups
                before, at = (out, there + i * wide * groups) if i < known else (zeros, 0)
                rnn_backward(
                    hidden,
                    out,
                    own,
                    before,
                    at,
                    upstream,
                    own,
                    state,
                    i * hidden,
                    grad,
                    own,
                    kept,
                    own,
                )
            _product(
                grad,
                here,
                wide * groups,
                w,
                side * hidden * hidden,
                hidden,
                state,
                0,
                hidden,
                known,
                hidden,
            )

    return gradients
