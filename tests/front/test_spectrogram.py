"""Spectrogram and mel features: frame counts, units, and nothing seen of a batch mate."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from ctcasr.front import Mel, Spectrogram
from ctcasr.seq import Seq
from tests.fixtures.pretended_cuda import pretended_cuda

RATE = 8000


def noise(*lengths: int, seed: int = 0) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [0.1 * torch.randn(n, generator=draw) for n in lengths]


@pytest.mark.parametrize("n_fft", [256, 257, 512])
@pytest.mark.parametrize("samples", [1, 79, 80, 81, 800, 801, 1234])
def test_framing_counts_the_frames_that_the_stft_makes(n_fft: int, samples: int) -> None:
    extract = Spectrogram(RATE, n_fft=n_fft)
    (row,) = noise(samples)
    out = extract(Seq.stack([row], RATE))
    assert out.data.shape == (1, extract.framing.count(samples), n_fft // 2 + 1)
    assert out.lengths == (out.data.shape[1],)
    assert out.rate == extract.rate == Fraction(100)
    if n_fft % 2 == 0:
        assert out.lengths[0] == samples // extract.hop + 1


def test_frame_is_the_windowed_transform_around_its_centre() -> None:
    extract = Spectrogram(RATE, n_fft=256, power=1.0, log=False)
    (row,) = noise(2000)
    out = extract(Seq.stack([row], RATE)).data[0]
    window = torch.zeros(256)
    window[28:228] = torch.hann_window(200)
    for frame in (5, 12):
        first, behind = extract.framing.span(frame)
        assert torch.allclose(
            out[frame], torch.fft.rfft(row[first:behind] * window).abs(), atol=1e-4
        )


def test_power_is_the_square_of_amplitude() -> None:
    audio = Seq.stack(noise(1600), RATE)
    amplitude = Spectrogram(RATE, n_fft=256, power=1.0, log=False)(audio).data
    power = Spectrogram(RATE, n_fft=256, power=2.0, log=False)(audio).data
    assert torch.allclose(power, amplitude.square(), rtol=1e-5)
    # The floors agree too: the log power is twice the log amplitude wherever the floor is
    # negligible, and in silence.
    silence = Seq.stack([torch.zeros(1600)], RATE)
    logs = [Spectrogram(RATE, n_fft=256, power=p)(silence).data for p in (1.0, 2.0)]
    assert torch.allclose(2 * logs[0], logs[1])
    assert bool(torch.isfinite(logs[1]).all())


@pytest.mark.parametrize("hz", [500.0, 1000.0, 2500.0])
def test_a_tone_peaks_in_its_own_bin(hz: float) -> None:
    time = torch.arange(4000) / RATE
    tone = Seq.stack([torch.sin(2 * math.pi * hz * time)], RATE)
    assert int(Spectrogram(RATE, n_fft=256)(tone).data[0, 20].argmax()) == round(hz / RATE * 256)


@pytest.mark.parametrize(
    "extract",
    [Spectrogram(RATE, n_fft=256), Mel(RATE, 20, n_fft=256), Mel(RATE, 20, n_fft=256, log=False)],
)
def test_an_utterance_looks_the_same_alone_and_in_a_batch(extract: Spectrogram) -> None:
    rows = noise(401, 1600, 2399, 80)
    together = extract(Seq.stack(rows, RATE))
    padded = extract(
        Seq(
            torch.nn.functional.pad(Seq.stack(rows, RATE).data, (0, 999), value=7.0),
            tuple(map(len, rows)),
            Fraction(RATE),
        )
    )
    for index, row in enumerate(rows):
        alone = extract(Seq.stack([row], RATE))
        for batch in (together, padded):
            assert batch.lengths[index] == alone.lengths[0]
            assert torch.allclose(batch.row(index), alone.row(0), atol=1e-5)
            assert not bool(batch.data[index, batch.lengths[index] :].any())


@pytest.mark.parametrize("bands", [0, -1])
def test_no_band_is_an_error(bands: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1 mel band; got {bands}"):
        Mel(16000, bands=bands)


def test_an_empty_mel_band_is_an_error_that_names_it() -> None:
    with pytest.raises(
        ValueError,
        match=r"of 128 mel bands hold no FFT bin .*n_fft=256 .*fewer bands or a larger n_fft",
    ):
        Mel(RATE, 128, n_fft=256)
    assert bool((Mel(RATE, 20, n_fft=256).filters.sum(0) > 0).all())


@pytest.mark.parametrize("data", [torch.zeros(1, 10, 20), torch.zeros(1, 10, 20, 3)])
def test_features_where_samples_belong_raise(data: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected samples"):
        Spectrogram(RATE)(Seq(data, (10,), Fraction(RATE)))


def test_another_rate_raises() -> None:
    with pytest.raises(ValueError, match=r"8000 Hz; got .*16000 Hz"):
        Spectrogram(RATE)(Seq(torch.zeros(1, 100), (100,), Fraction(16000)))


@pytest.mark.parametrize(
    "bad", [{"window_s": 0.1}, {"window_s": 0.0}, {"hop_s": 0.0}, {"power": 3.0}]
)
def test_impossible_settings_raise(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Spectrogram(RATE, n_fft=512, **bad)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 4000.0), (3000.0, 2000.0), (20.0, 4001.0)])
def test_impossible_band_edges_raise(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="low_hz < high_hz"):
        Mel(RATE, 20, low, high, n_fft=512)


def test_features_are_differentiable_down_to_the_samples() -> None:
    (row,) = noise(800)
    row.requires_grad_()
    Mel(RATE, 20, n_fft=256)(Seq(row[None], (800,), Fraction(RATE))).data.sum().backward()
    assert row.grad is not None and bool(torch.isfinite(row.grad).all()) and bool(row.grad.any())


def test_digital_silence_has_a_finite_gradient() -> None:
    row = torch.zeros(1, 800, requires_grad=True)
    for power in (1.0, 2.0):
        Mel(RATE, 20, n_fft=256, power=power)(
            Seq(row, (800,), Fraction(RATE))
        ).data.sum().backward()
        assert row.grad is not None and bool(torch.isfinite(row.grad).all())


def test_on_cuda_batches_of_like_lengths_share_a_transform() -> None:
    spectrogram = Spectrogram(16000)
    lengths = (16000, 16100, 17000, 20000)
    frames = {}
    shapes = set()
    with pretended_cuda() as device:
        window = spectrogram.window.to("cuda")
        spectrogram.window = window
        for length in lengths:
            samples = Seq.stack([torch.zeros(length)], 16000).to("cuda")
            noted = device.fresh()
            spectrum = spectrogram.transform(samples)
            frames[length] = spectrum.data.shape[1]
            shapes |= noted.transforms
            assert spectrogram.inverse(spectrum, samples).data.shape == (1, length)
    assert frames == {length: length // 160 + 1 for length in lengths}
    assert len(shapes) == 2


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_sees_what_a_cpu_sees() -> None:
    spectrogram = Spectrogram(16000)
    samples = Seq.stack([torch.randn(16100), torch.randn(9000)], 16000)
    wanted = spectrogram.transform(samples)
    spectrum = spectrogram.cuda().transform(samples.to("cuda"))
    torch.testing.assert_close(spectrum.data.cpu(), wanted.data, atol=1e-4, rtol=1e-4)
    back = spectrogram.inverse(spectrum, samples.to("cuda"))
    torch.testing.assert_close(back.data.cpu(), samples.data, atol=1e-4, rtol=1e-4)
