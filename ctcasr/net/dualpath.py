"""Enhancement in the time domain: a learnt filter bank, and a mask from recurrent layers along and across chunks of its frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.net.chunks import Chunking, CumulativeNorm, GlobalNorm, Product
from ctcasr.net.rnn import RecurrentLayer
from ctcasr.seq import Framing, Seq


class WaveEncoder(nn.Module):
    """Samples [B, N] to frames [B, T, filters] by filters that are learnt, then ReLU (TasNet, Luo and Mesgarani 2018)."""

    def __init__(self, filters: int = 256, size: int = 16, hop: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, filters, size, hop, bias=False)
        # The last samples, too few for a hop, are given a frame of their own.
        self.framing = Framing(size, hop, 0, hop - 1)

    def forward(self, samples: Seq) -> Seq:
        """Frames [B, T, filters] of samples [B, N]."""
        data = functional.pad(
            samples.zero_padding().data[:, None],
            (0, max(self.framing.after, self.framing.size - samples.data.shape[1])),
        )
        return samples.framed(self.conv(data).relu().transpose(1, 2), self.framing).zero_padding()


class WaveDecoder(nn.ConvTranspose1d):
    """Frames [B, T, filters] back to samples [B, N] by overlap-add of learnt waveforms."""

    def __init__(self, filters: int = 256, size: int = 16, hop: int = 8) -> None:
        super().__init__(filters, 1, size, hop, bias=False)

    def forward(self, frames: Seq, samples: Seq) -> Seq:  # type: ignore[override]
        """Samples for the lengths and the clock of `samples` [B, N]."""
        data = super().forward(frames.zero_padding().data.transpose(1, 2))[:, 0]
        count = samples.data.shape[1]
        return samples.with_data(
            functional.pad(data, (0, max(0, count - data.shape[1])))[:, :count]
        ).zero_padding()


class Path(nn.Module):
    """RNN, linear layer and normalisation around which the input is added; along the frames of a chunk or across chunks."""

    def __init__(self, width: int, hidden: int, causal: bool) -> None:
        super().__init__()
        self.rnn = RecurrentLayer("lstm", width, hidden, bidirectional=not causal)
        self.linear = nn.Linear(self.rnn.features, width)
        self.norm = CumulativeNorm(width) if causal else GlobalNorm(width)

    def forward(self, chunks: Seq, chunking: Chunking, across: bool) -> Seq:
        """Chunks [B, S, K, width]."""
        batch, count, size, width = chunks.data.shape
        if across:
            rows = chunks.data.transpose(1, 2).reshape(batch * size, count, width)
            lengths = tuple(n for n in chunks.lengths for _ in range(size))
            out = (
                self.rnn(Seq(rows, lengths, chunks.rate))
                .data.reshape(batch, size, count, -1)
                .transpose(1, 2)
            )
        else:
            rows = chunks.data.reshape(batch * count, size, width)
            out = self.rnn(Seq(rows, (size,) * (batch * count), chunks.rate)).data.reshape(
                batch, count, size, -1
            )
        change = self.norm(chunks.with_data(self.linear(out)).zero_padding(), chunking)
        return chunks.with_data(chunks.data + change.data)


class Separator(nn.Module):
    """Frames [B, T, features] to a mask [B, T, filters], not negative, by one dual-path block (Luo, Chen and Yoshioka 2020).

    Causal: recurrent layers of one direction and cumulative normalisation; a frame of the mask depends on no later frame.
    """

    def __init__(
        self,
        features: int,
        filters: int = 256,
        width: int = 32,
        hidden: int = 32,
        chunk: int = 200,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.chunking = Chunking(chunk)
        self.norm = CumulativeNorm(features) if causal else GlobalNorm(features)
        self.narrow = nn.Linear(features, width)
        self.along, self.across = Path(width, hidden, causal), Path(width, hidden, causal)
        self.rectify = nn.PReLU()
        self.mix = nn.Linear(width, width, bias=False)  # 1 x 1 convolution over chunks
        self.content, self.gate, self.gated = (
            nn.Linear(width, width),
            nn.Linear(width, width),
            Product(),
        )
        self.widen = nn.Linear(width, filters, bias=False)

    def forward(self, frames: Seq) -> Seq:
        """Mask [B, T, filters] of frames [B, T, features]."""
        normed = self.norm(frames.zero_padding())
        x = normed.with_data(self.narrow(normed.data)).zero_padding()
        chunks = self.chunking.cut(x)
        for path, across in ((self.along, False), (self.across, True)):
            chunks = path(chunks, self.chunking, across)
        chunks = chunks.with_data(self.mix(self.rectify(chunks.data))).zero_padding()
        y = self.chunking.join(chunks, x)
        gated = self.gated(torch.tanh(self.content(y.data)), torch.sigmoid(self.gate(y.data)))
        return y.with_data(self.widen(gated).relu()).zero_padding()


class Masking(nn.Module):
    """Encoded sound times its mask."""

    def __init__(self) -> None:
        super().__init__()
        self.product = Product()

    def forward(self, frames: Seq, mask: Tensor) -> Seq:
        """Frames [B, T, F] times mask [B, T, F]."""
        return frames.with_data(self.product(frames.data, mask))
