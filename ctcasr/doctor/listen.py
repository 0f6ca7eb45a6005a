"""What one sound file holds: read once, measured, and let go."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data import AudioError, AudioInfo, audio_info, read_audio, resample
from ctcasr.data.audio import read_channels
from ctcasr.data.samples import CancelledChannels, NotFinite
from ctcasr.doctor import speech
from ctcasr.doctor.fingerprint import RATE_HZ, Fingerprint, fingerprint
from ctcasr.doctor.speech import SpeechStats
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import SpeechModel
from ctcasr.recognise.reading import read_clip
from ctcasr.seq import Seq
from ctcasr.specs import LIPS, NetSpec
from ctcasr.video import LipFront

Samples = np.ndarray[Any, Any]

_AHEAD = 8  # files in flight per worker: what was heard is never all in memory
_BEYOND_S = 0.1  # seconds that a line may reach beyond its file: rounding
_FLAT_RUN = 3  # samples in a row at the peak are a flat top; speech turns faster than that
_AT_PEAK = 0.999  # of the peak
_AUDIBLE_PEAK = 0.05  # below it, quantisation makes flat tops
_CHANGING = 0.05  # standard deviation over time above which a feature changes
_EDGE_FRAMES = 2  # the outermost frames look beyond the ends, where there are zeros
_LEAST_FRAMES = 3


@dataclass(frozen=True)
class SignalStats:
    """Measurements of an utterance's samples, at the file's own rate unless said otherwise."""

    peak: float  # greatest |sample|, 1 is full scale
    rms: float
    dc: float  # mean of the samples
    flat: float  # share of the samples that lie on flat tops at the peak
    kept: float  # power of the channels' mean over the mean power of the channels; 1 with one
    digest: bytes  # of the samples: equal where the sound is the same, whatever its name
    changing: Samples | None  # [F] bool: features that change over time; None: too few frames
    speech: SpeechStats | None = None  # None: too short to tell
    fingerprint: Fingerprint | None = None  # None: not asked for, or too short


@dataclass(frozen=True)
class Sound:
    """One utterance's file: what the header says, and the signal where somebody listened."""

    utterance: Utterance
    info: AudioInfo | None = None
    samples: int = 0  # of the utterance, at the network's rate; of a lip reader, frames of video
    signal: SignalStats | None = None
    trouble: str = ""  # slug of what is wrong with the file; empty: it can be used
    reason: str = ""
    unheard: str = ""  # why its sound cannot be heard, of a line whose pictures can be used


class _Trouble(NamedTuple):
    """Slug and reason; empty where a file can be used."""

    slug: str = ""
    reason: str = ""


def listen(
    utterances: Sequence[Utterance],
    model: SpeechModel,
    whole: set[int],
    workers: int,
    fingerprints: bool = False,
) -> Iterator[Sound]:
    """A Sound for each utterance, in order.

    Those whose index is in `whole` are decoded, of the others the headers are read. With
    `fingerprints`, what is decoded has one, by which copies are found.
    """
    # Threads, since decoding, resampling and Fourier transforms release the lock.
    with ThreadPoolExecutor(max(1, workers)) as pool:
        step = max(1, workers) * _AHEAD
        for start in range(0, len(utterances), step):
            part = range(start, min(len(utterances), start + step))
            yield from pool.map(
                lambda i: _sound(utterances[i], model, i in whole, fingerprints), part
            )


def _sound(utterance: Utterance, model: SpeechModel, whole: bool, fingerprints: bool) -> Sound:
    """The Sound of one utterance."""
    heard = _heard(utterance, model, whole, fingerprints)
    return _seen(heard, model, whole) if model.sees else heard


def _seen(heard: Sound, model: SpeechModel, whole: bool) -> Sound:
    """The same for a lip reader, which needs the pictures alone: their frames are its samples."""
    if not (whole or heard.trouble):
        return heard
    spec = NetSpec(FrontSpec(kind=LIPS))
    try:
        frames = len(read_clip(spec, heard.utterance, model.rate_hz))
    except AudioError as error:
        return replace(heard, samples=0, trouble="no-video", reason=str(error))
    return replace(heard, samples=frames, trouble="", reason="", unheard=heard.reason)


def _heard(utterance: Utterance, model: SpeechModel, whole: bool, fingerprints: bool) -> Sound:
    """The Sound of one utterance by its sound alone."""
    path = utterance.audio_filepath
    rate_hz = heard_hz(model)
    if utterance.duration == 0:
        return Sound(utterance, trouble="no-duration", reason=f"{path}: its duration is 0")
    try:
        info = audio_info(path)
    except AudioError as error:
        return Sound(utterance, trouble=_file_trouble(path), reason=str(error))
    if not whole:
        trouble = _reaches_beyond(utterance, info)
        samples = _samples_by_header(utterance, info, model.rate_hz)
        return Sound(utterance, info, samples, None, trouble.slug, trouble.reason)
    try:
        own = read_audio(utterance, info.rate_hz)
        resampled = resample(own, info.rate_hz, rate_hz, str(path))
    except AudioError as error:
        trouble = _reaches_beyond(utterance, info)
        if not trouble.slug:
            slugs = {NotFinite: "not-finite", CancelledChannels: "cancelled-channels"}
            trouble = _Trouble(slugs.get(type(error), "unreadable-file"), str(error))
        return Sound(utterance, info, 0, None, trouble.slug, trouble.reason)
    signal = measure(own, resampled, utterance, info, model)
    if fingerprints:
        low = resample(own, info.rate_hz, RATE_HZ, str(path))
        signal = replace(signal, fingerprint=fingerprint(low))
    return Sound(utterance, info, resampled.shape[0], signal)


