"""What a recording sounds like, in numbers that can be compared with those of its neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

RATE_HZ = 16000  # of the samples that are looked at

_FRAME = 512  # samples, 32 ms
_HOP = 256
_LEAST_FRAMES = 12
_EDGES_HZ = (60, 150, 300, 500, 800, 1200, 1800, 2600, 3400, 4200, 5500, 7500)
_ACTIVE = 1e-3  # of the loudest frames' power: somebody speaks
_VOICE_LAGS = (RATE_HZ // 400, RATE_HZ // 60)  # of the pitches of voices
_VOICED = 0.5  # autocorrelation, from which on a frame has a pitch
_TONE_SHARE = 0.9  # of a frame's power in three neighbouring bins: a whistle, and no vowel
_TONE_FROM = 16  # first bin of a tone, 500 Hz: below, a voice's own fundamental may stand out
_ECHO_LAGS = (RATE_HZ // 25, RATE_HZ)  # 40 ms to 1 s
_HUM_BINS = 13  # below 400 Hz
_CLICK = 0.25  # of the peak
_CLICK_REACH = 16  # samples on either side,
_CLICK_OVER_USUAL = 10.0  # whose mean distance from their neighbours is so much smaller
_ZERO_RUN = 160  # samples, 10 ms, that are zero to the bit
_LEAST_VALUES = 2000  # samples from which on their steps can be told
_FLOOR = 1e-10

Samples = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SpeechStats:
    """Numbers about one recording; decibels unless said otherwise."""

    level: float  # of the loudest tenth of the frames, over full scale
    dynamics: float  # of the loudest over the quietest tenth of the frames
    voiced: float  # share of the frames in which somebody speaks that have a pitch
    pitch: float  # octaves over 100 Hz, median of those
    pauses: float  # share of the frames in which nobody speaks
    front: float  # seconds before somebody speaks,
    back: float  # and behind
    active_s: float  # seconds in which somebody speaks
    nuclei: float  # syllables that can be heard
    attack: float  # steepness of rises over that of falls: below 0 where time runs backwards
    flatness: float  # of the spectrum where somebody speaks
    bands: tuple[float, ...]  # levels between 60, 150, 300 ... 7500 Hz over the mean of them
    hum: float  # of the strongest steady line below 400 Hz over its surroundings
    tone_s: float  # seconds of one pure tone
    echo: float  # of the whitened sound with itself 40 ms to 1 s later, over chance
    echo_s: float  # and how much later
    zeros: float  # share of the samples that are zero to the bit, 10 ms or more in a row
    step: float  # smallest difference between two values, in units of 16 bits
    clicks: float  # samples a second that stand out of both their neighbours
    seconds: float


@torch.no_grad()
def speech_stats(samples: Tensor, own: Tensor) -> SpeechStats | None:
    """Numbers about samples [N] at RATE_HZ; `own` are the same as they lie in the file.

    None where they are too short, or silent.

    Example:
        >>> seconds = torch.arange(2 * RATE_HZ) / RATE_HZ
        >>> whistle = 0.1 * torch.sin(2 * torch.pi * 1000 * seconds)
        >>> stats = speech_stats(whistle, whistle)
        >>> round(stats.tone_s, 1), stats.zeros, stats.clicks
        (2.0, 0.0, 0.0)
    """
    if len(samples) < _FRAME + _LEAST_FRAMES * _HOP or not float(samples.abs().max()) > 0:
        return None
    frames = samples.float().unfold(0, _FRAME, _HOP)
    frames = frames - frames.mean(1, keepdim=True)
    power = torch.fft.rfft(frames * torch.hann_window(_FRAME)).abs().square()
    energy = power.sum(1)
    loudest = float(energy.quantile(0.95))
    active = energy > _ACTIVE * loudest
    if not active.any() or loudest <= 0:
        return None
    speaking = active.nonzero()[:, 0]
    levels = 10 * (energy + _FLOOR).log10()
    pitch, voiced = _pitch(frames[active])
    spoken = power[active].mean(0)
    hop_s = _HOP / RATE_HZ
    echo, echo_s = _echo(samples.float())
    return SpeechStats(
        level=10 * math.log10(loudest / _FRAME**2 + _FLOOR),
        dynamics=float(levels.quantile(0.9) - levels.quantile(0.1)),
        voiced=voiced,
        pitch=pitch,
        pauses=1 - float(active.float().mean()),
        front=float(speaking[0]) * hop_s,
        back=float(len(active) - 1 - speaking[-1]) * hop_s,
        active_s=float(active.sum()) * hop_s,
        nuclei=_nuclei(levels),
        attack=_attack(levels),
        flatness=_flatness(spoken),
        bands=_bands(spoken),
        hum=_hum(power),
        tone_s=_tone_s(power, active) * hop_s,
        echo=echo,
        echo_s=echo_s,
        zeros=_zero_share(own.numpy()),
        step=_smallest_step(own.numpy()),
        clicks=_clicks(samples.float()) * RATE_HZ / len(samples),
        seconds=len(samples) / RATE_HZ,
    )


def _pitch(frames: Tensor) -> tuple[float, float]:
    """Median pitch of frames [F, N], in octaves over 100 Hz, and the share that have one."""
    spectrum = torch.fft.rfft(frames * torch.hann_window(_FRAME), 2 * _FRAME).abs().square()
    correlation = torch.fft.irfft(spectrum)[:, : _VOICE_LAGS[1]]
    window = torch.hann_window(_FRAME)
    decay = torch.fft.irfft(torch.fft.rfft(window, 2 * _FRAME).abs().square())[: _VOICE_LAGS[1]]
    correlation = correlation / correlation[:, :1].clamp_min(_FLOOR) / (decay / decay[0])
    inside = correlation[:, _VOICE_LAGS[0] - 1 :]
    peaks = torch.nn.functional.max_pool1d(inside[:, None], 3, 1)[:, 0] == inside[:, 1:-1]
    best, lags = inside[:, 1:-1].masked_fill(~peaks, 0.0).max(1)
    voiced = best > _VOICED
    if not voiced.any():
        return math.nan, 0.0
    pitches_hz = RATE_HZ / (lags[voiced] + _VOICE_LAGS[0]).float()
    return float((pitches_hz / 100).log2().median()), float(voiced.float().mean())


def _nuclei(levels: Tensor) -> float:
    """Peaks of the smoothed level [T] that stand out by 3 dB: about one a syllable."""
    smooth = torch.nn.functional.avg_pool1d(levels[None], 3, 1, 1)[0].numpy()
    floor = smooth.max() - 30
    count = 0
    lowest = highest = smooth[0]
    rising = True
    for level in np.maximum(smooth, floor):
        if rising:
            highest = max(highest, level)
            if level < highest - 3:
                count += 1
                rising = False
                lowest = level
        else:
            lowest = min(lowest, level)
            if level > lowest + 3:
                rising = True
                highest = level
    return float(count + rising)


def _attack(levels: Tensor) -> float:
    """Skewness of the changes of level [T] from frame to frame, 50 dB below the loudest at most."""
    changes = levels.clamp_min(float(levels.max()) - 50).diff()
    spread = float(changes.square().mean())
    if spread < _FLOOR:
        return 0.0
    return float((changes**3).mean()) / spread**1.5


def _flatness(spectrum: Tensor) -> float:
    """Geometric over arithmetic mean of a power spectrum [F], in dB."""
    inside = spectrum[3:-3] + _FLOOR * float(spectrum.max())
    return 10 * float(inside.log10().mean() - inside.mean().log10())


def _bands(spectrum: Tensor) -> tuple[float, ...]:
    """Levels of bands of a power spectrum [F] over their mean, 60 dB below the highest at most."""
    edges = [round(hz * _FRAME / RATE_HZ) for hz in _EDGES_HZ]
    levels = []
    for low, high in pairwise(edges):
        levels.append(10 * math.log10(float(spectrum[low:high].mean()) + _FLOOR))
    top = max(levels)
    levels = [max(level, top - 60) for level in levels]
    mean = sum(levels) / len(levels)
    return tuple(level - mean for level in levels)


def _hum(power: Tensor) -> float:
    """The strongest line below 400 Hz in the quiet of a power spectrogram [T, F], in dB."""
    near = power[:, 1 : 4 * _HUM_BINS]
    quiet = 10 * (near.kthvalue(max(1, len(near) // 10), dim=0).values + _FLOOR).log10()
    low = quiet[:_HUM_BINS]
    around = quiet.median()
    return float(low.max() - around)


def _tone_s(power: Tensor, active: Tensor) -> float:
    """The longest run of frames of a power spectrogram [T, F] with most power in one place."""
    three = torch.nn.functional.avg_pool1d(power[:, None], 3, 1, 1)[:, 0] * 3
    top, places = three[:, _TONE_FROM:].max(1)
    pure = (top > _TONE_SHARE * power.sum(1)) & active
    longest = run = 0
    before = -9
    for is_pure, place in zip(pure.tolist(), places.tolist(), strict=True):
        run = run + 1 if is_pure and abs(place - before) <= 1 else int(is_pure)
        before = place if is_pure else -9
        longest = max(longest, run)
    return float(longest)


def _echo(samples: Tensor) -> tuple[float, float]:
    """The highest autocorrelation of whitened samples [N] in standard deviations; its lag in s."""
    size = 1 << (2 * len(samples) - 1).bit_length()
    spectrum = torch.fft.rfft(samples, size)
    power = spectrum.abs().square()
    smooth = _running_mean(power, max(1, size // 320))
    whitened = power / (smooth + 1e-6 * smooth.max()).clamp_min(_FLOOR)
    correlation = torch.fft.irfft(whitened)
    last = min(_ECHO_LAGS[1], int(0.6 * len(samples)))
    part = correlation[_ECHO_LAGS[0] : last]
    if len(part) < 100:
        return 0.0, 0.0
    spread = 1.4826 * part.abs().median()
    top, place = part.max(0)
    return float(top / spread.clamp_min(_FLOOR)), (int(place) + _ECHO_LAGS[0]) / RATE_HZ


def _clicks(samples: Tensor) -> float:
    """Single samples of [N] that are far from their neighbours, which are near each other."""
    apart = (samples[1:-1] - (samples[:-2] + samples[2:]) / 2).abs()
    far = apart > _CLICK * samples.abs().max()
    # A sample that stands out makes its own neighbours stand out by half: those do not count.
    around = 2 * _CLICK_REACH * _running_mean(apart, _CLICK_REACH)
    around = around - apart - _shifted(apart, 1) - _shifted(apart, -1)
    rare = apart > _CLICK_OVER_USUAL * around / (2 * _CLICK_REACH - 3)
    return float((far & rare).sum())


def _shifted(values: Tensor, places: int) -> Tensor:
    """Values [N] moved by so many places, zeros where there are none."""
    moved = torch.zeros_like(values)
    if places > 0:
        moved[places:] = values[:-places]
    else:
        moved[:places] = values[-places:]
    return moved


def _running_mean(values: Tensor, reach: int) -> Tensor:
    """Means of values [N] over `reach` neighbours on either side."""
    sums = torch.nn.functional.pad(values.double().cumsum(0), (1, 0))
    places = torch.arange(len(values))
    first = (places - reach).clamp_min(0)
    last = (places + reach + 1).clamp_max(len(values))
    return ((sums[last] - sums[first]) / (last - first)).float()


def _zero_share(wave: Samples) -> float:
    """Share of the samples that lie in long runs of zeros."""
    changes = np.flatnonzero(np.diff(np.concatenate([[1], wave != 0, [1]]).astype(np.int8)))
    runs = changes[1::2] - changes[::2]
    return float(runs[runs >= _ZERO_RUN].sum()) / len(wave)


def _smallest_step(wave: Samples) -> float:
    """The smallest difference between two values, in units of 16 bits; 0 where nobody can tell."""
    if len(wave) < _LEAST_VALUES:
        return 0.0
    values = np.unique(np.round(wave * 32768.0))
    return float(np.diff(values).min()) if len(values) > 2 else 0.0
