"""By how much gradients were clipped, part by part and call by call."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ctcasr.watching.clipping import Clippings


def parameter() -> Tensor:
    return torch.zeros(1)


def norm(value: float) -> Tensor:
    return torch.tensor(value)


def test_parts_that_are_clipped_each_by_itself_count_by_their_lengths() -> None:
    encoder, head = parameter(), parameter()
    clippings = Clippings()
    clippings.add([encoder], norm(3.0), 1.5)
    clippings.add([head], norm(4.0), 50.0)
    assert clippings.scale_of([encoder]) == pytest.approx(0.5, rel=1e-5)
    assert clippings.scale_of([head]) == 1.0
    expected = math.hypot(1.5, 4.0) / 5.0
    assert clippings.scale_of([encoder, head]) == pytest.approx(expected, rel=1e-5)


def test_what_is_clipped_again_is_clipped_from_its_first_norm_to_the_smallest() -> None:
    weights = parameter()
    clippings = Clippings()
    clippings.add([weights], norm(8.0), math.inf)
    clippings.add([weights], norm(8.0), 4.0)
    clippings.add([weights], norm(4.0), 2.0)
    assert clippings.scale_of([weights]) == pytest.approx(0.25, rel=1e-5)


def test_clipping_holds_for_all_optimisers_of_a_step_and_for_no_later_step() -> None:
    weights = parameter()
    clippings = Clippings()
    clippings.add([weights], norm(2.0), 1.0)
    for optimiser in (1, 2):
        clippings.begin_step(optimiser)
        assert clippings.scale_of([weights]) == pytest.approx(0.5, rel=1e-5)
    clippings.begin_step(1)
    assert clippings.scale_of([weights]) == 1.0


def test_another_networks_clipping_is_not_ours_and_no_gradient_is_not_clipped() -> None:
    ours, others = parameter(), parameter()
    clippings = Clippings()
    clippings.add([others], norm(2.0), 1.0)
    clippings.add([ours], norm(0.0), 1.0)
    clippings.add([], norm(0.0), 1.0)
    assert clippings.scale_of([ours]) == 1.0
