"""Frames of files: equalised, cached, fitted, and what is missing is counted."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from ctcasr.batch import Utterance
from ctcasr.video import VideoError, VideoReader, read_frames
from ctcasr.video.frames import equalised

av = pytest.importorskip("av", reason="PyAV is not installed (the extra `video`)")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Ten frames, each brighter than the one before."""
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        slope = np.arange(64, dtype=np.uint8)[None, :, None].repeat(48, 0).repeat(3, 2)
        for number in range(10):
            container.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(slope + np.uint8(15 * number), format="rgb24")
                )
            )
        container.mux(stream.encode())
    return path


def test_frames_are_counted_and_resized(film: Path) -> None:
    frames = read_frames(film, 32, equalise=False)
    assert frames.shape == (10, 32, 32) and frames.dtype == torch.uint8
    levels = frames.float().mean((1, 2))
    assert bool((levels.diff() > 5).all())


def test_equalised_levels_are_about_equally_frequent() -> None:
    draw = np.random.default_rng(0)
    frame = draw.normal(100, 5, (64, 64)).clip(0, 255).astype(np.uint8)
    flat = equalised(frame)
    assert flat.min() == 0 and flat.max() == 255
    assert abs(float(np.mean(flat < 128)) - 0.5) < 0.1
    order = np.argsort(frame.ravel(), kind="stable")
    assert bool((np.diff(flat.ravel()[order].astype(int)) >= 0).all())
    same = np.full((4, 4), 7, np.uint8)
    assert np.array_equal(equalised(same), same)


@pytest.mark.parametrize(
    ("seconds", "kind", "count"),
    [(0.4, "used", 10), (0.36, "used", 9), (0.2, "longer", 5), (1.0, "shorter", 10)],
)
def test_video_is_fitted_to_the_sound_and_told(
    film: Path, seconds: float, kind: str, count: int
) -> None:
    reader = VideoReader(size=16)
    frames = reader(Utterance(Path("a.wav"), seconds, video_filepath=film))
    assert len(frames) == count and reader.counts == {kind: 1}


def test_what_is_absent_is_empty_and_counted_once_for_each_utterance(tmp_path: Path) -> None:
    reader = VideoReader(tmp_path / "cache", size=16)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    for _ in range(2):
        for path in (None, tmp_path / "gone.mp4", broken):
            assert reader(
                Utterance(Path(f"{path and path.stem}.wav"), 1.0, video_filepath=path)
            ).shape == (0, 16, 16)
    assert reader.counts == {"absent": 3} and set(reader.reasons) == {"gone", "broken"}
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        read_frames(broken)


def test_frames_are_decoded_once_and_anew_when_the_file_changes(film: Path, tmp_path: Path) -> None:
    reader, line = (
        VideoReader(tmp_path / "cache", size=16),
        Utterance(Path("a.wav"), 0.4, video_filepath=film),
    )
    first = reader(line)
    (kept,) = (tmp_path / "cache").glob("*.npy")
    np.save(kept, np.zeros_like(first.numpy()))
    assert not bool(reader(line).any())  # from the cache
    film.touch()
    torch.testing.assert_close(reader(line), first)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY"])
def test_a_kept_file_that_was_cut_short_is_decoded_again(
    film: Path, tmp_path: Path, content: bytes
) -> None:
    line = Utterance(Path("a.wav"), 0.4, video_filepath=film)
    first = VideoReader(tmp_path / "cache", size=16)(line)
    (kept,) = (tmp_path / "cache").glob("*.npy")
    kept.write_bytes(content)
    assert torch.equal(VideoReader(tmp_path / "cache", size=16)(line), first)
    assert kept.stat().st_size > len(content)


@pytest.mark.parametrize("mode", ["late:inf", "late:nan", "0.12", "late:", "late"])
def test_a_mode_wants_its_name_and_a_number(mode: str) -> None:
    with pytest.raises(ValueError, match="video mode: expected"):
        VideoReader(mode=mode)


def test_a_video_of_another_rate_is_told_of_once(tmp_path: Path) -> None:
    path = tmp_path / "fast.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=50)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(50):
            grey = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(grey))
        container.mux(stream.encode())
    reader = VideoReader(size=16)
    line = Utterance(Path("a.wav"), 1.0, video_filepath=path)
    with pytest.warns(UserWarning, match=r"fast\.mp4: expected 25 frames a second; .* says 50"):
        reader(line)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader(line)
        # Frames that fill the sound at 25 a second have a header that lies, as those of GRID.
        VideoReader(size=16)(Utterance(Path("b.wav"), 2.0, video_filepath=path))


def test_modes(film: Path) -> None:
    line = Utterance(Path("a.wav"), 0.4, video_filepath=film)
    published = VideoReader(size=16, mode="as_published")(line)
    assert not bool(published[:-1].any()) and bool(published[-1].any())
    assert VideoReader(size=16, mode="zeroed")(line).shape == (0, 16, 16)
    with pytest.raises(ValueError, match="mode"):
        VideoReader(mode="other")


def test_videos_are_shown_late_frozen_and_of_others(film: Path, tmp_path: Path) -> None:
    line = Utterance(Path("a.wav"), 0.4, video_filepath=film)
    fixed = VideoReader(size=16)(line)
    late = VideoReader(size=16, mode="late:0.12")(line)
    assert torch.equal(late[3:], fixed[:-3]) and torch.equal(late[0], fixed[0])
    early = VideoReader(size=16, mode="late:-0.08")(line)
    assert torch.equal(early[:-2], fixed[2:]) and torch.equal(early[-1], fixed[-1])
    frozen = VideoReader(size=16, mode="frozen")(line)
    assert torch.equal(frozen, fixed[:1].expand_as(fixed))
    other = tmp_path / "other.mp4"
    other.write_bytes(film.read_bytes())
    stranger = Utterance(Path("b.wav"), 0.4, video_filepath=other)
    link = tmp_path / "link.mp4"
    link.symlink_to(film)
    itself = Utterance(Path("c.wav"), 0.4, video_filepath=link)
    shuffled = VideoReader(size=16, mode="shuffled", others=[line, stranger, itself])
    assert shuffled.others == sorted([film.resolve(), other.resolve()])
    film.unlink()  # the other's video is shown, and the own one is not even looked for
    assert torch.equal(shuffled(line), fixed)
    with pytest.raises(ValueError, match="at least two"):
        VideoReader(mode="shuffled", others=[line])


def test_grid_has_75_frames(data_root: Path) -> None:
    folder = data_root / "grid_s1"
    line = Utterance.from_json(
        json.loads((folder / "valid.jsonl").read_text().splitlines()[0]), folder
    )
    assert line.video_filepath is not None
    assert read_frames(line.video_filepath).shape == (75, 128, 128)
