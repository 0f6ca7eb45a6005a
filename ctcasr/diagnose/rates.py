"""Are some recordings read at another rate than the others? Asked of pitch and duration alone.

Sound that is read twice too fast is an octave higher and half as long for the same words. Pitch and
duration of people's voices vary for their own reasons and hardly together; where some recordings
are read at another rate they share a variation, in opposite directions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_FEWEST_ROWS = 16
_MOST_PER_LABEL = 1.2  # duration grows with the number of labels to this power at most


@dataclass(frozen=True)
class RateRow:
    """A recording with a voice: median pitch, seconds of which `active_s` sound, and labels."""

    pitch_hz: float
    active_s: float
    seconds: float
    labels: int


@dataclass(frozen=True)
class RateStats:
    """What pitch and duration of `rate_rows` recordings share, in opposite directions.

    `rate_octaves` is the standard deviation of what they share (0 where they share nothing, or go
    together), and `rate_errors` by how many standard errors their correlation is below zero; of the
    durations of sound and of the recordings the one that shows less. `rate_measure` is how far
    pitch goes when recordings grow shorter: 1 where both go in the same measure. NaN of too few
    rows.
    """

    rate_rows: int
    rate_octaves: float
    rate_errors: float
    rate_measure: float


def rate_stats(rows: Sequence[RateRow]) -> RateStats:
    """Statistics of recordings.

    Example:
        >>> usual = [RateRow(100.0 + n % 7, 1.0, 1.0 + n % 5 / 9, 5) for n in range(20)]
        >>> fast = [RateRow(2 * row.pitch_hz, 0.5, row.seconds / 2, 5) for row in usual]
        >>> round(rate_stats(usual).rate_octaves, 1)
        0.0
        >>> round(rate_stats(usual + fast).rate_octaves, 1)
        0.5
    """
    if len(rows) < _FEWEST_ROWS:
        return RateStats(len(rows), math.nan, math.nan, math.nan)
    pitch = torch.tensor([row.pitch_hz for row in rows]).log2()
    labels = torch.tensor([float(max(row.labels, 1)) for row in rows]).log2()
    octaves = []
    errors = []
    for durations_s in ([row.active_s for row in rows], [row.seconds for row in rows]):
        duration = torch.tensor(durations_s).clamp_min(1e-3).log2()
        beyond_text = _beyond_text(duration, labels)
        octaves.append(_shared(pitch, beyond_text))
        errors.append(_errors_below_zero(pitch, beyond_text))
    explained = octaves[1] ** 2 / max(float(beyond_text.var()), 1e-6)
    return RateStats(len(rows), min(octaves), min(errors), explained)


def _beyond_text(duration: Tensor, labels: Tensor) -> Tensor:
    """Duration [N] without what the number of labels [N] explains; all in octaves, around 0."""
    centred_labels = labels - labels.mean()
    centred_duration = duration - duration.mean()
    spread = centred_labels.square().sum().clamp_min(1e-6)
    slope = (centred_labels * centred_duration).sum() / spread
    return centred_duration - slope.clamp(0.0, _MOST_PER_LABEL) * centred_labels


def _shared(pitch: Tensor, duration: Tensor) -> float:
    """Deviation in octaves of what moves pitch [N] up and duration [N] down together."""
    centred_pitch = pitch - pitch.mean()
    opposite = (centred_pitch - duration) / 2
    together = (centred_pitch + duration) / 2
    variance = float(opposite.var() - together.var())
    return math.sqrt(max(variance, 0.0))


def _errors_below_zero(pitch: Tensor, duration: Tensor) -> float:
    """Standard errors by which the correlation of two [N] is below zero (Fisher 1915)."""
    centred_pitch = pitch - pitch.mean()
    norms = float(centred_pitch.norm() * duration.norm())
    if norms < 1e-6:
        return 0.0
    correlation = float((centred_pitch * duration).sum()) / norms
    within = max(-0.9999, min(0.9999, correlation))
    return -math.atanh(within) * math.sqrt(len(pitch) - 3)
