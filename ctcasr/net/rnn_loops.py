"""Loops over time of one direction of an RNN, compiled; they hold no GIL, each on its own thread.

Rows are packed: those of frame t lie from `offsets[t]` on, the longest utterance first, so that the
rows still (or already) running are the first ones. In a buffer, a row holds all directions side by
side. Of all rows a loop does `group`, `group + groups`, ...

One factory makes the loops of every kind. The kind is a number and not a cell function because
numba finds a kernel on disk by what it encloses: a function of ours looks new in every process.
"""

from __future__ import annotations

from collections.abc import Callable
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
_tall = tile(TALL)
_four = tile(4)
_two = tile(2)
_one = tile(1)

_GRU = 0
_LSTM = 1
_RNN = 2


@_jit
def _product(
    source: Any,
    source_at: Any,
    source_stride: Any,
    panels: Any,
    panel_at: Any,
    depth: Any,
    sums: Any,
    sums_at: Any,
    sums_stride: Any,
    rows: Any,
    columns: Any,
) -> None:
    """Rows of `sums` += rows of `source` x weights, which are packed in panels [depth, WIDTH].

    Each buffer is given with its first element and the distance between its rows.
    """
    for column in range(0, columns, WIDTH):
        panel = panel_at + column * depth
        place = source_at
        into = sums_at + column
        left = rows
        while left >= TALL:
            _tall(source, place, source_stride, panels, panel, depth, sums, into, sums_stride)
            place += TALL * source_stride
            into += TALL * sums_stride
            left -= TALL
        if left >= 4:
            _four(source, place, source_stride, panels, panel, depth, sums, into, sums_stride)
            place += 4 * source_stride
            into += 4 * sums_stride
            left -= 4
        if left >= 2:
            _two(source, place, source_stride, panels, panel, depth, sums, into, sums_stride)
            place += 2 * source_stride
            into += 2 * sums_stride
            left -= 2
        if left >= 1:
            _one(source, place, source_stride, panels, panel, depth, sums, into, sums_stride)


@_jit
def _running(offsets: Any, frame: Any, group: Any, groups: Any) -> Any:
    """This loop's rows at a frame; none before the first frame and after the last."""
    if frame < 0 or frame + 1 >= offsets.size:
        return 0
    rows = offsets[frame + 1] - offsets[frame]
    return max(0, rows - group + groups - 1) // groups


@_jit
def _rows_at(offsets: Any, frame: Any, frame_before: Any, group: Any, groups: Any) -> Any:
    """Rows of this loop at a frame, how many continue, the first row there and the one before."""
    rows = _running(offsets, frame, group, groups)
    continued = min(rows, _running(offsets, frame_before, group, groups))
    return rows, continued, offsets[frame] + group, offsets[frame_before] + group


def _frame_loop(kind: int, gate_count: int) -> Callable[..., None]:
    """The loop that computes outputs, of one kind of RNN."""

    @cached("rnn_*.py", fastmath=())
    def build(version: int) -> Any:
        def frames(
            gates: Any,
            extra: Any,
            out: Any,
            no_state: Any,
            panels: Any,
            offsets: Any,
            hidden: Any,
            directions: Any,
            direction: Any,
            group: Any,
            groups: Any,
        ) -> None:
            """`gates` holds what the input gives them and becomes their values.

            `extra` holds a GRU's recurrent bias of the candidate, or receives an LSTM's cells.
            """
            _ = version
            row_units = directions * hidden
            stride = row_units * groups
            panel_at = direction * gate_count * hidden * hidden
            last = offsets.size - 2
            for step in range(last + 1):
                frame = step
                frame_before = step - 1
                if direction:
                    frame = last - step
                    frame_before = frame + 1
                rows, continued, row, row_before = _rows_at(
                    offsets, frame, frame_before, group, groups
                )
                here = row * row_units + direction * hidden
                before = row_before * row_units + direction * hidden
                columns = gate_count * hidden
                if kind == _GRU:
                    columns = 2 * hidden
                    candidate = panel_at + columns * hidden
                    _product(
                        out,
                        before,
                        stride,
                        panels,
                        candidate,
                        hidden,
                        extra,
                        here,
                        stride,
                        continued,
                        hidden,
                    )
                _product(
                    out,
                    before,
                    stride,
                    panels,
                    panel_at,
                    hidden,
                    gates,
                    gate_count * here,
                    gate_count * stride,
                    continued,
                    columns,
                )
                for index in range(rows):
                    own = here + index * stride
                    own_gate = gate_count * own
                    state = out
                    cells = extra
                    state_at = before + index * stride
                    if index >= continued:
                        state = no_state
                        cells = no_state
                        state_at = 0
                    if kind == _GRU:
                        gru_forward(hidden, gates, own_gate, extra, own, state, state_at, out, own)
                    elif kind == _LSTM:
                        lstm_forward(hidden, gates, own_gate, extra, own, cells, state_at, out, own)
                    else:
                        rnn_forward(hidden, gates, own_gate, out, own)

        return frames

    return build


