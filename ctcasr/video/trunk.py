"""What is seen: frames to one vector each, on the clock of what is heard."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.seq import Seq


class Stage(nn.Module):
    """3 x 3 convolutions, each conv -> ReLU -> BatchNorm, the first with stride 2, beside a 1 x 1 convolution; nothing follows the sum."""

    def __init__(self, channels_in: int, channels: int, convs: int, dropout: float = 0.3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(convs):
            conv = nn.Conv2d(
                channels if index else channels_in, channels, 3, 1 if index else 2, 1, bias=False
            )
            layers += [conv, nn.ReLU(), nn.BatchNorm2d(channels)]
        self.main = nn.Sequential(*layers)
        short = nn.Conv2d(channels_in, channels, 1, 2, bias=False)
        self.short = nn.Sequential(short, nn.ReLU(), nn.BatchNorm2d(channels), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Pictures [n, C', H / 2, W / 2] of pictures [n, C, H, W]."""
        return self.main(x) + self.short(x)


class VisualTrunk(nn.Module):
    """Grey frames [B, T, H, W], 0..255, to features [B, T, features]; BatchNorm sees real frames only.

    A frame is seen with two before and two behind it; causal: with the four before it.
    """

    def __init__(self, convs: int = 1, features: int = 256, causal: bool = False) -> None:
        super().__init__()
        self.features, self.before = features, 4 if causal else 2
        self.front = nn.Conv3d(1, 64, (5, 7, 7), (1, 2, 2), (0, 3, 3), bias=False)
        self.front_norm = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, 1)
        sizes = (64, 64, 128, 256, 512)
        self.stages = nn.Sequential(*(Stage(a, b, convs) for a, b in pairwise(sizes)))
        self.average = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(512, features, bias=False)

    def forward(self, video: Seq) -> Seq:
        """Features [B, T, features], not negative; zero where there is no frame."""
        batch, steps = video.data.shape[:2]
        out = video.data.new_zeros((batch, steps, self.features), dtype=self.linear.weight.dtype)
        if not any(video.lengths):
            return video.with_data(out)
        frames = video.zero_padding().data[:, None].to(out.dtype) / 255
        seen = self.front(
            functional.pad(frames, (0, 0, 0, 0, self.before, 4 - self.before))
        )  # [B, 64, T, H / 2, W / 2]
        pictures = seen.transpose(1, 2)[video.mask]  # real ones only
        pictures = self.average(self.stages(self.pool(self.front_norm(pictures).relu())))
        out[video.mask] = self.linear(pictures.flatten(1)).relu()
        return video.with_data(out)


class ToClock(nn.Module):
    """Brings features to another clock, linearly between the middles of frames; causal: the frame that had begun last is held.

    Beyond the last frame it is held too; an utterance without a frame gives zeros. With channels as a second axis that keeps its size,
    this is two-dimensional bilinear resizing.
    """

    def __init__(self, causal: bool = False) -> None:
        super().__init__()
        self.causal = causal

    def forward(self, x: Seq, like: Seq) -> Seq:
        """Features [B, T', F] of features [B, T, F] at the frames of `like` [B, T', ...]."""
        steps = torch.arange(like.data.shape[1], device=x.device, dtype=torch.float64)
        pace = float(x.rate / like.rate)
        place = steps * pace if self.causal else (steps + 0.5) * pace - 0.5
        last = (x.device_lengths - 1).clamp(min=0)[:, None].double()
        place = torch.minimum(place[None, :].clamp(min=0), last)
        # Whole places of exact ratios must not fall below themselves by rounding.
        low = (place + 1e-9).floor()
        data = functional.pad(x.data, (0, 0, 0, int(x.data.shape[1] == 0)))
        out = _pick(data, low)
        if not self.causal:
            share = (place - low).clamp(min=0).to(data.dtype)[:, :, None]
            out = out + share * (_pick(data, torch.minimum(low + 1, last)) - out)
        return like.with_data(
            out.masked_fill(x.device_lengths[:, None, None] == 0, 0.0)
        ).zero_padding()


def _pick(data: Tensor, index: Tensor) -> Tensor:
    return data.gather(1, index.long()[:, :, None].expand(-1, -1, data.shape[2]))
