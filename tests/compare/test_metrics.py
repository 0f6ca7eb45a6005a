"""Metrics against what was planted."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ctcasr.compare import measure, si_sdr, split
from ctcasr.compare.metrics import DNSMOS, absent_metrics


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
    assert (set(scores) | set(failed)) - set(DNSMOS) == {
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


@pytest.fixture
def pretended_dnsmos(monkeypatch: pytest.MonkeyPatch) -> list[NDArray]:
    """A module in the place of speechmos.dnsmos; what it was given."""
    given: list[NDArray] = []

    def run(samples: NDArray, rate_hz: int) -> dict[str, float]:
        assert rate_hz == 16000 and np.abs(samples).max() <= 1
        given.append(samples)
        return {"ovrl_mos": 3.0, "sig_mos": 3.5, "bak_mos": 4.0, "p808_mos": 3.2}

    package = ModuleType("speechmos")
    package.__spec__ = ModuleSpec("speechmos", None)
    module = ModuleType("speechmos.dnsmos")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "speechmos", package)
    monkeypatch.setitem(sys.modules, "speechmos.dnsmos", module)
    return given


def test_dnsmos_needs_no_clean_speech(pretended_dnsmos: list[NDArray]) -> None:
    assert not absent_metrics() & set(DNSMOS)
    loud = 2 * noise(0).float()
    metrics = measure(loud, None, None, 8000)
    assert set(metrics.scores) == set(DNSMOS) and not metrics.failed
    assert metrics.scores["dnsmos_bak"] == 4.0
    assert len(pretended_dnsmos[0]) == 16000
    with_clean = measure(loud, noise(0).float(), None, 8000)
    assert set(DNSMOS) < set(with_clean.scores)


def test_without_the_package_nothing_is_said_of_dnsmos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "speechmos", None)
    metrics = measure(noise(0).float(), None, None, 8000)
    assert not metrics.scores and not metrics.failed


def test_dnsmos_hears_more_background_in_noise() -> None:
    pytest.importorskip("speechmos", reason="the extra `dnsmos` is not installed")
    times = torch.arange(3 * 16000) / 16000
    voice = 0.1 * torch.sin(2 * torch.pi * 200 * times) * (torch.sin(8 * times) > 0)
    quiet = measure(voice, None, None, 16000).scores
    noisy = measure(voice + 0.05 * noise(1, 48000).float(), None, None, 16000).scores
    assert all(1 <= quiet[name] <= 5 for name in DNSMOS)
    assert noisy["dnsmos_bak"] < quiet["dnsmos_bak"]
