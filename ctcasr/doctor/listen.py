"""What one sound file holds: read once, measured, and let go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data import AudioError, AudioInfo, audio_info, read_audio, resample
from ctcasr.recognise.model import SpeechModel
from ctcasr.seq import Seq

_FLAT_RUN = 3  # so many samples in a row at the peak are a flat top; speech turns faster than that
_AHEAD = 8  # files in flight per worker: what was heard is never all in memory


@dataclass(frozen=True)
class Heard:
    """Measurements of the samples of one utterance, at the file's own rate unless said otherwise."""

    peak: float  # greatest |sample|, 1 is full scale
    rms: float
    dc: float  # mean of the samples
    flat: float  # share of the samples that lie on flat tops at the peak
    kept: float  # power of the channels' mean against the mean power of the channels; 1 with one channel
    digest: bytes  # of the samples: equal where the sound is the same, whatever the file is called
    changing: (
        np.ndarray[Any, Any] | None
    )  # [F] bool: features whose standard deviation over time is above 0.05


@dataclass(frozen=True)
class Sound:
    """One utterance's file: what the header says, and what was heard where somebody listened."""

    utterance: Utterance
    info: AudioInfo | None = None
    samples: int = 0  # of the utterance, at the network's rate
    heard: Heard | None = None
    trouble: str = ""  # slug of what is wrong with the file; empty: it can be used
    reason: str = ""


def listen(
    utterances: Sequence[Utterance], model: SpeechModel, whole: set[int], workers: int
) -> Iterator[Sound]:
    """A Sound for each utterance, in order: those whose index is in `whole` are decoded, the others' headers read."""
    with ThreadPoolExecutor(
        max(1, workers)
    ) as pool:  # decoding, resampling and Fourier transforms release the lock
        step = max(1, workers) * _AHEAD
        for start in range(0, len(utterances), step):
            part = range(start, min(len(utterances), start + step))
            yield from pool.map(lambda i: _sound(utterances[i], model, i in whole), part)


def _sound(utterance: Utterance, model: SpeechModel, whole: bool) -> Sound:
    path, rate_hz = utterance.audio_filepath, model.front.extract.rate_hz
    try:
        info = audio_info(path)
    except AudioError as error:
        slug = (
            "missing-file"
            if not path.is_file()
            else "empty-file"
            if path.stat().st_size == 0
            else "unreadable-file"
        )
        return Sound(utterance, trouble=slug, reason=str(error))
    if not whole:
        left_s = info.duration_s - utterance.offset
        seconds = left_s if utterance.duration is None else min(left_s, utterance.duration)
        samples = max(0, -int(-seconds * rate_hz // 1))
        return Sound(utterance, info, samples, None, *_too_long(utterance, info))
    try:
        own = read_audio(utterance, info.rate_hz)
        there = resample(own, info.rate_hz, rate_hz, str(path))
    except AudioError as error:
        trouble, reason = _too_long(utterance, info)
        if not trouble:
            trouble, reason = (
                "not-finite" if _not_finite(utterance) else "unreadable-file",
                str(error),
            )
        return Sound(utterance, info, 0, None, trouble, reason)
    return Sound(utterance, info, there.shape[0], _measure(own, there, utterance, info, model))


def _too_long(utterance: Utterance, info: AudioInfo) -> tuple[str, str]:
    end_s = utterance.offset + (utterance.duration or 0.0)
    if end_s <= info.duration_s + 0.1 and utterance.offset < info.duration_s:
        return "", ""
    return (
        "duration-beyond-file",
        f"{utterance.audio_filepath}: expected sound until {end_s:.3f} s; the file lasts {info.duration_s:.3f} s",
    )


def _not_finite(utterance: Utterance) -> bool:
    try:
        data, _ = soundfile.read(utterance.audio_filepath, dtype="float32")
    except (RuntimeError, OSError):
        return False
    return not bool(np.isfinite(data).all())


def _measure(
    own: Tensor, there: Tensor, utterance: Utterance, info: AudioInfo, model: SpeechModel
) -> Heard:
    wave = own.numpy()
    peak = float(np.abs(wave).max())
    mean = float(wave.mean(dtype=np.float64))
    rms = float(np.sqrt(np.square(wave, dtype=np.float64).mean()))
    kept = 1.0 if info.channels == 1 else _kept(utterance, info, rms)
    return Heard(
        peak,
        rms,
        mean,
        _flat_share(wave, peak),
        kept,
        hashlib.blake2b(wave.tobytes(), digest_size=16).digest(),
        _changing(there, model),
    )


def _flat_share(wave: np.ndarray[Any, Any], peak: float) -> float:
    """Share of the samples that lie in runs of equal ones at the peak: what clipping leaves, at whatever level."""
    at_top = np.flatnonzero(np.abs(wave) >= 0.999 * peak) if peak > 0.05 else np.empty(0, int)
    if len(at_top) < _FLAT_RUN:
        return 0.0
    signs = np.sign(wave[at_top])
    breaks = np.flatnonzero((np.diff(at_top) > 1) | (signs[1:] != signs[:-1])) + 1
    runs = np.diff([0, *breaks, len(at_top)])
    return float(runs[runs >= _FLAT_RUN].sum()) / len(wave)


def _kept(utterance: Utterance, info: AudioInfo, rms: float) -> float:
    first = round(utterance.offset * info.rate_hz)
    last = None if utterance.duration is None else first + round(utterance.duration * info.rate_hz)
    data, _ = soundfile.read(
        utterance.audio_filepath, dtype="float32", always_2d=True, start=first, stop=last
    )
    power = float(np.square(data, dtype=np.float64).mean())
    return rms**2 / power if power > 0 else 1.0


@torch.no_grad()
def _changing(samples: Tensor, model: SpeechModel) -> np.ndarray[Any, Any] | None:
    features = model.front.extract(Seq.stack([samples], Fraction(model.front.extract.rate_hz)))
    inside = features.row(0)[
        2:-2
    ]  # the outermost frames look beyond the ends, where there are zeros
    if len(inside) < 3:
        return None
    return (inside.std(0) > 0.05).numpy()
