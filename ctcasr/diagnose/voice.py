"""What recordings sound like: silence, the pitch of voices, and how long something sounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ctcasr.seq import Seq

_SILENT = 1e-4  # root mean square below which nothing is heard (-80 dB of full scale)
_LEAST_VOICED = 10  # voiced frames that a median pitch is worth telling of
_LEAST_VOICED_IN_ROW = 4
_TOLD = 96  # rows whose pitch and pace are told
_MOST_ROWS = 256  # whose voices are remembered

# Frames of the pitch analysis:
_FRAME_S = 0.05
_HOP_S = 0.025
_LOWEST_HZ = 40
_HIGHEST_HZ = 800
_MOST_FRAMES = 40  # of each utterance
_LOUD = 1e-3  # of the loudest frame's power (-30 dB): something sounds
_STRONG = 0.03  # of the loudest frame's power: worth looking for a voice
_VOICED = 0.5  # autocorrelation at the best lag
_NEARLY_BEST = 0.85  # of that


@dataclass(frozen=True)
class VoiceStats:
    """What recordings sound like, all together.

    `silent` is the share of silent rows; `pitch_hz` the median over voiced frames (NaN if few);
    `pitch_spread` the middle half of the pitches over their median: nearly 0 for a tone or a hum,
    which is no voice; `active_s` seconds a row within 30 dB of its loudest frame; `level_db` the
    median level of the rows that are not silent, in dB of full scale (NaN without any).
    """

    silent: float
    pitch_hz: float
    pitch_spread: float
    active_s: float
    level_db: float
    row_pitches_hz: tuple[float, ...] = ()
    row_paces: tuple[float, ...] = ()


@dataclass
class VoiceTally:
    """Takes in recordings and remembers what they sound like.

    Example:
        >>> hum = 0.1 * torch.sin(torch.arange(16000) * 2 * torch.pi * 200 / 16000)
        >>> tally = VoiceTally()
        >>> tally.add(Seq.stack([hum, 0 * hum], 16000))
        >>> stats = tally.stats()
        >>> stats.silent, round(stats.pitch_hz), stats.pitch_spread, round(stats.active_s, 1)
        (0.5, 200, 0.0, 0.5)
    """

    rows: int = 0
    silent: int = 0
    active_s: float = 0.0
    pitches_hz: list[float] = field(default_factory=list)
    levels_db: list[float] = field(default_factory=list)
    # Of each row with a voice whose labels were told: its median pitch, and labels a second.
    row_pitches_hz: list[float] = field(default_factory=list)
    row_paces: list[float] = field(default_factory=list)

    def add(self, audio: Seq, labels: Sequence[int] = ()) -> None:
        """Listen to samples [B, N] with so many labels; once enough rows were heard, to no more."""
        rate_hz = float(audio.rate)
        for row in range(len(audio)):
            if self.rows >= _MOST_ROWS:
                return
            row_labels = labels[row] if labels else 0
            self._add_row(audio.row(row).float(), rate_hz, row_labels)

    def _add_row(self, samples: Tensor, rate_hz: float, labels: int) -> None:
        self.rows += 1
        effective = float(samples.square().mean().sqrt())
        if effective < _SILENT:
            self.silent += 1
            return
        voice = _voice(samples, rate_hz)
        self.pitches_hz.extend(voice.pitches_hz)
        self.active_s += voice.active_s
        if labels and len(voice.pitches_hz) >= _LEAST_VOICED_IN_ROW:
            self.row_pitches_hz.append(round(median(voice.pitches_hz), 1))
            self.row_paces.append(round(labels / max(voice.active_s, _HOP_S), 2))
        if effective > 0:  # and a number
            self.levels_db.append(20 * math.log10(effective))

    def stats(self) -> VoiceStats:
        """What was heard so far."""
        rows = max(self.rows, 1)
        pitch_hz = math.nan
        pitch_spread = math.nan
        level_db = math.nan
        if len(self.pitches_hz) >= _LEAST_VOICED:
            pitches = torch.tensor(self.pitches_hz)
            pitch_hz = float(pitches.median())
            middle_half = pitches.quantile(0.75) - pitches.quantile(0.25)
            pitch_spread = float(middle_half) / pitch_hz
        if self.levels_db:
            level_db = median(self.levels_db)
        return VoiceStats(
            row_pitches_hz=tuple(self.row_pitches_hz[:_TOLD]),
            row_paces=tuple(self.row_paces[:_TOLD]),
            silent=self.silent / rows,
            pitch_hz=pitch_hz,
            pitch_spread=pitch_spread,
            active_s=self.active_s / rows,
            level_db=level_db,
        )

    def state_dict(self) -> dict[str, Any]:
        """All fields, as plain data."""
        return asdict(self)

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> VoiceTally:
        """The tally that `state_dict` tells of."""
        return VoiceTally(**state)


def voice_stats(audio: Seq) -> VoiceStats:
    """Statistics of samples [B, N]."""
    tally = VoiceTally()
    tally.add(audio)
    return tally.stats()


class _Voice(NamedTuple):
    """Of one recording: the pitches of its voiced frames, and how long something sounds."""

    pitches_hz: list[float]
    active_s: float


def _voice(samples: Tensor, rate_hz: float) -> _Voice:
    """The voice in samples [N]."""
    size = round(_FRAME_S * rate_hz)
    hop = round(_HOP_S * rate_hz)
    if len(samples) < size:
        return _Voice([], len(samples) / rate_hz)
    frames = samples.unfold(0, size, hop) - samples.mean()
    energy = frames.square().mean(1)
    loudest = energy.max()
    loud_frames = int((energy > _LOUD * loudest).sum())
    strong = frames[energy > _STRONG * loudest][:_MOST_FRAMES]
    return _Voice(_pitches_hz(strong, rate_hz), loud_frames * hop / rate_hz)


def _pitches_hz(frames: Tensor, rate_hz: float) -> list[float]:
    """Pitch of the voiced ones among frames [F, N], by autocorrelation; of none none."""
    if not len(frames):  # a constant, or samples that are no numbers
        return []
    size = frames.shape[1]
    lowest_lag = round(rate_hz / _HIGHEST_HZ)
    highest_lag = round(rate_hz / _LOWEST_HZ)
    # Beyond three quarters of a frame, too few samples overlap to correlate.
    highest_lag = min(highest_lag, size // 2 + size // 4)
    correlation = _autocorrelation(frames)[:, lowest_lag:highest_lag]
    best = correlation.amax(1)
    # The shortest lag nearly as good as the best: octave errors downwards are what autocorrelation
    # is known for.
    nearly_best = correlation >= _NEARLY_BEST * best[:, None]
    rises = correlation[:, 1:-1] >= correlation[:, :-2]
    falls = correlation[:, 1:-1] >= correlation[:, 2:]
    peaks = torch.zeros_like(nearly_best)
    peaks[:, 1:-1] = rises & falls
    candidates = nearly_best & peaks
    first_lag = candidates.float().argmax(1) + lowest_lag
    voiced = (best > _VOICED) & candidates.any(1)
    return (rate_hz / first_lag[voiced].float()).tolist()


def _autocorrelation(frames: Tensor) -> Tensor:
    """Autocorrelation [F, N] of frames [F, N], 1 at lag 0, without the window's own decay."""
    size = frames.shape[1]
    window = torch.hann_window(size, device=frames.device)
    correlation = _correlation(frames * window)
    weight = _correlation(window)
    weight = (weight / weight[0]).clamp_min(0.1)
    return correlation / correlation[:, :1].clamp_min(1e-9) / weight


def _correlation(signal: Tensor) -> Tensor:
    """Correlation of signals [..., N] with themselves, lags 0 .. N - 1, by Fourier transforms."""
    size = signal.shape[-1]
    power = torch.fft.rfft(signal, 2 * size).abs().square()
    correlation: Tensor = torch.fft.irfft(power)
    return correlation[..., :size]
