"""Clips of one length: silence or loop, cut anywhere, jittered from their own seed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.batch import Utterance
from ctcasr.data import Clip, Jitter, ManifestError, fit_length, read_noises, read_sounds

ANY = Utterance(Path("a.wav"))


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(count=st.integers(1, 40), length=st.integers(1, 60), start=st.integers(-70, 70))
def test_every_sample_stands_where_it_should(count: int, length: int, start: int) -> None:
    samples = torch.arange(1.0, count + 1)
    silent, looped = (
        fit_length(samples, length, "silence", start),
        fit_length(samples, length, "loop", start),
    )
    assert silent.shape == looped.shape == (length,)
    for at in range(length):
        assert silent[at] == (samples[at + start] if 0 <= at + start < count else 0)
        assert looped[at] == samples[(at + start) % count]


def test_a_clip_without_samples_and_an_unknown_padding_are_refused() -> None:
    with pytest.raises(ValueError, match="got 0 samples"):
        fit_length(torch.zeros(0), 5)
    with pytest.raises(ValueError, match="'silence' or 'loop'; got 'mirror'"):
        fit_length(torch.zeros(3), 5, "mirror")  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [10, 100, 400])
@pytest.mark.parametrize("pad", ["silence", "loop"])
def test_jitter_depends_on_its_generator_alone(count: int, pad: str) -> None:
    jitter = Jitter(100, pad, noises=(torch.randn(30), torch.randn(500)))  # type: ignore[arg-type]
    samples = torch.randn(count)
    one, again, other = (
        jitter(samples, drawn(), ANY),
        jitter(samples, drawn(), ANY),
        jitter(samples, drawn(1), ANY),
    )
    assert (
        one.shape == (100,)
        and torch.equal(one, again)
        and not torch.equal(one, other)
        and bool(torch.isfinite(one).all())
    )


def test_without_shift_gain_and_noise_a_clip_stays_what_it_is() -> None:
    samples = torch.randn(100)
    assert torch.equal(
        Jitter(100, shift=0.0, gain_db=0.0, noise=0.0)(samples, drawn(), ANY),
        Clip(100)(samples, drawn(), ANY),
    )


def test_silence_stays_silent() -> None:
    assert not Jitter(50)(torch.zeros(80), drawn(), ANY).any()


def test_sounds_of_several_manifests(tmp_path: Path) -> None:
    lines = []
    for name, count in (("a", 50), ("b", 70)):
        soundfile.write(tmp_path / f"{name}.wav", [0.5] * count, 8000)
        manifest = tmp_path / f"{name}.jsonl"
        manifest.write_text(json.dumps({"audio_filepath": f"{name}.wav", "duration": 0.01}) + "\n")
        lines.append(str(manifest))
    assert [len(sound) for sound in read_sounds(",".join(lines), 8000)] == [50, 70]
    assert read_sounds("", 8000) == []
    with pytest.raises(ManifestError, match=r"c\.jsonl"):
        read_sounds(f"{lines[0]},{tmp_path / 'c.jsonl'}", 8000)


def test_noises_are_whatever_libsndfile_reads_and_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no sound", encoding="utf-8")
    (tmp_path / "._a.wav").write_bytes(b"notes of macOS")
    with pytest.raises(ValueError, match=r"expected recordings of noise \(\.aif"):
        read_noises(tmp_path, 8000)
    for name in ("a.mp3", "b.aiff", "c.WAV"):
        soundfile.write(tmp_path / name, 0.1 * torch.ones(8000).numpy(), 8000)
    assert len(read_noises(tmp_path, 8000)) == 3
