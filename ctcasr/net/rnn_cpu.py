"""One RNN layer on the CPU, both directions at once: packed rows, compiled loops over time, and its gradients by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ctcasr.kernels.pool import kernel_pool
from ctcasr.net.rnn_lanes import WIDTH
from ctcasr.net.rnn_loops import (
    gru_frames,
    gru_gradients,
    lstm_frames,
    lstm_gradients,
    rnn_frames,
    rnn_gradients,
)
from ctcasr.seq import Seq

_GATES = {"gru": 3, "lstm": 4, "rnn": 1}
_FRAMES = {"gru": gru_frames, "lstm": lstm_frames, "rnn": rnn_frames}
_GRADIENTS = {"gru": gru_gradients, "lstm": lstm_gradients, "rnn": rnn_gradients}


def recurrent(kind: str, x: Seq, sides: list[nn.RNNBase]) -> Tensor:
    """Outputs [B, T, sides * H] of frames [B, T, F] float32, zero in the padding, by the parameters of one or two torch layers.

    Equal to torch's but for rounding; differentiable once. Under `torch.set_float32_matmul_precision("medium")` the products with inputs
    and for gradients are computed in bfloat16 where the processor has it; those from step to step never are.
    """
    order = sorted(range(len(x)), key=lambda row: -x.lengths[row])
    lengths = np.array([x.lengths[row] for row in order], dtype=np.int64)
    running = np.arange(max(lengths, default=0))[:, None] < lengths
    places = torch.from_numpy(
        (np.array(order) * x.data.shape[1] + np.arange(len(running))[:, None])[running]
    )
    offsets = np.concatenate(([0], np.cumsum(running.sum(1), dtype=np.int64)))
    parameters = [
        rnn.get_parameter(f"{name}_l0")
        for rnn in sides
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    out: Tensor = _Recurrent.apply(kind, places, offsets, x.data, *parameters)
    return out


class _Recurrent(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kind: str, places: Tensor, offsets: np.ndarray, data: Tensor, *parameters: Tensor
    ) -> Tensor:
        batch, frames, features = data.shape
        w_x, w_h, b_x, b_h = (torch.stack(parameters[i::4]) for i in range(4))  # each [D, G H, ...]
        both, hidden = w_h.shape[0], w_h.shape[2]
        low = torch.bfloat16 if _half_precision() else torch.float32
        x = data.reshape(batch * frames, features).index_select(0, places).to(low)
        bias = b_x + b_h
        if kind == "gru":
            bias[:, 2 * hidden :] = b_x[
                :, 2 * hidden :
            ]  # r gates the candidate's recurrent bias: it comes in with `inner`
        gates = torch.addmm(
            bias.flatten().to(low), x, w_x.flatten(0, 1).t().to(low)
        ).float()  # [P, D G H]
        out = data.new_empty(len(x), both * hidden)
        extra = {
            "gru": lambda: b_h[:, 2 * hidden :].reshape(1, -1).repeat(len(x), 1),
            "lstm": lambda: torch.empty_like(out),
            "rnn": lambda: data.new_empty(0),
        }[kind]()
        _run(
            _FRAMES[kind],
            offsets,
            both,
            gates,
            extra,
            out,
            data.new_zeros(hidden),
            _panels(w_h.transpose(1, 2)),
            hidden,
        )
        ctx.kind, ctx.offsets, ctx.shape = kind, offsets, data.shape
        ctx.save_for_backward(places, x, gates, extra, out, w_x, w_h)
        return _spread(out, places, batch, frames)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        places, x, gates, extra, out, w_x, w_h = ctx.saved_tensors
        both, hidden = w_h.shape[0], w_h.shape[2]
        count = _GATES[ctx.kind] + (
            ctx.kind == "gru"
        )  # a GRU's n, r, z, inner: input sees the first three, state the last
        grad, kept = out.new_empty(len(x), both, count * hidden), torch.empty_like(out)
        _run(
            _GRADIENTS[ctx.kind],
            ctx.offsets,
            both,
            gates,
            extra,
            out,
            upstream.flatten(0, 1).index_select(0, places),
            out.new_zeros(hidden),
            _panels(w_h),
            hidden,
            tail=(grad, kept),
        )
        if ctx.kind == "gru":
            w_x = w_x.roll(hidden, 1)  # n, r, z
        size, first, last = w_h.shape[1], 4, 8
        sums, grad, kept, w_x = grad.sum(0), grad.to(x.dtype), kept.to(x.dtype), w_x.to(x.dtype)
        dx: Tensor | None = None
        found: list[Tensor | None] = []
        for side in range(both):
            to_x, to_h = grad[:, side, :size], grad[:, side, -size:]
            if any(ctx.needs_input_grad[first:last]):
                by_x, sum_x = (to_x.t() @ x).float(), sums[side, :size]
                if ctx.kind == "gru":
                    by_x, sum_x = by_x.roll(-hidden, 0), sum_x.roll(-hidden, 0)
                by_h = (to_h.t() @ kept[:, side * hidden : (side + 1) * hidden]).float()
                found += [by_x, by_h, sum_x, sums[side, -size:]]
            else:
                found += [None] * 4
            if ctx.needs_input_grad[3]:
                dx = to_x @ w_x[side] if dx is None else dx.addmm_(to_x, w_x[side])
            first, last = last, last + 4
        return (
            None,
            None,
            None,
            None if dx is None else _spread(dx.float(), places, *ctx.shape[:2]),
            *found,
        )


def _half_precision() -> bool:
    """Whether products may be rounded to bfloat16, and the processor has instructions for that."""
    return torch.get_float32_matmul_precision() == "medium" and bool(
        torch.cpu.get_capabilities().get("avx512_bf16")
    )


def _spread(rows: Tensor, places: Tensor, batch: int, frames: int) -> Tensor:
    """Packed rows back to [batch, frames, ...] with zeros where there is padding."""
    make = rows.new_empty if len(places) == batch * frames else rows.new_zeros
    return (
        make(batch * frames, rows.shape[1])
        .index_copy_(0, places, rows)
        .view(batch, frames, rows.shape[1])
    )


def _panels(w: Tensor) -> Tensor:
    """Matrices [D, depth, columns] in panels of WIDTH columns, [D, columns / WIDTH, depth, WIDTH]."""
    return w.unflatten(2, (-1, WIDTH)).transpose(1, 2).contiguous()


def _run(
    kernel: Callable[..., None],
    offsets: np.ndarray,
    both: int,
    *arguments: Any,
    tail: tuple[Tensor, ...] = (),
) -> None:
    """Loops of all directions, and of groups of rows where there are more threads than directions."""
    *tensors, hidden = arguments
    arrays = [tensor.detach().numpy().reshape(-1) for tensor in tensors]
    ends = [tensor.detach().numpy().reshape(-1) for tensor in tail]
    rows = int(offsets[1]) if len(offsets) > 1 else 0
    groups = max(1, min(torch.get_num_threads() // both, rows))
    jobs = [
        (*arrays, offsets, hidden, both, side, group, groups, *ends)
        for side in range(both)
        for group in range(groups)
    ]
    threads = min(torch.get_num_threads(), len(jobs))
    if threads == 1:
        for job in jobs:
            kernel(*job)
        return
    waiting = [kernel_pool(threads - 1).submit(kernel, *job) for job in jobs[1:]]
    kernel(*jobs[0])
    for future in waiting:
        future.result()
