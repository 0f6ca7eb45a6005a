"""Enhancement in the time domain: a learnt filter bank and a mask for its frames.

The mask comes from recurrent layers along and across chunks of frames. Shape letters: B utterances,
N samples, T frames, S chunks, K frames of a chunk.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ctcasr.net.chunks import Chunking, CumulativeNorm, GlobalNorm, Product
from ctcasr.net.rnn import RecurrentLayer
from ctcasr.seq import Framing, Seq


class WaveEncoder(nn.Module):
    """Samples [B, N] to frames [B, T, filters] by filters that are learnt, then ReLU.

    TasNet, Luo and Mesgarani 2018, arXiv 1711.00541.

    Example:
        >>> import torch
        >>> samples = Seq.stack([torch.zeros(160)], rate=16000)
        >>> frames = WaveEncoder(filters=4)(samples)
        >>> frames.data.shape, WaveDecoder(filters=4)(frames, samples).data.shape
        (torch.Size([1, 19, 4]), torch.Size([1, 160]))
    """

    def __init__(self, filters: int = 256, size: int = 16, hop: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, filters, size, hop, bias=False)
        # The last samples, too few for a hop, are given a frame of their own.
        self.framing = Framing(size, hop, before=0, after=hop - 1)

    def forward(self, samples: Seq) -> Seq:
        """Frames [B, T, filters] of samples [B, N]."""
        lacking = self.framing.size - samples.data.shape[1]
        behind = max(self.framing.after, lacking)
        data = samples.zero_padding().data
        padded = functional.pad(data, (0, behind))
        channels = self.conv(padded[:, None]).relu()
        frames = samples.framed(channels.transpose(1, 2), self.framing)
        return frames.zero_padding()


class WaveDecoder(nn.ConvTranspose1d):
    """Frames [B, T, filters] back to samples [B, N] by overlap-add of learnt waveforms."""

    def __init__(self, filters: int = 256, size: int = 16, hop: int = 8) -> None:
        super().__init__(filters, 1, size, hop, bias=False)

    def forward(self, frames: Seq, samples: Seq) -> Seq:  # type: ignore[override]
        """Samples for the lengths and the clock of `samples` [B, N]."""
        channels = frames.zero_padding().data.transpose(1, 2)
        waves = super().forward(channels)
        waves = waves[:, 0]
        count = samples.data.shape[1]
        lacking = max(0, count - waves.shape[1])
        waves = functional.pad(waves, (0, lacking))
        return samples.with_data(waves[:, :count]).zero_padding()


def _norm(features: int, causal: bool) -> CumulativeNorm | GlobalNorm:
    """Normalisation by what has been, or by the whole utterance."""
    if causal:
        return CumulativeNorm(features)
    return GlobalNorm(features)


class Path(nn.Module):
    """RNN, linear layer and normalisation, added to their input.

    Along the frames of a chunk or across chunks.
    """

    def __init__(self, width: int, hidden: int, causal: bool) -> None:
        super().__init__()
        self.rnn = RecurrentLayer("lstm", width, hidden, bidirectional=not causal)
        self.linear = nn.Linear(self.rnn.features, width)
        self.norm = _norm(width, causal)

    def forward(self, chunks: Seq, chunking: Chunking, across: bool) -> Seq:
        """Chunks [B, S, K, width]."""
        if across:
            outputs = self._across(chunks)
        else:
            outputs = self._along(chunks)
        linear = chunks.with_data(self.linear(outputs))
        change = self.norm(linear.zero_padding(), chunking)
        return chunks.with_data(chunks.data + change.data)

    def _along(self, chunks: Seq) -> Tensor:
        """RNN outputs [B, S, K, H] read within each chunk."""
        batch, count, size, width = chunks.data.shape
        rows = chunks.data.reshape(batch * count, size, width)
        lengths = (size,) * len(rows)
        outputs = self.rnn(Seq(rows, lengths, chunks.rate))
        return outputs.data.reshape(batch, count, size, -1)

    def _across(self, chunks: Seq) -> Tensor:
        """RNN outputs [B, S, K, H] read from chunk to chunk, at each place within them."""
        batch, count, size, width = chunks.data.shape
        by_place = chunks.data.transpose(1, 2)
        rows = by_place.reshape(batch * size, count, width)
        lengths: list[int] = []
        for length in chunks.lengths:
            lengths += [length] * size
        outputs = self.rnn(Seq(rows, tuple(lengths), chunks.rate))
        by_place = outputs.data.reshape(batch, size, count, -1)
        return by_place.transpose(1, 2)


class Separator(nn.Module):
    """Frames [B, T, features] to a mask [B, T, filters], not negative, by one dual-path block.

    Luo, Chen and Yoshioka 2020, arXiv 1910.06379. Causal: recurrent layers of one direction and
    cumulative normalisation; a frame of the mask depends on no later frame.

    Example:
        >>> import torch
        >>> separator = Separator(features=4, filters=4, width=8, hidden=8, chunk=10)
        >>> separator(Seq.stack([torch.zeros(25, 4)], rate=2000)).data.shape
        torch.Size([1, 25, 4])
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
        self.norm = _norm(features, causal)
        self.narrow = nn.Linear(features, width)
        self.along = Path(width, hidden, causal)
        self.across = Path(width, hidden, causal)
        self.rectify = nn.PReLU()
        self.mix = nn.Linear(width, width, bias=False)  # 1 x 1 convolution over chunks
        self.content = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        self.gated = Product()
        self.widen = nn.Linear(width, filters, bias=False)

    def forward(self, frames: Seq) -> Seq:
        """Mask [B, T, filters] of frames [B, T, features]."""
        normed = self.norm(frames.zero_padding())
        narrow = normed.with_data(self.narrow(normed.data))
        narrow = narrow.zero_padding()
        chunks = self.chunking.cut(narrow)
        chunks = self.along(chunks, self.chunking, across=False)
        chunks = self.across(chunks, self.chunking, across=True)
        rectified = self.rectify(chunks.data)
        mixed = chunks.with_data(self.mix(rectified))
        joined = self.chunking.join(mixed.zero_padding(), narrow)
        content = self.content(joined.data).tanh()
        gate = self.gate(joined.data).sigmoid()
        gated = self.gated(content, gate)
        mask = self.widen(gated).relu()
        return joined.with_data(mask).zero_padding()


class Masking(nn.Module):
    """Encoded sound times its mask."""

    def __init__(self) -> None:
        super().__init__()
        self.product = Product()

    def forward(self, frames: Seq, mask: Tensor) -> Seq:
        """Frames [B, T, F] times mask [B, T, F]."""
        return frames.with_data(self.product(frames.data, mask))
