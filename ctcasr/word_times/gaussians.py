"""Gaussians of the aligner's units, from frames that are known to be theirs.

Shape letters: T frames, D numbers of a spliced frame, d directions, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.linalg import eigh
from scipy.sparse import csr_array

from ctcasr.word_times.aligner import Gaussians, letter_of
from ctcasr.word_times.features import Array

_DIMENSIONS = 40  # that discriminate best
_LETTER_FRAMES = 100.0  # so many frames' weight has its letter in a state of a word
_SPEECH_FRAMES = 10.0  # and speech as a whole in a letter
_LEAST_VARIANCE = 0.05  # of a dimension, where all frames have 1
_KINDS_OF_SILENCE = 24  # breath and lips are silence, too
_FRAMES_A_KIND = 50  # fewer tell of no kind
_SILENCE_FRAMES = 20_000  # are clustered, evenly chosen
_RIDGE = 1e-3  # of the mean variance, so that the scatter within states can be inverted


@dataclass(frozen=True)
class Moments:
    """Of each of K classes: frames [K], their sums and sums of squares [K, d]."""

    counts: Array
    sums: Array
    squares: Array

    @staticmethod
    def of(frames: Array, classes: Array, count: int) -> Moments:
        """Of frames [T, d] of these classes [T].

        Example:
            >>> Moments.of(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 2]), 3).sums.tolist()
            [[4.0], [0.0], [5.0]]
        """
        member_of = _membership(classes, count)
        counts = np.bincount(classes, minlength=count).astype(float)
        return Moments(counts, member_of @ frames, member_of @ frames**2)

    def pooled(self, parents: Array, count: int) -> Moments:
        """The same of the classes that these belong to."""
        member_of = _membership(parents, count)
        return Moments(member_of @ self.counts, member_of @ self.sums, member_of @ self.squares)

    def leaning(self, prior_means: Array, prior_squares: Array, frames: float) -> Moments:
        """Mean moments, as if each class had so many frames more with the moments of a prior."""
        weights = (self.counts + frames)[:, None]
        means = (self.sums + frames * prior_means) / weights
        squares = (self.squares + frames * prior_squares) / weights
        return Moments(self.counts, means, squares)


def discriminants(spliced: Array, columns: Array, count: int) -> Array:
    """The directions [D, d] in which states differ most for their own spread."""
    moments = Moments.of(spliced, columns, count)
    mean = spliced.mean(0, dtype=np.float64)
    heard = moments.counts > 0
    means = moments.sums[heard] / moments.counts[heard][:, None] - mean
    shares = moments.counts[heard] / len(spliced)
    between = (means * shares[:, None]).T @ means
    centred = spliced - mean.astype(spliced.dtype)
    total = (centred.T @ centred).astype(float) / len(spliced)
    within = total - between
    within += _RIDGE * np.trace(within) / len(within) * np.eye(len(within))
    directions: Array = eigh(between, within)[1][:, ::-1]
    return directions[:, :_DIMENSIONS]


def _membership(classes: Array, count: int) -> Any:
    """1 where a row of K classes has a column of T frames, else 0: sparse [K, T]."""
    places = np.arange(len(classes))
    return csr_array((np.ones(len(classes)), (classes, places)), (count, len(classes)))


def sounds_of(frames: Array, numbers: Array, units: tuple[str, ...]) -> Gaussians:
    """The Gaussian of each unit, of frames [T, d] that are units of these numbers [T]."""
    count = len(units)
    moments = Moments.of(frames, numbers, count)
    parents = _parents(units)
    letters = moments.pooled(parents, count)
    dimensions = frames.shape[1]
    leaning = letters.leaning(np.zeros(dimensions), np.ones(dimensions), _SPEECH_FRAMES)
    own = moments.leaning(leaning.sums[parents], leaning.squares[parents], _LETTER_FRAMES)
    variances = np.maximum(own.squares - own.sums**2, _LEAST_VARIANCE)
    return Gaussians(own.sums, variances)


def _parents(units: tuple[str, ...]) -> Array:
    """The number of the unit that each leans on: a letter, or itself."""
    number_of = {unit: number for number, unit in enumerate(units)}
    parents = []
    for number, unit in enumerate(units):
        word, _, state = unit.partition(" ")
        if len(word) > 1:
            number = number_of[letter_of(word, int(state))]
        parents.append(number)
    return np.array(parents)


def silence_of(frames: Array) -> tuple[Gaussians, Array]:
    """Kinds of silence in frames [T, d], and the share of each; of too few frames, one of all."""
    step = max(1, len(frames) // _SILENCE_FRAMES)
    frames = frames[::step]
    kinds = min(_KINDS_OF_SILENCE, len(frames) // _FRAMES_A_KIND)
    if kinds == 0:
        flat = np.zeros((1, frames.shape[1]))
        return Gaussians(flat, np.ones_like(flat)), np.ones(1)
    _, nearest = kmeans2(frames, kinds, minit="++", seed=0, missing="warn")
    moments = Moments.of(frames, nearest, kinds)
    heard = moments.counts >= 2
    counts = moments.counts[heard]
    means = moments.sums[heard] / counts[:, None]
    variances = np.maximum(moments.squares[heard] / counts[:, None] - means**2, _LEAST_VARIANCE)
    return Gaussians(means, variances), counts / counts.sum()
