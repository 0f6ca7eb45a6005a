"""What an optimiser was not given, and what does not move, is found and named."""

from __future__ import annotations

import torch
from torch import nn

from ctcasr.watching.parameters import ParameterWatch, has_gradient


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))


def stepped(model: nn.Module, watch: ParameterWatch, trained: list[nn.Parameter]) -> None:
    optimiser = torch.optim.SGD(trained, lr=0.1)
    loss = model(torch.ones(1, 4)).square().sum()
    watch.learn_from(loss)
    loss.backward()
    optimiser.step()
    assert watch.take_step(optimiser)


def test_what_no_optimiser_knows_is_named_by_the_model() -> None:
    model = network()
    watch = ParameterWatch(model)
    stepped(model, watch, list(model[1].parameters()))
    evidence = watch.evidence(step=1)
    assert evidence["frozen"] == (4 * 8 + 8) / (4 * 8 + 8 + 8 * 2 + 2)
    assert evidence["frozen_names"] == evidence["left_names"] == ["0.weight", "0.bias"]


def test_without_a_model_names_are_shapes() -> None:
    model = network()
    watch = ParameterWatch()
    stepped(model, watch, list(model[1].parameters()))
    assert "(8, 4)" in watch.evidence(step=1)["frozen_names"][0]


def test_the_steps_of_another_network_are_not_of_this_loss() -> None:
    model = network()
    watch = ParameterWatch()
    watch.learn_from(model(torch.ones(1, 4)).sum())
    assert not watch.take_step(torch.optim.SGD(network().parameters(), lr=0.1))
    assert watch.evidence(step=1)["frozen"] == 0.0  # no step was taken


def test_a_gradient_of_zeros_is_none() -> None:
    parameter = nn.Parameter(torch.ones(2))
    assert not has_gradient(parameter)
    parameter.grad = torch.zeros(2)
    assert not has_gradient(parameter)
    parameter.grad[1] = 1e-12  # clipped to nothing
    assert not has_gradient(parameter)
    parameter.grad[1] = 1.0
    assert has_gradient(parameter)


def test_a_network_that_nobody_named_is_found_by_its_calls() -> None:
    body = nn.Linear(4, 8)
    head = nn.Linear(8, 2)
    body.requires_grad_(False)
    watch = ParameterWatch()
    watch.start()
    nn.Linear(1, 1)(torch.ones(1, 1))  # of somebody else
    loss = head(body(torch.ones(1, 4))).square().sum()
    watch.learn_from(loss)
    watch.stop()
    loss.backward()
    optimiser = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.1)
    optimiser.step()
    assert watch.take_step(optimiser)
    assert watch.network.modules == [body, head]
    evidence = watch.evidence(step=1)
    assert evidence["asleep_names"] == ["Linear.weight", "Linear.bias"]
    assert evidence["asleep"] == (4 * 8 + 8) / (4 * 8 + 8 + 8 * 2 + 2)
    assert evidence["frozen"] == 0.0
