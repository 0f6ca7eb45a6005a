"""Lips as a network reads them: what it is made of, its front-end, and its convolutions.

Shape letters: B utterances, T frames, H rows and W columns of a picture, C channels, F features,
P pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.seq import Framing, Seq
from ctcasr.video.frames import RATE_HZ
from ctcasr.video.jitter import LipAugment

_LEAST_CONTRAST = 4.0  # levels of grey that a frame's deviation is taken for at least


@dataclass(frozen=True)
class LipSpec:
    """What shows lips to a network, and the convolutions that see them.

    Raises:
        ValueError: for sizes that no picture and no layer has.
    """

    height: int = 28  # rows of a picture
    width: int = 40  # columns
    # Share of the rows and of the columns of the video that is looked at, around what moves.
    window: tuple[float, float] = (0.7, 0.625)
    channels: tuple[int, ...] = (16, 32, 64)  # of each convolution, all of stride 2
    features: int = 128  # of a frame
    context: int = 5  # frames that each is seen with, itself among them
    dropout: float = 0.3
    causal: bool = False  # no later frame is looked at
    # 3 x 3 convolutions per stage of the published trunk (avse_lstm8: 1, avse_lstm12: 2), which
    # then sees instead of `channels` and `context`; 0: none.
    convs: int = 0

    def __post_init__(self) -> None:
        sizes = (self.height, self.width, self.features, self.context, *self.channels)
        if min(sizes) < 1 or self.convs < 0:
            raise ValueError(f"expected sizes of at least 1, and convs of 0 or more; got {self}")


class FrameNorm(nn.Module):
    """Every frame with mean 0 and deviation 1: neither light nor later frames are seen.

    Example:
        >>> frames = Seq.stack([torch.tensor([[[0, 200]], [[50, 50]]], dtype=torch.uint8)], rate=25)
        >>> FrameNorm()(frames).data.flatten().tolist()
        [-1.0, 1.0, 0.0, 0.0]
    """

    def forward(self, frames: Seq) -> Seq:
        """Frames [B, T, H, W] float32 of frames [B, T, H, W], 0..255; padding is zero."""
        pictures = frames.data.to(torch.float32)
        pictures = pictures - pictures.mean((2, 3), keepdim=True)
        deviation = pictures.square().mean((2, 3), keepdim=True).sqrt()
        normed = pictures / deviation.clamp(min=_LEAST_CONTRAST)
        return frames.with_data(normed).zero_padding()


class RawFrames(nn.Module):
    """Every frame as it is, 0..255, for a trunk that scales for itself."""

    normalises = False  # the verdict expects neither mean 0 nor deviation 1

    def forward(self, frames: Seq) -> Seq:
        """Frames [B, T, H, W] float32; padding is zero."""
        return frames.with_data(frames.data.to(torch.float32)).zero_padding()


class LipFront(nn.Module):
    """The front-end of a lip reader: grey frames in, normalised (and in training changed) ones out.

    Example:
        >>> front = LipFront(LipSpec(height=8, width=12))
        >>> video = Seq.stack([torch.zeros(75, 8, 12, dtype=torch.uint8)], rate=25)
        >>> front(video).data.shape
        torch.Size([1, 75, 8, 12])
    """

    needs_statistics = False
    framing = Framing(1, 1)
    rate_hz = RATE_HZ

    def __init__(self, spec: LipSpec) -> None:
        super().__init__()
        self.size = (spec.height, spec.width)
        self.norm: nn.Module = RawFrames() if spec.convs else FrameNorm()

    def forward(
        self, frames: Seq, augment: LipAugment | None = None, seeds: Sequence[int] = ()
    ) -> Seq:
        """Frames [B, T, H, W] float32 of grey frames [B, T, H, W], 0..255.

        Raises:
            ValueError: for pictures of another size or rate.
        """
        shape = tuple(frames.data.shape[2:])
        if shape != self.size or frames.rate != self.rate_hz:
            raise ValueError(
                f"expected frames [B, T, {self.size[0]}, {self.size[1]}], {self.rate_hz} a "
                f"second; got {tuple(frames.data.shape)} at {float(frames.rate):g}: read them by "
                "LipReader"
            )
        if augment is None:
            normed: Seq = self.norm(frames)
            return normed
        return augment(self.norm(augment.pictures(frames, seeds)), seeds)


class LipTrunk(nn.Module):
    """Frames [B, T, H, W] to features [B, T, F]: a convolution over space and time, then space.

    Real frames alone are computed, and counted by BatchNorm. Each frame is seen with its
    neighbours; causal: with those before it.

    Example:
        >>> trunk = LipTrunk(LipSpec(height=8, width=12, features=6))
        >>> trunk(Seq.stack([torch.zeros(75, 8, 12)], rate=25)).data.shape
        torch.Size([1, 75, 6])
    """

    def __init__(self, spec: LipSpec) -> None:
        super().__init__()
        if spec.context < 1 or not spec.channels:
            raise ValueError(
                "lips: expected context >= 1 and channels of at least one convolution; got "
                f"{spec.context} and {spec.channels}"
            )
        self.features = spec.features
        self.context = spec.context
        self.before = spec.context - 1 if spec.causal else spec.context // 2
        self.framing = Framing(spec.context, 1, self.before, spec.context - 1 - self.before)
        self.framings = (self.framing,)
        first = nn.Conv2d(spec.context, spec.channels[0], 5, 2, padding=2, bias=False)
        layers: list[nn.Module] = [first, nn.BatchNorm2d(spec.channels[0]), nn.ReLU()]
        for channels_in, channels in pairwise(spec.channels):
            conv = nn.Conv2d(channels_in, channels, 3, 2, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(channels), nn.ReLU()]
        self.convs = nn.Sequential(*layers)
        rows = _halved(spec.height, len(spec.channels))
        columns = _halved(spec.width, len(spec.channels))
        self.linear = nn.Linear(spec.channels[-1] * rows * columns, spec.features, bias=False)
        self.norm = nn.BatchNorm1d(spec.features)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, frames: Seq) -> Seq:
        """Features [B, T, F], not negative; zero where there is no frame."""
        if sum(frames.lengths) == 0:
            shape = (*frames.data.shape[:2], self.features)
            return frames.with_data(frames.data.new_zeros(shape))
        pictures = self._with_neighbours(frames).real()
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        maps = self.convs(pictures)
        seen = self.norm(self.linear(maps.flatten(1))).relu()
        return frames.with_real(self.dropout(seen))

    def _with_neighbours(self, frames: Seq) -> Seq:
        """Frames [B, T, context, H, W]; beyond the ends there is nothing."""
        count = frames.data.shape[1]
        padded = functional.pad(
            frames.zero_padding().data, (0, 0, 0, 0, self.framing.before, self.framing.after)
        )
        neighbours: list[Tensor] = []
        for place in range(self.context):
            neighbours.append(padded[:, place : place + count])
        return frames.with_data(torch.stack(neighbours, 2))


def _halved(size: int, times: int) -> int:
    """Rows or columns left by convolutions of stride 2."""
    for _ in range(times):
        size = (size + 1) // 2
    return size
