"""The network of a loop is found by its calls, and tells what kind of layers it has."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ctcasr.watching.found import Network, NetworkFinder


def test_only_outermost_modules_are_noted_and_only_while_it_looks() -> None:
    inner = nn.Linear(2, 2)
    outer = nn.Sequential(inner, nn.ReLU())
    loss = nn.MSELoss()
    finder = NetworkFinder()
    finder.start()
    loss(outer(torch.ones(1, 2)), torch.zeros(1, 2))
    finder.stop()
    nn.Tanh()(torch.ones(1))
    assert list(finder.called.values()) == [outer, loss]
    assert finder.holding([inner.weight]) == [outer]
    assert finder.holding([nn.Parameter(torch.ones(1))]) == []


def test_a_module_that_raises_is_left_all_the_same() -> None:
    layer = nn.Linear(2, 2)
    finder = NetworkFinder()
    finder.start()
    with pytest.raises(RuntimeError):
        layer(torch.ones(1, 3))
    other = nn.Linear(3, 3)
    other(torch.ones(1, 3))
    finder.stop()
    assert list(finder.called.values()) == [layer, other]


def test_a_network_knows_its_layers() -> None:
    network = Network([nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.3)), nn.LSTM(2, 2)])
    assert network.norm_layers == 1
    assert network.dropout == 0.3
    assert network.training
    for module in network.modules:
        module.eval()
    assert not network.training
    names = [name for name, _ in network.named_parameters()]
    assert names[0] == "Sequential.0.weight" and "LSTM.weight_ih_l0" in names


def test_of_a_network_that_is_not_known_nothing_is_told() -> None:
    network = Network()
    assert not network and network.training
    assert network.norm_layers == 0 and network.dropout == 0.0
