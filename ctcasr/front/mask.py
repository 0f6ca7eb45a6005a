"""SpecAugment: random bands of time and frequency set to the mean, from one seed per utterance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ctcasr.seq import Seq


class SpecAugment:
    """Time and frequency masks (Park et al. 2019, arXiv 1904.08779): `n` masks of width uniform in 0..`width` (share of T or F)."""

    def __init__(
        self,
        time_masks: int = 2,
        time_width: float = 0.05,
        freq_masks: int = 2,
        freq_width: float = 0.15,
    ) -> None:
        if time_masks < 0 or freq_masks < 0 or not 0 <= time_width <= 1 or not 0 <= freq_width <= 1:
            raise ValueError(
                f"expected mask counts >= 0 and widths within 0..1; got {time_masks, time_width, freq_masks, freq_width}"
            )
        self.time_masks, self.time_width = time_masks, time_width
        self.freq_masks, self.freq_width = freq_masks, freq_width

    @property
    def share(self) -> float:
        """Share of the features that is hidden on average, 0..1."""
        seen = (1 - self.time_width / 2) ** self.time_masks * (
            1 - self.freq_width / 2
        ) ** self.freq_masks
        return 1 - seen

    def sound(self, samples: Seq, seeds: Sequence[int]) -> Seq:
        """Samples [B, N] as they are; `Augment` changes them."""
        return samples

    def __call__(self, features: Seq, seeds: Sequence[int]) -> Seq:
        """Features [B, T, F] with masks drawn from one seed per row, so that neither batch mates nor device change them."""
        batch, steps, bins = features.data.shape
        time, freq = np.zeros((batch, steps), bool), np.zeros((batch, bins), bool)
        for row, (length, seed) in enumerate(zip(features.lengths, seeds, strict=True)):
            draw = np.random.default_rng(seed)
            for marks, size, count, share in (
                (time, length, self.time_masks, self.time_width),
                (freq, bins, self.freq_masks, self.freq_width),
            ):
                for _ in range(count):
                    width = int(draw.integers(0, int(share * size) + 1))
                    start = int(draw.integers(0, max(1, size - width + 1)))
                    marks[row, start : start + width] = True
        masked = torch.from_numpy(time)[:, :, None] | torch.from_numpy(freq)[:, None, :]
        return features.with_data(
            features.data.masked_fill(masked.to(features.device, non_blocking=True), 0.0)
        )
