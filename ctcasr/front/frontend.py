"""The whole front-end: samples in, normalised (and in training masked) features out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from ctcasr.front.mask import SpecAugment
from ctcasr.front.normalise import CorpusNorm
from ctcasr.front.spectrogram import Spectrogram
from ctcasr.seq import Framing, Seq


class FrontEnd(nn.Module):
    """Samples [B, N] to features [B, T, F]: `extract` (spectrogram or mel), then `norm`.

    Example:
        >>> from ctcasr.front import Mel, UtteranceNorm
        >>> front = FrontEnd(Mel(16000, bands=40), UtteranceNorm())
        >>> front(Seq.stack([torch.zeros(16000)], rate=16000)).data.shape
        torch.Size([1, 101, 40])
    """

    def __init__(self, extract: Spectrogram, norm: nn.Module) -> None:
        super().__init__()
        self.extract = extract
        self.norm = norm

    @property
    def bins(self) -> int:
        """Features of a frame."""
        return self.extract.bins

    @property
    def framing(self) -> Framing:
        """Which samples a frame sees."""
        return self.extract.framing

    @property
    def has_statistics(self) -> bool:
        """True where statistics of the corpus are asked for, measured or not."""
        return isinstance(self.norm, CorpusNorm)

    @property
    def needs_statistics(self) -> bool:
        """True where statistics of the corpus are asked for and not yet measured."""
        return isinstance(self.norm, CorpusNorm) and not bool(self.norm.fitted)

    @torch.no_grad()
    def fit(self, audio: Iterable[Seq]) -> None:
        """Measure the corpus statistics over samples [B, N] (one pass).

        Raises:
            ValueError: where there are too few frames.
        """
        if isinstance(self.norm, CorpusNorm):
            self.norm.fit(self.extract(samples) for samples in audio)

    def forward(
        self, samples: Seq, augment: SpecAugment | None = None, seeds: Sequence[int] = ()
    ) -> Seq:
        """Features [B, T, F] of samples [B, N].

        With `augment`, of sound that it changed, with warped frequencies, and masked after
        normalisation, where zero is the mean.
        """
        with torch.autocast(samples.device.type, enabled=False):
            if augment is None:
                return self._features(samples)
            features = self._features(augment.sound(samples, seeds), augment.warps(seeds))
        return augment(features, seeds)

    def _features(self, samples: Seq, warps: Sequence[float] = ()) -> Seq:
        features: Seq = self.norm(self.extract(samples, warps))
        return features
