"""A world of one adds and agrees with itself; several processes are tested in test_distributed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ctcasr.train import World, pick_device
from ctcasr.train.world import _buckets


def test_alone_everything_is_what_it_was() -> None:
    world = World()
    tensor = torch.tensor([1.0, 2.0])
    assert world.all_reduce(1.5, 2) == [1.5, 2]
    assert world.gather("a") == ["a"] and world.broadcast_object("b") == "b"
    assert world.all_reduce_tensor(tensor) is tensor and tensor.tolist() == [1.0, 2.0]
    world.broadcast(tensor)
    world.barrier()
    world.leave()
    assert world.share == {"rank": 0, "world": 1}


def test_only_rank_0_prints(capsys: pytest.CaptureFixture[str]) -> None:
    for rank in (0, 1):
        with World(rank, 2).quiet():
            print(f"rank {rank}")
    assert capsys.readouterr().out == "rank 0\n"


def test_a_world_is_expected_where_torchrun_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not World.expected()
    with World.joined("cpu") as world:
        assert world == World()
    for name, value in (("RANK", "0"), ("MASTER_ADDR", "localhost"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not World.expected()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert World.expected()


def test_devices_by_name() -> None:
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_buckets_keep_order_and_never_mix_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctcasr.train.world._BUCKET", 10)
    sizes: list[Any] = [
        (4, torch.float32),
        (5, torch.float32),
        (3, torch.float32),
        (2, torch.float64),
        (30, torch.float64),
    ]
    grads = [torch.zeros(size, dtype=dtype) for size, dtype in sizes]
    buckets = _buckets(grads)
    assert [[grad.numel() for grad in bucket] for bucket in buckets] == [[4, 5], [3], [2], [30]]
    assert [id(grad) for bucket in buckets for grad in bucket] == [id(grad) for grad in grads]
    assert all(len({grad.dtype for grad in bucket}) == 1 for bucket in buckets)


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="device: expected auto, cpu or cuda; got 'tpu'"):
        pick_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device: expected auto or cpu, as torch finds no"):
            pick_device("cuda")
