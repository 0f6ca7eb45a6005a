"""Several processes inside one step: sums within the network over the whole batch.

Also where a process has no part of it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ctcasr.batch import Batch
from ctcasr.net import normalise_over_all
from ctcasr.train.bf16 import Steps
from ctcasr.train.world import World


class SyncedStep:
    """Gives the parts of a network that measure the batch sums over all processes.

    These parts are BatchNorm and label priors. Every process makes the same sums in the same order.
    One without utterances, or whose memory was too small for them, makes them with `dummy_batch`,
    an utterance that counts nothing: its sums and its gradient are zero.
    """

    def __init__(self, world: World, network: nn.Module, dummy_batch: Batch | None) -> None:
        self.world = world
        self.dummy_batch = dummy_batch
        modules = list(network.modules())
        self.measuring = [module for module in modules if hasattr(module, "world_sum")]
        self.torch_norms = [m for m in modules if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        self._sums_made = 0  # of this part of the step
        self._sums_to_skip = 0  # of these, how many were made before memory ran out
        self._counts = True

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Inside, the network measures over all processes; outside each by itself (checks)."""
        for module in self.measuring:
            module.world_sum = self._sum  # type: ignore[assignment]
        for norm in self.torch_norms:
            forward = functools.partial(normalise_over_all, norm, self._sum)
            norm.forward = forward  # type: ignore[method-assign]
        try:
            yield
        finally:
            for module in self.measuring:
                del module.world_sum
            for norm in self.torch_norms:
                del norm.forward

    def begin(self) -> None:
        """Another part of the step begins."""
        self._sums_made = 0
        self._sums_to_skip = 0

    def run_dummy(self, task: Steps, step: int) -> None:
        """Make the sums of this part (those that are still to be made) without counting in any."""
        if self.dummy_batch is None:
            raise RuntimeError(
                "expected an utterance that can be read on any process, to keep this one in step; "
                "there was none"
            )
        self._sums_to_skip = self._sums_made
        self._counts = False
        try:
            loss = task.step(self.dummy_batch, step)
            if loss.sum.requires_grad:
                loss.sum.backward(torch.zeros_like(loss.sum))
        finally:
            self._counts = True

    def settle(self) -> None:
        """After an attempt that failed on one process: all take what rank 0 has measured."""
        for module in (*self.measuring, *self.torch_norms):
            for buffer in module.buffers():
                self.world.broadcast(buffer)

    def _sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, differentiable; all of them go backward through it too."""
        # Hidden, not multiplied by zero: what stands in may be anything; autograd must pass here.
        if not self._counts:
            tensor = tensor.masked_fill(torch.ones_like(tensor, dtype=torch.bool), 0.0)
        total: Tensor = _Sum.apply(tensor, self)  # type: ignore[no-untyped-call]
        return total

    def _add(self, tensor: Tensor) -> Tensor:
        """The tensor becomes its sum, unless this sum was made before memory ran out."""
        if self._sums_to_skip:
            self._sums_to_skip -= 1
            return tensor
        self.world.all_reduce_tensor(tensor)
        self._sums_made += 1
        return tensor


class _Sum(torch.autograd.Function):
    """y = the sum over processes of x; the gradient of x is the sum of those of y."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, synced: SyncedStep) -> Tensor:
        ctx.synced = synced
        return synced._add(own.detach().clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        own = grads[0].clone(memory_format=torch.contiguous_format)
        return ctx.synced._add(own), None


def find_dummy_batch(
    world: World, tried: Batch | None, more: Iterator[Batch | None]
) -> Batch | None:
    """An utterance that keeps a process in step: one that the first rank which has any has `tried`.

    Else the shortest of the first batch that any rank can read at all; None where none can.
    """
    dummy = _first(world.gather(tried))
    if dummy is None:
        readable = _first(more)
        dummy = _first(world.gather(None if readable is None else shortest_row(readable)))
    return dummy


def shortest_row(batch: Batch) -> Batch:
    """The shortest utterance of a batch, as a batch of its own."""
    lengths = batch.audio.lengths
    return batch.rows([lengths.index(min(lengths))])


def _first(batches: Iterable[Batch | None]) -> Batch | None:
    """The first that is one."""
    for batch in batches:
        if batch is not None:
            return batch
    return None
