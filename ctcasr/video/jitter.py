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
_BRIGHTEST = 255.0


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
        >>> augment.pictures(Seq.stack([clip], rate=25), seeds=[3]).data[0, 0, 0].tolist()
        [0, 0, 1]
    """

    def __init__(
        self,
        shift: int = 2,
        flip: bool = True,
        light: float = 0.3,
        drop: float = 0.05,
        time_masks: int = 3,
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
        down, right = draw.integers(-self.shift, self.shift + 1, 2).tolist()
        mirrored = bool(draw.random() < 0.5)
        bend = (1 + self.light) ** draw.uniform(-1, 1)
        lost = draw.random(count) < self.drop
        times = np.arange(count)
        times = np.maximum.accumulate(np.where(lost, 0, times))
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        if self.flip and mirrored:
            columns = columns[::-1].copy()
        places = [to_device(torch.from_numpy(axis), clip.device) for axis in (times, rows, columns)]
        clip = clip[places[0]][:, places[1]][:, :, places[2]]
        levels = torch.arange(256, dtype=torch.float32) / _BRIGHTEST
        curve = (levels.pow(bend) * _BRIGHTEST).round().to(torch.uint8)
        return to_device(curve, clip.device)[clip.long()]

    def __call__(self, frames: Seq, seeds: Sequence[int]) -> Seq:
        """Normalised frames [B, T, H, W] with spans of time set to zero, the mean."""
        batch, steps = frames.data.shape[:2]
        hidden = np.zeros((batch, steps), bool)
        widest = round(self.mask_s * float(frames.rate))
        for row, (length, seed) in enumerate(zip(frames.lengths, seeds, strict=True)):
            draw = np.random.default_rng([seed, _TIME_DRAW])
            for _ in range(self.time_masks):
                width = int(draw.integers(0, widest + 1))
                start = int(draw.integers(0, max(1, length - width + 1)))
                hidden[row, start : start + width] = True
        mask = to_device(torch.from_numpy(hidden), frames.device)
        return frames.with_data(frames.data.masked_fill(mask[:, :, None, None], 0.0))
