"""One RNN layer on the CPU, all directions at once: compiled loops over packed rows.

Shape letters: B utterances, T frames of the longest, P real frames of all of them, F features,
D directions (1 or 2), G gates, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ctcasr.kernels.pool import run_together
from ctcasr.net.compiled import flat_array, product_dtype
from ctcasr.net.rnn_lanes import WIDTH
from ctcasr.net.rnn_loops import FRAME_LOOPS, GRADIENT_LOOPS
from ctcasr.seq import Seq

_ROWS_ALIKE = 512  # packed rows of a rounded product are a multiple of it
_PARAMETERS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


def recurrent(kind: str, x: Seq, layers: list[nn.RNNBase]) -> Tensor:
    """Outputs [B, T, D H] of frames [B, T, F] by torch layers, one for each direction.

    In float32, zero in the padding; equal to torch's but for rounding; differentiable once. Under
    `torch.set_float32_matmul_precision("medium")` the products with inputs and for gradients are
    computed in bfloat16 where the processor has it; those from step to step never are.
    """
    parameters = []
    for layer in layers:
        for name in _PARAMETERS:
            # A parametrisation's, or one that torch.func has put there, is no Parameter.
            parameters.append(getattr(layer, name))
    packing = _Packing.of(x)
    outputs: Tensor = _Recurrent.apply(kind, packing, x.data, *parameters)
    return outputs


@dataclass(frozen=True)
class _Packing:
    """Where real frames lie once packed: frame after frame, in each the longest utterance first."""

    places: Tensor  # int64 [P]: of each packed row, its place among the B * T padded ones
    offsets: np.ndarray  # int64 [T' + 1]: the first packed row of each frame, and their number
    batch: int
    frames: int

    @staticmethod
    def of(x: Seq) -> _Packing:
        """The packing of a padded batch."""
        batch, padded_frames = x.data.shape[:2]
        lengths = np.array(x.lengths, dtype=np.int64)
        longest_first = np.argsort(-lengths, kind="stable")
        lengths = lengths[longest_first]
        longest = lengths.max(initial=0)
        frames = np.arange(longest)[:, None]
        running = frames < lengths
        padded_places = longest_first * padded_frames + frames
        offsets = np.zeros(len(running) + 1, dtype=np.int64)
        np.cumsum(running.sum(1), out=offsets[1:])
        places = torch.from_numpy(padded_places[running])
        return _Packing(places, offsets, batch, padded_frames)

    def pack(self, data: Tensor) -> Tensor:
        """Rows [P, F] of padded data [B, T, F]."""
        return data.flatten(0, 1).index_select(0, self.places)

    def spread(self, rows: Tensor) -> Tensor:
        """Padded data [B, T, F] of rows [P, F], zero where there is padding."""
        features = rows.shape[1]
        padded_rows = self.batch * self.frames
        if len(self.places) == padded_rows:
            padded = rows.new_empty(padded_rows, features)
        else:
            padded = rows.new_zeros(padded_rows, features)
        padded.index_copy_(0, self.places, rows)
        return padded.view(self.batch, self.frames, features)


@dataclass(frozen=True)
class _Weights:
    """The parameters of all directions."""

    input: Tensor  # [D, G H, F]
    state: Tensor  # [D, G H, H]
    input_bias: Tensor  # [D, G H]
    state_bias: Tensor  # [D, G H]

    @staticmethod
    def stacked(parameters: tuple[Tensor, ...]) -> _Weights:
        """Weights of the parameters of one direction after the other."""
        count = len(_PARAMETERS)
        return _Weights(
            input=torch.stack(parameters[0::count]),
            state=torch.stack(parameters[1::count]),
            input_bias=torch.stack(parameters[2::count]),
            state_bias=torch.stack(parameters[3::count]),
        )

    @property
    def directions(self) -> int:
        return self.state.shape[0]

    @property
    def hidden(self) -> int:
        return self.state.shape[2]


class _Recurrent(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kind: str, packing: _Packing, data: Tensor, *parameters: Tensor
    ) -> Tensor:
        weights = _Weights.stacked(parameters)
        hidden = weights.hidden
        dtype = product_dtype(data, "avx512_bf16")
        packed_rows = len(packing.places)
        rows = _factor(packing.pack(data), dtype)
        gates = _input_product(kind, rows, weights, packed_rows)
        extra = _extra_buffer(kind, packed_rows, weights)
        out_units = weights.directions * hidden
        out = data.new_empty(packed_rows, out_units)
        no_state = data.new_zeros(hidden)
        panels = _panels(weights.state.transpose(1, 2))
        arrays = [gates, extra, out, no_state, panels]
        kernel = FRAME_LOOPS[kind]
        _run_loops(kernel, arrays, packing.offsets, hidden, weights.directions)
        ctx.kind = kind
        ctx.packing = packing
        ctx.save_for_backward(rows, gates, extra, out, weights.input, weights.state)
        return packing.spread(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        rows, gates, extra, out, input_weights, state_weights = ctx.saved_tensors
        packing: _Packing = ctx.packing
        directions, gate_units, hidden = state_weights.shape
        is_gru = ctx.kind == "gru"
        # A GRU's gradients are those of n, r, z and of what the state gives the candidate:
        # the input sees the first three, the state the last three.
        grad_units = gate_units + hidden if is_gru else gate_units
        grads = out.new_empty(len(out), directions, grad_units)
        states_before = torch.empty_like(out)
        no_state = out.new_zeros(hidden)
        panels = _panels(state_weights)
        upstream_rows = packing.pack(upstream)
        arrays = [gates, extra, out, no_state, panels]
        arrays += [upstream_rows, grads, states_before]
        kernel = GRADIENT_LOOPS[ctx.kind]
        _run_loops(kernel, arrays, packing.offsets, hidden, directions)
        _, _, needs_input, *needs_parameters = ctx.needs_input_grad
        bias_grads = grads.sum(0)
        grads = _factor(grads, rows.dtype)
        parameter_grads = _parameter_gradients(
            grads, bias_grads, rows, states_before, gate_units, is_gru, needs_parameters
        )
        input_grad = None
        if needs_input:
            row_grads = _input_gradient(grads, input_weights, is_gru)[: len(out)]
            input_grad = packing.spread(row_grads.float())
        return (None, None, input_grad, *parameter_grads)


def _factor(rows: Tensor, dtype: torch.dtype) -> Tensor:
    """Rows [P, ...] as a factor of a product in some type; rounded ones get rows of zeros behind.

    oneDNN compiles rounded products for each shape, which takes longer than the product itself, and
    batches differ in length: so that they have few shapes.
    """
    if dtype == rows.dtype:
        return rows
    count = -(-len(rows) // _ROWS_ALIKE) * _ROWS_ALIKE
    factor = rows.new_zeros((count, *rows.shape[1:]), dtype=dtype)
    factor[: len(rows)] = rows
    return factor


def _input_product(kind: str, rows: Tensor, weights: _Weights, count: int) -> Tensor:
    """What inputs and biases give the gates of the first `count` rows, [P, D G H] float32."""
    dtype = rows.dtype
    bias = weights.input_bias + weights.state_bias
    if kind == "gru":
        # r gates the candidate's recurrent bias: it comes in with `extra`.
        candidate = slice(2 * weights.hidden, None)
        bias[:, candidate] = weights.input_bias[:, candidate]
    bias = bias.flatten().to(dtype)
    input_weights = weights.input.flatten(0, 1).to(dtype).t()
    return torch.addmm(bias, rows, input_weights)[:count].float()


def _extra_buffer(kind: str, rows: int, weights: _Weights) -> Tensor:
    """What the loops keep besides gates and outputs, [P, D H]; nothing for a plain RNN.

    A GRU: what the state gives the candidate, first its bias. An LSTM: its cells.
    """
    if kind == "gru":
        candidate_bias = weights.state_bias[:, 2 * weights.hidden :]
        return candidate_bias.reshape(1, -1).repeat(rows, 1)
    if kind == "lstm":
        return weights.state.new_empty(rows, weights.directions * weights.hidden)
    return weights.state.new_empty(0)


def _parameter_gradients(
    grads: Tensor,
    bias_grads: Tensor,
    rows: Tensor,
    states_before: Tensor,
    gate_units: int,
    is_gru: bool,
    needed: list[bool],
) -> list[Tensor | None]:
    """Gradients in the order of the parameters; None where a direction needs none."""
    count = len(_PARAMETERS)
    directions = grads.shape[1]
    hidden = states_before.shape[1] // directions
    states_before = _factor(states_before, rows.dtype)
    states_before = states_before.unflatten(1, (directions, hidden))
    gradients: list[Tensor | None] = []
    for direction in range(directions):
        first = direction * count
        if not any(needed[first : first + count]):
            gradients += [None] * count
            continue
        own_grads = grads[:, direction]
        to_input = own_grads[:, :gate_units]
        to_state = own_grads[:, -gate_units:]
        weight_ih = to_input.t() @ rows
        weight_hh = to_state.t() @ states_before[:, direction]
        bias_grad = bias_grads[direction]
        bias_ih = bias_grad[:gate_units]
        bias_hh = bias_grad[-gate_units:]
        if is_gru:  # n, r, z as torch has them: r, z, n
            weight_ih = weight_ih.roll(-hidden, 0)
            bias_ih = bias_ih.roll(-hidden, 0)
        gradients += [weight_ih.float(), weight_hh.float(), bias_ih, bias_hh]
    return gradients


def _input_gradient(grads: Tensor, weights: Tensor, is_gru: bool) -> Tensor:
    """Gradient of the rows [P, F] by the input weights [D, G H, F] of all directions."""
    gate_units = weights.shape[1]
    if is_gru:  # r, z, n as the gradients have them: n, r, z
        weights = weights.roll(gate_units // 3, 1)
    weights = weights.to(grads.dtype)
    to_input = grads[:, :, :gate_units]
    first, *others = to_input.unbind(1)
    total = first @ weights[0]
    for own_grads, own_weights in zip(others, weights[1:], strict=True):
        total.addmm_(own_grads, own_weights)
    return total


def _panels(weights: Tensor) -> Tensor:
    """Matrices [D, depth, columns] in panels of columns, [D, columns / WIDTH, depth, WIDTH]."""
    panels = weights.unflatten(2, (-1, WIDTH))
    return panels.transpose(1, 2).contiguous()


def _run_loops(
    kernel: Callable[..., None],
    tensors: list[Tensor],
    offsets: np.ndarray,
    hidden: int,
    directions: int,
) -> None:
    """Loops of all directions, and of groups of rows where threads outnumber directions."""
    arrays = [flat_array(tensor) for tensor in tensors]
    all_threads = torch.get_num_threads()
    rows = int(offsets[:2].max())  # those that begin
    groups = max(1, min(all_threads // directions, rows))
    jobs = []
    for direction in range(directions):
        for group in range(groups):
            numbers = (hidden, directions, direction, group, groups)
            jobs.append((*arrays, offsets, *numbers))
    run_together(kernel, jobs, all_threads)
