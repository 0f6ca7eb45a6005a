"""The examination of a corpus before training: every line, every check, as data."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from ctcasr.batch import Utterance
from ctcasr.data import Manifest, read_manifest
from ctcasr.data.corpus import seconds_of
from ctcasr.doctor import doubted, frames, leaks, sound, texts, unlike, wording
from ctcasr.doctor.finding import Finding, lines_of
from ctcasr.doctor.frames import Slack
from ctcasr.doctor.listen import Sound, heard_hz, listen
from ctcasr.recognise.model import SpeechModel
from ctcasr.scoring.figures import plural
from ctcasr.text import Tokenizer

ALL_S = 20 * 3600.0  # so much sound is listened to as a whole; of more, a sample
SAMPLE = 5000  # utterances

_HEADERS = 100  # files whose headers tell how long a corpus is of which no line says it
_ORDER = {"error": 0, "warning": 1, "note": 2}

Progress = Callable[[int, int], None]
"""Told after each utterance how many are done, and how many there are."""


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
        return any(finding.severity == "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Plain data for programs: every field by its name, and `hurts`."""
        return {**asdict(self), "hurts": self.hurts}


def examine(
    manifest: Path | str,
    model: SpeechModel,
    tokenizer: Tokenizer,
    *,
    against: Path | str | None = None,
    sample: int | None = None,
    workers: int | None = None,
    doubt: bool = False,
    progress: Progress = lambda done, total: None,
) -> Examination:
    """Read a manifest and its sound, and name all that would hurt the training of `model` with it.

    All sound is decoded, or that of `sample` utterances; by default all up to 20 hours, and 5000
    utterances of more. What a second manifest `against` has in common with it is named too. With
    `doubt` models of words are learnt from what was decoded, and name words that were not said.

    Raises:
        ManifestError: where there is no manifest, or nothing in it.
    """
    corpus = read_manifest(manifest, strict=False)
    total = len(corpus)
    other = None
    if against is not None:
        other = read_manifest(against, strict=False)
        total += len(other)
    if doubt:
        total += len(corpus)
    workers = workers or os.cpu_count() or 1
    listener = _Listener(model, sample, workers, total, progress, fingerprints=other is not None)
    sounds = listener.listen(corpus)
    budgets = frames.frame_budgets(sounds, model, tokenizer)
    findings = _findings(corpus, sounds, budgets, model, tokenizer)
    if doubt:
        decoded = _decoded(sounds, model)
        rate_hz = heard_hz(model)
        findings += doubted.doubted_words(decoded, tokenizer, rate_hz, listener.take_one)
    if other is not None:
        other_sounds = listener.listen(other)
        findings.extend(leaks.between(sounds, other_sounds, texts.road(tokenizer)))
        findings.extend(leaks.not_compared(other_sounds, other.skipped))
    findings.sort(key=lambda finding: _ORDER[finding.severity])
    usable_samples = sum(sound.samples for sound in sounds if not sound.trouble)
    speakers = {utterance.speaker for utterance in corpus} - {None}
    return Examination(
        manifest=str(manifest),
        against=None if against is None else str(against),
        lines=len(corpus) + len(corpus.skipped),
        utterances=len(corpus),
        listened=sum(sound.signal is not None for sound in sounds),
        seconds=usable_samples / model.rate_hz,
        speakers=len(speakers),
        frame_s=model.frame_s,
        slack=frames.distribution(budgets),
        findings=tuple(findings),
    )


def _findings(
    corpus: Manifest,
    sounds: list[Sound],
    budgets: list[frames.FrameBudget],
    model: SpeechModel,
    tokenizer: Tokenizer,
) -> list[Finding]:
    """All findings within one manifest."""
    return [
        *_broken(corpus),
        *sound.in_files(sounds),
        *texts.in_texts(corpus.utterances, tokenizer),
        *sound.in_durations(sounds),
        *sound.in_formats(sounds, heard_hz(model)),
        *sound.in_signals(sounds),
        *sound.doubles(sounds, texts.road(tokenizer)),
        *frames.too_few_frames(budgets),
        *frames.in_pace(budgets, tokenizer, model.rate_hz),
        *unlike.unlike_others(sounds),
        *wording.odd_wording(sounds, texts.road(tokenizer)),
    ]


@dataclass
class _Listener:
    """Listens to manifests one after the other, and tells how far it is."""

    model: SpeechModel
    sample: int | None
    workers: int
    total: int
    progress: Progress
    fingerprints: bool
    done: int = 0

    def listen(self, corpus: Manifest) -> list[Sound]:
        """The sounds of a manifest; those of a sample of it are decoded."""
        order = np.random.default_rng(0).permutation(len(corpus))
        wanted = self.sample
        if wanted is None:
            drawn = [corpus.utterances[index] for index in order]
            wanted = len(corpus) if expected_s(drawn) <= ALL_S else SAMPLE
        whole = set(order[:wanted].tolist())
        sounds = []
        heard = listen(corpus.utterances, self.model, whole, self.workers, self.fingerprints)
        for sound_of_line in heard:
            sounds.append(sound_of_line)
            self.take_one()
        return sounds

    def take_one(self) -> None:
        """One more utterance is done."""
        self.done += 1
        self.progress(self.done, self.total)


def expected_s(utterances: Sequence[Utterance]) -> float:
    """Seconds of sound: as the lines say, and by the headers of the first that say nothing."""
    told_s = sum(utterance.duration or 0.0 for utterance in utterances)
    untold = [utterance for utterance in utterances if utterance.duration is None]
    if not untold:
        return told_s
    return told_s + len(untold) * mean(map(seconds_of, untold[:_HEADERS]))


def _decoded(sounds: Sequence[Sound], model: SpeechModel) -> list[Utterance]:
    """The utterances that were decoded, with their durations where the manifest says none."""
    decoded = []
    for sound_of_line in sounds:
        if sound_of_line.signal is None:
            continue
        utterance = sound_of_line.utterance
        if utterance.duration is None and sound_of_line.samples:
            utterance = replace(utterance, duration=sound_of_line.samples / model.rate_hz)
        decoded.append(utterance)
    return decoded


def _broken(corpus: Manifest) -> list[Finding]:
    """Lines of the manifest that cannot be read."""
    if not corpus.skipped:
        return []
    count = len(corpus.skipped)
    first = corpus.skipped[0]
    return [
        Finding(
            "broken-line",
            "error",
            f"{plural(count, 'line')} cannot be read, as {first.where}: {first.reason}",
            "correct or delete them; training stops at the first",
            lines_of(corpus.skipped),
            {"count": count},
        )
    ]
