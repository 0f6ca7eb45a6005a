"""Long sound files, block by block, so that none needs more memory than another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ctcasr.data.audio import open_sound
from ctcasr.data.samples import AudioError, Mixdown, check_rate
from ctcasr.signal.resample import StreamingResample


def audio_blocks(path: Path | str, rate_hz: int, block_s: float = 10.0) -> Iterator[Tensor]:
    """Samples [N] float32 at `rate_hz` of about `block_s` seconds, one after the other.

    Together they are what `read_audio` gives of the file.

    Raises:
        AudioError: as `read_audio`, where the block is reached; for channels that cancel each
            other, at the end.

    Example:
        >>> import tempfile, numpy, soundfile
        >>> path = Path(tempfile.mkdtemp()) / "silence.wav"
        >>> soundfile.write(path, numpy.zeros(44100), 44100)
        >>> sum(len(block) for block in audio_blocks(path, 16000, block_s=0.3))
        16000
    """
    check_rate(rate_hz, "audio_blocks")
    path = Path(path)
    with open_sound(path) as file:
        resample = StreamingResample(file.samplerate, rate_hz)
        block_frames = max(1, round(block_s * file.samplerate))
        mix = Mixdown(str(path))
        frames = 0
        while frames < file.frames:
            try:
                block = file.read(block_frames, dtype="float32", always_2d=True)
            except RuntimeError as error:
                raise AudioError(f"{path}: truncated after {frames} samples? {error}") from error
            if not len(block):
                raise AudioError(
                    f"{path}: expected {file.frames} samples; decoding gave {frames} (truncated?)"
                )
            frames += len(block)
            yield resample(mix.add(torch.from_numpy(block)))
        mix.check_phase()
        yield resample.finish()
