"""BC-ResNet: as small as published, takes any time, and normalises groups of frequencies."""

from __future__ import annotations

import pytest
import torch

from ctcasr.net import BCResNet
from ctcasr.net.bcresnet import SubSpectralNorm


def test_bcresnet_is_as_small_as_the_reference() -> None:
    assert sum(p.numel() for p in BCResNet(40, 12).parameters()) == 9_232


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
