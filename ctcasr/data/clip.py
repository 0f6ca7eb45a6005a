"""Clips of one length: padded with silence or looped, cut, and in training shifted and made noisy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data.audio import read_audio
from ctcasr.data.manifest import read_manifest

Pad = Literal["silence", "loop"]


def fit_length(samples: Tensor, length: int, pad: Pad = "silence", start: int = 0) -> Tensor:
    """Samples [N] as [length], from `start` (negative: that much silence comes first) on; what is missing is silence, or the clip again.

    ValueError for a clip without a sample.
    """
    count = samples.shape[0]
    if count == 0 or length < 1:
        raise ValueError(
            f"expected a clip with samples and a length above 0; got {count} samples and a length of {length}"
        )
    if pad == "loop":
        return samples[(torch.arange(length) + start) % count]
    if pad != "silence":
        raise ValueError(f"pad: expected 'silence' or 'loop'; got {pad!r}")
    out = samples.new_zeros(length)
    first, last = max(0, -start), min(length, count - start)
    if last > first:
        out[first:last] = samples[first + start : last + start]
    return out


@dataclass(frozen=True)
class Clip:
    """Every clip `length` samples long: cut behind its beginning, padded behind its end; a corpus's `transform`."""

    length: int
    pad: Pad = "silence"

    def __call__(self, samples: Tensor, generator: torch.Generator, utterance: Utterance) -> Tensor:
        """Samples [length]."""
        return fit_length(samples, self.length, self.pad)


class Jitter:
    """Clips as `Clip` makes them, each time shifted, louder or softer, and noisier, drawn from the utterance's own generator.

    Noise is white, or in half of the cases a piece of one of `noises` (samples at the same rate), 0 to 1 times `noise` as loud as
    the clip. A clip longer than `length` is cut at any place.
    """

    def __init__(
        self,
        length: int,
        pad: Pad = "silence",
        shift: float = 0.1,
        gain_db: float = 6.0,
        noise: float = 0.1,
        noises: tuple[Tensor, ...] = (),
    ) -> None:
        if not 0 <= shift < 1 or gain_db < 0 or noise < 0:
            raise ValueError(
                f"expected shift in 0..1, gain_db >= 0 and noise >= 0; got {shift}, {gain_db} and {noise}"
            )
        self.length, self.pad, self.shift, self.gain_db, self.noise, self.noises = (
            length,
            pad,
            shift,
            gain_db,
            noise,
            noises,
        )

    def __call__(self, samples: Tensor, generator: torch.Generator, utterance: Utterance) -> Tensor:
        """Samples [length]."""

        def draw() -> float:
            return float(torch.rand((), generator=generator))

        spare = samples.shape[0] - self.length
        most = self.shift * self.length
        start = round(draw() * (max(0, spare) + 2 * most) - most)
        clip = fit_length(samples, self.length, self.pad, start)
        loudness = clip.square().mean().sqrt()
        if self.noise > 0:
            clip = clip + draw() * self.noise * loudness * self._noise(generator)
        return clip * 10 ** ((2 * draw() - 1) * self.gain_db / 20)

    def _noise(self, generator: torch.Generator) -> Tensor:
        """Noise [length] of power one."""
        if self.noises and float(torch.rand((), generator=generator)) < 0.5:
            source = self.noises[int(torch.randint(len(self.noises), (), generator=generator))]
            piece = fit_length(
                source,
                self.length,
                "loop",
                int(torch.randint(source.shape[0], (), generator=generator)),
            )
            return piece / piece.square().mean().sqrt().clamp(min=1e-6)
        return torch.randn(self.length, generator=generator)


def read_noises(folder: Path, rate_hz: int) -> tuple[Tensor, ...]:
    """Every sound file in `folder`, at one rate; AudioError for one that cannot be used."""
    return tuple(
        read_audio(path, rate_hz)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in (".wav", ".flac", ".ogg")
    )


def read_sounds(manifest: Path | str, rate_hz: int) -> list[Tensor]:
    """Samples [N] of every line of a manifest of noises or room responses, at one rate; none for an empty path."""
    return (
        [read_audio(utterance, rate_hz) for utterance in read_manifest(manifest)]
        if manifest
        else []
    )
