"""Grey frames of video files, read by PyAV (the extra `video`) and kept in a folder.

Shape letters: T frames, H rows and W columns of a picture.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.kernels.atomic import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HZ = 25
MODES = ("fixed", "as_published", "zeroed")
_LEVELS = 256  # of grey
_NEARLY = 1e-6  # frames: a duration that is whole but for rounding needs no further frame


class VideoError(ValueError):
    """A video that cannot be used; says which, and why."""


def read_frames(path: Path | str, size: int = 128, equalise: bool = True) -> Tensor:
    """Grey frames [T, size, size] uint8 of a file, resized, each with its histogram equalised.

    The file's frames count as 25 a second.

    Raises:
        VideoError: where the file is missing, no video, or holds no frame.
        ImportError: where PyAV is not installed.
    """
    path = Path(path)
    grey = _decoded(path, size)
    if not grey:
        raise VideoError(f"{path}: expected frames; the video has none")
    if equalise:
        grey = [equalised(frame) for frame in grey]
    return torch.from_numpy(np.stack(grey))


def _decoded(path: Path, size: int) -> list[NDArray[np.uint8]]:
    """Grey frames [size, size] as the file has them."""
    try:
        import av
    except ImportError as error:
        raise ImportError("reading video needs PyAV: pip install 'ctcasr[video]'") from error
    if not path.is_file():
        raise VideoError(f"{path}: expected a video; there is no such file")
    frames: list[Any] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError(f"{path}: expected a stream of video; the file has none")
            # GRID's headers often carry a wrong rate: frames are counted, not timed.
            for frame in container.decode(video=0):
                frames.append(frame.reformat(width=size, height=size, format="gray").to_ndarray())
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: expected a video that FFmpeg reads; {error}") from error
    return frames


def equalised(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey frame [H, W] with its levels spread so that all are about equally frequent.

    One of a single level stays as it is.

    Example:
        >>> equalised(np.array([[10, 10], [11, 12]], dtype=np.uint8)).tolist()
        [[0, 0], [128, 255]]
    """
    counts = np.bincount(frame.ravel(), minlength=_LEVELS)
    darkest = int(np.flatnonzero(counts)[0])
    up_to = counts.cumsum()
    first = int(up_to[darkest])
    if first == frame.size:
        return frame
    brightest = _LEVELS - 1.0
    levels = np.round((up_to - first) * brightest / (frame.size - first)).clip(0, brightest)
    return levels.astype(np.uint8)[frame]


class VideoReader:
    """`reader(utterance)` gives frames [T, size, size] uint8 for its seconds.

    [0, size, size] where it has no video that can be read. Decoded once into `cache`, a folder, if
    there is one. `mode`: "fixed"; "as_published" (every frame but the last is zero, as in the code
    of the challenge's baseline); "zeroed" (no video at all). `counts` tells of how many utterances
    the video was used, absent, shorter or longer than the sound, `reasons` why those that were
    named could not be read.

    Raises:
        ValueError: for another mode.

    Example:
        >>> reader = VideoReader(size=96)
        >>> reader(Utterance(Path("unseen.wav"))).shape, dict(reader.counts)
        (torch.Size([0, 96, 96]), {'absent': 1})
    """

    def __init__(
        self, cache: Path | str | None = None, size: int = 128, mode: str = "fixed"
    ) -> None:
        if mode not in MODES:
            raise ValueError(
                f"video mode: expected 'fixed', 'as_published' or 'zeroed'; got {mode!r}"
            )
        self.cache = Path(cache) if cache else None
        self.size = size
        self.mode = mode
        self._kinds: dict[str, str] = {}
        self.reasons: dict[str, str] = {}

    @property
    def counts(self) -> Counter[str]:
        """Utterances by what there was to see: used, absent, shorter, longer."""
        return Counter(self._kinds.values())

    def __call__(self, utterance: Utterance) -> Tensor:
        """Frames for the seconds of an utterance."""
        if self.mode == "zeroed" or utterance.video_filepath is None:
            return self._absent(utterance)
        try:
            frames = self._frames(utterance.video_filepath)
        except VideoError as error:
            self.reasons[utterance.id] = str(error)
            return self._absent(utterance)
        frames = self._fitted(frames, utterance)
        if self.mode == "as_published":
            return torch.cat((torch.zeros_like(frames[:-1]), frames[-1:]))
        return frames

    def _absent(self, utterance: Utterance) -> Tensor:
        """No frames, counted."""
        self._kinds[utterance.id] = "absent"
        return torch.zeros((0, self.size, self.size), dtype=torch.uint8)

    def _fitted(self, frames: Tensor, utterance: Utterance) -> Tensor:
        """The frames between the utterance's first and last second.

        What is missing at the end stays missing.
        """
        first = round(utterance.offset * RATE_HZ)
        frames = frames[first:]
        self._kinds[utterance.id] = "used"
        if utterance.duration is None:
            return frames
        wanted = math.ceil(utterance.duration * RATE_HZ - _NEARLY)
        # One frame more or less is how recordings end; more than that is told.
        if len(frames) < wanted - 1:
            self._kinds[utterance.id] = "shorter"
        elif len(frames) > wanted + 1:
            self._kinds[utterance.id] = "longer"
        return frames[:wanted]

    def _frames(self, path: Path) -> Tensor:
        """All frames of a file, from the cache where they are there."""
        if self.cache is None:
            return read_frames(path, self.size)
        cached = self.cache / f"{path.stem}-{_key(path, self.size)}.npy"
        if not cached.is_file():
            with (
                replacing(cached, durable=False, shared=True) as part,
                open(part, "wb") as file,
            ):
                np.save(file, read_frames(path, self.size).numpy())
        return torch.from_numpy(np.load(cached))


def _key(path: Path, size: int) -> str:
    """Changes with the file and with how it is read."""
    if not path.is_file():
        raise VideoError(f"{path}: expected a video; there is no such file")
    stat = path.stat()
    identity = (path.resolve(), stat.st_size, stat.st_mtime_ns, size)
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:12]
