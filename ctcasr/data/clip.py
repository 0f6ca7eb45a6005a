"""Clips of one length: padded or looped, cut, and in training shifted and made noisy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data.audio import SOUND_SUFFIXES, read_audio
from ctcasr.data.manifest import read_manifest

Pad = Literal["silence", "loop"]

_RECORDED_SHARE = 0.5  # of clips whose noise is a recorded one, where there are any
_LEAST_LOUDNESS = 1e-6  # root mean square that a silent piece of noise is divided by


def fit_length(samples: Tensor, length: int, pad: Pad = "silence", start: int = 0) -> Tensor:
    """Samples [N] as [length], from `start` on (negative: that much silence comes first).

    What is missing is silence, or the clip again.

    Raises:
        ValueError: for a clip without a sample, or an unknown padding.

    Example:
        >>> fit_length(torch.tensor([1.0, 2.0]), 4, "loop", start=1)
        tensor([2., 1., 2., 1.])
    """
    count = samples.shape[0]
    if count == 0 or length < 1:
        raise ValueError(
            f"expected a clip with samples and a length above 0; got {count} samples and a length "
            f"of {length}"
        )
    if pad == "loop":
        return samples[(torch.arange(length) + start) % count]
    if pad != "silence":
        raise ValueError(f"pad: expected 'silence' or 'loop'; got {pad!r}")
    fitted = samples.new_zeros(length)
    first = max(0, -start)
    end = min(length, count - start)
    if end > first:
        fitted[first:end] = samples[first + start : end + start]
    return fitted


@dataclass(frozen=True)
class Clip:
    """Every clip `length` samples long: cut and padded behind its end; a corpus's `transform`."""

    length: int
    pad: Pad = "silence"

    def __call__(self, samples: Tensor, generator: torch.Generator, utterance: Utterance) -> Tensor:
        """Samples [length]."""
        return fit_length(samples, self.length, self.pad)


class Jitter:
    """Clips as `Clip` makes them, each time shifted, louder or softer, and noisier.

    All is drawn from the utterance's own generator. Noise is white, or in half of the cases a
    piece of one of `noises` (samples at the same rate), 0 to 1 times `noise` as loud as the clip.
    A clip longer than `length` is cut at any place.

    Raises:
        ValueError: for a shift outside 0..1, or negative gain or noise.
    """

    def __init__(
        self,
        length: int,
        pad: Pad = "silence",
        shift: float = 0.1,
        gain_db: float = 6.0,
        noise: float = 0.1,
        noises: Sequence[Tensor] = (),
    ) -> None:
        if not 0 <= shift < 1 or gain_db < 0 or noise < 0:
            raise ValueError(
                "expected shift in 0..1, gain_db >= 0 and noise >= 0; "
                f"got {shift}, {gain_db} and {noise}"
            )
        self.length = length
        self.pad: Pad = pad
        self.shift = shift
        self.gain_db = gain_db
        self.noise = noise
        self.noises = tuple(noises)

    def __call__(self, samples: Tensor, generator: torch.Generator, utterance: Utterance) -> Tensor:
        """Samples [length]."""
        spare = max(0, samples.shape[0] - self.length)
        most_shift = self.shift * self.length
        start = round(_uniform(generator) * (spare + 2 * most_shift) - most_shift)
        clip = fit_length(samples, self.length, self.pad, start)
        loudness = clip.square().mean().sqrt()
        if self.noise > 0:
            clip = clip + _uniform(generator) * self.noise * loudness * self._unit_noise(generator)
        gain_db = (2 * _uniform(generator) - 1) * self.gain_db
        return clip * 10 ** (gain_db / 20)

    def _unit_noise(self, generator: torch.Generator) -> Tensor:
        """Noise [length] of power one."""
        if not self.noises or _uniform(generator) >= _RECORDED_SHARE:
            return torch.randn(self.length, generator=generator)
        source = self.noises[_index(len(self.noises), generator)]
        start = _index(source.shape[0], generator)
        piece = fit_length(source, self.length, "loop", start)
        return piece / piece.square().mean().sqrt().clamp(min=_LEAST_LOUDNESS)


def read_noises(folder: Path, rate_hz: int) -> tuple[Tensor, ...]:
    """Samples [N] of every sound file in `folder` that is not hidden, at one rate.

    Raises:
        AudioError: for a file that cannot be used.
        ValueError: where there is no such folder, or no sound file in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: expected a folder of recordings of noise; found none there")
    sounds = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SOUND_SUFFIXES]
    paths = [path for path in sounds if not path.name.startswith(".")]
    if not paths:
        kinds = ", ".join(sorted(SOUND_SUFFIXES))
        raise ValueError(f"{folder}: expected recordings of noise ({kinds}); found none there")
    return tuple(read_audio(path, rate_hz) for path in paths)


def read_sounds(manifests: Path | str, rate_hz: int) -> list[Tensor]:
    """Samples [N] of every line of manifests of noises or room responses, at one rate.

    One path, or several with commas between; no samples for an empty one.

    Raises:
        ManifestError, AudioError: for a manifest or a sound that cannot be used.
    """
    paths = filter(None, str(manifests).split(","))
    return [read_audio(utterance, rate_hz) for path in paths for utterance in read_manifest(path)]


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


def _index(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator))
