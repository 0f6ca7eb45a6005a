"""What an exported file is worth: accuracy by its own runtime, bytes, and time per clip."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ctcasr.classify.classifier import Classifier
from ctcasr.classify.evaluation import LabelledClip
from ctcasr.export.artefact import Artefact, Floats
from ctcasr.scoring.confusion import Confusion

_WARM_UP = 3  # calls that are not timed
_RUNS = 200
_MS = 1000  # in a second


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one clip."""

    median_ms: float
    p95_ms: float

    @staticmethod
    def of(work: Callable[[], object], runs: int) -> Latency:
        """Time `work`, after three calls that warm it up.

        Example:
            >>> latency = Latency.of(lambda: None, runs=20)
            >>> latency.median_ms <= latency.p95_ms
            True
        """
        for _ in range(_WARM_UP):
            work()
        spent_ms = []
        for _ in range(runs):
            start = time.perf_counter()
            work()
            spent_ms.append(_MS * (time.perf_counter() - start))
        return Latency(float(np.median(spent_ms)), float(np.percentile(spent_ms, 95)))


@dataclass(frozen=True)
class Measured:
    """One file on a test set."""

    artefact: Artefact
    tally: Confusion
    agreement: float  # share of the clips for which it finds the class that torch finds
    network: Latency
    total: Latency  # samples to probabilities

    def as_json(self) -> dict[str, Any]:
        """Plain data; sizes in bytes, times in milliseconds.

        "file", "runtime", "precision", "bytes", "zipped_bytes", "accuracy" with its interval,
        "clips", "agreement", and median and p95 of "network" and "total".
        """
        low, high = self.tally.interval
        return {
            "file": self.artefact.path.name,
            "runtime": self.artefact.runtime,
            "precision": self.artefact.precision,
            "bytes": self.artefact.size,
            "zipped_bytes": self.artefact.zipped,
            "accuracy": self.tally.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "clips": self.tally.total,
            "agreement": self.agreement,
            "network_median_ms": self.network.median_ms,
            "network_p95_ms": self.network.p95_ms,
            "total_median_ms": self.total.median_ms,
            "total_p95_ms": self.total.p95_ms,
        }

    def __str__(self) -> str:
        file = self.artefact
        return (
            f"{file.path.name:32} {file.size / 1000:8.1f} {file.zipped / 1000:8.1f} "
            f"{100 * self.tally.accuracy:7.1f} % {100 * self.agreement:7.1f} % "
            f"{self.network.median_ms:5.2f} ms {self.network.p95_ms:5.2f} ms "
            f"{self.total.median_ms:5.2f} ms"
        )


def measure(
    classifier: Classifier, artefact: Artefact, clips: Sequence[LabelledClip], runs: int = _RUNS
) -> Measured:
    """Run every clip through the file, one by one as on a device, and time it on one of them.

    Raises ValueError for no clips.
    """
    if not clips:
        raise ValueError("expected at least one clip to run the exported file on; got none")
    run = artefact.runner()
    pairs = []
    agreeing = []
    for clip in clips:
        found = int(run(network_input(classifier, clip.samples)).argmax())
        by_torch = int(classifier.logits(clip.samples[None]).argmax())
        pairs.append((clip.label, found))
        agreeing.append(found == by_torch)
    first = clips[0].samples
    features = network_input(classifier, first)
    return Measured(
        artefact,
        Confusion.of(classifier.classes, pairs),
        agreement=float(np.mean(agreeing)),
        total=Latency.of(lambda: run(network_input(classifier, first)), runs),
        network=Latency.of(lambda: run(features), runs),
    )


def network_input(classifier: Classifier, samples: Tensor) -> Floats:
    """Features [1, C, H, W] of a clip [N]."""
    features: Floats = classifier.features(samples[None]).contiguous().cpu().numpy()
    return features


def feature_latency(classifier: Classifier, samples: Tensor, runs: int = _RUNS) -> Latency:
    """Time from the samples [N] of one clip to what the network sees."""
    return Latency.of(lambda: classifier.features(samples[None]), runs)
