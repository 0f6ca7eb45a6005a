"""Speech by SVOX Pico, where the extra `voices` is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from ctcasr.data import pico
from ctcasr.data.synth import say

installed = pytest.mark.skipif(find_spec("py_nanotts") is None, reason="no py-nanotts here")


@installed
@pytest.mark.parametrize("voice", pico.voices())
def test_the_same_arguments_give_the_same_samples(voice: str) -> None:
    # In a process that has said nothing yet.
    call = f"pico.speak('lamp on', {voice!r}, 200, 60, seed=3)"
    code = f"from ctcasr.data import pico; print({call}[0].tolist())"
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    first = torch.tensor(json.loads(said))
    pico.speak("something else before it", "en-US", 150, 40)
    again, rate_hz = pico.speak("lamp on", voice, 200, 60, seed=3)
    assert rate_hz == pico.RATE_HZ
    assert torch.equal(first, again)
    assert 0.05 < float(first.abs().max()) < 1.0


@installed
def test_rate_size_and_melody_are_heard() -> None:
    slow, _ = pico.speak("turn the kitchen light on", "en-GB", 120)
    fast, _ = pico.speak("turn the kitchen light on", "en-GB", 240)
    small, _ = pico.speak("turn the kitchen light on", "en-GB", 240, 65)
    higher, _ = pico.speak("turn the kitchen light on", "en-GB", 240, 50, seed=1)
    assert 1.6 < len(slow) / len(fast) < 2.4
    assert len(small) == pytest.approx(len(fast), rel=0.06)
    for other in (small, higher):
        assert len(other) != len(fast) or not torch.equal(other, fast)


@installed
def test_it_says_utterances_as_espeak_does() -> None:
    spoken = say(3, text="place a four", voices=["pico:en-GB"])
    assert spoken.voice == "pico:en-GB"
    assert spoken.rate_hz == 16000
    assert len(spoken.samples) > 8000


def test_unknown_voices_are_named() -> None:
    with pytest.raises(ValueError, match="it has en-GB, en-US"):
        pico.speak("a", "nobody")


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "py_nanotts", None)
    with pytest.raises(ImportError, match=r"pip install 'ctcasr\[voices\]'"):
        pico.speak("a")