def heard_hz(model: SpeechModel) -> int:
    """The rate at which sound is listened to: the network's, where it hears."""
    return speech.RATE_HZ if model.sees else model.rate_hz


def _file_trouble(path: Path) -> str:
    """Slug of a file whose header cannot be read."""
    if not os.path.isfile(path):  # Path.is_file raises for names that are too long
        return "missing-file"
    if path.stat().st_size == 0:
        return "empty-file"
    return "unreadable-file"


def _samples_by_header(utterance: Utterance, info: AudioInfo, rate_hz: int) -> int:
    """Samples of an utterance at the network's rate, by what the header and the line say."""
    seconds = info.duration_s - utterance.offset
    if utterance.duration is not None:
        seconds = min(seconds, utterance.duration)
    rounded_up = -int(-seconds * rate_hz // 1)
    return max(0, rounded_up)


def _reaches_beyond(utterance: Utterance, info: AudioInfo) -> _Trouble:
    """Whether a line says more than its file holds."""
    end_s = utterance.offset + (utterance.duration or 0.0)
    if end_s <= info.duration_s + _BEYOND_S and utterance.offset < info.duration_s:
        return _Trouble()
    return _Trouble(
        "duration-beyond-file",
        f"{utterance.audio_filepath}: expected sound until {end_s:.3f} s; the file lasts "
        f"{info.duration_s:.3f} s",
    )


def measure(
    own: Tensor, resampled: Tensor, utterance: Utterance, info: AudioInfo, model: SpeechModel
) -> SignalStats:
    """Measurements of samples [N] at the file's own rate, and resampled to the network's."""
    wave = own.numpy()
    peak = float(np.abs(wave).max())
    power = np.square(wave).mean(dtype=np.float64)
    rms = float(np.sqrt(power))
    return SignalStats(
        peak=peak,
        rms=rms,
        dc=float(wave.mean(dtype=np.float64)),
        flat=flat_share(wave, peak),
        kept=1.0 if info.channels == 1 else _kept_power(utterance, rms),
        digest=hashlib.blake2b(wave.tobytes(), digest_size=16).digest(),
        changing=_changing_features(resampled, model),
        speech=_speech(own, resampled, info, model),
    )


def _speech(
    own: Tensor, resampled: Tensor, info: AudioInfo, model: SpeechModel
) -> SpeechStats | None:
    """What samples [N] sound like, at the rate that all are compared at."""
    samples = resampled
    if heard_hz(model) != speech.RATE_HZ:
        samples = resample(own, info.rate_hz, speech.RATE_HZ, "")
    return speech.speech_stats(samples, own)


def flat_share(wave: Samples, peak: float) -> float:
    """Share of the samples [N] that lie in runs of equal ones at the peak: what clipping leaves.

    Example:
        >>> flat_share(np.array([0.0, 0.5, 0.5, 0.5, 0.0, -0.5]), 0.5)
        0.5
    """
    if peak <= _AUDIBLE_PEAK:
        return 0.0
    at_peak = np.flatnonzero(np.abs(wave) >= _AT_PEAK * peak)
    if len(at_peak) < _FLAT_RUN:
        return 0.0
    signs = np.sign(wave[at_peak])
    apart = np.diff(at_peak) > 1
    other_side = signs[1:] != signs[:-1]
    breaks = np.flatnonzero(apart | other_side) + 1
    runs = np.diff([0, *breaks, len(at_peak)])
    flat = runs[runs >= _FLAT_RUN].sum()
    return float(flat) / len(wave)


def _kept_power(utterance: Utterance, rms: float) -> float:
    """Power of the channels' mean over the mean power of the channels."""
    channels, _ = read_channels(utterance.audio_filepath, utterance.offset, utterance.duration)
    power = float(np.square(channels.numpy()).mean(dtype=np.float64))
    return rms**2 / power if power > 0 else 1.0


@torch.no_grad()
def _changing_features(samples: Tensor, model: SpeechModel) -> Samples | None:
    """[F] bool: which features of samples [N] change over time; None where frames are too few.

    And None of a network that sees.
    """
    if isinstance(model.front, LipFront):
        return None
    extract = model.front.extract
    looked_at = speech.middle(samples, extract.rate_hz)
    features = extract(Seq.stack([looked_at], Fraction(extract.rate_hz)))
    inside = features.row(0)[_EDGE_FRAMES:-_EDGE_FRAMES]
    if len(inside) < _LEAST_FRAMES:
        return None
    return (inside.std(0) > _CHANGING).numpy()
