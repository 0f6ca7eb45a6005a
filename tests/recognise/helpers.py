"""Small recognisers for the tests of this room."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ctcasr.front import FrontSpec
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet

RATE = 8000
FRONT = FrontSpec(RATE, bands=20, n_fft=256, norm="corpus")
SMALL = NetSpec(
    FRONT, (ConvSpec(2, (3, 3), (2, 2)),), "gru", layers=1, hidden=8, bidirectional=False
)
ALPHABET = Alphabet("abc ")


def noise(samples: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def network(spec: NetSpec = SMALL, symbols: int = ALPHABET.size, seed: int = 0) -> SpeechModel:
    """An untrained network that writes much."""
    torch.manual_seed(seed)
    model = build(spec, symbols)
    batch = Seq.stack([noise(RATE, 1), noise(RATE // 2, 2)], RATE)
    model.front.fit([batch])
    for _ in range(3):
        model(batch)
    with torch.no_grad():
        model.body.head.output.weight.mul_(8.0)
    return model.eval()


def recogniser(stride: int = 2, seed: int = 0) -> Recogniser:
    spec = replace(SMALL, conv=(ConvSpec(2, (3, 3), (stride, 2)),))
    return Recogniser(network(spec, seed=seed), ALPHABET, spec_to(spec), {})
