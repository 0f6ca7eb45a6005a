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
_HOP_S = _HOP / RATE_HZ
_LEAST_FRAMES = 12
_EDGES_HZ = (60, 150, 300, 500, 800, 1200, 1800, 2600, 3400, 4200, 5500, 7500)
_ACTIVE = 1e-3  # of the loudest frames' power: somebody speaks
_VOICE_LAGS = (RATE_HZ // 400, RATE_HZ // 60)  # of the pitches of voices
_VOICED = 0.5  # autocorrelation, from which on a frame has a pitch
_TONE_SHARE = 0.9  # of a frame's power in three neighbouring bins: a whistle, and no vowel
_TONE_FROM = 16  # first bin of a tone, 500 Hz: below, a voice's own fundamental may stand out
_NOWHERE = -9  # a place that is beside no bin
_NUCLEUS = 3.0  # dB by which a syllable stands out
_NUCLEI_RANGE = 30.0  # dB below the loudest in which syllables are looked for,
_ATTACK_RANGE = 50.0  # in which rises and falls are,
_BANDS_RANGE = 60.0  # and that a band may lie below the highest
_ECHO_LAGS = (RATE_HZ // 25, RATE_HZ)  # 40 ms to 1 s
_HUM_BINS = 13  # below 400 Hz
_CLICK = 0.25  # of the peak
_CLICK_REACH = 16  # samples on either side,
_CLICK_OVER_USUAL = 10.0  # whose mean distance from their neighbours is so much smaller
_ZERO_RUN = 160  # samples, 10 ms, that are zero to the bit
_LEAST_VALUES = 2000  # samples from which on their steps can be told
_FLOOR = 1e-10
_LONGEST_S = 60  # that are looked at of one recording, out of its middle

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

    None where they are too short, or silent. Of more than a minute those in the middle are
    looked at: memory is bounded, and no sentence is longer.

    Example:
        >>> seconds = torch.arange(2 * RATE_HZ) / RATE_HZ
        >>> whistle = 0.1 * torch.sin(2 * torch.pi * 1000 * seconds)
        >>> stats = speech_stats(whistle, whistle)
        >>> round(stats.tone_s, 1), stats.zeros, stats.clicks
        (2.0, 0.0, 0.0)
    """
    shortest = _FRAME + _LEAST_FRAMES * _HOP
    if len(samples) < shortest:
        return None
    own_hz = RATE_HZ * len(own) / len(samples)
    own = middle(own, own_hz)
    samples = middle(samples, RATE_HZ).float()
    if not float(samples.abs().max()) > 0:  # NaN is no sound either
        return None
    frames = samples.unfold(0, _FRAME, _HOP)
    frames = frames - frames.mean(1, keepdim=True)
    power = _power(frames, _FRAME)
    energy = power.sum(1)
    loudest = float(energy.quantile(0.95))
    active = energy > _ACTIVE * loudest
    if loudest <= 0 or not active.any():
        return None

    active_frames = active.nonzero()[:, 0]
    first_active = float(active_frames[0])
    frames_behind = float(len(active) - 1 - active_frames[-1])
    spectrum = power[active].mean(0)
    levels = _decibels(energy)
    dynamics = levels.quantile(0.9) - levels.quantile(0.1)
    pitch, voiced = _pitch(frames[active])
    echo, echo_s = _echo(samples)
    wave = own.numpy()
    seconds = len(samples) / RATE_HZ
    return SpeechStats(
        level=_decibels_of(loudest / _FRAME**2),
        dynamics=float(dynamics),
        voiced=voiced,
        pitch=pitch,
        pauses=1 - float(active.float().mean()),
        front=first_active * _HOP_S,
        back=frames_behind * _HOP_S,
        active_s=float(active.sum()) * _HOP_S,
        nuclei=_nuclei(levels),
        attack=_attack(levels),
        flatness=_flatness(spectrum),
        bands=_bands(spectrum),
        hum=_hum(power),
        tone_s=_tone_frames(power, active) * _HOP_S,
        echo=echo,
        echo_s=echo_s,
        zeros=_zero_share(wave),
        step=_smallest_step(wave),
        clicks=_clicks(samples) * RATE_HZ / len(samples),
        seconds=seconds,
    )


def middle(samples: Tensor, rate_hz: float) -> Tensor:
    """Samples [N], or of more than a minute those in the middle: what is measured is bounded."""
    longest = round(_LONGEST_S * rate_hz)
    start = max(0, len(samples) - longest) // 2
    return samples[start : start + longest]


def _power(frames: Tensor, size: int) -> Tensor:
    """Power spectra [T, size / 2 + 1] of windowed frames [T, N]."""
    windowed = frames * torch.hann_window(_FRAME)
    return torch.fft.rfft(windowed, size).abs().square()


def _decibels(power: Tensor) -> Tensor:
    """Of powers of any shape; 100 dB below 1 at the least."""
    return 10 * (power + _FLOOR).log10()


def _decibels_of(power: float) -> float:
    """The same of one power."""
    return 10 * math.log10(power + _FLOOR)


def _pitch(frames: Tensor) -> tuple[float, float]:
    """Median pitch of frames [F, N], in octaves over 100 Hz, and the share that have one.

    By the highest peak of the autocorrelation, freed of the window's own (P. Boersma, "Accurate
    short-term analysis of the fundamental frequency", 1993).
    """
    shortest_lag, longest_lag = _VOICE_LAGS
    spectrum = _power(frames, 2 * _FRAME)
    correlation = torch.fft.irfft(spectrum)[:, :longest_lag]
    window_spectrum = torch.fft.rfft(torch.hann_window(_FRAME), 2 * _FRAME).abs().square()
    of_window = torch.fft.irfft(window_spectrum)[:longest_lag]
    energy = correlation[:, :1].clamp_min(_FLOOR)
    correlation = correlation / energy / (of_window / of_window[0])

    with_neighbours = correlation[:, shortest_lag - 1 :]
    candidates = with_neighbours[:, 1:-1]
    highest_of_three = torch.nn.functional.max_pool1d(with_neighbours[:, None], 3, 1)[:, 0]
    is_peak = highest_of_three == candidates
    heights, places = candidates.masked_fill(~is_peak, 0.0).max(1)
    voiced = heights > _VOICED
    if not voiced.any():
        return math.nan, 0.0
    lags = (places[voiced] + shortest_lag).float()
    pitches_hz = RATE_HZ / lags
    octaves = (pitches_hz / 100).log2()
    return float(octaves.median()), float(voiced.float().mean())


def _nuclei(levels: Tensor) -> float:
    """Peaks of the smoothed level [T] that stand out by 3 dB: about one a syllable."""
    smooth = torch.nn.functional.avg_pool1d(levels[None], 3, 1, 1)[0].numpy()
    floor = smooth.max() - _NUCLEI_RANGE
    count = 0
    lowest = smooth[0]
    highest = smooth[0]
    rising = True
    for level in np.maximum(smooth, floor):
        if rising:
            highest = max(highest, level)
            if level < highest - _NUCLEUS:
                count += 1
                rising = False
                lowest = level
        else:
            lowest = min(lowest, level)
            if level > lowest + _NUCLEUS:
                rising = True
                highest = level
    return float(count + rising)


def _attack(levels: Tensor) -> float:
    """Skewness of the changes of level [T] from frame to frame, 50 dB below the loudest at most."""
    floor = float(levels.max()) - _ATTACK_RANGE
    changes = levels.clamp_min(floor).diff()
    variance = float(changes.square().mean())
    if variance < _FLOOR:
        return 0.0
    third_moment = float((changes**3).mean())
    return third_moment / variance**1.5


def _flatness(spectrum: Tensor) -> float:
    """Geometric over arithmetic mean of a power spectrum [F], in dB."""
    floor = _FLOOR * float(spectrum.max())
    inside = spectrum[3:-3] + floor
    log_geometric = inside.log10().mean()
    log_arithmetic = inside.mean().log10()
    return 10 * float(log_geometric - log_arithmetic)


def _bands(spectrum: Tensor) -> tuple[float, ...]:
    """Levels of bands of a power spectrum [F] over their mean, 60 dB below the highest at most."""
    edges = [round(hz * _FRAME / RATE_HZ) for hz in _EDGES_HZ]
    levels = []
    for low, high in pairwise(edges):
        mean_power = float(spectrum[low:high].mean())
        levels.append(_decibels_of(mean_power))
    floor = max(levels) - _BANDS_RANGE
    levels = [max(level, floor) for level in levels]
    mean_level = sum(levels) / len(levels)
    return tuple(level - mean_level for level in levels)


def _hum(power: Tensor) -> float:
    """The strongest line below 400 Hz in the quiet of a power spectrogram [T, F], in dB."""
    around = power[:, 1 : 4 * _HUM_BINS]
    # A hum never stops. A tenth of the frames would not be enough: a synthetic voice that says
    # much in a breath is silent for less, and the lowest line of its pitch is none.
    fiftieth = max(1, len(around) // 50)
    quiet = around.kthvalue(fiftieth, dim=0).values
    levels = _decibels(quiet)
    strongest = levels[:_HUM_BINS].max()
    return float(strongest - levels.median())


def _tone_frames(power: Tensor, active: Tensor) -> float:
    """The longest run of frames of a power spectrogram [T, F] with most power in one place."""
    three_bins = torch.nn.functional.avg_pool1d(power[:, None], 3, 1, 1)[:, 0] * 3
    highest, places = three_bins[:, _TONE_FROM:].max(1)
    is_pure = (highest > _TONE_SHARE * power.sum(1)) & active
    longest = 0
    length = 0
    before = _NOWHERE
    for pure, place in zip(is_pure.tolist(), places.tolist(), strict=True):
        if not pure:
            length = 0
            before = _NOWHERE
            continue
        goes_on = abs(place - before) <= 1
        length = length + 1 if goes_on else 1
        before = place
        longest = max(longest, length)
    return float(longest)


def _echo(samples: Tensor) -> tuple[float, float]:
    """The highest autocorrelation of whitened samples [N] in standard deviations; its lag in s."""
    size = 1 << (2 * len(samples) - 1).bit_length()
    spectrum = torch.fft.rfft(samples, size)
    power = spectrum.abs().square()
    smooth = _running_mean(power, max(1, size // 320))
    floored = (smooth + 1e-6 * smooth.max()).clamp_min(_FLOOR)
    correlation = torch.fft.irfft(power / floored)

    shortest_lag, longest_lag = _ECHO_LAGS
    end = min(longest_lag, int(0.6 * len(samples)))
    echoes = correlation[shortest_lag:end]
    if len(echoes) < 100:
        return 0.0, 0.0
    deviation = 1.4826 * echoes.abs().median()  # of a normal distribution, by its median
    highest, place = echoes.max(0)
    lag = int(place) + shortest_lag
    return float(highest / deviation.clamp_min(_FLOOR)), lag / RATE_HZ


def _clicks(samples: Tensor) -> float:
    """Single samples of [N] that are far from their neighbours, which are near each other."""
    neighbours = (samples[:-2] + samples[2:]) / 2
    apart = (samples[1:-1] - neighbours).abs()
    is_far = apart > _CLICK * samples.abs().max()
    # A sample that stands out makes its own neighbours stand out by half: those do not count.
    around = 2 * _CLICK_REACH * _running_mean(apart, _CLICK_REACH)
    around = around - apart - _shifted(apart, 1) - _shifted(apart, -1)
    is_rare = apart > _CLICK_OVER_USUAL * around / (2 * _CLICK_REACH - 3)
    clicks = is_far & is_rare
    return float(clicks.sum())


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
    starts = (places - reach).clamp_min(0)
    ends = (places + reach + 1).clamp_max(len(values))
    window_sums = sums[ends] - sums[starts]
    return (window_sums / (ends - starts)).float()


def _zero_share(wave: Samples) -> float:
    """Share of the samples that lie in long runs of zeros."""
    is_sound = wave != 0
    framed = np.concatenate([[1], is_sound, [1]]).astype(np.int8)
    changes = np.flatnonzero(np.diff(framed))  # a run begins, a run ends, ...
    run_lengths = changes[1::2] - changes[::2]
    long_runs = run_lengths[run_lengths >= _ZERO_RUN]
    return float(long_runs.sum()) / len(wave)


def _smallest_step(wave: Samples) -> float:
    """The smallest difference between two values, in units of 16 bits; 0 where nobody can tell."""
    if len(wave) < _LEAST_VALUES:
        return 0.0
    values = np.unique(np.round(wave * 32768.0))
    if len(values) <= 2:
        return 0.0
    steps = np.diff(values)
    return float(steps.min())
