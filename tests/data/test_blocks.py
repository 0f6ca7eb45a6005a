"""Blocks of a sound file are the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr.data import AudioError, read_audio
from ctcasr.data.blocks import audio_blocks
from ctcasr.data.samples import CancelledChannels


@pytest.mark.parametrize("block_s", [0.003, 0.1, 10.0])
@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 44100])
def test_blocks_together_are_the_file_at_any_rate(
    tmp_path: Path, rate_hz: int, block_s: float
) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((9001, 2)).astype(np.float32)
    soundfile.write(tmp_path / "noise.flac", noise, 11025)
    blocks = list(audio_blocks(tmp_path / "noise.flac", rate_hz, block_s))
    wanted = read_audio(tmp_path / "noise.flac", rate_hz)
    torch.testing.assert_close(torch.cat(blocks), wanted, rtol=0, atol=1e-6)
    assert len(blocks) > 1


def test_what_is_no_sound_is_told(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="found nothing there"):
        list(audio_blocks(tmp_path / "gone.wav", 8000))
    noise = np.full(8000, np.nan, dtype=np.float32)
    soundfile.write(tmp_path / "nan.wav", noise, 8000, subtype="FLOAT")
    with pytest.raises(AudioError, match="finite"):
        list(audio_blocks(tmp_path / "nan.wav", 8000))


def test_only_the_whole_tells_whether_channels_cancel_each_other(tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    opposite = np.stack([noise, -noise], axis=1)
    alike = np.stack([noise, noise], axis=1)
    soundfile.write(tmp_path / "turns.wav", np.concatenate([alike, opposite]), 8000)
    blocks = list(audio_blocks(tmp_path / "turns.wav", 8000, 0.5))
    torch.testing.assert_close(torch.cat(blocks), read_audio(tmp_path / "turns.wav", 8000))
    soundfile.write(tmp_path / "opposite.wav", opposite, 8000)
    with pytest.raises(CancelledChannels, match=r"opposite\.wav: .*opposite phase"):
        list(audio_blocks(tmp_path / "opposite.wav", 8000, 0.5))
