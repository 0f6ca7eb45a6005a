"""What each condition sounds like over many scenes: metrics, and what had to be put right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median

from ctcasr.compare.enhanced import NOISY, OK
from ctcasr.compare.trial import Quality

Scores = Mapping[str, float]  # metric -> value


@dataclass(frozen=True)
class MetricSummary:
    """One metric over the scenes that have it."""

    mean: float
    median: float
    scenes: int
    gain_median: float | None = None  # over the same scene's noisy sound


@dataclass(frozen=True)
class SoundSummary:
    """One condition over many scenes."""

    scenes: int
    lost: int  # without a sound to hear
    lagged: int  # were late or early
    rescaled: int
    odd: int  # had anything that was put right
    metrics: Mapping[str, MetricSummary] = field(default_factory=dict)  # by name

    def as_json(self) -> dict[str, float | int]:
        """Plain data.

        Keys: scenes, lost, lagged, rescaled, odd; METRIC_mean, METRIC_median, METRIC_n, and
        METRIC_gain_median where a gain is known.
        """
        plain: dict[str, float | int] = {"scenes": self.scenes, "lost": self.lost}
        for name, metric in self.metrics.items():
            plain[f"{name}_mean"] = metric.mean
            plain[f"{name}_median"] = metric.median
            plain[f"{name}_n"] = metric.scenes
            if metric.gain_median is not None:
                plain[f"{name}_gain_median"] = metric.gain_median
        plain["lagged"] = self.lagged
        plain["rescaled"] = self.rescaled
        plain["odd"] = self.odd
        return plain


def summarise_sound(qualities: Sequence[Quality]) -> dict[str, SoundSummary]:
    """Each condition's scenes together."""
    noisy_scores: dict[str, Scores] = {}
    by_condition: dict[str, list[Quality]] = {}
    for quality in qualities:
        by_condition.setdefault(quality.condition, []).append(quality)
        if quality.condition == NOISY:
            noisy_scores[quality.scene.id] = quality.scores
    summaries = {}
    for condition, of_condition in by_condition.items():
        baseline = {} if condition == NOISY else noisy_scores
        summaries[condition] = _summary(of_condition, baseline)
    return summaries


def _summary(qualities: Sequence[Quality], noisy_scores: Mapping[str, Scores]) -> SoundSummary:
    """One condition; gains are over the noisy scores of the same scenes."""
    values: dict[str, list[float]] = {}
    gains: dict[str, list[float]] = {}
    for quality in qualities:
        noisy = noisy_scores.get(quality.scene.id, {})
        for metric, value in quality.scores.items():
            values.setdefault(metric, []).append(value)
            if metric in noisy:
                gains.setdefault(metric, []).append(value - noisy[metric])
    metrics = {}
    for metric, of_metric in values.items():
        metrics[metric] = _metric(of_metric, gains.get(metric))
    return SoundSummary(
        scenes=len(qualities),
        lost=sum(quality.status != OK for quality in qualities),
        lagged=sum(quality.lag != 0 for quality in qualities),
        rescaled=sum(quality.gain != 1.0 for quality in qualities),
        odd=sum(bool(quality.oddities) for quality in qualities),
        metrics=metrics,
    )


def _metric(values: Sequence[float], gains: Sequence[float] | None) -> MetricSummary:
    gain_median = None
    if gains is not None:
        gain_median = median(gains)
    return MetricSummary(
        mean=mean(values),
        median=median(values),
        scenes=len(values),
        gain_median=gain_median,
    )


def metric_failures(qualities: Sequence[Quality]) -> dict[str, dict[str, int]]:
    """How often each metric failed, by the reason."""
    failures: dict[str, Counter[str]] = {}
    for quality in qualities:
        for metric, reason in quality.failed.items():
            failures.setdefault(metric, Counter())[reason] += 1
    return {metric: dict(reasons) for metric, reasons in failures.items()}
