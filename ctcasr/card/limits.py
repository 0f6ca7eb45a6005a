"""What is known to hold of a network, from its spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctcasr.card.subject import CLASSIFIER, ENHANCER, RECOGNISER, Subject
from ctcasr.front import CorpusNorm
from ctcasr.video import LipFront
from ctcasr.video.frames import RATE_HZ as VIDEO_HZ


def limits(subject: Subject) -> list[str]:
    """Sentences for a card."""
    sentences = [_reads(subject)]
    if subject.kind == RECOGNISER:
        sentences.append(
            "greedy decoding without a language model, in the alphabet that it was trained with"
        )
    if subject.clip_s:
        sentences.append(f"hears {subject.clip_s:g} s of each clip")
    delay = _delay(subject)
    if delay is not None:
        sentences.append(delay)
    has_statistics = any(isinstance(part, CorpusNorm) for part in subject.model.modules())
    if has_statistics and subject.path is None:
        sentences.append("a preset: the statistics of its features are measured in training")
    return sentences


def _reads(subject: Subject) -> str:
    """What it takes, and what becomes of other input."""
    front = getattr(subject.model, "front", None)
    if isinstance(front, LipFront):
        height, width = front.size
        return (
            f"reads lips, not sound: grey pictures of a mouth, {height} x {width}, "
            f"{subject.rate_hz} a second"
        )
    return (
        f"sound at another rate than {subject.rate_hz} Hz is resampled, several channels are "
        "averaged"
    )


def _delay(subject: Subject) -> str | None:
    """How long one waits for what it says; None where the spec does not tell."""
    network: Mapping[str, Any] = subject.spec
    architecture = ""
    if subject.kind == ENHANCER:
        architecture = subject.spec.get("network", "")
        network = subject.spec.get(architecture, subject.spec)
    if architecture == "av_mask":
        network = network["mask"]
    offline = "needs the whole recording before it begins: it is not for live use"
    if network.get("bidirectional"):
        return offline
    if subject.kind in (RECOGNISER, CLASSIFIER):
        return None
    if architecture == "dualpath" and not network.get("causal"):
        return offline
    if architecture == "av_mask":
        frame_ms = 1000 / VIDEO_HZ
        window_ms = 1000 * network["front"]["window_s"]
        return f"delay by its window: {window_ms:g} ms; lips are those of {frame_ms:g} ms before"
    if architecture == "mask":
        return f"delay by its window: {1000 * network['front']['window_s']:g} ms"
    return f"delay by its filters: {1000 * network['size'] / subject.rate_hz:g} ms"
