"""Mouths of a video: what moves is looked for once, and cut out; and mouths of utterances.

Shape letters: T frames, H rows and W columns of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ctcasr.batch import Utterance
from ctcasr.video.frames import VideoError, VideoReader, decoded
from ctcasr.video.lips import LipSpec

_STILL = 60  # percent of a picture that is taken to be no mouth
_LEAST_MOTION = 1e-6


@dataclass(frozen=True)
class Mouths:
    """Small pictures around what moves most in a clip; the same place in all of its frames.

    For videos that show a mouth and little else, as a detector of faces cuts them out.
    """

    height: int
    width: int
    window: tuple[float, float]  # share of the rows and of the columns

    @staticmethod
    def of(spec: LipSpec) -> Mouths:
        """The pictures that a network is made for."""
        return Mouths(spec.height, spec.width, spec.window)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.height, self.width)

    def read(self, path: Path) -> Tensor:
        """Frames [T, H, W] uint8 of a file.

        Raises:
            VideoError: where the file is missing, no video, or holds no frame.
        """
        clip = torch.from_numpy(np.stack(decoded(path))).float()
        cut = cut_out(clip, self.window)
        small = functional.interpolate(cut[:, None], self.shape, mode="area")
        return small[:, 0].round().clamp(0, 255).to(torch.uint8)


def cut_out(clip: Tensor, window: tuple[float, float]) -> Tensor:
    """A share of the rows and columns of a clip [T, H, W], around the middle of its motion.

    Example:
        >>> clip = torch.zeros(3, 4, 6)
        >>> clip[1, 3, 5] = 100.0
        >>> cut_out(clip, (0.5, 0.5)).amax(0).tolist()
        [[0.0, 0.0, 0.0], [0.0, 0.0, 100.0]]
    """
    _, height, width = clip.shape
    rows = max(1, round(height * window[0]))
    columns = max(1, round(width * window[1]))
    middle_row, middle_column = motion_centre(clip)
    top = min(max(0, round(middle_row - rows / 2)), height - rows)
    left = min(max(0, round(middle_column - columns / 2)), width - columns)
    return clip[:, top : top + rows, left : left + columns]


def motion_centre(clip: Tensor) -> tuple[float, float]:
    """Row and column around which a clip [T, H, W] changes from frame to frame.

    The middle of the picture where nothing moves.
    """
    _, height, width = clip.shape
    middle = ((height - 1) / 2, (width - 1) / 2)
    if clip.shape[0] < 2:
        return middle
    motion = clip.diff(dim=0).abs().mean(0)
    still = float(np.percentile(motion.numpy(), _STILL))
    weights = (motion - still).clamp(min=0).square()
    total = float(weights.sum())
    if total < _LEAST_MOTION:
        return middle
    row = float((weights.sum(1) * torch.arange(height)).sum()) / total
    column = float((weights.sum(0) * torch.arange(width)).sum()) / total
    return row, column


class LipReader:
    """`reader(utterance, speed)` gives the mouth's frames [T, H, W] uint8, played so much faster.

    Cut out and decoded once into `cache`, a folder, if there is one.

    Raises:
        VideoError: when it is called for an utterance without a video that can be read.
    """

    def __init__(self, spec: LipSpec, cache: Path | str | None = None) -> None:
        self.videos = VideoReader(cache, pictures=Mouths.of(spec))

    def __call__(self, utterance: Utterance, speed: float = 1.0) -> Tensor:
        """Frames [T, H, W] uint8, 25 a second."""
        if utterance.video_filepath is None:
            raise VideoError("expected a video (video_filepath); the line has none")
        frames = self.videos(utterance)
        if not len(frames):
            reason = self.videos.reasons.get(utterance.id, "its seconds hold no frame")
            raise VideoError(f"{utterance.video_filepath}: expected a video; {reason}")
        return played(frames, speed)


def played(frames: Tensor, speed: float) -> Tensor:
    """Frames [T', ...] of frames [T, ...] played so much faster; each is the nearest in time.

    Example:
        >>> played(torch.arange(4), 2.0).tolist(), played(torch.arange(2), 0.5).tolist()
        ([1, 3], [0, 0, 1, 1])
    """
    if speed == 1.0:
        return frames
    count = len(frames)
    steps = torch.arange(max(1, round(count / speed)))
    places = ((steps + 0.5) * speed).floor().long()
    return frames[places.clamp(max=count - 1)]
