"""Metrics against what was planted."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.compare import measure, si_sdr, split


def noise(seed: int, count: int = 8000) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.floats(-20, 30), st.floats(0.01, 100), st.floats(-1, 1))
def test_si_sdr_is_the_planted_ratio_at_any_scale_and_offset(
    ratio_db: float, scale: float, offset: float
) -> None:
    speech = noise(0) - noise(0).mean()
    other = noise(1) - noise(1).mean()
    other = other - (other @ speech) / (speech @ speech) * speech
    other = other * (speech.norm() / other.norm()) * 10 ** (-ratio_db / 20)
    assert si_sdr(scale * (speech + other) + offset, speech) == pytest.approx(ratio_db, abs=1e-6)


def test_the_split_finds_noise_and_artifacts_that_were_put_in() -> None:
    speech, other, artifact = noise(0), noise(1), noise(2)
    found = split(speech + 0.3 * other + 0.1 * artifact, speech, other, taps=16)
    assert found.snr_db == pytest.approx(-20 * torch.tensor(0.3).log10().item(), abs=0.3)
    assert found.sar_db == pytest.approx(10 * torch.tensor(1.09 / 0.01).log10().item(), abs=0.3)
    assert found.sdr_db == pytest.approx(10.0, abs=0.3)


def test_a_filtered_mixture_has_no_artifacts() -> None:
    quiet_end = (torch.arange(8000) < 7990).double()
    speech, other = noise(0) * quiet_end, noise(1) * quiet_end
    mixture = 0.2 * (speech + other) - 0.5 * (speech + other).roll(1) + (speech + other).roll(2)
    found = split(mixture, speech, other, taps=8)
    assert found.sar_db > 60
    assert found.snr_db == pytest.approx(0.0, abs=0.5)


def test_what_cannot_be_measured_says_why() -> None:
    metrics = measure(noise(0).float(), torch.zeros(8000), noise(1).float(), 8000)
    scores, failed = metrics.scores, metrics.failed
    assert "si_sdr_db" not in scores and "silent" in failed["si_sdr_db"]
    assert "silent" in failed["split_sar_db"]
    assert set(scores) | set(failed) == {
        "si_sdr_db",
        "split_sdr_db",
        "split_snr_db",
        "split_sar_db",
        "pesq",
        "stoi",
        "estoi",
    }


def test_stoi_of_the_speech_itself_is_one() -> None:
    pytest.importorskip("pystoi", reason="the extra `metrics` is not installed")
    scores = measure(noise(0, 24000).float(), noise(0, 24000).float(), None, 8000).scores
    assert scores["stoi"] == pytest.approx(1.0, abs=1e-3)
    assert scores["estoi"] == pytest.approx(1.0, abs=1e-3)


def test_pesq_of_the_speech_itself_is_at_the_top() -> None:
    pytest.importorskip("pesq", reason="the extra `metrics` is not installed")
    metrics = measure(noise(0, 24000).float(), noise(0, 24000).float(), None, 8000)
    assert metrics.scores.get("pesq", 0) > 4.4, metrics.failed
