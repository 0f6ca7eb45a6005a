"""The examination of a corpus before training: every line, every check, as data."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctcasr.data import Manifest, read_manifest
from ctcasr.doctor import frames, leaks, sound, texts
from ctcasr.doctor.finding import Finding, lines_of, plural
from ctcasr.doctor.frames import Slack
from ctcasr.doctor.listen import Sound, listen
from ctcasr.recognise.model import SpeechModel
from ctcasr.text import Tokenizer

ALL_S = 20 * 3600.0  # so much sound is listened to as a whole; of more, a sample
SAMPLE = 5000  # utterances
_ORDER = {"error": 0, "warning": 1, "note": 2}

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Examination:
    """What was examined and what was found, the worst first."""

    manifest: str
    against: str | None
    lines: int
    utterances: int
    listened: int  # utterances whose sound was decoded; of the others only the header was read
    seconds: float  # of sound that can be used
    speakers: int
    frame_s: float  # seconds from one frame of the network to the next
    slack: Slack | None
    findings: tuple[Finding, ...]

    @property
    def hurts(self) -> bool:
        """True where training would be hurt: there is an error among the findings."""
        return any(f.severity == "error" for f in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Plain data, for programs."""
        return {**asdict(self), "hurts": self.hurts}


def examine(
    manifest: Path | str,
    model: SpeechModel,
    tokenizer: Tokenizer,
    *,
    against: Path | str | None = None,
    sample: int | None = None,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Examination:
    """Read a manifest and its sound, and name all that would hurt the training of `model` with it.

    All sound is decoded, or that of `sample` utterances; by default all up to 20 hours, and 5000 utterances of more.
    Raises ManifestError where there is no manifest or nothing in it.
    """
    corpus = read_manifest(manifest, strict=False)
    other = read_manifest(against, strict=False) if against is not None else None
    total = len(corpus) + (len(other) if other else 0)
    workers = workers or os.cpu_count() or 1
    sounds = _listen(corpus, model, sample, workers, lambda done: progress(done, total))
    findings = [
        *_broken(corpus),
        *sound.in_files(sounds),
        *texts.in_texts(corpus.utterances, tokenizer),
        *sound.in_durations(sounds),
        *sound.in_formats(sounds, model.front.extract.rate_hz),
        *sound.in_signals(sounds, len(sounds)),
        *sound.doubles(sounds, tokenizer.normalise),
    ]
    found = frames.frame_budgets(sounds, model, tokenizer)
    findings += [
        *frames.too_few_frames(found),
        *frames.in_pace(found, tokenizer, model.front.extract.rate_hz),
    ]
    if other is not None:
        heard = _listen(
            other, model, sample, workers, lambda done: progress(len(corpus) + done, total)
        )
        findings += leaks.between(sounds, heard, tokenizer.normalise)
    usable = [s for s in sounds if not s.trouble]
    return Examination(
        manifest=str(manifest),
        against=None if against is None else str(against),
        lines=len(corpus) + len(corpus.skipped),
        utterances=len(corpus),
        listened=sum(s.heard is not None for s in sounds),
        seconds=sum(s.samples for s in usable) / model.front.extract.rate_hz,
        speakers=len({u.speaker for u in corpus if u.speaker is not None}),
        frame_s=model.frame_s,
        slack=frames.distribution(found),
        findings=tuple(sorted(findings, key=lambda f: _ORDER[f.severity])),
    )


def _listen(
    corpus: Manifest,
    model: SpeechModel,
    sample: int | None,
    workers: int,
    progress: Callable[[int], None],
) -> list[Sound]:
    count = len(corpus)
    wanted = (count if corpus.seconds <= ALL_S else SAMPLE) if sample is None else sample
    whole = set(np.random.default_rng(0).permutation(count)[:wanted].tolist())
    sounds = []
    for done, heard in enumerate(listen(corpus.utterances, model, whole, workers), start=1):
        sounds.append(heard)
        progress(done)
    return sounds


def _broken(corpus: Manifest) -> list[Finding]:
    if not corpus.skipped:
        return []
    first = corpus.skipped[0]
    return [
        Finding(
            "broken-line",
            "error",
            f"{plural(len(corpus.skipped), 'line')} cannot be read, as {first.where}: {first.reason}",
            "correct or delete them; training stops at the first",
            lines_of(corpus.skipped),
            {"count": len(corpus.skipped)},
        )
    ]
