"""Do the texts go with the recordings? Asked of sounds and targets, before anything is learnt.

Recordings that sound alike should be said to hold texts that read alike. How much they do is
measured by the dependence of two kernels (HSIC, Gretton et al. 2005), over where in an utterance
which frequencies are loud and where in its target which labels stand; and by the correlation of how
long a recording sounds with how many labels it has. Texts dealt out anew show neither.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ctcasr.batch import Batch
from ctcasr.diagnose.thinned import Thinned
from ctcasr.front.mel import mel_of

_MOST_ROWS = 256
_FEWEST_ROWS = 16
_PERMUTATIONS = 100
_PLACES = 6  # parts of an utterance, from its beginning to its end
_BANDS = 20
_CODES = 64  # labels are told apart by their number modulo this: sentence pieces have many
_LEAST_DEVIATION = 0.1  # of the overall one: what hardly varies is not blown up

# The spectrum, in seconds and Hz:
_WINDOW_S = 0.032
_HOP_S = 0.02
_LOWEST_HZ = 100.0
_HIGHEST_HZ = 7000.0
_LOUD = 1e-3  # of the loudest frame's power (-30 dB): something sounds


@dataclass(frozen=True)
class PairedRow:
    """A recording and its target: sound [places * bands], label codes [places * codes]."""

    sound: Tensor
    codes: Tensor
    active_s: float
    labels: int


@dataclass(frozen=True)
class PairingStats:
    """How well texts go with recordings; NaN where too few, or all alike, were looked at.

    `paired_rows` were looked at. `paired` is how many standard deviations their kernels agree more
    than those of texts dealt out anew; `paired_lengths` the same of the correlation of durations
    and numbers of labels, whose logarithms have the deviations `active_spread` and `label_spread`.
    """

    paired_rows: int
    paired: float
    paired_lengths: float
    active_spread: float
    label_spread: float


@dataclass(frozen=True)
class AgainstDev:
    """Do training texts go with their recordings as well as dev texts do with theirs?

    `paired_over_dev` is the agreement of training rows with the others over that of dev rows with
    them: 1 where all is well, 1 - s where a share s of the training texts belongs elsewhere. `less`
    tells by how many standard errors it is less, `dev_agrees` by how many dev rows agree at all.
    """

    paired_over_dev: float
    paired_less: float
    dev_agrees: float


@dataclass
class PairingTally:
    """Remembers some recordings with their targets, spread over all that come.

    Example:
        >>> from ctcasr.batch import Utterance
        >>> from ctcasr.seq import Seq
        >>> from pathlib import Path
        >>> sounds = Seq.stack([torch.randn(8000)], 16000)
        >>> utterance = Utterance(Path("a.wav"), text="ab")
        >>> batch = Batch((utterance,), sounds, torch.tensor([1, 2]), (2,))
        >>> tally = PairingTally()
        >>> tally.add(batch)
        >>> tally.stats().paired_rows
        1
    """

    rows: Thinned[PairedRow] = field(default_factory=lambda: Thinned(_MOST_ROWS))
    _known: tuple[int, PairingStats] | None = None  # for so many offered rows

    def add(self, batch: Batch) -> None:
        """Take in recordings and their targets; those without a label tell nothing."""
        targets = batch.targets.cpu().split(list(batch.target_lengths))
        for row, labels in enumerate(targets):
            if len(labels) and self.rows.wants():
                samples = batch.audio.row(row).float().cpu()
                sound, active_s = sound_shape(samples, float(batch.audio.rate))
                if active_s > 0:  # something can be heard
                    shape = label_shape(labels)
                    self.rows.keep(PairedRow(sound, shape, active_s, len(labels)))

    def stats(self) -> PairingStats:
        """How well what was remembered goes together."""
        if self._known is None or self._known[0] != self.rows.offered:
            self._known = (self.rows.offered, pairing_stats(self.rows.entries))
        return self._known[1]

    def state_dict(self) -> dict[str, Any]:
        """All rows, as plain data and tensors."""
        entries = self.rows.entries
        return {
            "every": self.rows.every,
            "offered": self.rows.offered,
            "sounds": [row.sound for row in entries],
            "codes": [row.codes for row in entries],
            "active_s": [row.active_s for row in entries],
            "labels": [row.labels for row in entries],
        }

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> PairingTally:
        """The tally that `state_dict` tells of; an empty one of an older file."""
        tally = PairingTally()
        if "sounds" not in state:
            return tally
        tally.rows.every = int(state["every"])
        tally.rows.offered = int(state["offered"])
        names = ("sounds", "codes", "active_s", "labels")
        for sound, codes, *rest in zip(*(state[name] for name in names), strict=True):
            tally.rows.entries.append(PairedRow(sound.cpu(), codes.cpu(), *rest))
        return tally


def sound_shape(samples: Tensor, rate_hz: float) -> tuple[Tensor, float]:
    """Where in samples [N] which band is loud [places * bands], and for how long they sound.

    Levels are logarithms of power around their mean; 0 seconds where nothing can be heard.

    Example:
        >>> shape, active_s = sound_shape(torch.zeros(16000), 16000)
        >>> shape.shape, active_s
        (torch.Size([120]), 0.0)
    """
    size = round(_WINDOW_S * rate_hz)
    hop = round(_HOP_S * rate_hz)
    nothing = torch.zeros(_PLACES * _BANDS)
    if len(samples) < size or not bool(samples.isfinite().all()):
        return nothing, 0.0
    spectrum = torch.stft(
        samples, size, hop, window=torch.hann_window(size), center=False, return_complex=True
    )
    power = spectrum.abs().square()  # [F, T]
    frame_power = power.sum(0)
    loudest = float(frame_power.max())
    if loudest <= 0:
        return nothing, 0.0
    loud_frames = (frame_power > _LOUD * loudest).nonzero().flatten()
    first = int(loud_frames[0])
    last = int(loud_frames[-1])
    bands = _band_weights(size, rate_hz) @ power[:, first : last + 1]
    levels = (bands + 1e-8 * loudest).log()  # [bands, T]
    frames = levels.shape[1]
    shape = []
    for place in range(_PLACES):
        start = place * frames // _PLACES
        end = max(start + 1, (place + 1) * frames // _PLACES)
        shape.append(levels[:, start:end].mean(1))
    flat = torch.cat(shape)
    return flat - flat.mean(), len(loud_frames) * _HOP_S


@lru_cache(maxsize=8)
def _band_weights(size: int, rate_hz: float) -> Tensor:
    """Triangles [bands, size / 2 + 1] evenly spaced on the mel scale."""
    highest_hz = min(_HIGHEST_HZ, 0.45 * rate_hz)
    lowest_mel = mel_of(_LOWEST_HZ)
    step = (mel_of(highest_hz) - lowest_mel) / (_BANDS + 1)
    frequencies = torch.arange(size // 2 + 1) * rate_hz / size
    mels = torch.tensor([mel_of(float(frequency)) for frequency in frequencies])
    centres = lowest_mel + step * torch.arange(1, _BANDS + 1)
    distances = (mels - centres[:, None]).abs() / step
    return (1 - distances).clamp_min(0.0)


def label_shape(labels: Tensor) -> Tensor:
    """Where in labels [U] which stands: [places * codes], of equal sum for every length.

    Example:
        >>> shape = label_shape(torch.tensor([3, 3, 5]))
        >>> float(shape.sum())
        6.0
    """
    count = len(labels)
    middles = 2 * torch.arange(count) + 1  # in half labels
    places = middles * _PLACES // (2 * count)
    shape = torch.zeros(_PLACES * _CODES)
    codes = labels.long() % _CODES
    shape.index_add_(0, places * _CODES + codes, torch.ones(count))
    return shape * _PLACES / count


def pairing_stats(rows: Sequence[PairedRow]) -> PairingStats:
    """How well sounds and texts of rows go together."""
    if len(rows) < _FEWEST_ROWS:
        return PairingStats(len(rows), *[math.nan] * 4)
    active = torch.tensor([row.active_s for row in rows]).log()
    labels = torch.tensor([float(row.labels) for row in rows]).log()
    return PairingStats(
        paired_rows=len(rows),
        paired=_beyond_chance(*_kernels(rows)),
        paired_lengths=_correlation_beyond_chance(active, labels),
        active_spread=float(active.std()),
        label_spread=float(labels.std()),
    )


def _kernels(rows: Sequence[PairedRow], among: int | None = None) -> tuple[Tensor, Tensor]:
    """Likeness of sounds and of texts of rows [N, N]; scales are those of the first `among`."""
    sounds = _distances(torch.stack([row.sound for row in rows]), among)
    codes = _distances(torch.stack([row.codes for row in rows]), among)
    usual = sounds[:among, :among].median().clamp_min(1e-6)
    return (-((sounds / usual) ** 2)).exp(), -codes


def _distances(values: Tensor, among: int | None) -> Tensor:
    """Distances [N, N] of rows of values [N, D], whose deviations are made alike."""
    measured = values[:among]
    deviations = measured.std(0)
    least = _LEAST_DEVIATION * measured.std().clamp_min(1e-6)
    scaled = (values - measured.mean(0)) / deviations.clamp_min(float(least))
    return torch.cdist(scaled, scaled)


def _beyond_chance(sounds: Tensor, texts: Tensor) -> float:
    """Standard deviations by which two kernels [N, N] agree more than by chance; NaN if constant.

    Chance is told by dealing the texts out anew.
    """
    centred_sounds = _centred(sounds)
    centred_texts = _centred(texts)
    if float(centred_texts.abs().max()) < 1e-6 or float(centred_sounds.abs().max()) < 1e-6:
        return math.nan
    agreement = float((centred_sounds * centred_texts).sum())
    generator = torch.Generator().manual_seed(0)
    by_chance = []
    for _ in range(_PERMUTATIONS):
        order = torch.randperm(len(texts), generator=generator)
        dealt = centred_texts[order][:, order]
        by_chance.append(float((centred_sounds * dealt).sum()))
    chance = torch.tensor(by_chance)
    return float((agreement - chance.mean()) / chance.std().clamp_min(1e-12))


def _centred(kernel: Tensor) -> Tensor:
    """A kernel [N, N] whose rows and columns sum to zero."""
    without_rows = kernel - kernel.mean(1, keepdim=True)
    return without_rows - without_rows.mean(0, keepdim=True)


def _correlation_beyond_chance(first: Tensor, second: Tensor) -> float:
    """Correlation of two [N] in standard errors (Fisher 1915); NaN where one is constant."""
    both = torch.stack([first, second])
    if float(both.std(1).min()) < 1e-6:
        return math.nan
    correlation = float(torch.corrcoef(both)[0, 1])
    within = max(-0.9999, min(0.9999, correlation))
    return math.atanh(within) * math.sqrt(len(first) - 3)


def against_dev(train: Sequence[PairedRow], dev: Sequence[PairedRow]) -> AgainstDev:
    """Whether training rows go with the other training rows as well as dev rows do with them."""
    if min(len(train), len(dev)) < _FEWEST_ROWS:
        return AgainstDev(math.nan, math.nan, math.nan)
    among = len(train)
    sounds, texts = _kernels([*train, *dev], among)
    agreement = _without_own(sounds, among) * _without_own(texts, among)  # [train + dev, train]
    by_row = agreement.nanmean(1)
    of_train = by_row[:among]
    of_dev = by_row[among:]
    train_error = float(of_train.var()) / len(of_train)
    dev_error = float(of_dev.var()) / len(of_dev)
    difference = float(of_dev.mean() - of_train.mean())
    return AgainstDev(
        paired_over_dev=float(of_train.mean() / of_dev.mean()),
        paired_less=difference / max(math.sqrt(train_error + dev_error), 1e-12),
        dev_agrees=float(of_dev.mean()) / max(math.sqrt(dev_error), 1e-12),
    )


def _without_own(kernel: Tensor, among: int) -> Tensor:
    """Likeness to the first `among` rows [N, among], centred; of a row with itself none."""
    others = kernel[:, :among].clone()
    others.fill_diagonal_(math.nan)
    without_rows = others - others.nanmean(1, keepdim=True)
    return without_rows - without_rows.nanmean(0, keepdim=True)
