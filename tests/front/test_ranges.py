"""What classifiers ask of features: upper mel limit, whole windows, decibels below the loudest."""

from __future__ import annotations

import math

import pytest
import torch

from ctcasr.front import Mel, Spectrogram
from ctcasr.seq import Seq


def noise(seconds: float, rate_hz: int = 16000) -> torch.Tensor:
    return 0.1 * torch.randn(round(seconds * rate_hz), generator=torch.Generator().manual_seed(0))


def batch(*seconds: float) -> Seq:
    return Seq.stack([noise(length) for length in seconds], 16000)


def test_a_second_of_whole_windows_gives_97_frames_of_20_bands() -> None:
    mel = Mel(16000, 20, 20.0, 6000.0, 512, 0.032, 0.010, centred=False)
    found = mel(Seq.stack([noise(1.0), noise(0.5)], 16000))
    assert found.data.shape == (2, 97, 20) and found.lengths == (97, 47)
    assert torch.allclose(found.row(1), mel(Seq.stack([noise(0.5)], 16000)).row(0), atol=1e-5)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("range_db", [0.0, 80.0])
def test_what_gives_no_frame_gives_none_alone_either(centred: bool, range_db: float) -> None:
    mel = Mel(16000, 20, 20.0, 6000.0, 512, 0.032, 0.010, centred=centred, range_db=range_db)
    for samples in (0, 1, 511):
        alone = mel(Seq.stack([torch.ones(samples)], 16000))
        beside = mel(Seq.stack([torch.ones(samples), noise(0.5)], 16000))
        assert alone.lengths == (mel.framing.count(samples),) == beside.lengths[:1]
        assert torch.allclose(alone.row(0), beside.row(0), atol=1e-5)
        assert not alone.data[~alone.mask].any() and alone.data.shape[1] >= 1


def test_nothing_above_the_upper_limit_is_heard() -> None:
    time = torch.arange(16000) / 16000
    low, high = (torch.sin(2 * math.pi * hertz * time) for hertz in (1000, 7000))
    mel = Mel(16000, 20, 20.0, 6000.0, 512, 0.032, log=False)
    inside, outside = (mel(Seq.stack([tone], 16000)).row(0)[5:-5].sum() for tone in (low, high))
    assert outside < 1e-3 * inside


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_decibels_are_below_the_loudest_point_whatever_the_gain_and_the_neighbours(
    power: float,
) -> None:
    front = Spectrogram(16000, power=power, range_db=80.0)
    loud = Seq.stack([noise(0.5), noise(0.3) * 3], 16000)
    found = front(loud)
    for row in range(2):
        assert float(found.row(row).max()) == 0.0 and float(found.row(row).min()) >= -80.0
    alone = front(Seq.stack([noise(0.5) * 2], 16000)).row(0)
    heard = alone > -30  # further down the floor that keeps logarithms finite is heard too
    assert torch.allclose(found.row(0)[heard], alone[heard], atol=0.1)
    amplitude = Spectrogram(16000, power=1.0, log=False)(loud).row(0)
    peak = 20 * torch.log10(amplitude / amplitude.max())
    near = peak > -30
    assert torch.allclose(found.row(0)[near], peak[near], atol=0.3)


def test_a_range_needs_a_logarithm() -> None:
    with pytest.raises(ValueError, match="range_db"):
        Spectrogram(16000, log=False, range_db=80.0)


@pytest.mark.parametrize("kind", [Spectrogram, Mel])
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_relative_floor_makes_the_gain_irrelevant(kind: type[Spectrogram], power: float) -> None:
    front = kind(16000, power=power, floor_db=65.0)
    absolute = kind(16000, power=power)
    samples = batch(1.0, 0.6)
    features = front(samples)
    for gain_db in (-60.0, -20.0, 10.0):
        quiet = samples.with_data(samples.data * 10 ** (gain_db / 20))
        torch.testing.assert_close(front(quiet).data, features.data, atol=2e-3, rtol=1e-4)
    # An absolute floor swallows quiet sound: levels fall by less than the gain did.
    quiet = samples.with_data(samples.data * 1e-3)
    fallen = (absolute(samples).data - absolute(quiet).data)[features.mask]
    assert float(fallen.mean()) < power * math.log(1e3) - 0.1


def test_a_relative_floor_lies_so_far_below_the_mean() -> None:
    front = Spectrogram(16000, floor_db=40.0)
    silence_behind = torch.cat((noise(1.0), torch.zeros(16000)))
    features = front(Seq.stack([silence_behind], 16000)).row(0)
    assert float(features.min()) == pytest.approx(math.log(1e-4), abs=1e-4)
    frames = front.raw(front.transform(Seq.stack([silence_behind], 16000)))
    expected = (frames.data / frames.data.mean() + 1e-4).log()
    torch.testing.assert_close(features, expected[0], atol=1e-4, rtol=1e-4)


def test_a_relative_floor_sees_neither_batch_mates_nor_sound_in_silence() -> None:
    front = Mel(16000, floor_db=65.0)
    samples = batch(1.0, 0.25)
    together = front(samples)
    alone = front(samples.rows([1]))
    torch.testing.assert_close(together.row(1), alone.row(0), atol=1e-5, rtol=1e-5)
    silent = front(Seq.stack([torch.zeros(8000), samples.row(0)], 16000))
    assert bool(silent.data.isfinite().all()) and float(silent.row(0).std()) < 1e-4
    with pytest.raises(ValueError, match="floor_db: expected decibels above 0 with log"):
        Mel(16000, floor_db=-3.0)
    with pytest.raises(ValueError, match="floor_db"):
        Mel(16000, floor_db=65.0, log=False)
