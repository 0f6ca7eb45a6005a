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
        sums = member_of @ frames
        squares = member_of @ frames**2
        return Moments(counts, sums, squares)

    def pooled(self, parents: Array, count: int) -> Moments:
        """Of each parent, those of all classes that belong to it; parents [K]."""
        member_of = _membership(parents, count)
        counts = member_of @ self.counts
        sums = member_of @ self.sums
        squares = member_of @ self.squares
        return Moments(counts, sums, squares)

    def with_prior(self, prior: Means, frames: float) -> Means:
        """Means, as if each class had so many frames more, which have those of a prior."""
        weights = (self.counts + frames)[:, None]
        values = self.sums + frames * prior.values
        squares = self.squares + frames * prior.squares
        return Means(values / weights, squares / weights)

    def means(self) -> Means:
        """Means of classes that all have frames."""
        counts = self.counts[:, None]
        return Means(self.sums / counts, self.squares / counts)

    def only(self, wanted: Array) -> Moments:
        """Those of some classes, marked in [K]."""
        return Moments(self.counts[wanted], self.sums[wanted], self.squares[wanted])


@dataclass(frozen=True)
class Means:
    """Of each of K classes, or of all: the mean frame and the mean of its squares [K, d]."""

    values: Array
    squares: Array

    def of_parents(self, parents: Array) -> Means:
        """Of each class those of its parent; parents [K]."""
        return Means(self.values[parents], self.squares[parents])

    def gaussians(self) -> Gaussians:
        """The Gaussians that have these means, none of them too narrow."""
        variances = self.squares - self.values**2
        return Gaussians(self.values, np.maximum(variances, _LEAST_VARIANCE))


def discriminants(spliced: Array, columns: Array, count: int) -> Array:
    """The directions [D, d] in which states differ most for their own spread.

    Linear discriminant analysis: the scatter between states over that within them.
    """
    frames = len(spliced)
    mean = spliced.mean(0, dtype=np.float64)
    moments = Moments.of(spliced, columns, count)
    heard = moments.only(moments.counts > 0)
    deviations = heard.means().values - mean
    shares = heard.counts / frames
    between = (deviations * shares[:, None]).T @ deviations
    centred = spliced - mean.astype(spliced.dtype)
    total = (centred.T @ centred).astype(float) / frames
    within = total - between
    dimensions = len(within)
    mean_variance = np.trace(within) / dimensions
    within += _RIDGE * mean_variance * np.eye(dimensions)
    _, directions = eigh(between, within)
    best_first: Array = directions[:, ::-1]
    return best_first[:, :_DIMENSIONS]


def _membership(classes: Array, count: int) -> Any:
    """1 where a row of K classes has a column of T frames, else 0: sparse [K, T]."""
    frames = len(classes)
    ones = np.ones(frames)
    places = (classes, np.arange(frames))
    return csr_array((ones, places), (count, frames))


def sounds_of(frames: Array, numbers: Array, units: tuple[str, ...]) -> Gaussians:
    """The Gaussian of each unit, of frames [T, d] that are units of these numbers [T].

    States of words lean on their letters, and letters on speech as a whole, whose frames have
    mean 0 and variance 1.
    """
    count = len(units)
    dimensions = frames.shape[1]
    speech = Means(np.zeros(dimensions), np.ones(dimensions))
    parents = _parents(units)
    states = Moments.of(frames, numbers, count)
    letters = states.pooled(parents, count)
    letter_means = letters.with_prior(speech, _SPEECH_FRAMES)
    state_means = states.with_prior(letter_means.of_parents(parents), _LETTER_FRAMES)
    return state_means.gaussians()


def _parents(units: tuple[str, ...]) -> Array:
    """The number of the unit that each leans on: a letter, or itself."""
    number_of = {unit: number for number, unit in enumerate(units)}
    parents = []
    for unit in units:
        word, _, state = unit.partition(" ")
        parent = unit
        if len(word) > 1:
            parent = letter_of(word, int(state))
        parents.append(number_of[parent])
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
    heard = moments.only(moments.counts >= 2)
    shares = heard.counts / heard.counts.sum()
    return heard.means().gaussians(), shares
