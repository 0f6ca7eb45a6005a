"""A fingerprint of how a recording sounds: it survives gain, codecs, trimming, resampling, noise.

Signs of differences between the energies of neighbouring bands and frames (Haitsma & Kalker, "A
highly robust audio fingerprinting system", ISMIR 2002), over the band in which voices lie.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

RATE_HZ = 4000  # of the samples that are looked at

_WINDOW = 1024  # samples, 256 ms: long, so that it does not matter much where a frame begins
_HOP = 48  # samples, 12 ms
_BANDS = 33  # between these, equally wide in octaves; 32 differences are the bits of a frame
_LOWEST_HZ = 250.0
_HIGHEST_HZ = 1900.0
_LOUD = 1e-3  # of the loudest frame's power: below, there is nothing to recognise
_LEAST_FRAMES = 16  # loud ones, without which a recording has no fingerprint
# Share of the bits up to which two recordings are one; of unlike ones half differ. Of few frames it
# has to be lower, since neighbouring frames share most of their window and differ together.
_WRONG_BITS = 0.28
_LESS_OF_FEW = 2.5  # over the number of loud frames
_LEAST_HITS = 2  # frames that are equal to the bit at one shift, before bits are counted
_TRIED = 3  # shifts of a pair, the likeliest first
_LEAST_OVERLAP = 0.5  # of the shorter one's frames

Codes = np.ndarray[Any, np.dtype[np.uint32]]


@dataclass(frozen=True)
class Fingerprint:
    """`codes` [T]: 32 bits a frame; `loud` [T]: frames in which something sounds."""

    codes: Codes
    loud: np.ndarray[Any, np.dtype[np.bool_]]


def fingerprint(samples: Tensor) -> Fingerprint | None:
    """The fingerprint of samples [N] at RATE_HZ; None where too little sounds.

    Example:
        >>> noise = torch.randn(8000, generator=torch.Generator().manual_seed(0))
        >>> first, quiet = fingerprint(noise), fingerprint(0.01 * noise)
        >>> wrong_bits(first, quiet, shift=0)
        0.0
    """
    if len(samples) < _WINDOW:
        samples = torch.nn.functional.pad(samples, (0, _WINDOW - len(samples)))
    frames = samples.float().unfold(0, _WINDOW, _HOP) * torch.hann_window(_WINDOW)
    power = torch.fft.rfft(frames).abs().square()
    bands = _band_energies(power)
    energy = bands.sum(1)
    loud = (energy[1:] > _LOUD * energy.max()).numpy()
    if energy.max() <= 0 or loud.sum() < _LEAST_FRAMES:
        return None
    slopes = (bands.clamp_min(1e-20)).log().diff(dim=1)  # [T, 32]: from band to band
    rising = (slopes.diff(dim=0) > 0).numpy()  # and from frame to frame
    weights = np.uint32(1) << np.arange(_BANDS - 1, dtype=np.uint32)
    codes = (rising * weights).sum(1, dtype=np.uint32)
    return Fingerprint(codes, loud)


def _band_energies(power: Tensor) -> Tensor:
    """Energies [T, bands] of power spectra [T, F]."""
    edges_hz = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS + 1)
    edges = np.round(edges_hz * _WINDOW / RATE_HZ).astype(int)
    sums = torch.nn.functional.pad(power.cumsum(1), (1, 0))
    upper = np.maximum(edges[1:], edges[:-1] + 1)
    return sums[:, upper] - sums[:, edges[:-1]]


def wrong_bits(first: Fingerprint, second: Fingerprint, shift: int) -> float:
    """Share of the bits that differ where `second` begins `shift` frames into `first`.

    Counted over frames that are loud in both; 1 where those are too few to tell.
    """
    return _compared(first, second, shift)[0]


def _compared(first: Fingerprint, second: Fingerprint, shift: int) -> tuple[float, int]:
    """Share of the bits that differ, and over how many frames."""
    start = max(0, shift)
    end = min(len(first.codes), shift + len(second.codes))
    mine = slice(start, end)
    others = slice(start - shift, end - shift)
    loud = first.loud[mine] & second.loud[others]
    shorter = min(first.loud.sum(), second.loud.sum())
    count = int(loud.sum())
    if count < max(_LEAST_FRAMES, _LEAST_OVERLAP * shorter):
        return 1.0, count
    differing = (first.codes[mine] ^ second.codes[others])[loud]
    return float(np.bitwise_count(differing).mean()) / (_BANDS - 1), count


class FingerprintIndex:
    """Recordings by their frames, to find which one another is a copy of.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> sounds = [torch.randn(8000, generator=draw) for _ in range(3)]
        >>> index = FingerprintIndex([fingerprint(sound) for sound in sounds])
        >>> index.copy_of(fingerprint(0.1 * sounds[2][500:]))
        2
    """

    def __init__(self, fingerprints: Sequence[Fingerprint | None]) -> None:
        self.fingerprints = fingerprints
        codes = []
        owners = []
        places = []
        for owner, known in enumerate(fingerprints):
            if known is None:
                continue
            loud = np.flatnonzero(known.loud)
            codes.append(known.codes[loud])
            owners.append(np.full(len(loud), owner))
            places.append(loud)
        self._codes = np.concatenate(codes) if codes else np.zeros(0, np.uint32)
        order = np.argsort(self._codes, kind="stable")
        self._codes = self._codes[order]
        self._owners = np.concatenate(owners)[order] if owners else np.zeros(0, int)
        self._places = np.concatenate(places)[order] if places else np.zeros(0, int)

    def copy_of(self, other: Fingerprint) -> int | None:
        """Number of the recording that `other` is most like, if it is a copy; else None."""
        best: tuple[float, int] | None = None
        for owner, shift in self._candidates(other):
            known = self.fingerprints[owner]
            assert known is not None
            wrong, frames = _compared(known, other, shift)
            limit = _WRONG_BITS - _LESS_OF_FEW / max(frames, 1)
            if wrong <= limit and (best is None or wrong < best[0]):
                best = (wrong, owner)
        return None if best is None else best[1]

    def _candidates(self, other: Fingerprint) -> list[tuple[int, int]]:
        """(recording, shift) of those with several frames equal to the bit, the most first."""
        hits: Counter[tuple[int, int]] = Counter()
        loud = np.flatnonzero(other.loud)
        starts = np.searchsorted(self._codes, other.codes[loud], "left")
        ends = np.searchsorted(self._codes, other.codes[loud], "right")
        for place, start, end in zip(loud, starts, ends, strict=True):
            for entry in range(start, min(end, start + 64)):
                shift = int(self._places[entry] - place)
                hits[int(self._owners[entry]), shift] += 1
        by_owner: dict[int, list[int]] = defaultdict(list)
        for (owner, shift), count in hits.most_common():
            enough = count >= _LEAST_HITS or hits[owner, shift + 1] or hits[owner, shift - 1]
            if enough and len(by_owner[owner]) < _TRIED:
                by_owner[owner].append(shift)
        return [(owner, shift) for owner, shifts in by_owner.items() for shift in shifts]
