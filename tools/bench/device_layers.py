"""What BatchNorm over real frames and the Fourier transform of ever new lengths take on a device.

    python tools/bench/device_layers.py

BatchNorm, forward and backward: `own` is what runs (torch's kernel over real frames on CUDA),
`cuDNN` torch's choice for rows, `elementwise` sums and products over the padded tensor. Transform:
the first batch of each length and the same again, as it is and with lengths that share a plan.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from _device import DEVICE, ON_DEVICE, median_us, named, wait

from ctcasr.front import Mel, spectrogram
from ctcasr.net import SequenceBatchNorm
from ctcasr.seq import Seq

# Rows, frames of the longest, features: conv and recurrent layers of GRID and of LibriSpeech.
SHAPES = ((16, 6000, 32), (16, 150, 256), (100, 32000, 32), (100, 400, 1024))
SMALL = ((4, 60, 32), (4, 15, 256))
RATE_HZ = 16000
LENGTHS = 40 if ON_DEVICE else 5  # of batches, each some milliseconds longer than the one before


def main() -> None:
    """Print all of it."""
    for shape in SHAPES if ON_DEVICE else SMALL:
        print("BatchNorm", shape, norm_times(*shape), flush=True)
    usual = spectrogram._CUDA_FRAMES
    for frames in (1, usual):
        spectrogram._CUDA_FRAMES = frames
        print(f"transform, lengths of {frames} frames:", transform_times(), flush=True)


def norm_times(rows: int, frames: int, features: int) -> str:
    """Milliseconds of each way to normalise, the last row half as long as the first."""
    norm = SequenceBatchNorm(features).to(DEVICE)
    lengths = tuple(round(frames * (1 - 0.5 * row / rows)) for row in range(rows))
    data = torch.randn((rows, frames, features), device=DEVICE, requires_grad=True)
    x = Seq(data, lengths, Fraction(100)).zero_padding()

    def elementwise(given: Seq) -> Tensor:
        return norm._normalise(given, *norm._measure(given)).data

    def cudnn(given: Seq) -> Tensor:
        return given.with_real(norm._batch_norm(given.real())).data

    def own(given: Seq) -> Tensor:
        return norm(given).data

    def learn(way: Callable[[Seq], Tensor]) -> None:
        way(x.with_data(data)).sum().backward()

    ways = {"own": own, "cuDNN": cudnn, "elementwise": elementwise}
    return named(
        {f"{name} ms": median_us(lambda w=way: learn(w)) / 1e3 for name, way in ways.items()}
    )


def transform_times() -> str:
    """Milliseconds of a batch whose length was not there before, and of one that was."""
    front = Mel(RATE_HZ, bands=80).to(DEVICE)
    first: list[float] = []
    again: list[float] = []
    for number in range(LENGTHS):
        shape = (16, 3 * RATE_HZ + 170 * number)
        noise = torch.randn(shape, device=DEVICE)
        samples = Seq(noise, shape[1:] * shape[0], Fraction(RATE_HZ))
        for times in (first, again):
            wait()
            begun = time.perf_counter()
            front.transform(samples)
            wait()
            times.append(1e3 * (time.perf_counter() - begun))
    medians = {"new ms": statistics.median(first), "again ms": statistics.median(again)}
    return named({**medians, "all new, sum ms": sum(first)})


if __name__ == "__main__":
    main()
