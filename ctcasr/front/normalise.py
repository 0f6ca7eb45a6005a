"""Normalisation of features: per utterance, by the corpus, or whitening; statistics are streamed once and kept as buffers."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ctcasr.seq import Seq


class Unnormalised(nn.Module):
    """Hands features on as they are."""

    def forward(self, features: Seq) -> Seq:
        """The same features [B, T, F]."""
        return features


class UtteranceNorm(nn.Module):
    """Mean zero and variance one for each utterance and bin, over its real frames only."""

    def forward(self, features: Seq) -> Seq:
        """Features [B, T, F], normalised; a constant bin (silence) becomes zero."""
        features = features.zero_padding()
        count = features.device_lengths.clamp(min=1)[:, None, None]
        mean = features.data.sum(1, keepdim=True) / count
        centred = features.with_data(features.data - mean).zero_padding().data
        variance = centred.square().sum(1, keepdim=True) / count
        return features.with_data(centred * torch.rsqrt(variance + 1e-5))


class Moments:
    """Mean and covariance of frames, streamed in float64 over any number of batches."""

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
        return self.total / self.count

    @property
    def covariance(self) -> Tensor:
        return self.outer / self.count - self.mean[:, None] * self.mean[None, :]


class CorpusNorm(nn.Module):
    """Subtracts a mean and multiplies by a matrix or a scale, both measured once over the corpus (`fit`)."""

    mean: Tensor
    matrix: Tensor
    fitted: Tensor

    def __init__(self, bins: int, whitening: str | None = None, shrinkage: float = 0.01) -> None:
        super().__init__()
        if whitening not in (None, "pca", "zca"):
            raise ValueError(f"expected whitening None, 'pca' or 'zca'; got {whitening!r}")
        if not 0 <= shrinkage <= 1:
            raise ValueError(f"expected shrinkage in 0..1; got {shrinkage}")
        self.bins, self.whitening, self.shrinkage, self._known = bins, whitening, shrinkage, False
        self.register_buffer("mean", torch.zeros(bins))
        self.register_buffer("matrix", torch.eye(bins) if whitening else torch.ones(bins))
        self.register_buffer("fitted", torch.tensor(False))

    def fit(self, batches: Iterable[Seq]) -> None:
        """Measure the statistics over features [B, T, F]; raises ValueError where there are too few frames."""
        moments = Moments(self.bins)
        for features in batches:
            moments.add(features)
        if moments.count < 2:
            raise ValueError(
                f"expected at least 2 frames to measure normalisation statistics; got {moments.count}"
            )
        covariance = moments.covariance
        variance = covariance.diagonal().clamp(min=1e-10)
        if self.whitening is None:
            matrix = variance.rsqrt()
        else:
            # Shrinkage towards the mean variance (Ledoit and Wolf 2004) keeps the inverse root of nearly empty directions small.
            covariance = (
                1 - self.shrinkage
            ) * covariance + self.shrinkage * variance.mean() * torch.eye(self.bins)
            values, vectors = torch.linalg.eigh(covariance)
            matrix = vectors * values.clamp(min=1e-10).rsqrt()
            if self.whitening == "zca":
                matrix = matrix @ vectors.T
        self.mean.copy_(moments.mean)
        self.matrix.copy_(matrix)
        self.fitted.fill_(True)

    def forward(self, features: Seq) -> Seq:
        """Features [B, T, F], normalised; raises RuntimeError before `fit`."""
        self._known = self._known or bool(
            self.fitted
        )  # asked once: reading a buffer waits for the device
        if not self._known:
            raise RuntimeError(
                "normalisation statistics are missing: call fit() with the training features, or load them"
            )
        centred = features.data - self.mean
        data = centred @ self.matrix if self.whitening else centred * self.matrix
        return features.with_data(data).zero_padding()
