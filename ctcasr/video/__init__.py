"""Video: frames of files, and the networks that see them; the only room that knows pixels."""

from ctcasr.video.frames import VideoError, VideoReader, read_frames
from ctcasr.video.jitter import LipAugment
from ctcasr.video.lips import FrameNorm, LipFront, LipSpec, LipTrunk, RawFrames
from ctcasr.video.mouth import LipReader, Mouths
from ctcasr.video.spoil import Spoilt
from ctcasr.video.trunk import ToClock, VisualTrunk

__all__ = [
    "FrameNorm",
    "LipAugment",
    "LipFront",
    "LipReader",
    "LipSpec",
    "LipTrunk",
    "Mouths",
    "RawFrames",
    "Spoilt",
    "ToClock",
    "VideoError",
    "VideoReader",
    "VisualTrunk",
    "read_frames",
]
