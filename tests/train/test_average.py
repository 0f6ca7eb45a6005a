"""The average of the weights: what it holds, that it is lent, and that it goes on."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ctcasr.train.average import WeightAverage


def stepped(network: nn.Module, average: WeightAverage, steps: int) -> None:
    """Weights that walk by one at each step."""
    for _ in range(steps):
        for parameter in network.parameters():
            parameter.data += 1.0
        average.update()


def test_it_lags_behind_by_its_memory_once_the_start_is_forgotten() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = WeightAverage(network, decay=0.9)
    stepped(network, average, 300)
    now = network.weight.item()
    with average.in_use():
        lag = now - network.weight.item()
    assert lag == pytest.approx(0.9 / (1 - 0.9), abs=0.01)


def test_the_untrained_weights_are_soon_forgotten() -> None:
    network = nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(1000.0)
    average = WeightAverage(network, decay=0.999)
    network.weight.data.zero_()
    for _ in range(40):
        average.update()
    with average.in_use():
        assert abs(network.weight.item()) < 0.001


def test_the_network_is_as_it_was_behind_a_loan_that_failed() -> None:
    layer = nn.Linear(2, 3)
    network = nn.Sequential(layer, nn.BatchNorm1d(3))
    average = WeightAverage(network, decay=0.5)
    stepped(network, average, 3)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(RuntimeError, match="no dev part"), average.in_use():
        assert not torch.equal(layer.weight, before["0.weight"])
        raise RuntimeError("no dev part")
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_running_statistics_are_averaged_and_counters_are_not() -> None:
    network = nn.BatchNorm1d(2)
    average = WeightAverage(network, decay=0.9)
    for _ in range(5):
        network(torch.randn(8, 2) + 3.0)
        average.update()
    with average.in_use():
        assert network.num_batches_tracked is not None and int(network.num_batches_tracked) == 5
        assert network.running_mean is not None and 0 < float(network.running_mean.mean()) < 3


def test_it_goes_on_from_its_state() -> None:
    network = nn.Linear(1, 1)
    average = WeightAverage(network, decay=0.9)
    stepped(network, average, 4)
    again = WeightAverage(nn.Linear(1, 1), decay=0.9)
    again.network.load_state_dict(network.state_dict())
    again.load_state_dict(average.state_dict())
    for one in (average, again):
        stepped(one.network, one, 3)
    with average.in_use(), again.in_use():
        for own, other in zip(network.parameters(), again.network.parameters(), strict=True):
            assert torch.equal(own, other)


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0])
def test_a_decay_that_is_none_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="expected a decay of at least 0 and below 1"):
        WeightAverage(nn.Linear(1, 1), decay)