def _gradient_loop(kind: int, gate_count: int) -> Callable[..., None]:
    """The loop that computes gradients, against the direction of reading, of one kind of RNN."""

    @cached("rnn_*.py", fastmath=())
    def build(version: int) -> Any:
        def gradients(
            gates: Any,
            extra: Any,
            out: Any,
            no_state: Any,
            panels: Any,
            upstream: Any,
            grads: Any,
            states_before: Any,
            offsets: Any,
            hidden: Any,
            directions: Any,
            direction: Any,
            group: Any,
            groups: Any,
        ) -> None:
            """Gradients of what the gates receive (a GRU: n, r, z, inner), and `states_before`."""
            _ = version
            row_units = directions * hidden
            stride = row_units * groups
            panel_at = direction * gate_count * hidden * hidden
            grad_count = gate_count
            skipped = 0  # units of a gradient that the state does not see
            if kind == _GRU:
                grad_count = gate_count + 1
                skipped = hidden
            last = offsets.size - 2
            state_units = _running(offsets, 0, group, groups) * hidden
            state_grad = np.zeros(state_units, np.float32)
            cell_grad = np.zeros(state_units, np.float32)  # of an LSTM
            for step in range(last + 1):
                frame = last - step
                frame_before = frame - 1
                if direction:
                    frame = step
                    frame_before = step + 1
                rows, continued, row, row_before = _rows_at(
                    offsets, frame, frame_before, group, groups
                )
                here = row * row_units + direction * hidden
                before = row_before * row_units + direction * hidden
                for index in range(rows):
                    own = here + index * stride
                    own_gate = gate_count * own
                    own_grad = grad_count * own
                    own_state = index * hidden
                    state = out
                    cells = extra
                    state_at = before + index * stride
                    if index >= continued:
                        state = no_state
                        cells = no_state
                        state_at = 0
                    if kind == _GRU:
                        gru_backward(
                            hidden,
                            gates,
                            own_gate,
                            extra,
                            own,
                            state,
                            state_at,
                            upstream,
                            own,
                            state_grad,
                            own_state,
                            grads,
                            own_grad,
                            states_before,
                            own,
                        )
                    elif kind == _LSTM:
                        lstm_backward(
                            hidden,
                            gates,
                            own_gate,
                            extra,
                            own,
                            cells,
                            state_at,
                            state,
                            state_at,
                            upstream,
                            own,
                            state_grad,
                            own_state,
                            cell_grad,
                            own_state,
                            grads,
                            own_grad,
                            states_before,
                            own,
                        )
                    else:
                        rnn_backward(
                            hidden,
                            out,
                            own,
                            state,
                            state_at,
                            upstream,
                            own,
                            state_grad,
                            own_state,
                            grads,
                            own_grad,
                            states_before,
                            own,
                        )
                _product(
                    grads,
                    grad_count * here + skipped,
                    grad_count * stride,
                    panels,
                    panel_at,
                    gate_count * hidden,
                    state_grad,
                    0,
                    hidden,
                    continued,
                    hidden,
                )

        return gradients

    return build


FRAME_LOOPS = {
    "gru": _frame_loop(_GRU, 3),
    "lstm": _frame_loop(_LSTM, 4),
    "rnn": _frame_loop(_RNN, 1),
}
GRADIENT_LOOPS = {
    "gru": _gradient_loop(_GRU, 3),
    "lstm": _gradient_loop(_LSTM, 4),
    "rnn": _gradient_loop(_RNN, 1),
}
