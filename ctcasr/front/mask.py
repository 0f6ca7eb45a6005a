"""SpecAugment: random bands of time and frequency set to the mean, from one seed per utterance.

And frequencies that are warped, as a talker of another size would have them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ctcasr.front.warp import draw_warps
from ctcasr.seq import Seq, to_device

_WIDEST_WARP = 0.5


class SpecAugment:
    """Time and frequency masks: `n` masks of width uniform in 0..`width` (share of T or F).

    Park et al. 2019, arXiv 1904.08779. `warp` is the largest relative change of frequencies by
    which the vocal tract of an utterance is made longer or shorter (0.1); 0: none.

    Raises:
        ValueError: for negative counts, for widths outside 0..1 and a warp outside 0..0.5.

    Example:
        >>> masks = SpecAugment(time_masks=1, time_width=1.0, freq_masks=0)
        >>> features = Seq.stack([torch.ones(4, 2)], rate=100)
        >>> masks(features, seeds=[1]).data[0].T
        tensor([[1., 0., 0., 1.],
                [1., 0., 0., 1.]])
    """

    def __init__(
        self,
        time_masks: int = 2,
        time_width: float = 0.05,
        freq_masks: int = 2,
        freq_width: float = 0.15,
        warp: float = 0.0,
    ) -> None:
        counts_fit = time_masks >= 0 and freq_masks >= 0
        widths_fit = 0 <= time_width <= 1 and 0 <= freq_width <= 1
        if not (counts_fit and widths_fit):
            raise ValueError(
                "expected mask counts >= 0 and widths within 0..1; got "
                f"{(time_masks, time_width, freq_masks, freq_width)}"
            )
        if not 0 <= warp <= _WIDEST_WARP:
            raise ValueError(f"warp: expected a share within 0..{_WIDEST_WARP}; got {warp}")
        self.time_masks = time_masks
        self.time_width = time_width
        self.freq_masks = freq_masks
        self.freq_width = freq_width
        self.warp = warp

    @staticmethod
    def parse(text: str, warp: float = 0.0) -> SpecAugment:
        """Masks by a text: how many over time, their widest share; the same over frequency.

        Raises:
            ValueError: where it is none.

        Example:
            >>> SpecAugment.parse("2,0.05,2,0.15").freq_width
            0.15
        """
        try:
            time_masks, time_width, freq_masks, freq_width = text.split(",")
            return SpecAugment(
                int(time_masks),
                float(time_width),
                int(freq_masks),
                float(freq_width),
                warp,
            )
        except ValueError as error:
            raise ValueError(
                "masks: expected a number of masks over time, their widest share, and the same "
                f"over frequency, as 2,0.05,2,0.15; got {text!r} ({error})"
            ) from None

    @property
    def share(self) -> float:
        """Share of the features that is hidden on average, 0..1."""
        time_seen = (1 - self.time_width / 2) ** self.time_masks
        freq_seen = (1 - self.freq_width / 2) ** self.freq_masks
        return 1 - time_seen * freq_seen

    def sound(self, samples: Seq, seeds: Sequence[int]) -> Seq:
        """Samples [B, N] as they are; `Augment` changes them."""
        check_seeds(samples, seeds)
        return samples

    def warps(self, seeds: Sequence[int]) -> tuple[float, ...]:
        """What the frequencies of each row are multiplied by; nothing where they stay."""
        return draw_warps(self.warp, seeds) if self.warp else ()

    def __call__(self, features: Seq, seeds: Sequence[int]) -> Seq:
        """Features [B, T, F] with masks drawn from one seed per row.

        Neither batch mates nor device change them. Raises ValueError for another number of seeds.
        """
        check_seeds(features, seeds)
        batch, steps, bins = features.data.shape
        hidden_time = np.zeros((batch, steps), bool)
        hidden_freq = np.zeros((batch, bins), bool)
        for row, (length, seed) in enumerate(zip(features.lengths, seeds, strict=True)):
            generator = np.random.default_rng(seed)
            widest = int(self.time_width * length)
            _hide(hidden_time[row], length, self.time_masks, widest, generator)
            widest = int(self.freq_width * bins)
            _hide(hidden_freq[row], bins, self.freq_masks, widest, generator)
        time = to_device(torch.from_numpy(hidden_time), features.device)
        freq = to_device(torch.from_numpy(hidden_freq), features.device)
        hidden = time[:, :, None] | freq[:, None, :]
        return features.with_data(features.data.masked_fill(hidden, 0.0))


def check_seeds(x: Seq, seeds: Sequence[int]) -> None:
    """ValueError where there is not one seed for each row."""
    if len(seeds) != len(x):
        raise ValueError(f"expected a seed for each of {len(x)} utterances; got {len(seeds)}")


def _hide(
    hidden: np.ndarray, size: int, masks: int, widest: int, generator: np.random.Generator
) -> None:
    """Mark so many masks among the first `size` places of `hidden` [T or F]."""
    for _ in range(masks):
        width = int(generator.integers(0, widest + 1))
        latest = max(1, size - width + 1)
        start = int(generator.integers(0, latest))
        hidden[start : start + width] = True
