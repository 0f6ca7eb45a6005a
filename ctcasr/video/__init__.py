"""Video: frames of files, and the network that sees them; the only room that knows pixels."""

from ctcasr.video.frames import VideoError, VideoReader, read_frames
from ctcasr.video.trunk import ToClock, VisualTrunk

__all__ = ["ToClock", "VideoError", "VideoReader", "VisualTrunk", "read_frames"]
