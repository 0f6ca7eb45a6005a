"""Mouths: found by their motion, cut out once, played faster, and refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ctcasr.batch import Utterance
from ctcasr.data import read_manifest
from ctcasr.video import LipReader, LipSpec, Mouths, VideoError
from ctcasr.video.mouth import cut_out, motion_centre, played

av = pytest.importorskip("av", reason="PyAV is not installed (the extra `video`)")
SPEC = LipSpec(height=10, width=16, window=(0.5, 0.5))


@pytest.fixture
def talking(tmp_path: Path) -> Path:
    """Twelve frames of 64 x 48; a spot in the lower right corner opens and closes."""
    path = tmp_path / "talking.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            picture = np.full((48, 64, 3), 120, np.uint8)
            picture[30:42, 40:60] = 240 if number % 2 else 20
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_what_moves_is_found_and_cut_out(talking: Path) -> None:
    frames = Mouths.of(SPEC).read(talking)
    assert frames.shape == (12, 10, 16) and frames.dtype == torch.uint8
    middle = frames[:, 3:7, 5:11].float().mean((1, 2))
    assert bool((middle.diff().abs() > 100).all())


def test_what_stands_still_is_cut_from_the_middle() -> None:
    still = torch.ones(4, 9, 13)
    assert motion_centre(still) == (4.0, 6.0)
    assert motion_centre(still[:1]) == (4.0, 6.0)
    assert cut_out(still, (1.0, 1.0)).shape == still.shape


def test_the_cut_stays_inside_wherever_it_moves() -> None:
    for row, column in ((0, 0), (0, 12), (8, 0), (8, 12)):
        clip = torch.zeros(2, 9, 13)
        clip[1, row, column] = 100.0
        cut = cut_out(clip, (0.5, 0.4))
        assert cut.shape == (2, 4, 5)
        assert float(cut.max()) == 100.0


def test_an_utterance_is_decoded_once_and_played_at_a_speed(talking: Path, tmp_path: Path) -> None:
    line = Utterance(Path("a.wav"), video_filepath=talking)
    reader = LipReader(SPEC, tmp_path / "cache")
    first = reader(line)
    (kept,) = (tmp_path / "cache").iterdir()
    stamp = kept.stat().st_mtime_ns
    assert torch.equal(LipReader(SPEC, tmp_path / "cache")(line), first)
    assert kept.stat().st_mtime_ns == stamp
    assert len(reader(line, 1.2)) == 10 and len(reader(line, 0.8)) == 15


def test_another_window_is_another_file_of_the_cache(talking: Path, tmp_path: Path) -> None:
    line = Utterance(Path("a.wav"), video_filepath=talking)
    for window in ((0.5, 0.5), (1.0, 1.0)):
        LipReader(LipSpec(height=10, width=16, window=window), tmp_path)(line)
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_played_is_as_long_as_sound_at_that_speed() -> None:
    frames = torch.arange(75)
    for speed in (0.9, 1.0, 1.1):
        fast = played(frames, speed)
        assert len(fast) == round(75 / speed)
        assert bool((fast.diff() >= 0).all()) and fast[0] == 0 and fast[-1] == 74


def test_without_a_video_the_reason_is_told(tmp_path: Path) -> None:
    reader = LipReader(SPEC)
    with pytest.raises(VideoError, match="the line has none"):
        reader(Utterance(Path("a.wav")))
    with pytest.raises(VideoError, match="no such file"):
        reader(Utterance(Path("a.wav"), video_filepath=tmp_path / "absent.mp4"))


def test_real_mouths_are_of_one_size_and_move(data_root: Path) -> None:
    lines = read_manifest(data_root / "grid_s1" / "valid.jsonl").utterances[:3]
    for line in lines:
        frames = LipReader(LipSpec())(line)
        assert frames.shape == (75, 28, 40)
        motion = frames.float().diff(dim=0).abs().mean(0)
        inner = motion[7:21, 10:30].mean()
        assert float(inner) > float(motion.mean())
