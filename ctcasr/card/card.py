"""The system card: everything about one network, measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ctcasr.card.machine import hardware, software
from ctcasr.card.macs import Count, count
from ctcasr.card.measure import latency, memory
from ctcasr.card.rules import RuleSet
from ctcasr.card.rulesets import OWN
from ctcasr.card.subject import Subject
from ctcasr.card.training import training
from ctcasr.front import CorpusNorm

REAL_TIME = (
    "median seconds of computing for one clip / seconds of sound in it, on the device and with the threads named; "
    "below 1 keeps up with speech"
)


@dataclass(frozen=True)
class Options:
    """How a card is made."""

    clip_s: float = 3.0
    samples: int | None = None  # of the clip, instead of seconds
    frames: int | None = None  # of video
    rules: RuleSet = OWN
    runs: int = 20
    run: Path | None = None  # directory of the training run
    team: str = ""
    contact: str = ""
    command: Sequence[str] = ()


def make_card(subject: Subject, options: Options) -> dict[str, Any]:
    """The card as plain data."""
    seconds = subject.clip_s or options.clip_s
    samples = options.samples or round(seconds * subject.rate_hz)
    clip = subject.clip(samples, options.frames)
    run = options.run or (subject.path.parent if subject.path else None)
    facts = training(run, subject.notes) if run else None
    # A training step on many long clips could take all memory there is.
    batch = (
        int(facts["settings"].get("batch_size", 1))
        if facts and samples <= 10 * subject.rate_hz
        else 1
    )
    return {
        "name": subject.name,
        "kind": subject.kind,
        "network": subject.title,
        "rate_hz": subject.rate_hz,
        "team": options.team or None,
        "contact": options.contact or None,
        "parameters": parameters(subject.model),
        "computation": computation(subject, clip, options.rules),
        "latency": {**latency(subject, clip, options.runs), "definition": REAL_TIME},
        "memory": memory(subject, clip, batch),
        "training": facts,
        "hardware": hardware(),
        "software": software(),
        "limits": limits(subject),
        "spec": dict(subject.spec),
        "command": " ".join(options.command) or None,
    }


def parameters(model: torch.nn.Module) -> dict[str, int]:
    """Numbers and bytes; buffers (running statistics, filters) by themselves."""
    total = sum(p.numel() for p in model.parameters())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {
        "total": total,
        "trainable": trainable,
        "not_trainable": total - trainable,
        "bytes": sum(p.numel() * p.element_size() for p in model.parameters()),
        "buffer_bytes": sum(b.numel() * b.element_size() for b in model.buffers()),
    }


def computation(subject: Subject, clip: tuple[Any, ...], rules: RuleSet) -> dict[str, Any]:
    """Multiply-adds and FLOPs of a clip and of a second of sound."""
    found = count(subject.model, lambda: subject.model(*clip), rules)
    seconds = float(clip[0].lengths[0] / clip[0].rate)
    result: dict[str, Any] = {
        "rules": rules.name,
        "explanation": rules.explanation,
        "samples": clip[0].lengths[0],
        "clip_s": seconds,
        "frames": clip[1].lengths[0] if len(clip) > 1 else None,
        "macs": found.macs,
        "flops": 2 * found.macs,
        "macs_per_s": found.macs / seconds,
        "flops_per_s": 2 * found.macs / seconds,
        "fft_macs": found.fft,
        "by_type": dict(found.by_type.most_common()),
        "unknown": found.unknown,
    }
    if rules is not OWN:
        own = count(subject.model, lambda: subject.model(*clip), OWN)
        result["own_macs"], result["left_out"] = own.macs, left_out(own, found)
    return result


def left_out(own: Count, other: Count) -> dict[str, int]:
    """What our rules count and the others do not, by type."""
    return {
        kind: macs - other.by_type[kind]
        for kind, macs in own.by_type.most_common()
        if other.by_type[kind] < macs
    }


def limits(subject: Subject) -> list[str]:
    """What is known to hold, from the spec."""
    found = [
        f"sound at another rate than {subject.rate_hz} Hz is resampled, several channels are averaged"
    ]
    spec = subject.spec
    inner: Mapping[str, Any] = (
        spec.get(spec.get("network", ""), spec) if subject.kind == "enhancer" else spec
    )
    if subject.kind == "recogniser":
        found.append(
            "greedy decoding without a language model, in the alphabet that it was trained with"
        )
    if subject.clip_s:
        found.append(f"hears {subject.clip_s:g} s of each clip")
    if inner.get("bidirectional") or (
        subject.kind == "enhancer" and spec.get("network") == "dualpath" and not inner.get("causal")
    ):
        found.append("needs the whole recording before it begins: it is not for live use")
    elif subject.kind == "enhancer" and spec.get("network") == "mask":
        found.append(f"delay by its window: {1000 * inner['front']['window_s']:g} ms")
    elif subject.kind == "enhancer":
        found.append(f"delay by its filters: {1000 * inner['size'] / subject.rate_hz:g} ms")
    if any(isinstance(m, CorpusNorm) for m in subject.model.modules()) and subject.path is None:
        found.append("a preset: the statistics of its features are measured in training")
    return found
