"""Sums over processes within a step; with processes of its own in test_distributed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ctcasr.train import World
from ctcasr.train.synced_step import SyncedStep, find_dummy_batch, shortest_row


class Doubling(World):
    """Two processes of which the other always has the same."""

    def all_reduce_tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.mul_(2)

    def gather(self, value: Any) -> list[Any]:
        return [None, value]


def test_inside_a_step_batchnorm_asks_the_others_and_outside_not() -> None:
    norm = nn.BatchNorm1d(3)
    network = nn.Sequential(norm)
    synced = SyncedStep(Doubling(0, 2), network, None)
    samples = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    alone = nn.BatchNorm1d(3)(samples)
    with synced.step():
        synced.begin()
        together = network(samples)
        assert "forward" in vars(norm)
    assert "forward" not in vars(norm)
    # Twice the same batch has the same mean and variance.
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_parts_come_back_after_an_error() -> None:
    norm = nn.BatchNorm1d(3)
    with pytest.raises(KeyError), SyncedStep(World(), norm, None).step():
        raise KeyError
    assert "forward" not in vars(norm)


def test_without_an_utterance_to_keep_in_step_it_says_so(toy: Any) -> None:
    task = toy()
    with pytest.raises(RuntimeError, match="expected an utterance that can be read"):
        SyncedStep(World(), task.network, None).run_dummy(task, 0)


def test_a_dummy_counts_nothing(toy: Any, make_batch: Any) -> None:
    task = toy()
    SyncedStep(World(), task.network, make_batch("a")).run_dummy(task, 0)
    assert all(not p.grad.any() for p in task.parameters())


def test_the_dummy_is_the_shortest_that_any_process_has(make_batch: Any) -> None:
    batch, world = make_batch("a", "b"), Doubling(0, 2)
    tried = shortest_row(batch)
    assert len(tried) == 1 and find_dummy_batch(world, tried, iter([])) is tried
    later = find_dummy_batch(world, None, iter([None, batch]))
    assert later is not None and later.ids == tried.ids
    assert find_dummy_batch(world, None, iter([None])) is None
