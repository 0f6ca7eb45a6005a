"""GoogLeNet: exact sizes and work as published, and heads that speak in training only."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ctcasr.net import GoogLeNet
from ctcasr.net.googlenet import Inception, InceptionSizes


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def gmac(network: nn.Module) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 3, 224, 224))
    return counter.get_total_flops() / 2e9


@pytest.mark.parametrize(
    ("classes", "parameters"), [(13, 10_339_607), (10, 10_330_382), (50, 10_453_382)]
)
def test_googlenet_has_the_published_number_of_parameters(classes: int, parameters: int) -> None:
    assert count(GoogLeNet(classes, corrected=False)) == parameters


def test_googlenet_without_auxiliary_heads_and_its_work() -> None:
    assert count(GoogLeNet(13, corrected=False, auxiliary=False)) == 5_983_229
    assert gmac(GoogLeNet(13, corrected=False)) == pytest.approx(1.569, abs=5e-4)


def test_the_corrected_form_normalises_behind_each_convolution() -> None:
    sizes = InceptionSizes(64, 96, 128, 16, 32, 32)
    plain = Inception(192, sizes, corrected=False)
    mended = Inception(192, sizes, corrected=True)
    assert not any(isinstance(m, nn.BatchNorm2d | nn.ReLU) for m in plain.modules())
    for kind in (nn.Conv2d, nn.BatchNorm2d, nn.ReLU):
        assert sum(isinstance(m, kind) for m in mended.modules()) == 6
    assert any(m.kernel_size == (5, 5) for m in plain.modules() if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize("corrected", [False, True])
def test_auxiliary_heads_speak_in_training_only(corrected: bool) -> None:
    network = GoogLeNet(3, corrected)
    pictures = torch.randn(2, 3, 224, 224)
    logits, side = network.train()(pictures)
    assert logits.shape == (2, 3) and [(w, tuple(x.shape)) for w, x in side] == [
        (0.3, (2, 3)),
        (0.3, (2, 3)),
    ]
    with torch.no_grad():
        assert network.eval()(pictures).shape == (2, 3)
