"""Speech by Flite, where its program is installed."""

from __future__ import annotations

import shutil

import pytest
import torch

from ctcasr.data import flite
from ctcasr.data.synth import say

installed = pytest.mark.skipif(shutil.which("flite") is None, reason="no program flite here")


@installed
def test_the_same_arguments_give_the_same_samples() -> None:
    first, rate_hz = flite.speak("lamp on", "slt", 200, 60)
    again, _ = flite.speak("lamp on", "slt", 200, 60)
    assert rate_hz == flite.RATE_HZ
    assert torch.equal(first, again)
    assert 0.05 < float(first.abs().max()) <= 1.0


@installed
def test_rate_and_pitch_are_heard() -> None:
    slow, _ = flite.speak("turn the kitchen light on", "rms", 120)
    fast, _ = flite.speak("turn the kitchen light on", "rms", 240)
    high, _ = flite.speak("turn the kitchen light on", "rms", 240, 65)
    assert 1.6 < len(slow) / len(fast) < 2.4
    assert len(high) == pytest.approx(len(fast), rel=0.05)
    assert len(high) != len(fast) or not torch.equal(high, fast)


@installed
def test_it_says_utterances_as_espeak_does() -> None:
    spoken = say(3, text="place a four", voices=["flite:awb"])
    assert spoken.voice == "flite:awb"
    assert spoken.rate_hz == 16000
    assert len(spoken.samples) > 8000


def test_unknown_voices_are_named() -> None:
    with pytest.raises(ValueError, match="it has awb, rms, slt"):
        flite.speak("a", "nobody")


def test_without_the_program_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ImportError, match="apt-get install flite"):
        flite.speak("a", "slt")
