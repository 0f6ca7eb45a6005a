"""Recurrent layers over padded sequences that read every row as if it stood alone.

Shape letters: B utterances, T frames, F features, H hidden units.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ctcasr.net.batchnorm import SequenceBatchNorm
from ctcasr.net.compiled import has_hooks, may_compile
from ctcasr.net.dropout import Dropout
from ctcasr.seq import Seq

KINDS: dict[str, type[nn.GRU] | type[nn.LSTM] | type[nn.RNN]] = {
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "rnn": nn.RNN,
}
NORMS = ("every", "input", "none")
_UNITS = 32  # of which the compiled loops take multiples


class RecurrentLayer(nn.Module):
    """One GRU, LSTM or tanh RNN layer; [B, T, F] to [B, T, H], in two directions [B, T, 2H].

    Raises:
        ValueError: for another kind of RNN.

    Example:
        >>> layer = RecurrentLayer("lstm", features=8, hidden=16, bidirectional=True)
        >>> layer(Seq.stack([torch.zeros(5, 8), torch.zeros(3, 8)], rate=100)).data.shape
        torch.Size([2, 5, 32])
    """

    def __init__(self, kind: str, features: int, hidden: int, bidirectional: bool) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"expected one of {sorted(KINDS)} as the kind of RNN; got {kind!r}")
        self.kind = kind
        self.forwards = KINDS[kind](features, hidden, batch_first=True)
        self.backwards = KINDS[kind](features, hidden, batch_first=True) if bidirectional else None
        self.features = hidden * len(self._directions)
        for rnn in self._directions:
            _initialise(rnn, kind)

    def forward(self, x: Seq) -> Seq:
        """Outputs [B, T, H or 2H]; padding is zero."""
        if self._can_compile(x):
            return self.compiled(x)
        if x.device.type == "cuda" and torch.is_autocast_enabled("cuda"):
            # There torch gives cuDNN's RNNs float16, whatever type was asked for, and gradients
            # that nobody scales lose their bits. In float32 cuDNN multiplies in TF32.
            with torch.autocast("cuda", enabled=False):
                return self.by_torch(x.with_data(x.data.float()))
        return self.by_torch(x)

    def compiled(self, x: Seq) -> Seq:
        """The same by loops of our own, faster on a CPU (tools/bench/layers.py).

        Data [B, T, F] in float32, H a multiple of 32.
        """
        from ctcasr.net.rnn_cpu import recurrent  # brings numba, which takes a while to load

        return x.with_data(recurrent(self.kind, x, self._directions))

    def by_torch(self, x: Seq) -> Seq:
        """The same by torch's layers, wherever torch runs and in whatever it is written to."""
        # Padded rows and a backward pass over rows reversed by their own lengths give what packed
        # sequences give, and cuDNN's and oneDNN's fused layers serve padded input best.
        if self.backwards is None:
            outputs = self.forwards(x.data)[0]
        elif x.data.is_cuda:
            outputs = torch.cat(self._side_by_side(x, self.backwards), dim=2)
        else:
            turned = _reversal(x)
            outputs = torch.cat(
                (self.forwards(x.data)[0], _run_turned(self.backwards, x.data, turned)), dim=2
            )
        return x.with_data(outputs).zero_padding()

    def _side_by_side(self, x: Seq, backwards: nn.RNNBase) -> tuple[Tensor, Tensor]:
        """Both directions at once: step follows step, so that each leaves most of a GPU idle."""
        own_stream = torch.cuda.current_stream(x.device)
        other_stream = _second_stream(x.device)
        turned = _reversal(x)
        other_stream.wait_stream(own_stream)
        with torch.cuda.stream(other_stream):
            from_behind = _run_turned(backwards, x.data, turned)
        from_the_front = self.forwards(x.data)[0]
        own_stream.wait_stream(other_stream)
        # The memory of what the other stream reads, also on the way back, is its own no sooner.
        for tensor in (x.data, turned):
            tensor.record_stream(other_stream)
        from_behind.record_stream(own_stream)
        return from_the_front, from_behind

    @property
    def _directions(self) -> list[nn.RNNBase]:
        if self.backwards is None:
            return [self.forwards]
        return [self.forwards, self.backwards]

    def _can_compile(self, x: Seq) -> bool:
        """Whether the compiled loops can take it and nobody looks at torch's layers themselves."""
        if self.forwards.hidden_size % _UNITS:
            return False
        if self.kind == "lstm" and not (torch.is_grad_enabled() or "numba" in sys.modules):
            # Forwards alone oneDNN is as fast: numba, which takes a third of a second to load and
            # 100 MB, is not worth it. Numbers differ by rounding.
            return False
        return may_compile(x.data, *self.parameters()) and not has_hooks(*self._directions)


