"""What a recogniser reads of a manifest line: its sound, or the lips in its video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data import AudioError, read_audio
from ctcasr.data.sound import Sound
from ctcasr.specs import NetSpec
from ctcasr.video import LipReader, LipSpec, Mouths, VideoError

Read = Callable[[Utterance, float], Tensor]  # [T, ...] of an utterance, played at a speed


def reader_of(spec: NetSpec, cache: Path | str | None = None) -> Read | None:
    """What reads lips for such a network, as a corpus wants it; None where sound is read.

    Mouths are cut out once into `cache`, a folder, if there is one.

    Example:
        >>> from ctcasr.recognise.spec import read_spec
        >>> reader_of(read_spec("default")) is None
        True
    """
    if not spec.sees:
        return None
    return LipReader(spec.lips, cache)


def read_clip(spec: NetSpec | None, utterance: Utterance, rate_hz: int) -> Tensor:
    """Samples [N] of an utterance at a rate, or for a lip reader frames [T, H, W] uint8.

    Raises:
        AudioError: where it cannot be read.
    """
    if spec is None or not spec.sees:
        return read_audio(utterance, rate_hz)
    try:
        return LipReader(spec.lips)(utterance)
    except VideoError as error:
        raise AudioError(str(error)) from error


def lips_of(audio: Sound | Sequence[Sound], spec: LipSpec) -> Iterator[Tensor]:
    """Frames [T, H, W] uint8 of one video (path), of such frames, or of each of several.

    Raises:
        AudioError: for a video that cannot be read, and for what are no such frames.
    """
    pictures = Mouths.of(spec)
    clips: Any = audio
    if isinstance(audio, str | Path | Tensor | np.ndarray):
        clips = [audio]
    for clip in clips:
        if not isinstance(clip, Tensor | np.ndarray):
            try:
                yield pictures.read(Path(clip))
            except (VideoError, TypeError) as error:
                raise AudioError(f"{clip}: expected a video of a mouth; {error}") from error
            continue
        frames = torch.as_tensor(clip)
        if frames.dtype != torch.uint8 or tuple(frames.shape[1:]) != pictures.shape:
            raise AudioError(
                f"expected frames [T, {pictures.height}, {pictures.width}] uint8, as LipReader "
                f"reads them, or the path of a video; got {tuple(frames.shape)} {frames.dtype}"
            )
        yield frames
