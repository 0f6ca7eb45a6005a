"""The system card: everything about one network, measured."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ctcasr.card.limits import limits
from ctcasr.card.machine import hardware, software
from ctcasr.card.macs import Count, count
from ctcasr.card.measure import latency, memory
from ctcasr.card.rules import RuleSet
from ctcasr.card.rulesets import OWN
from ctcasr.card.subject import Subject
from ctcasr.card.training import training
from ctcasr.seq import Seq

REAL_TIME = (
    "median seconds of computing for one clip / seconds of sound in it, on the device and with the "
    "threads named; below 1 keeps up with speech"
)
LONGEST_BATCHED_S = 10  # a training step on many longer clips could take all memory there is
Facts = dict[str, Any]  # plain data


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


def make_card(subject: Subject, options: Options) -> Facts:
    """The card as plain data.

    Keys: name, kind, network, rate_hz, team, contact, parameters, computation, latency, memory,
    training (of `training`, or None), hardware, software, limits, spec, command.
    """
    seconds = subject.clip_s or options.clip_s
    samples = options.samples or round(seconds * subject.rate_hz)
    if not samples:
        raise ValueError(
            f"--clip-s: expected a sample of sound or more ({subject.rate_hz} a second); "
            f"got {seconds:g} s"
        )
    clip = subject.clip(samples, options.frames)
    run = options.run
    if run is None and subject.path is not None:
        run = subject.path.parent
    facts = training(run, subject.notes) if run else None
    batch = 1
    if facts and samples <= LONGEST_BATCHED_S * subject.rate_hz:
        batch = clips_of_batch(facts["settings"], samples / subject.rate_hz)
    timing = latency(subject, clip, options.runs)
    return {
        "name": subject.name,
        "kind": subject.kind,
        "network": subject.title,
        "rate_hz": subject.rate_hz,
        "team": options.team or None,
        "contact": options.contact or None,
        "parameters": parameters(subject.model),
        "computation": computation(subject, clip, options.rules),
        "latency": {**timing.as_json(), "definition": REAL_TIME},
        "memory": memory(subject, clip, batch).as_json(),
        "training": facts,
        "hardware": hardware(),
        "software": software(),
        "limits": limits(subject),
        "spec": dict(subject.spec),
        "command": shlex.join(options.command) or None,
    }


def clips_of_batch(settings: Facts, clip_s: float) -> int:
    """How many such clips a batch of a training held, by its two limits; 1 where it names none.

    Example:
        >>> clips_of_batch({"batch_size": 16, "batch_seconds": 12.0}, clip_s=3.0)
        4
    """
    limits = []
    if settings.get("batch_size"):
        limits.append(int(settings["batch_size"]))
    if settings.get("batch_seconds"):
        fitting = int(settings["batch_seconds"] / clip_s)
        limits.append(max(1, fitting))
    return min(limits, default=1)


def parameters(model: torch.nn.Module) -> dict[str, int]:
    """Numbers and bytes; buffers (running statistics, filters) by themselves.

    Keys: total, trainable, not_trainable, bytes, buffer_bytes.

    Example:
        >>> sizes = parameters(torch.nn.Linear(3, 2))
        >>> sizes["total"], sizes["bytes"]
        (8, 32)
    """
    total = 0
    trainable = 0
    size = 0
    for parameter in model.parameters():
        total += parameter.numel()
        size += parameter.numel() * parameter.element_size()
        if parameter.requires_grad:
            trainable += parameter.numel()
    return {
        "total": total,
        "trainable": trainable,
        "not_trainable": total - trainable,
        "bytes": size,
        "buffer_bytes": sum(part.numel() * part.element_size() for part in model.buffers()),
    }


def computation(subject: Subject, clip: tuple[Seq, ...], rules: RuleSet) -> Facts:
    """Multiply-adds and FLOPs of a clip and of a second of sound.

    Keys: rules, explanation, samples, clip_s, frames, macs, flops, macs_per_s, flops_per_s,
    fft_macs, by_type, unknown; with other rules than ours own_macs and left_out.
    """
    audio = clip[0]
    counted = count(subject.model, lambda: subject.model(*clip), rules)
    clip_s = float(audio.lengths[0] / audio.rate)
    cost: Facts = {
        "rules": rules.name,
        "explanation": rules.explanation,
        "samples": audio.lengths[0],
        "clip_s": clip_s,
        "frames": clip[1].lengths[0] if len(clip) > 1 else None,
        "macs": counted.macs,
        "flops": 2 * counted.macs,
        "macs_per_s": counted.macs / clip_s,
        "flops_per_s": 2 * counted.macs / clip_s,
        "fft_macs": counted.fft,
        "by_type": dict(counted.by_type.most_common()),
        "unknown": counted.unknown,
    }
    if rules is not OWN:
        own = count(subject.model, lambda: subject.model(*clip), OWN)
        cost["own_macs"] = own.macs
        cost["left_out"] = left_out(own, counted)
    return cost


def left_out(own: Count, other: Count) -> dict[str, int]:
    """What our rules count and the others do not: multiply-adds by type."""
    missing = {}
    for kind, macs in own.by_type.most_common():
        if other.by_type[kind] < macs:
            missing[kind] = macs - other.by_type[kind]
    return missing
