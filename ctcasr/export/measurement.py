"""What an exported file is worth: accuracy by its own runtime, bytes, and time per clip, features and network apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ctcasr.classify.classifier import Classifier
from ctcasr.export.artefact import Artefact, Floats
from ctcasr.scoring.confusion import Confusion


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one clip."""

    median_ms: float
    p95_ms: float

    @staticmethod
    def of(work: Callable[[], object], runs: int) -> Latency:
        """Time `work`, after three calls that warm it up."""
        for _ in range(3):
            work()
        spent = []
        for _ in range(runs):
            start = time.perf_counter()
            work()
            spent.append(1000 * (time.perf_counter() - start))
        return Latency(float(np.median(spent)), float(np.percentile(spent, 95)))


@dataclass(frozen=True)
class Measured:
    """One file on a test set."""

    artefact: Artefact
    tally: Confusion
    agreement: (
        float  # share of the clips for which it finds the class that the network in torch finds
    )
    network: Latency
    total: Latency  # samples to probabilities

    def as_json(self) -> dict[str, Any]:
        """Plain data; sizes in bytes, times in milliseconds."""
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


def measure(
    classifier: Classifier,
    artefact: Artefact,
    clips: Sequence[Tensor],
    labels: Sequence[int],
    runs: int = 200,
) -> Measured:
    """Run every clip [N] through the file, one by one as on a device, and time it on one of them."""
    if not clips:
        raise ValueError("expected at least one clip to run the exported file on; got none")
    run = artefact.runner()
    features = [network_input(classifier, clip) for clip in clips]
    found = [int(run(row).argmax()) for row in features]
    torches = [int(classifier.logits(clip[None]).argmax()) for clip in clips]
    agreement = float(np.mean([a == b for a, b in zip(found, torches, strict=True)]))
    tally = Confusion.of(classifier.classes, zip(labels, found, strict=True))
    total = Latency.of(lambda: run(network_input(classifier, clips[0])), runs)
    return Measured(artefact, tally, agreement, Latency.of(lambda: run(features[0]), runs), total)


def network_input(classifier: Classifier, clip: Tensor) -> Floats:
    """Features [1, C, H, W] of a clip [N]."""
    rows: Floats = classifier.features(clip[None]).contiguous().cpu().numpy()
    return rows


def feature_latency(classifier: Classifier, clip: Tensor, runs: int = 200) -> Latency:
    """Time from the samples [N] of one clip to what the network sees."""
    return Latency.of(lambda: classifier.features(clip[None]), runs)
