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
_SILENCE = 1e-20  # energy of a band, so that it has a logarithm
_MOST_EQUAL = 64  # frames that are looked at of those that are equal to one: some sounds are common
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
        >>> wrong_bits(first, quiet, shift=0) < 0.01
        True
    """
    missing = _WINDOW - len(samples)
    if missing > 0:
        samples = torch.nn.functional.pad(samples, (0, missing))
    frames = samples.float().unfold(0, _WINDOW, _HOP)
    windowed = frames * torch.hann_window(_WINDOW)
    power = torch.fft.rfft(windowed).abs().square()
    bands = _band_energies(power)
    energy = bands.sum(1)
    loudest = energy.max()
    loud = (energy[1:] > _LOUD * loudest).numpy()
    if loudest <= 0 or loud.sum() < _LEAST_FRAMES:
        return None
    levels = bands.clamp_min(_SILENCE).log()
    slopes = levels.diff(dim=1)  # [T, 32]: from band to band
    rising = slopes.diff(dim=0) > 0  # and from frame to frame
    return Fingerprint(_packed(rising.numpy()), loud)


def _packed(bits: np.ndarray[Any, Any]) -> Codes:
    """Bits [T, 32] as one number a frame [T], the first bit the lowest."""
    weights = np.uint32(1) << np.arange(_BANDS - 1, dtype=np.uint32)
    codes: Codes = (bits * weights).sum(1, dtype=np.uint32)
    return codes


def _band_energies(power: Tensor) -> Tensor:
    """Energies [T, bands] of power spectra [T, F]."""
    edges_hz = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS + 1)
    edges = np.round(edges_hz * _WINDOW / RATE_HZ).astype(int)
    lower = edges[:-1]
    upper = np.maximum(edges[1:], lower + 1)  # a bin at least
    sums = torch.nn.functional.pad(power.cumsum(1), (1, 0))
    return sums[:, upper] - sums[:, lower]


def wrong_bits(first: Fingerprint, second: Fingerprint, shift: int) -> float:
    """Share of the bits that differ where `second` begins `shift` frames into `first`.

    Counted over frames that are loud in both; 1 where those are too few to tell.
    """
    wrong, _ = _compared(first, second, shift)
    return wrong


def _compared(first: Fingerprint, second: Fingerprint, shift: int) -> tuple[float, int]:
    """Share of the bits that differ, and over how many frames."""
    start = max(0, shift)
    end = min(len(first.codes), shift + len(second.codes))
    of_first = slice(start, end)
    of_second = slice(start - shift, end - shift)
    loud = first.loud[of_first] & second.loud[of_second]
    frames = int(loud.sum())
    shorter = min(first.loud.sum(), second.loud.sum())
    enough = max(_LEAST_FRAMES, _LEAST_OVERLAP * shorter)
    if frames < enough:
        return 1.0, frames
    differing = first.codes[of_first] ^ second.codes[of_second]
    wrong_bits_each = np.bitwise_count(differing[loud])
    return float(wrong_bits_each.mean()) / (_BANDS - 1), frames


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
        # An empty one first, since nothing at all cannot be put together.
        codes = [np.zeros(0, np.uint32)]
        owners = [np.zeros(0, int)]
        places = [np.zeros(0, int)]
        for owner, known in enumerate(fingerprints):
            if known is None:
                continue
            loud_frames = np.flatnonzero(known.loud)
            codes.append(known.codes[loud_frames])
            owners.append(np.full(len(loud_frames), owner))
            places.append(loud_frames)
        all_codes = np.concatenate(codes)
        order = np.argsort(all_codes, kind="stable")
        self._codes = all_codes[order]
        self._owners = np.concatenate(owners)[order]
        self._places = np.concatenate(places)[order]

    def copy_of(self, other: Fingerprint) -> int | None:
        """Number of the recording that `other` is most like, if it is a copy; else None."""
        best_owner = None
        fewest_wrong = 1.0
        for owner, shift in self._candidates(other):
            known = self.fingerprints[owner]
            assert known is not None
            wrong, frames = _compared(known, other, shift)
            limit = _WRONG_BITS - _LESS_OF_FEW / max(frames, 1)
            if wrong <= limit and wrong < fewest_wrong:
                best_owner = owner
                fewest_wrong = wrong
        return best_owner

    def _candidates(self, other: Fingerprint) -> list[tuple[int, int]]:
        """(recording, shift) of those with several frames equal to the bit, the most first."""
        hits = self._hits(other)
        shifts_of: dict[int, list[int]] = defaultdict(list)
        for (owner, shift), count in hits.most_common():
            beside = hits[owner, shift + 1] + hits[owner, shift - 1]
            enough = count >= _LEAST_HITS or beside > 0
            if enough and len(shifts_of[owner]) < _TRIED:
                shifts_of[owner].append(shift)
        candidates = []
        for owner, shifts in shifts_of.items():
            for shift in shifts:
                candidates.append((owner, shift))
        return candidates

    def _hits(self, other: Fingerprint) -> Counter[tuple[int, int]]:
        """How many frames are equal to the bit, by (recording, shift)."""
        hits: Counter[tuple[int, int]] = Counter()
        loud_frames = np.flatnonzero(other.loud)
        codes = other.codes[loud_frames]
        starts = np.searchsorted(self._codes, codes, "left")
        ends = np.searchsorted(self._codes, codes, "right")
        for place, start, end in zip(loud_frames, starts, ends, strict=True):
            last = min(end, start + _MOST_EQUAL)
            for entry in range(start, last):
                owner = int(self._owners[entry])
                shift = int(self._places[entry] - place)
                hits[owner, shift] += 1
        return hits
