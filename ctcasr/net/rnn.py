"""Recurrent layers over padded sequences that read every row as if it stood alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctcasr.net.batchnorm import SequenceBatchNorm
from ctcasr.net.dropout import Dropout
from ctcasr.seq import Seq

KINDS: dict[str, type[nn.GRU] | type[nn.LSTM] | type[nn.RNN]] = {
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "rnn": nn.RNN,
}


class RecurrentLayer(nn.Module):
    """One GRU, LSTM or tanh RNN layer in one or two directions; [B, T, F] to [B, T, H] or [B, T, 2H]."""

    def __init__(self, kind: str, features: int, hidden: int, bidirectional: bool) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"expected one of {sorted(KINDS)} as the kind of RNN; got {kind!r}")
        self.kind = kind
        self.forwards = KINDS[kind](features, hidden, batch_first=True)
        self.backwards = KINDS[kind](features, hidden, batch_first=True) if bidirectional else None
        self.features = hidden * (2 if bidirectional else 1)
        for rnn in (self.forwards, self.backwards):
            if rnn is not None:
                _initialise(rnn, kind)

    def forward(self, x: Seq) -> Seq:
        """Outputs [B, T, H or 2H]; padding is zero."""
        return self.compiled(x) if self._compiles(x) else self.by_torch(x)

    def compiled(self, x: Seq) -> Seq:
        """The same by loops of our own, faster on a CPU (tools/bench_layers.py): data [B, T, F] in float32, H a multiple of 32."""
        from ctcasr.net.rnn_cpu import recurrent  # brings numba, which takes a while to load

        return x.with_data(recurrent(self.kind, x, self._sides))

    def by_torch(self, x: Seq) -> Seq:
        """The same by torch's layers, wherever torch runs and in whatever it is written to."""
        # Padded rows and a backward pass over rows reversed by their own lengths give what packed sequences give, and cuDNN's
        # and oneDNN's fused layers serve padded input best.
        out = self.forwards(x.data)[0]
        if self.backwards is not None:
            flip = _reversal(x)
            back = self.backwards(_gather(x.data, flip))[0]
            out = torch.cat((out, _gather(back, flip)), dim=2)
        return x.with_data(out).zero_padding()

    @property
    def _sides(self) -> list[nn.RNNBase]:
        return [self.forwards] if self.backwards is None else [self.forwards, self.backwards]

    def _compiles(self, x: Seq) -> bool:
        """Whether the compiled loops can take it and nobody looks at torch's layers themselves: no hook, tracer or exporter."""
        tensors = [x.data, *self.parameters()]
        plain = all(
            t.is_cpu and t.dtype == torch.float32 and type(t) in (Tensor, nn.Parameter)
            for t in tensors
        )
        seen = any(rnn._forward_hooks or rnn._forward_pre_hooks for rnn in self._sides)
        traced = (
            torch.jit.is_tracing()
            or torch.compiler.is_compiling()
            or torch.onnx.is_in_onnx_export()
        )
        return (
            plain
            and not seen
            and not traced
            and not torch.is_autocast_enabled("cpu")
            and self.forwards.hidden_size % 32 == 0
        )


class RecurrentStack(nn.Module):
    """Layers of BatchNorm, RNN and dropout; `norm` is "every" (BatchNorm on each layer's input), "input" (the first only) or "none"."""

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
        if norm not in ("every", "input", "none"):
            raise ValueError(f"expected norm 'every', 'input' or 'none'; got {norm!r}")
        self.norms, self.layers = nn.ModuleList(), nn.ModuleList()
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
            x = layer(norm(x))
            x = x.with_data(self.dropout(x.data))
        return x


def _reversal(x: Seq) -> Tensor:
    """Index [B, T] that turns each row around within its own length and leaves its padding where it is."""
    steps = torch.arange(x.data.shape[1], device=x.device)[None, :]
    return torch.where(x.mask, x.device_lengths[:, None] - 1 - steps, steps)


def _gather(data: Tensor, index: Tensor) -> Tensor:
    return data.gather(1, index[:, :, None].expand(-1, -1, data.shape[2]))


def _initialise(rnn: nn.RNNBase, kind: str) -> None:
    """Glorot input weights, orthogonal recurrent weights per gate (Saxe et al. 2014), LSTM forget bias one (Jozefowicz et al. 2015)."""
    hidden = rnn.hidden_size
    with torch.no_grad():
        for name, parameter in rnn.named_parameters():
            if name.startswith("bias"):
                parameter.zero_()
            else:
                for gate in parameter.split(hidden):
                    (
                        nn.init.orthogonal_
                        if name.startswith("weight_hh")
                        else nn.init.xavier_uniform_
                    )(gate)
        if kind == "lstm":
            rnn.get_parameter("bias_ih_l0")[hidden : 2 * hidden] = 1.0
