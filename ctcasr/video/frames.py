"""Grey frames of video files, read by PyAV (the extra `video`) and kept in a folder."""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ctcasr.batch import Utterance

RATE_HZ = 25


class VideoError(ValueError):
    """A video that cannot be used; says which, and why."""


def read_frames(path: Path | str, size: int = 128, equalise: bool = True) -> Tensor:
    """Grey frames [T, size, size] uint8 of a file, resized and each with its histogram equalised; the file's frames count as 25 a second.

    VideoError where the file is missing, no video, or holds no frame; ImportError where PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise ImportError("reading video needs PyAV: pip install 'ctcasr[video]'") from error
    path = Path(path)
    if not path.is_file():
        raise VideoError(f"{path}: expected a video; there is no such file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError(f"{path}: expected a stream of video; the file has none")
            # GRID's headers often carry a wrong rate: frames are counted, not timed.
            grey = [
                frame.reformat(width=size, height=size, format="gray").to_ndarray()
                for frame in container.decode(video=0)
            ]
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: expected a video that FFmpeg reads; {error}") from error
    if not grey:
        raise VideoError(f"{path}: expected frames; the video has none")
    frames = np.stack(grey)
    return torch.from_numpy(
        np.stack([equalised(frame) for frame in frames]) if equalise else frames
    )


def equalised(frame: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A grey frame [H, W] uint8 with its levels spread so that all are about equally frequent; one of a single level stays as it is."""
    counts = np.bincount(frame.ravel(), minlength=256)
    below = counts.cumsum()
    first = int(below[np.flatnonzero(counts)[0]])
    if first == frame.size:
        return frame
    levels = np.round((below - first) * 255.0 / (frame.size - first)).clip(0, 255).astype(np.uint8)
    return levels[frame]


class VideoReader:
    """`reader(utterance)` gives frames [T, size, size] uint8 for its seconds; [0, size, size] where it has no video that can be read.

    Decoded once into `cache`, a folder, if there is one. `mode`: "fixed"; "as_published" (every frame but the last is zero, as in the code
    of the challenge's baseline); "zeroed" (no video at all). `counts` tells of how many utterances the video was used, absent, shorter or
    longer than the sound, `reasons` why those that were named could not be read.
    """

    def __init__(
        self, cache: Path | str | None = None, size: int = 128, mode: str = "fixed"
    ) -> None:
        if mode not in ("fixed", "as_published", "zeroed"):
            raise ValueError(
                f"video mode: expected 'fixed', 'as_published' or 'zeroed'; got {mode!r}"
            )
        self.cache, self.size, self.mode = Path(cache) if cache else None, size, mode
        self._kinds: dict[str, str] = {}
        self.reasons: dict[str, str] = {}

    @property
    def counts(self) -> Counter[str]:
        """Utterances by what was found."""
        return Counter(self._kinds.values())

    def __call__(self, utterance: Utterance) -> Tensor:
        """Frames for the seconds of an utterance."""
        if self.mode == "zeroed" or utterance.video_filepath is None:
            self._kinds[utterance.id] = "absent"
            return torch.zeros((0, self.size, self.size), dtype=torch.uint8)
        try:
            frames = self._frames(utterance.video_filepath)
        except VideoError as error:
            self._kinds[utterance.id] = "absent"
            self.reasons[utterance.id] = str(error)
            return torch.zeros((0, self.size, self.size), dtype=torch.uint8)
        frames = self._fitted(frames, utterance)
        if self.mode == "as_published":
            frames = torch.cat((torch.zeros_like(frames[:-1]), frames[-1:]))
        return frames

    def _fitted(self, frames: Tensor, utterance: Utterance) -> Tensor:
        """The frames between the utterance's first and last second; what is missing at the end stays missing."""
        frames = frames[round(utterance.offset * RATE_HZ) :]
        if utterance.duration is None:
            self._kinds[utterance.id] = "used"
            return frames
        wanted = math.ceil(utterance.duration * RATE_HZ - 1e-6)
        # One frame more or less is how recordings end; more than that is told.
        kind = (
            "shorter"
            if len(frames) < wanted - 1
            else "longer"
            if len(frames) > wanted + 1
            else "used"
        )
        self._kinds[utterance.id] = kind
        return frames[:wanted]

    def _frames(self, path: Path) -> Tensor:
        if self.cache is None:
            return read_frames(path, self.size)
        kept = self.cache / f"{path.stem}-{_key(path, self.size)}.npy"
        if not kept.is_file():
            self.cache.mkdir(parents=True, exist_ok=True)
            part = kept.with_name(f".{kept.name}.{os.getpid()}.part")
            with open(part, "wb") as file:
                np.save(file, read_frames(path, self.size).numpy())
            os.replace(part, kept)
        return torch.from_numpy(np.load(kept))


def _key(path: Path, size: int) -> str:
    """Changes with the file and with how it is read."""
    if not path.is_file():
        raise VideoError(f"{path}: expected a video; there is no such file")
    stat = path.stat()
    told: Sequence[object] = (path.resolve(), stat.st_size, stat.st_mtime_ns, size)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:12]
