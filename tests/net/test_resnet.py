"""The residual network: exact sizes and work as published, and shortcuts as they should be."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ctcasr.net import ResNet


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def gmac(network: nn.Module) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 3, 224, 224))
    return counter.get_total_flops() / 2e9


@pytest.mark.parametrize(
    ("classes", "parameters"), [(13, 22_676_109), (10, 22_674_570), (50, 22_695_090)]
)
def test_resnet_has_the_published_number_of_parameters(classes: int, parameters: int) -> None:
    assert count(ResNet(classes, corrected=False)) == parameters


def test_the_work_of_resnet() -> None:
    assert gmac(ResNet(13, corrected=False)) == pytest.approx(3.817, abs=5e-4)


@pytest.mark.parametrize(("corrected", "kernel"), [(False, (3, 3)), (True, (1, 1))])
def test_shortcuts_that_change_size(corrected: bool, kernel: tuple[int, int]) -> None:
    shortcuts = [
        m.shortcut[0]
        for m in ResNet(2, corrected).modules()
        if isinstance(getattr(m, "shortcut", None), nn.Sequential)
    ]
    assert len(shortcuts) == 3 and all(s.kernel_size == kernel for s in shortcuts)
