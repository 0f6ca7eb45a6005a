"""Videos as they fail in use: missing, ending early, late, frozen; drawn for each utterance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.video.frames import shifted

Frames = Callable[[Utterance, int], Tensor]  # [T, ...] of an utterance and its seed

_OWN_DRAW = 0x36D4A7C5  # keeps what is drawn here apart from what others draw


class Spoilt:
    """What `frames` gives, spoilt in some utterances so that a network learns to do without.

    Of all utterances a share `missing` has no frame, a share `short` ends anywhere, in a share
    `frozen` one frame stands still from anywhere on, and a share `late` is up to `late_frames`
    late or early. No utterance is spoilt in two ways. Modality dropout: Neverova et al. 2016,
    ModDrop.

    Raises:
        ValueError: for shares outside 0..1, together too.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> spoilt = Spoilt(lambda utterance, seed: torch.ones(75, 8), missing=0.5)
        >>> spoilt(Utterance(Path("a.wav")), seed=7).shape
        torch.Size([0, 8])
    """

    def __init__(
        self,
        frames: Frames,
        missing: float = 0.1,
        short: float = 0.05,
        frozen: float = 0.15,  # a face that stands still is easily taken for one that is silent
        late: float = 0.2,
        late_frames: int = 3,
    ) -> None:
        shares = (missing, short, frozen, late)
        if min(shares) < 0 or sum(shares) > 1 or late_frames < 0:
            raise ValueError(
                "expected shares >= 0, together 1 at most, and late_frames >= 0; got "
                f"{shares} and {late_frames}"
            )
        self.frames = frames
        self.bounds = np.cumsum(shares)
        self.late_frames = late_frames

    def __call__(self, utterance: Utterance, seed: int) -> Tensor:
        """Frames [T, ...] of an utterance, perhaps spoilt."""
        frames = self.frames(utterance, seed)
        count = frames.shape[0]
        draw = np.random.default_rng([seed, _OWN_DRAW])
        fate = draw.random()
        place = int(draw.integers(0, count + 1))
        late = int(draw.integers(-self.late_frames, self.late_frames + 1))
        missing, short, frozen, delayed = self.bounds
        if fate < missing:
            return frames[:0]
        if fate < short:
            return frames[:place]
        if fate < frozen:
            return _frozen(frames, place)
        if fate < delayed:
            return shifted(frames, late)
        return frames


def _frozen(frames: Tensor, place: int) -> Tensor:
    """Frames [T, ...] of which one stands still from a place on."""
    if place >= frames.shape[0]:
        return frames
    stuck = frames.clone()
    stuck[place:] = frames[place]
    return stuck
