"""The processes that train together: who this one is, and what all of them add up or agree on.

One process is a world of one.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypedDict, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch._C._distributed_c10d import TCPStore
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

T = TypeVar("T")
_ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets
_PATIENCE = timedelta(hours=2)  # the others wait for the slowest, and for rank 0 to write
_MEETING_S = 600.0  # within which rank 0 must open its store
_TRY_MEETING = timedelta(seconds=5)
_TRY_AGAIN_S = 0.2
_BUCKET = 1 << 23  # numbers that travel together
_PORT_KEY = "ctcasr/port"


def pick_device(name: str) -> torch.device:
    """The device called `name`; "auto" is CUDA where there is one.

    Raises:
        ValueError: for a device that torch does not know, or CUDA where there is none.

    Example:
        >>> pick_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device: expected auto, cpu or cuda; got {name!r}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device: expected auto or cpu, as torch finds no CUDA; got {name!r}")
    return device


class Share(TypedDict):
    """Which part of each batch is this process's: arguments of a `Loader`."""

    rank: int
    world: int


@dataclass(frozen=True)
class World:
    """Process `rank` of `size`.

    Every method that adds or agrees must be called by all of them, in the same order.

    Example:
        >>> World().all_reduce(2.0, 3.0)
        [2.0, 3.0]
    """

    rank: int = 0
    size: int = 1

    @staticmethod
    def join(device: str = "auto") -> World:
        """This process's place among those that torchrun has started, each with its own device.

        Elsewhere a world of one.
        """
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
        started = all(name in os.environ for name in _ENVIRONMENT)
        return started and int(os.environ["WORLD_SIZE"]) > 1

    @staticmethod
    @contextlib.contextmanager
    def joined(device: str = "auto") -> Iterator[World]:
        """Within, the world of `join`, of which only rank 0 prints; behind it, it is left."""
        world = World.join(device)
        with world.quiet():
            yield world
        world.leave()

    @property
    def share(self) -> Share:
        """This process's part of each batch: `Loader(corpus, batch_size=16, **world.share)`."""
        return {"rank": self.rank, "world": self.size}

    def leave(self) -> None:
        """Take leave of the others; nothing can be added or agreed on any more."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Only rank 0 prints."""
        if self.rank == 0:
            yield
            return
        with contextlib.redirect_stdout(io.StringIO()):
            yield

    def barrier(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            dist.barrier()

    # agreeing -------------------------------------------------------------------------------------

    def all_reduce(self, *numbers: float) -> list[float]:
        """The sum over all ranks of each number."""
        if self.size == 1:
            return list(numbers)
        sums = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(sums)
        return [float(value) for value in sums.tolist()]

    def gather(self, value: T) -> list[T]:
        """The values of all ranks, rank by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def broadcast_object(self, value: T) -> T:
        """The value of rank 0."""
        if self.size == 1:
            return value
        carrier = [value]
        dist.broadcast_object_list(carrier)
        return carrier[0]

    def broadcast_module(self, network: nn.Module) -> None:
        """Give the network of rank 0 to all."""
        if self.size > 1:
            own = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
            network.load_state_dict(self.broadcast_object(own))

    def broadcast(self, tensor: Tensor) -> None:
        """The tensor becomes that of rank 0."""
        if self.size > 1:
            dist.broadcast(tensor, 0)

    # adding ---------------------------------------------------------------------------------------

    def all_reduce_tensor(self, tensor: Tensor) -> Tensor:
        """The tensor becomes its sum over all ranks."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def all_reduce_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Gradients become their sums over all ranks; a rank without one adds zeros to others'."""
        # Not torch's DistributedDataParallel: it averages over ranks, whereas here each counts by
        # its utterances; it wants one backward pass a step on every rank, whereas a rank may have
        # nothing left or may halve a batch that does not fit; and it wraps the network, which the
        # task calls by itself. The price is that adding begins only when the backward pass ended.
        if self.size == 1:
            return
        ranks_with_gradient = self.all_reduce(*(float(p.grad is not None) for p in parameters))
        grads = []
        for parameter, count in zip(parameters, ranks_with_gradient, strict=True):
            if count:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                grads.append(parameter.grad)
        flying = []
        for bucket in _buckets(grads):
            flat = torch.cat([grad.reshape(-1) for grad in bucket])
            flying.append((bucket, flat, dist.all_reduce(flat, async_op=True)))
        for bucket, flat, work in flying:
            work.wait()
            pieces = flat.split([grad.numel() for grad in bucket])
            sums = [piece.view_as(grad) for piece, grad in zip(pieces, bucket, strict=True)]
            torch._foreach_copy_(bucket, sums)


def _meet() -> Store:
    """Where the processes find each other: a store that rank 0 opens for this start alone.

    The one that torchrun lends still holds the addresses of those that it has started before
    (torch 2.12): it only tells the way here.
    """
    lent: Store
    lent, rank, _ = next(rendezvous("env://"))
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return lent
    host = os.environ["MASTER_ADDR"]
    if rank == 0:
        own = TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=_PATIENCE)
        lent.set(_PORT_KEY, str(own.port))
        return own
    deadline = time.monotonic() + _MEETING_S
    while True:
        try:
            port = int(lent.get(_PORT_KEY))
            store = TCPStore(
                host, port, is_master=False, wait_for_workers=False, timeout=_TRY_MEETING
            )
            store.set_timeout(_PATIENCE)
            return store
        except dist.DistError:  # the port of an earlier start: rank 0 has not told the new one yet
            if time.monotonic() > deadline:
                raise
            time.sleep(_TRY_AGAIN_S)


def _buckets(grads: Iterable[Tensor]) -> list[list[Tensor]]:
    """In order, of one type and device each, no larger than need be."""
    buckets: list[list[Tensor]] = []
    numbers_left = 0
    kind = None
    for grad in grads:
        if kind != (grad.dtype, grad.device) or grad.numel() > numbers_left:
            buckets.append([])
            numbers_left = _BUCKET
            kind = (grad.dtype, grad.device)
        buckets[-1].append(grad)
        numbers_left -= grad.numel()
    return buckets
