"""The classifiers: exact sizes as published, shapes, and learning."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ctcasr.net import BCResNet, ConvClassifier, GoogLeNet, ResNet
from ctcasr.net.bcresnet import SubSpectralNorm
from ctcasr.net.googlenet import Inception


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


@pytest.mark.parametrize(
    ("classes", "parameters"), [(13, 22_676_109), (10, 22_674_570), (50, 22_695_090)]
)
def test_resnet_has_the_published_number_of_parameters(classes: int, parameters: int) -> None:
    assert count(ResNet(classes, corrected=False)) == parameters


def test_the_work_of_resnet() -> None:
    assert gmac(ResNet(13, corrected=False)) == pytest.approx(3.817, abs=5e-4)


def test_corrected_forms_are_what_they_say() -> None:
    plain, mended = (
        Inception(192, (64, 96, 128, 16, 32, 32), False),
        Inception(192, (64, 96, 128, 16, 32, 32), True),
    )
    assert not any(isinstance(m, nn.BatchNorm2d | nn.ReLU) for m in plain.modules())
    assert [
        sum(isinstance(m, kind) for m in mended.modules())
        for kind in (nn.Conv2d, nn.BatchNorm2d, nn.ReLU)
    ] == [6, 6, 6]
    assert any(m.kernel_size == (5, 5) for m in plain.modules() if isinstance(m, nn.Conv2d))
    for corrected, kernel in ((False, (3, 3)), (True, (1, 1))):
        shortcuts = [
            m.shortcut[0]
            for m in ResNet(2, corrected).modules()
            if isinstance(getattr(m, "shortcut", None), nn.Sequential)
        ]
        assert len(shortcuts) == 3 and all(s.kernel_size == kernel for s in shortcuts)


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


def test_bcresnet_is_as_small_as_the_reference() -> None:
    assert count(BCResNet(40, 12)) == 9_232


@pytest.mark.parametrize("width", [0.5, 1.0, 1.5])
def test_bcresnet_takes_any_time(width: float) -> None:
    network = BCResNet(40, 5, width).eval()
    assert network(torch.randn(2, 1, 40, 61)).shape == (2, 5) and network(
        torch.randn(1, 1, 40, 101)
    ).shape == (1, 5)


def test_bcresnet_refuses_bands_that_its_groups_do_not_divide() -> None:
    with pytest.raises(ValueError, match="multiple of 40 mel bands; got 20"):
        BCResNet(20, 5)


def test_subspectral_norm_normalises_each_group_of_frequencies() -> None:
    data = torch.randn(4, 2, 10, 30) * torch.arange(1, 11)[:, None] ** 2 + 7
    normed = SubSpectralNorm(2).train()(data).reshape(4, 2, 5, 2, 30)
    assert torch.allclose(normed.mean((0, 3, 4)), torch.zeros(2, 5), atol=1e-5)
    assert torch.allclose(normed.var((0, 3, 4), unbiased=False), torch.ones(2, 5), atol=1e-3)


def test_conv_kernels_and_strides_are_time_then_frequency() -> None:
    network = ConvClassifier([(4, (5, 3), (3, 1)), (2, (1, 1), (1, 2))], 3)
    assert network.conv(torch.zeros(1, 1, 20, 30)).shape == (1, 2, 10, 10)
    with pytest.raises(ValueError, match="at least one conv layer"):
        ConvClassifier([], 3)
