"""A voice is its spectrum, however loud it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ctcasr.audit.voice import voice_of


def test_a_voice_is_its_spectrum_and_not_its_loudness():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(32000, generator=generator)
    dull = torch.nn.functional.avg_pool1d(noise[None], 9, 1, 4)[0]
    bright = voice_of(noise, 16000)
    assert bright == pytest.approx(voice_of(0.01 * noise, 16000), abs=1e-3)
    assert np.abs(bright - voice_of(dull, 16000)).max() > 1
    assert voice_of(noise[:16000], 16000) is None and voice_of(torch.zeros(16000), 16000) is None
