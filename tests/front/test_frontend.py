"""The whole front-end: its parts in order, statistics measured once, masks at the mean."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from ctcasr.front import Augment, CorpusNorm, FrontEnd, Mel, SpecAugment, UtteranceNorm
from ctcasr.seq import Seq


def samples(*lengths: int) -> Seq:
    generator = torch.Generator().manual_seed(0)
    return Seq.stack([0.1 * torch.randn(n, generator=generator) for n in lengths], 16000)


def test_features_are_extracted_then_normalised() -> None:
    front = FrontEnd(Mel(16000, bands=40), UtteranceNorm())
    sound = samples(8000, 5000)
    features = front(sound)
    assert torch.equal(features.data, front.norm(front.extract(sound)).data)
    assert features.lengths == tuple(front.framing.count(n) for n in sound.lengths)
    assert features.rate == Fraction(100) and front.bins == 40


def test_statistics_are_asked_for_until_they_are_measured() -> None:
    front = FrontEnd(Mel(16000, bands=40), CorpusNorm(40))
    sound = samples(16000, 9000)
    assert front.needs_statistics
    with pytest.raises(RuntimeError, match="call fit"):
        front(sound)
    front.fit([sound])
    assert not front.needs_statistics
    frames = front(sound)
    real = frames.data[frames.mask]
    torch.testing.assert_close(real.mean(0), torch.zeros(40), atol=1e-4, rtol=0)
    torch.testing.assert_close(real.std(0), torch.ones(40), atol=0.02, rtol=0)
    assert not FrontEnd(Mel(16000), UtteranceNorm()).needs_statistics


def test_sound_is_changed_before_and_masks_fall_after_normalisation() -> None:
    front = FrontEnd(Mel(16000, bands=40), UtteranceNorm())
    sound = samples(16000)
    masks = SpecAugment(time_masks=0, freq_masks=1, freq_width=1.0)
    plain = front(sound)
    masked = front(sound, masks, (3,))
    hidden = masked.data[0, 0] == 0
    assert 0 < int(hidden.sum()) < 40
    assert bool((masked.data[0, :, hidden] == 0).all())
    assert torch.equal(masked.data[0, :, ~hidden], plain.data[0, :, ~hidden])
    noisy = Augment([torch.randn(400)], noise_share=1.0)
    assert not torch.equal(front(sound, noisy, (3,)).data, plain.data)


def test_half_precision_around_it_does_not_reach_it() -> None:
    front = FrontEnd(Mel(16000, bands=40), UtteranceNorm())
    sound = samples(8000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = front(sound)
    assert features.data.dtype == torch.float32 and torch.equal(features.data, front(sound).data)
