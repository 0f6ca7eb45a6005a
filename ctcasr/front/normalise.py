"""Normalisation of features: per utterance, by the corpus, whitening, or lifting.

Statistics are streamed once and kept as buffers.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ctcasr.seq import Seq

_UTTERANCE_EPS = 1e-5  # added to the variance within an utterance: a constant bin becomes zero
_LEAST_VARIANCE = 1e-10  # of a bin or a direction over the corpus


class Unnormalised(nn.Module):
    """Hands features on as they are."""

    normalises = False  # the verdict expects neither mean 0 nor deviation 1
    by_utterance = False  # needs no statistics of the utterance

    def forward(self, features: Seq) -> Seq:
        """The same features [B, T, F]."""
        return features


def centred_rows(features: Seq) -> Seq:
    """Features [B, T, F] less the mean over the real frames of their own utterance, in each bin.

    Example:
        >>> features = Seq.stack([torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0]])], rate=100)
        >>> centred_rows(features).data.flatten().tolist()
        [-1.0, 1.0, 0.0, 0.0]
    """
    features = features.zero_padding()
    count = features.device_lengths.clamp(min=1)[:, None, None]
    mean = features.data.sum(1, keepdim=True) / count
    return features.with_data(features.data - mean).zero_padding()


class UtteranceNorm(nn.Module):
    """Mean zero for each utterance and bin, over its real frames only, and variance one.

    The variance is one in each bin, or over all bins together (`each_bin=False`), which leaves it
    to them how far they rise and fall beside each other.

    Example:
        >>> features = Seq.stack([torch.tensor([[1.0], [3.0]])], rate=100)
        >>> UtteranceNorm()(features).data.flatten().tolist()
        [-0.999..., 0.999...]
    """

    by_utterance = True  # its end must be heard first

    def __init__(self, each_bin: bool = True) -> None:
        super().__init__()
        self.each_bin = each_bin

    def forward(self, features: Seq) -> Seq:
        """Features [B, T, F], normalised; a constant bin (silence) becomes zero."""
        return self.scaled(centred_rows(features))

    def scaled(self, centred: Seq) -> Seq:
        """The same of features whose mean has been taken off."""
        count = centred.device_lengths.clamp(min=1)[:, None, None]
        variance = centred.data.square().sum(1, keepdim=True) / count
        if not self.each_bin:
            variance = variance.mean(2, keepdim=True)
        return centred.with_data(centred.data * torch.rsqrt(variance + _UTTERANCE_EPS))


class Moments:
    """Mean and covariance of frames, streamed in float64 over any number of batches.

    Example:
        >>> moments = Moments(bins=1)
        >>> moments.add(Seq.stack([torch.tensor([[1.0], [3.0]])], rate=100))
        >>> moments.mean.item(), moments.covariance.item()
        (2.0, 1.0)
    """

    def __init__(self, bins: int) -> None:
        self.count = 0
        self.total = torch.zeros(bins, dtype=torch.float64)
        self.outer = torch.zeros(bins, bins, dtype=torch.float64)

    def add(self, features: Seq) -> None:
        """Take in the real frames of features [B, T, F]."""
        frames = features.data[features.mask].double().cpu()
        self.count += frames.shape[0]
        self.total += frames.sum(0)
        self.outer += frames.T @ frames

    @property
    def mean(self) -> Tensor:
        """Mean of each bin, [F]."""
        return self.total / self.count

    @property
    def covariance(self) -> Tensor:
        """Covariance of the bins, [F, F]."""
        return self.outer / self.count - self.mean[:, None] * self.mean[None, :]


class CorpusNorm(nn.Module):
    """Subtracts a mean and multiplies by a scale or a matrix, measured once over the corpus.

    `whitening`: None (a scale for each bin), "pca" or "zca". With `by_utterance` the mean of each
    utterance is taken off first, as a room or a microphone adds it, and statistics are those of
    what is left.

    Raises:
        ValueError: for another whitening, and for a shrinkage outside 0..1.

    Example:
        >>> norm = CorpusNorm(bins=1)
        >>> norm.fit([Seq.stack([torch.tensor([[1.0], [3.0]])], rate=100)])
        >>> norm(Seq.stack([torch.tensor([[2.0], [4.0]])], rate=100)).data.flatten()
        tensor([0., 2.])
    """

    mean: Tensor
    matrix: Tensor
    fitted: Tensor

    def __init__(
        self,
        bins: int,
        whitening: str | None = None,
        shrinkage: float = 0.01,
        by_utterance: bool = False,
    ) -> None:
        super().__init__()
        if whitening not in (None, "pca", "zca"):
            raise ValueError(f"expected whitening None, 'pca' or 'zca'; got {whitening!r}")
        if not 0 <= shrinkage <= 1:
            raise ValueError(f"expected shrinkage in 0..1; got {shrinkage}")
        self.bins = bins
        self.whitening = whitening
        self.shrinkage = shrinkage
        self.by_utterance = by_utterance
        self._known = False
        self.register_buffer("mean", torch.zeros(bins))
        self.register_buffer("matrix", torch.eye(bins) if whitening else torch.ones(bins))
        self.register_buffer("fitted", torch.tensor(False))

    def fit(self, batches: Iterable[Seq]) -> None:
        """Measure the statistics over features [B, T, F].

        Raises:
            ValueError: where there are fewer than two frames.
        """
        moments = Moments(self.bins)
        for features in batches:
            moments.add(centred_rows(features) if self.by_utterance else features)
        if moments.count < 2:
            raise ValueError(
                "expected at least 2 frames to measure normalisation statistics; "
                f"got {moments.count}"
            )
        self.mean.copy_(moments.mean)
        self.matrix.copy_(self._transform(moments.covariance))
        self.fitted.fill_(True)

    def _transform(self, covariance: Tensor) -> Tensor:
        """What centred features are multiplied by: a scale [F] or a matrix [F, F]."""
        variance = covariance.diagonal().clamp(min=_LEAST_VARIANCE)
        if self.whitening is None:
            return variance.rsqrt()
        # Shrinkage towards the mean variance (Ledoit and Wolf 2004) keeps the inverse root of
        # nearly empty directions small.
        own = (1 - self.shrinkage) * covariance
        values, vectors = torch.linalg.eigh(
            own + self.shrinkage * variance.mean() * torch.eye(self.bins)
        )
        to_directions = vectors * values.clamp(min=_LEAST_VARIANCE).rsqrt()
        if self.whitening == "zca":
            return to_directions @ vectors.T
        return to_directions

    def forward(self, features: Seq) -> Seq:
        """Features [B, T, F], normalised.

        Raises:
            RuntimeError: before `fit`.
        """
        if self.by_utterance:
            features = centred_rows(features)
        return self.scaled(features)

    def scaled(self, features: Seq) -> Seq:
        """The same of features whose utterances have lost their mean, if they are to.

        Raises:
            RuntimeError: before `fit`.
        """
        if not self._known:  # asked once: reading a buffer waits for the device
            self._known = bool(self.fitted)
        if not self._known:
            raise RuntimeError(
                "normalisation statistics are missing: call fit() with the training features, "
                "or load them"
            )
        centred = features.data - self.mean
        normed = centred @ self.matrix if self.whitening else centred * self.matrix
        return features.with_data(normed).zero_padding()


class LiftedNorm(CorpusNorm):
    """Features by the utterance, mixed with the whitened ones (ZCA): what is weak is lifted.

    `lift` is the share of the whitened ones, 0..1. Loudness, which all bins have in common, stays
    the strongest of what features say: by it a network finds out where something is said. From
    whitened features alone, in which no direction is stronger than another, it takes twice as long
    to begin. The variance by the utterance is that of all bins together, or of each
    (`each_bin=True`): then bins in which the utterance says little are raised to the others.

    Raises:
        ValueError: for a lift or a shrinkage outside 0..1.

    Example:
        >>> features = Seq.stack([torch.tensor([[1.0], [3.0]])], rate=100)
        >>> norm = LiftedNorm(bins=1)
        >>> norm.fit([features])
        >>> norm(features).data.flatten().tolist()
        [-0.999..., 0.999...]
    """

    def __init__(
        self, bins: int, shrinkage: float = 0.01, lift: float = 0.5, each_bin: bool = False
    ) -> None:
        super().__init__(bins, "zca", shrinkage, by_utterance=True)
        if not 0 <= lift <= 1:
            raise ValueError(f"expected lift in 0..1; got {lift}")
        self.own = UtteranceNorm(each_bin)
        self.lift = lift

    def forward(self, features: Seq) -> Seq:
        """Features [B, T, F], normalised and lifted.

        Raises:
            RuntimeError: before `fit`.
        """
        centred = centred_rows(features)
        whitened = self.scaled(centred)
        own = self.own.scaled(centred)
        return own.with_data(own.data.lerp(whitened.data, self.lift))
