"""The processes that train synced: who this one is, and what all of them add up or agree on. One process is a world of one."""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist

T = TypeVar("T")
_ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets
_PATIENCE = timedelta(hours=2)  # the others wait for the slowest, and for rank 0 to write
_BUCKET = 1 << 23  # numbers that travel synced


def pick_device(name: str) -> torch.device:
    """The device called `name`; "auto" is CUDA where there is one."""
    return torch.device(
        ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    )


@dataclass(frozen=True)
class World:
    """Process `rank` of `size`; every method that adds or agrees must be called by all of them, in the same order."""

    rank: int = 0
    size: int = 1

    @staticmethod
    def join(device: str = "auto") -> World:
        """This process's place among those that torchrun has started, each with a device of its own; elsewhere a world of one."""
        if not World.expected():
            return World()
        if not dist.is_initialized():
            cuda = pick_device(device).type == "cuda"
            if cuda:
                torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
            # What the host must know goes by gloo also on CUDA, so that it waits for no kernel.
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if cuda else "gloo",
                timeout=_PATIENCE,
                store=_meet(),
                rank=int(os.environ["RANK"]),
                world_size=int(os.environ["WORLD_SIZE"]),
            )
        return World(dist.get_rank(), dist.get_world_size())

    @staticmethod
    def expected() -> bool:
        """Whether this process was started as one of several."""
        return (
            all(name in os.environ for name in _ENVIRONMENT) and int(os.environ["WORLD_SIZE"]) > 1
        )

    def leave(self) -> None:
        """Take leave of the others; nothing can be added or agreed on any more."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Only rank 0 prints."""
        with contextlib.redirect_stdout(io.StringIO()) if self.rank else contextlib.nullcontext():
            yield

    # agreeing --------------------------------------------------------------------------------------------------------

    def all_reduce(self, *numbers: float) -> list[float]:
        """The sum over all ranks of each number."""
        if self.size == 1:
            return list(numbers)
        both = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(both)
        return both.tolist()

    def gather(self, value: T) -> list[T]:
        """The values of all ranks, rank by rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def broadcast_object(self, value: T) -> T:
        """The value of rank 0."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box)
        return box[0]

    def broadcast_module(self, network: nn.Module) -> None:
        """Give the network of rank 0 to all."""
        if self.size > 1:
            network.load_state_dict(
                self.broadcast_object(
                    {name: tensor.cpu() for name, tensor in network.state_dict().items()}
                )
            )

    def broadcast(self, tensor: Tensor) -> None:
        """The tensor becomes that of rank 0."""
        if self.size > 1:
            dist.broadcast(tensor, 0)

    # adding ----------------------------------------------------------------------------------------------------------

    def all_reduce_tensor(self, tensor: Tensor) -> Tensor:
        """The tensor becomes its sum over all ranks."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def all_reduce_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Gradients become their sums over all ranks; a rank that has none where another has one adds zeros."""
        # Not torch's DistributedDataParallel: it averages over ranks, whereas here each counts by its utterances; it wants one backward
        # pass a step on every rank, whereas a rank may have nothing left or may halve a batch that does not fit; and it wraps the
        # network, which the task calls by itself. The price is that adding begins only when the backward pass has ended.
        if self.size == 1:
            return
        having = self.all_reduce(*(float(p.grad is not None) for p in parameters))
        grads = []
        for parameter, count in zip(parameters, having, strict=True):
            if count:
                parameter.grad = (
                    torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                )
                grads.append(parameter.grad)
        flying = []
        for bucket in _buckets(grads):
            flat = torch.cat([grad.reshape(-1) for grad in bucket])
            flying.append((bucket, flat, dist.all_reduce(flat, async_op=True)))
        for bucket, flat, work in flying:
            work.wait()
            parts = flat.split([grad.numel() for grad in bucket])
            torch._foreach_copy_(
                bucket, [part.view_as(grad) for part, grad in zip(parts, bucket, strict=True)]
            )


def _meet() -> dist.Store:
    """Where the processes find each other: a store that rank 0 opens for this start alone.

    The one that torchrun lends still holds the addresses of those that it has started before (torch 2.12): it only tells the way here.
    """
    lent, rank, _ = next(dist.rendezvous("env://"))
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return lent
    host, end = os.environ["MASTER_ADDR"], time.monotonic() + 600
    if rank == 0:
        own = dist.TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=_PATIENCE)
        lent.set("ctcasr/port", str(own.port))
        return own
    while True:
        try:
            found = dist.TCPStore(
                host,
                int(lent.get("ctcasr/port")),
                is_master=False,
                wait_for_workers=False,
                timeout=timedelta(seconds=5),
            )
            found.set_timeout(_PATIENCE)
            return found
        except dist.DistError:  # the port of an earlier start: rank 0 has not told the new one yet
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _buckets(grads: Iterable[Tensor]) -> list[list[Tensor]]:
    """In order, of one type and device each, no larger than need be."""
    buckets: list[list[Tensor]] = []
    room, kind = 0, None
    for grad in grads:
        if kind != (grad.dtype, grad.device) or grad.numel() > room:
            buckets.append([])
            room, kind = _BUCKET, (grad.dtype, grad.device)
        buckets[-1].append(grad)
        room -= grad.numel()
    return buckets
