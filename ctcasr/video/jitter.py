"""Faces as another camera, light and take would have shown them.

Drawn for each utterance. Shape letters: B utterances, T frames, H rows and W columns of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ctcasr.seq import Seq, to_device

_OWN_DRAW = 0x1F123BB5  # keeps what is drawn here apart from what others draw
_TIME_DRAW = 0x5F356495  # and the masks from the pictures
_LEVELS = 256  # of grey
_MIRRORED = 0.5  # share of the clips


class LipAugment:
    """Clips moved, mirrored, lit otherwise, with frames lost and hidden; from one seed a clip.

    A clip is moved by up to `shift` pixels both ways, mirrored in half of the cases where `flip`,
    its levels of grey bent by an exponent within 1 / (1 + `light`) .. 1 + `light`; a share `drop`
    of its frames shows the frame before instead. `time_masks` spans of 0..`mask_s` seconds are
    hidden. Lengths stay, padding stays zero.

    Raises:
        ValueError: for negative sizes and a share outside 0..1.

    Example:
        >>> augment = LipAugment(shift=1, flip=False, light=0.0, drop=0.0)
        >>> clip = torch.arange(3, dtype=torch.uint8).expand(2, 3, 3)
        >>> augment.pictures(Seq.stack([clip], rate=25), seeds=[4]).data[0, 0, 0].tolist()
        [1, 2, 2]
    """

    def __init__(
        self,
        shift: int = 2,
        flip: bool = True,
        light: float = 0.3,
        drop: float = 0.05,
        time_masks: int = 1,
        mask_s: float = 0.3,
    ) -> None:
        if min(shift, light, time_masks, mask_s) < 0 or not 0 <= drop <= 1:
            raise ValueError(
                "expected shift, light, time_masks and mask_s >= 0 and drop within 0..1; got "
                f"{shift}, {light}, {time_masks}, {mask_s} and {drop}"
            )
        self.shift = shift
        self.flip = flip
        self.light = light
        self.drop = drop
        self.time_masks = time_masks
        self.mask_s = mask_s

    @property
    def share(self) -> float:
        """Share of three seconds that is hidden on average, 0..1."""
        hidden = min(1.0, self.mask_s / 3.0)
        seen = (1 - hidden / 2) ** self.time_masks
        return float(1 - seen)

    @torch.no_grad()
    def pictures(self, frames: Seq, seeds: Sequence[int]) -> Seq:
        """Frames [B, T, H, W] uint8 as they are learnt from, each row from its own seed alone."""
        changed = torch.zeros_like(frames.data)
        for row, (length, seed) in enumerate(zip(frames.lengths, seeds, strict=True)):
            if length:
                draw = np.random.default_rng([seed, _OWN_DRAW])
                changed[row, :length] = self._clip(frames.row(row), draw)
        return frames.with_data(changed)

    def _clip(self, clip: Tensor, draw: np.random.Generator) -> Tensor:
        """One clip [T, H, W]."""
        count, height, width = clip.shape
        times = self._times(count, draw)
        rows = self._moved(height, draw)
        columns = self._moved(width, draw)
        is_mirrored = draw.random() < _MIRRORED
        if self.flip and is_mirrored:
            columns = columns.flip(0)
        device = clip.device
        clip = clip[to_device(times, device)]
        clip = clip[:, to_device(rows, device)]
        clip = clip[:, :, to_device(columns, device)]
        curve = self._curve(draw)
        return to_device(curve, device)[clip.long()]

    def _times(self, count: int, draw: np.random.Generator) -> Tensor:
        """Which frame is shown at each time: itself, or the last that was not lost."""
        is_lost = draw.random(count) < self.drop
        shown = np.where(is_lost, 0, np.arange(count))
        return torch.from_numpy(np.maximum.accumulate(shown))

    def _moved(self, size: int, draw: np.random.Generator) -> Tensor:
        """Rows or columns of a picture that was moved; its edge is repeated."""
        shift = int(draw.integers(-self.shift, self.shift + 1))
        places = torch.arange(size) - shift
        return places.clamp(0, size - 1)

    def _curve(self, draw: np.random.Generator) -> Tensor:
        """What becomes of each level of grey, uint8 [256]."""
        bend = (1 + self.light) ** draw.uniform(-1, 1)
        levels = torch.arange(_LEVELS, dtype=torch.float32) / (_LEVELS - 1)
        bent = levels.pow(bend) * (_LEVELS - 1)
        return bent.round().to(torch.uint8)

    def __call__(self, frames: Seq, seeds: Sequence[int]) -> Seq:
        """Normalised frames [B, T, H, W] with spans of time set to zero, the mean."""
        hidden = torch.zeros(frames.data.shape[:2], dtype=torch.bool)
        widest = round(self.mask_s * float(frames.rate))
        for row, (length, seed) in enumerate(zip(frames.lengths, seeds, strict=True)):
            draw = np.random.default_rng([seed, _TIME_DRAW])
            for _ in range(self.time_masks):
                width = int(draw.integers(0, widest + 1))
                latest = max(1, length - width + 1)
                start = int(draw.integers(0, latest))
                hidden[row, start : start + width] = True
        mask = to_device(hidden, frames.device)
        return frames.with_data(frames.data.masked_fill(mask[:, :, None, None], 0.0))
