"""What a network sees, computed once for each clip: a step costs little more than hearing alone."""

from __future__ import annotations

import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.enhance.model import EnhancerModel
from ctcasr.seq import Seq
from ctcasr.video import VideoReader
from ctcasr.video.frames import RATE_HZ


class SeenOnce:
    """`seen(utterance, seed)` gives features [T, F] of its video, by a trunk that is not trained.

    Computed in evaluation mode when they are asked for first, and kept in memory. [0, F] where
    there is no video.

    Example:
        >>> from pathlib import Path
        >>> from ctcasr.enhance.model import build_enhancer
        >>> from ctcasr.enhance.spec import read_enhancer
        >>> spec = read_enhancer("av_mask")
        >>> seen = SeenOnce(VideoReader(pictures=spec.pictures), build_enhancer(spec))
        >>> seen(Utterance(Path("unseen.wav")), 0).shape
        torch.Size([0, 128])
    """

    def __init__(self, reader: VideoReader, model: EnhancerModel) -> None:
        self.reader = reader
        self.model = model
        self._kept: dict[tuple[str, float, float | None], Tensor] = {}

    def __call__(self, utterance: Utterance, seed: int) -> Tensor:
        """Features [T, F] of the video."""
        key = (utterance.id + str(utterance.video_filepath), utterance.offset, utterance.duration)
        if key not in self._kept:
            self._kept[key] = self._features(self.reader(utterance, seed))
        return self._kept[key]

    @torch.no_grad()
    def _features(self, frames: Tensor) -> Tensor:
        """Features [T, F] of frames [T, H, W], as in evaluation."""
        was_training = self.model.training
        device = next(self.model.parameters()).device
        self.model.eval()
        seen = self.model.see(Seq.stack([frames], RATE_HZ).to(device))
        self.model.train(was_training)
        return seen.row(0).float().cpu()
