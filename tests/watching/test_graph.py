"""What the graph of a loss shows: the parameters behind it, and ReLUs that are dead."""

from __future__ import annotations

import torch
from torch import nn

from ctcasr.watching.graph import axis_of_units, dead_shares, parameters_behind


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


def test_the_parameters_behind_a_loss_are_found_in_its_graph() -> None:
    model = network()
    unused = nn.Linear(2, 2)
    loss = model(torch.ones(1, 4)).sum()
    found = {id(p) for p in parameters_behind(loss)}
    assert found == {id(p) for p in model.parameters()}
    assert not found & {id(p) for p in unused.parameters()}
    assert parameters_behind(loss.detach()) == []


def test_dead_units_are_counted_layer_by_layer() -> None:
    torch.manual_seed(0)
    first = nn.Linear(3, 4)
    second = nn.Linear(4, 10)
    with torch.no_grad():
        second.bias[:5] = -100.0
    states = first(torch.randn(2, 6, 3)).relu()
    loss = second(states).relu().sum()
    shares = dead_shares(loss, frames=6)
    assert shares[1] >= 0.5 > shares[0]


def test_a_convolution_has_its_channels_in_front_of_time() -> None:
    assert axis_of_units(torch.zeros(2, 5, 7), frames=7) == 1
    assert axis_of_units(torch.zeros(7, 2, 5), frames=7) == 2
    assert axis_of_units(torch.zeros(2, 5, 4), frames=7) is None
    assert axis_of_units(torch.zeros(3), frames=7) is None


def test_a_graph_that_is_gone_tells_nothing() -> None:
    layer = nn.Linear(3, 4)
    loss = layer(torch.randn(2, 6, 3)).relu().sum()
    loss.backward()
    assert dead_shares(loss, frames=6) == []
