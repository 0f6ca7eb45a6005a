"""Grey frames of video files, read by PyAV (the extra `video`) and kept in a folder.

Shape letters: T frames, H rows and W columns of a picture.
"""

from __future__ import annotations

import hashlib
import math
import warnings
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.kernels.atomic import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HZ = 25
# How videos are shown; "late:S" too, S seconds behind the sound (negative: before it).
MODES = ("fixed", "as_published", "zeroed", "shuffled", "frozen")
LATE = "late:"
_LEVELS = 256  # of grey
_DRIFT = 0.05  # share by which lengths, or rates, differ that agree
_NEARLY = 1e-6  # frames: a duration that is whole but for rounding needs no further frame


class VideoError(ValueError):
    """A video that cannot be used; says which, and why."""


class Pictures(Protocol):
    """What is cut out of a video: grey pictures of one shape."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...

    def read(self, path: Path) -> Tensor:
        """Frames [T, H, W] uint8 of a file; VideoError where it cannot be used."""
        ...


@dataclass(frozen=True)
class WholePictures:
    """Square pictures of all that a video shows, each with its histogram equalised."""

    size: int = 128

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.size, self.size)

    def read(self, path: Path) -> Tensor:
        """Frames [T, size, size] uint8 of a file."""
        return read_frames(path, self.size)


def read_frames(path: Path | str, size: int = 128, equalise: bool = True) -> Tensor:
    """Grey frames [T, size, size] uint8 of a file, resized, each with its histogram equalised.

    The file's frames count as 25 a second.

    Raises:
        VideoError: where the file is missing, no video, or holds no frame.
        ImportError: where PyAV is not installed.
    """
    grey = decoded(Path(path), (size, size))
    if equalise:
        grey = [equalised(frame) for frame in grey]
    return torch.from_numpy(np.stack(grey))


def decoded(path: Path, shape: tuple[int, int] | None = None) -> list[NDArray[np.uint8]]:
    """Grey frames [H, W] as the file has them; with a `shape` (rows, columns), resized.

    Raises:
        VideoError: where the file is missing, no video, or holds no frame.
        ImportError: where PyAV is not installed.
    """
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
                rows, columns = shape or (frame.height, frame.width)
                grey = frame.reformat(width=columns, height=rows, format="gray")
                frames.append(grey.to_ndarray())
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: expected a video that FFmpeg reads; {error}") from error
    if not frames:
        raise VideoError(f"{path}: expected frames; the video has none")
    return frames


def _header(path: Path) -> tuple[float, float]:
    """Frames a second and seconds, as the header of a video says; 0 where it says nothing."""
    import av

    try:
        with av.open(str(path)) as container:
            rate = container.streams.video[0].average_rate
            length = container.duration
    except (av.error.FFmpegError, OSError, IndexError):
        return 0.0, 0.0
    return float(rate or 0), (length or 0) / av.time_base


def _agree(one: float, other: float) -> bool:
    return abs(one - other) <= _DRIFT * other


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
    """`reader(utterance)` gives frames [T, H, W] uint8 for its seconds.

    [0, H, W] where it has no video that can be read. Frames are `pictures`, by default 128 x 128
    of all that is shown; decoded once into `cache`, a folder, if there is one. `mode`: "fixed";
    "as_published" (every frame but the last is zero, as in the code of the challenge's baseline);
    "zeroed" (no video at all); "shuffled" (the lips of another utterance, one of `others`);
    "frozen" (the first frame, over and over); "late:S" (S seconds behind the sound). `counts`
    tells of how many utterances the video was used, absent, shorter or longer than the sound,
    `reasons` why those that were named could not be read.

    Raises:
        ValueError: for another mode, and for "shuffled" without others.

    Example:
        >>> reader = VideoReader(size=96)
        >>> reader(Utterance(Path("unseen.wav"))).shape, dict(reader.counts)
        (torch.Size([0, 96, 96]), {'absent': 1})
    """

    def __init__(
        self,
        cache: Path | str | None = None,
        size: int = 128,
        mode: str = "fixed",
        pictures: Pictures | None = None,
        others: Sequence[Utterance] = (),
    ) -> None:
        self.late_frames = _late_frames(mode)
        self.cache = Path(cache) if cache else None
        self.pictures = pictures or WholePictures(size)
        self.mode = mode
        paths = {line.video_filepath.resolve() for line in others if line.video_filepath}
        self.others = sorted(paths)
        if mode == "shuffled" and len(self.others) < 2:
            raise ValueError(
                "video mode 'shuffled': expected at least two utterances with a video; got "
                f"{len(self.others)}"
            )
        self._kinds: dict[str, str] = {}
        self._told_rate = False
        self.reasons: dict[str, str] = {}

    @property
    def counts(self) -> Counter[str]:
        """Utterances by what there was to see: used, absent, shorter, longer."""
        return Counter(self._kinds.values())

    def __call__(self, utterance: Utterance, seed: int = 0) -> Tensor:
        """Frames [T, H, W] for the seconds of an utterance; nothing is drawn, whatever the seed."""
        if self.mode == "zeroed" or utterance.video_filepath is None:
            return self._absent(utterance)
        path = utterance.video_filepath
        if self.mode == "shuffled":
            path = self._another(utterance, path)
        try:
            frames = self._frames(path)
        except VideoError as error:
            self.reasons[utterance.id] = str(error)
            return self._absent(utterance)
        if self.mode != "shuffled":
            self._tell_rate(path, len(frames), utterance)
        frames = self._fitted(frames, utterance)
        return self._shown(frames)

    def _tell_rate(self, path: Path, count: int, utterance: Utterance) -> None:
        """Warn of the first video whose frames, 25 a second, drift away from the sound."""
        if self._told_rate or utterance.duration is None or utterance.offset:
            return
        if _agree(count / RATE_HZ, utterance.duration):
            return
        rate_hz, seconds = _header(path)
        if rate_hz and not _agree(rate_hz, RATE_HZ) and _agree(seconds, utterance.duration):
            self._told_rate = True
            warnings.warn(
                f"{path}: expected {RATE_HZ} frames a second; its header says {rate_hz:g}, and its "
                "length agrees: the picture drifts away from the sound; convert such videos "
                f"(ffmpeg -i IN -r {RATE_HZ} OUT)",
                stacklevel=3,
            )

    def _shown(self, frames: Tensor) -> Tensor:
        """Frames [T, H, W] in the way that the mode names."""
        if self.mode == "as_published":
            return torch.cat((torch.zeros_like(frames[:-1]), frames[-1:]))
        if self.mode == "frozen":
            return frames[:1].expand_as(frames)
        return shifted(frames, self.late_frames)

    def _another(self, utterance: Utterance, own: Path) -> Path:
        """The video of another utterance, always the same one."""
        others = [path for path in self.others if path != own.resolve()]
        return others[zlib.crc32(utterance.id.encode()) % len(others)]

    def _absent(self, utterance: Utterance) -> Tensor:
        """No frames, counted."""
        self._kinds[utterance.id] = "absent"
        return torch.zeros((0, *self.pictures.shape), dtype=torch.uint8)

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
            return self.pictures.read(path)
        cached = self.cache / f"{path.stem}-{_key(path, self.pictures)}.npy"
        try:
            return torch.from_numpy(np.load(cached))
        except (OSError, EOFError, ValueError):  # not there yet, or cut short by a full disk
            frames = self.pictures.read(path)
        with (
            replacing(cached, durable=False, shared=True) as part,
            open(part, "wb") as file,
        ):
            np.save(file, frames.numpy())
        return frames


def shifted(frames: Tensor, late: int) -> Tensor:
    """Frames [T, ...] shown so many frames later; the first one is held until then.

    Negative: earlier, with the last one held at the end.

    Example:
        >>> frames = torch.tensor([1, 2, 3])
        >>> shifted(frames, 1).tolist(), shifted(frames, -1).tolist()
        ([1, 1, 2], [2, 3, 3])
    """
    count = frames.shape[0]
    if not late or not count:
        return frames
    places = (torch.arange(count) - late).clamp(0, count - 1)
    return frames[places]


def _late_frames(mode: str) -> int:
    """How many frames a mode is late; ValueError for one that is none."""
    if mode in MODES:
        return 0
    try:
        seconds = float(mode.removeprefix(LATE)) if mode.startswith(LATE) else math.nan
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        known = ", ".join(repr(name) for name in MODES)
        raise ValueError(f"video mode: expected {known} or '{LATE}SECONDS'; got {mode!r}")
    return round(seconds * RATE_HZ)


def _key(path: Path, pictures: Pictures) -> str:
    """Changes with the file and with how it is read."""
    if not path.is_file():
        raise VideoError(f"{path}: expected a video; there is no such file")
    stat = path.stat()
    how: object = pictures
    if isinstance(pictures, WholePictures):
        how = pictures.size  # as folders of earlier runs name them
    identity = (path.resolve(), stat.st_size, stat.st_mtime_ns, how)
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:12]
