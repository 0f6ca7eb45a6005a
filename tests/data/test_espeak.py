"""eSpeak NG: voices by their names, and arguments that are checked before it speaks."""

from __future__ import annotations

import pytest
import torch

from ctcasr.data import espeak

pytest.importorskip("espeakng_loader", reason="synthetic speech needs the extra synth")


def test_every_accent_has_every_variant() -> None:
    names = espeak.voices()
    assert len(names) == len(set(names)) == len(espeak.ACCENTS) * len(espeak.MALE + espeak.FEMALE)


def test_the_same_arguments_are_the_same_samples() -> None:
    samples, rate_hz = espeak.speak("seven", "en+f2", seed=3)
    again, _ = espeak.speak("seven", "en+f2", seed=3)
    assert rate_hz == espeak.RATE_HZ and torch.equal(samples, again)
    assert 0.1 < len(samples) / rate_hz < 2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"volume": 0}, "volume: expected 1 to 200; got 0"),
        ({"pitch_range": 100}, "pitch_range: expected 0 to 99"),
        ({"voice": "en+nobody"}, r"no voice 'en\+nobody'"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        espeak.speak("hello", **wrong)  # type: ignore[arg-type]


def test_it_tells_its_version() -> None:
    assert espeak.version()[0].isdigit()
