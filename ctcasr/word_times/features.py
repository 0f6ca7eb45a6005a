"""What the aligner of words hears: cepstra of a frame and its neighbours; where speech lies.

Shape letters: N samples, T frames, D numbers of a frame and its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctcasr.front import FrontSpec, Spectrogram, UtteranceNorm, build_extract
from ctcasr.seq import Seq

Array: TypeAlias = NDArray[Any]

HOP_S = 0.010
CEPSTRA = 13
BESIDE = 4  # frames on either side that a frame is described by
WIDTH = CEPSTRA * (2 * BESIDE + 1)
_BANDS = 40
_FLOOR_DB = 65.0

# Speech is where the level is this far on the way from the background to the loudest.
_BACKGROUND = 10  # percentile of the levels of an utterance
_LOUDEST = 95
_SPEECH_FROM = 0.35
_SMOOTHED = 5  # frames
_PAUSE = 15  # frames: shorter ones do not end a stretch of speech
_SHORTEST = 8  # frames: shorter stretches are clicks ...
_SHARE = 0.15  # ... and so are those shorter than this share of the longest


@dataclass(frozen=True)
class Heard:
    """Spliced cepstra [T, D] of an utterance; the first frame of speech and one past the last."""

    spliced: Array  # float32
    speech: tuple[int, int]


@dataclass(frozen=True)
class AlignerFeatures:
    """Samples at `rate_hz` to what the aligner hears.

    Example:
        >>> heard = AlignerFeatures(16000)(torch.zeros(16000))
        >>> heard.spliced.shape
        (101, 117)
    """

    rate_hz: int

    @torch.no_grad()
    def __call__(self, samples: Tensor) -> Heard:
        """Of samples [N]."""
        clip = Seq.stack([samples.cpu().float()], self.rate_hz)
        levels = self._mel(clip)
        normed: Seq = UtteranceNorm()(levels)
        cepstra = normed.data[0].double().numpy() @ cosines()
        loudness = levels.data[0].double().mean(1).numpy()
        return Heard(spliced(cepstra).astype(np.float32), speech_bounds(loudness))

    @cached_property
    def _mel(self) -> Spectrogram:
        spec = FrontSpec(self.rate_hz, bands=_BANDS, hop_s=HOP_S, floor_db=_FLOOR_DB)
        return build_extract(spec)


def cosines() -> Array:
    """What makes cepstra of mel bands, [bands, cepstra]: the discrete cosine transform II."""
    middles = (np.arange(_BANDS) + 0.5) / _BANDS
    waves = np.cos(np.pi * middles[:, None] * np.arange(CEPSTRA)) * np.sqrt(2 / _BANDS)
    waves[:, 0] *= np.sqrt(0.5)
    return waves


def spliced(cepstra: Array) -> Array:
    """Each frame of [T, cepstra] with its neighbours, the earliest first: [T, D].

    The first and the last frame stand for what lies beyond them.
    """
    padded = np.pad(cepstra, ((BESIDE, BESIDE), (0, 0)), "edge")
    frames = len(cepstra)
    shifted = [padded[shift : shift + frames] for shift in range(2 * BESIDE + 1)]
    return np.concatenate(shifted, axis=1)


def slopes() -> Array:
    """What makes cepstra, their slopes and the slopes of these of spliced ones: [D, 3 * cepstra].

    A slope is that of the straight line through five frames (HTK's deltas).
    """
    static = np.zeros(2 * BESIDE + 1)
    static[BESIDE] = 1.0
    line = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / 10.0
    slope = np.zeros_like(static)
    slope[BESIDE - 2 : BESIDE + 3] = line
    kernels = np.stack([static, slope, np.convolve(line, line)], axis=1)
    return np.kron(kernels, np.eye(CEPSTRA))


def speech_bounds(loudness: Array) -> tuple[int, int]:
    """The first frame of speech and one past the last, of the level [T] of an utterance.

    Example:
        >>> speech_bounds(np.array([0.0] * 30 + [9.0] * 40 + [0.0] * 30))
        (29, 71)
    """
    beside = _SMOOTHED // 2
    kernel = np.ones(_SMOOTHED) / _SMOOTHED
    smooth = np.convolve(np.pad(loudness, beside, "edge"), kernel, "valid")
    background, loudest = np.percentile(smooth, [_BACKGROUND, _LOUDEST])
    loud = np.flatnonzero(smooth >= background + _SPEECH_FROM * (loudest - background))
    stretches = np.split(loud, np.flatnonzero(np.diff(loud) > _PAUSE) + 1)
    longest = max(len(stretch) for stretch in stretches)
    shortest = min(longest, max(_SHORTEST, _SHARE * longest))
    said = [stretch for stretch in stretches if len(stretch) >= shortest]
    return int(said[0][0]), int(said[-1][-1]) + 1