class RecurrentStack(nn.Module):
    """Layers of BatchNorm, RNN and dropout, [B, T, F] to [B, T, features].

    `norm` is "every" (BatchNorm on each layer's input), "input" (the first only) or "none".

    Raises:
        ValueError: for another `norm` or kind of RNN.

    Example:
        >>> stack = RecurrentStack("gru", features=8, hidden=16, layers=2, bidirectional=False)
        >>> stack(Seq.stack([torch.zeros(5, 8)], rate=100)).data.shape, stack.features
        (torch.Size([1, 5, 16]), 16)
    """

    def __init__(
        self,
        kind: str,
        features: int,
        hidden: int,
        layers: int,
        bidirectional: bool = True,
        norm: str = "every",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"expected norm 'every', 'input' or 'none'; got {norm!r}")
        self.norms = nn.ModuleList()
        self.layers = nn.ModuleList()
        for index in range(layers):
            normed = norm == "every" or (norm == "input" and index == 0)
            self.norms.append(SequenceBatchNorm(features) if normed else nn.Identity())
            layer = RecurrentLayer(kind, features, hidden, bidirectional)
            self.layers.append(layer)
            features = layer.features
        self.features = features
        self.dropout = Dropout(dropout)

    def forward(self, x: Seq) -> Seq:
        """Outputs [B, T, features] of frames [B, T, F]."""
        for norm, layer in zip(self.norms, self.layers, strict=True):
            outputs = layer(norm(x))
            x = outputs.with_data(self.dropout(outputs.data))
        return x


def _reversal(x: Seq) -> Tensor:
    """Index [B, T] that turns each row around within its length and leaves its padding there."""
    steps = torch.arange(x.data.shape[1], device=x.device)[None, :]
    from_end = x.device_lengths[:, None] - 1 - steps
    return torch.where(x.mask, from_end, steps)


def _run_turned(rnn: nn.RNNBase, data: Tensor, turned: Tensor) -> Tensor:
    """Outputs [B, T, H] of an RNN that reads rows [B, T, F] from their ends."""
    outputs: Tensor = rnn(_turn(data, turned))[0]
    return _turn(outputs, turned)


def _turn(data: Tensor, turned: Tensor) -> Tensor:
    """Rows of data [B, T, F] turned around by the index [B, T] of `_reversal`."""
    if not data.requires_grad:  # tracers see torch's own operator
        return _gather(data, turned)
    result: Tensor = _Turn.apply(data, turned)
    return result


class _Turn(torch.autograd.Function):
    """Turning rows around, which is undone by the same: torch would go back by atomic additions."""

    @staticmethod
    def forward(data: Tensor, turned: Tensor) -> Tensor:
        return _gather(data, turned)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (turned,) = ctx.saved_tensors
        return _turn(grad, turned), None


def _gather(data: Tensor, index: Tensor) -> Tensor:
    """Frames of data [B, T, F] at an index [B, T]."""
    return data.gather(1, index[:, :, None].expand(-1, -1, data.shape[2]))


@cache
def _second_stream(device: torch.device) -> torch.cuda.Stream:
    """The stream of the direction that comes from behind."""
    return torch.cuda.Stream(device)


def _initialise(rnn: nn.RNNBase, kind: str) -> None:
    """Glorot input weights, orthogonal recurrent weights per gate, LSTM forget bias one.

    Saxe et al. 2014, arXiv 1312.6120; Jozefowicz et al. 2015.
    """
    hidden = rnn.hidden_size
    with torch.no_grad():
        for name, parameter in rnn.named_parameters():
            if name.startswith("bias"):
                parameter.zero_()
                continue
            for gate in parameter.split(hidden):
                if name.startswith("weight_hh"):
                    nn.init.orthogonal_(gate)
                else:
                    nn.init.xavier_uniform_(gate)
        if kind == "lstm":
            forget_bias = rnn.get_parameter("bias_ih_l0")[hidden : 2 * hidden]
            forget_bias.fill_(1.0)
