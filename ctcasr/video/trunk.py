"""What is seen: frames to one vector each, on the clock of what is heard.

Shape letters: B utterances, T frames, H rows and W columns of a picture, C channels, F features,
P pictures.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.seq import Framing, Seq

_CONTEXT = 4  # frames that each frame is seen with, before and behind it
_STAGE_CHANNELS = (64, 64, 128, 256, 512)
_WHITE = 255  # the brightest grey
_ROUNDING = 1e-9  # frames: whole places of exact ratios must not fall below themselves


class Stage(nn.Module):
    """3 x 3 convolutions, each followed by ReLU and BatchNorm, beside a 1 x 1 convolution.

    The first has stride 2; nothing follows the sum.
    """

    def __init__(self, channels_in: int, channels: int, convs: int, dropout: float = 0.3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels_from = channels_in
        stride = 2
        for _ in range(convs):
            conv = nn.Conv2d(channels_from, channels, 3, stride, padding=1, bias=False)
            layers += [conv, nn.ReLU(), nn.BatchNorm2d(channels)]
            channels_from = channels
            stride = 1
        self.main = nn.Sequential(*layers)
        self.short = nn.Sequential(
            nn.Conv2d(channels_in, channels, 1, 2, bias=False),
            nn.ReLU(),
            nn.BatchNorm2d(channels),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Pictures [P, C', H / 2, W / 2] of pictures [P, C, H, W]."""
        return self.main(x) + self.short(x)


class VisualTrunk(nn.Module):
    """Grey frames [B, T, H, W], 0..255, to features [B, T, F]; BatchNorm sees real frames only.

    A frame is seen with two before and two behind it; causal: with the four before it.

    Example:
        >>> video = Seq.stack([torch.zeros(3, 32, 32)], rate=25)
        >>> VisualTrunk(features=8)(video).data.shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, convs: int = 1, features: int = 256, causal: bool = False) -> None:
        super().__init__()
        self.features = features
        self.before = _CONTEXT if causal else _CONTEXT // 2
        self.framings = (Framing(_CONTEXT + 1, 1, self.before, _CONTEXT - self.before),)
        self.front = nn.Conv3d(
            1,
            _STAGE_CHANNELS[0],
            kernel_size=(_CONTEXT + 1, 7, 7),
            stride=(1, 2, 2),
            padding=(0, 3, 3),
            bias=False,
        )
        self.front_norm = nn.BatchNorm2d(_STAGE_CHANNELS[0])
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stages = nn.Sequential()
        for channels_in, channels in pairwise(_STAGE_CHANNELS):
            self.stages.append(Stage(channels_in, channels, convs))
        self.average = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(_STAGE_CHANNELS[-1], features, bias=False)

    def forward(self, video: Seq) -> Seq:
        """Features [B, T, F], not negative; zero where there is no frame."""
        dtype = self.linear.weight.dtype
        if not any(video.lengths):
            shape = (*video.data.shape[:2], self.features)
            return video.with_data(video.data.new_zeros(shape, dtype=dtype))
        frames = video.zero_padding().data.to(dtype) / _WHITE
        behind = _CONTEXT - self.before
        padded = functional.pad(frames, (0, 0, 0, 0, self.before, behind))
        maps = self.front(padded[:, None])  # [B, C, T, H, W]
        pictures = video.with_data(maps.transpose(1, 2)).real()
        pictures = self.front_norm(pictures).relu()
        pictures = self.stages(self.pool(pictures))
        averages = self.average(pictures).flatten(1)
        seen = self.linear(averages).relu()
        return video.with_real(seen.to(dtype))  # under autocast products have another type


class ToClock(nn.Module):
    """Brings features to another clock, linearly between the middles of frames.

    Causal: the frame that had begun last is held. Beyond the last frame it is held too; an
    utterance without a frame gives zeros. With channels as a second axis that keeps its size, this
    is two-dimensional bilinear resizing.

    Example:
        >>> slow = Seq.stack([torch.tensor([[0.0], [4.0]])], rate=1)
        >>> fast = Seq.stack([torch.zeros(4, 1)], rate=2)
        >>> ToClock()(slow, like=fast).data.flatten().tolist()
        [0.0, 1.0, 3.0, 4.0]
    """

    def __init__(self, causal: bool = False) -> None:
        super().__init__()
        self.causal = causal

    def forward(self, x: Seq, like: Seq) -> Seq:
        """Features [B, T', F] of features [B, T, F] at the frames of `like` [B, T', ...]."""
        last = (x.device_lengths - 1).clamp(min=0)
        last = last[:, None].double()
        place = self._places(x, like).clamp(min=0)
        place = torch.minimum(place, last)
        low = (place + _ROUNDING).floor()
        data = x.data
        if data.shape[1] == 0:
            data = functional.pad(data, (0, 0, 0, 1))
        features = _pick(data, low)
        if not self.causal:
            high = torch.minimum(low + 1, last)
            share = (place - low).clamp(min=0)
            share = share.to(data.dtype)[:, :, None]
            following = _pick(data, high)
            features = features + share * (following - features)
        blind = x.device_lengths[:, None, None] == 0
        return like.with_data(features.masked_fill(blind, 0.0)).zero_padding()

    def _places(self, x: Seq, like: Seq) -> Tensor:
        """Where frames of `like` lie among those of `x`, in frames of these, [1, T'] float64."""
        count = like.data.shape[1]
        steps = torch.arange(count, device=x.device, dtype=torch.float64)[None, :]
        pace = float(x.rate / like.rate)
        if self.causal:
            return steps * pace
        return (steps + 0.5) * pace - 0.5


def _pick(data: Tensor, index: Tensor) -> Tensor:
    """Frames of data [B, T, F] at an index [B, T']."""
    whole = index.long()[:, :, None]
    return data.gather(1, whole.expand(-1, -1, data.shape[2]))
