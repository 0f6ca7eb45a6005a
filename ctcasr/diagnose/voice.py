"""What recordings sound like: silence, the pitch of voices, and how long something sounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ctcasr.diagnose.rates import RateRow, rate_stats
from ctcasr.diagnose.thinned import Thinned
from ctcasr.seq import Seq

_SILENT = 1e-4  # root mean square below which nothing is heard (-80 dB of full scale)
_LEAST_VOICED = 10  # voiced frames that a median pitch is worth telling of
_LEAST_VOICED_IN_ROW = 4
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
    which is no voice; `pitch_jumps` the median step from frame to frame in octaves: voices glide,
    noise jumps; `active_s` seconds a row within 30 dB of its loudest frame; `level_db` the median
    level of the rows that are not silent, in dB of full scale (NaN without any); and the fields of
    `RateStats`.
    """

    silent: float
    pitch_hz: float
    pitch_spread: float
    pitch_jumps: float
    active_s: float
    level_db: float
    voices: int  # rows with a voice
    rate_rows: int
    rate_octaves: float
    rate_errors: float
    rate_measure: float


@dataclass(frozen=True)
class RowVoice:
    """What one recording sounds like; `level_db` is -inf of silence and NaN of no numbers."""

    pitches_hz: tuple[float, ...]
    active_s: float
    seconds: float
    level_db: float
    labels: int

    @property
    def is_silent(self) -> bool:
        """Whether nothing can be heard."""
        return self.level_db == -math.inf

    @property
    def has_voice(self) -> bool:
        """Whether enough frames of it are voiced."""
        return len(self.pitches_hz) >= _LEAST_VOICED_IN_ROW

    def jumps(self) -> list[float]:
        """Steps of the pitch from voiced frame to voiced frame, in octaves."""
        return [abs(math.log2(later / earlier)) for earlier, later in pairwise(self.pitches_hz)]


@dataclass
class VoiceTally:
    """Takes in recordings and remembers what some of them sound like, spread over all that come.

    Example:
        >>> hum = 0.1 * torch.sin(torch.arange(16000) * 2 * torch.pi * 200 / 16000)
        >>> tally = VoiceTally()
        >>> tally.add(Seq.stack([hum, 0 * hum], 16000))
        >>> stats = tally.stats()
        >>> stats.silent, round(stats.pitch_hz), stats.pitch_spread, round(stats.active_s, 1)
        (0.5, 200, 0.0, 0.5)
    """

    rows: Thinned[RowVoice] = field(default_factory=lambda: Thinned(_MOST_ROWS))

    def add(self, audio: Seq, labels: Sequence[int] = ()) -> None:
        """Listen to some of samples [B, N] with so many labels; pictures have no voice."""
        if audio.data.dim() > 2:
            return
        rate_hz = float(audio.rate)
        for row in range(len(audio)):
            if self.rows.wants():
                row_labels = labels[row] if labels else 0
                self.rows.keep(row_voice(audio.row(row).float(), rate_hz, row_labels))

    def stats(self) -> VoiceStats:
        """What was heard so far."""
        rows = self.rows.entries
        count = max(len(rows), 1)
        pitches_hz = [pitch_hz for row in rows for pitch_hz in row.pitches_hz]
        jumps = [jump for row in rows for jump in row.jumps()]
        levels_db = [row.level_db for row in rows if math.isfinite(row.level_db)]
        pitch_hz = math.nan
        pitch_spread = math.nan
        if len(pitches_hz) >= _LEAST_VOICED:
            pitches = torch.tensor(pitches_hz)
            pitch_hz = float(pitches.median())
            middle_half = pitches.quantile(0.75) - pitches.quantile(0.25)
            pitch_spread = float(middle_half) / pitch_hz
        return VoiceStats(
            silent=sum(row.is_silent for row in rows) / count,
            pitch_hz=pitch_hz,
            pitch_spread=pitch_spread,
            pitch_jumps=median(jumps) if len(jumps) >= _LEAST_VOICED else math.nan,
            active_s=sum(row.active_s for row in rows) / count,
            level_db=median(levels_db) if levels_db else math.nan,
            voices=sum(row.has_voice for row in rows),
            **asdict(rate_stats(_rate_rows(rows))),
        )

    def state_dict(self) -> dict[str, Any]:
        """All rows, as plain data."""
        entries = [asdict(row) for row in self.rows.entries]
        return {"every": self.rows.every, "offered": self.rows.offered, "entries": entries}

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> VoiceTally:
        """The tally that `state_dict` tells of; an empty one of an older file."""
        tally = VoiceTally()
        if "entries" not in state:
            return tally
        tally.rows.every = int(state["every"])
        tally.rows.offered = int(state["offered"])
        for entry in state["entries"]:
            pitches_hz = tuple(entry["pitches_hz"])
            tally.rows.entries.append(RowVoice(**{**entry, "pitches_hz": pitches_hz}))
        return tally


def _rate_rows(rows: Sequence[RowVoice]) -> list[RateRow]:
    """The rows with a voice whose labels are known."""
    rate_rows = []
    for row in rows:
        if row.has_voice and row.labels:
            pitch_hz = median(row.pitches_hz)
            rate_rows.append(RateRow(pitch_hz, row.active_s, row.seconds, row.labels))
    return rate_rows


def row_voice(samples: Tensor, rate_hz: float, labels: int = 0) -> RowVoice:
    """What samples [N] sound like.

    Example:
        >>> row_voice(torch.zeros(16000), 16000).is_silent
        True
    """
    seconds = len(samples) / rate_hz
    effective = float(samples.square().mean().sqrt())
    if effective < _SILENT:
        return RowVoice((), 0.0, seconds, -math.inf, labels)
    if not math.isfinite(effective):
        return RowVoice((), 0.0, seconds, math.nan, labels)
    voice = _voice(samples, rate_hz)
    level_db = 20 * math.log10(effective)
    return RowVoice(tuple(voice.pitches_hz), voice.active_s, seconds, level_db, labels)


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
    window, weight = _window_and_decay(frames.shape[1])
    correlation = _correlation(frames * window.to(frames))
    return correlation / correlation[:, :1].clamp_min(1e-9) / weight.to(frames)


@lru_cache(maxsize=8)
def _window_and_decay(size: int) -> tuple[Tensor, Tensor]:
    """A window [N] of so many samples, and its own autocorrelation [N], 1 at lag 0."""
    window = torch.hann_window(size)
    decay = _correlation(window)
    return window, (decay / decay[0]).clamp_min(0.1)


def _correlation(signal: Tensor) -> Tensor:
    """Correlation of signals [..., N] with themselves, lags 0 .. N - 1, by Fourier transforms."""
    size = signal.shape[-1]
    power = torch.fft.rfft(signal, 2 * size).abs().square()
    correlation: Tensor = torch.fft.irfft(power)
    return correlation[..., :size]
