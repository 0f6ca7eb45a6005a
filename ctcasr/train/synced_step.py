"""Several processes inside one step: sums within the network over the whole batch, also where a process has no part of it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ctcasr.batch import Batch
from ctcasr.net import normalise_over_all
from ctcasr.train.bf16 import Steps
from ctcasr.train.world import World


class SyncedStep:
    """Gives the parts of a network that measure the batch (BatchNorm, label priors) the sums over all processes.

    Every process makes the same sums in the same order. One without utterances, or whose memory was too small for them, makes them with
    the `dummy_batch`, an utterance that counts nothing: its sums and its gradient are zero.
    """

    def __init__(self, world: World, network: nn.Module, dummy_batch: Batch | None) -> None:
        self.world, self.dummy_batch = world, dummy_batch
        self.measuring = [module for module in network.modules() if hasattr(module, "world_sum")]
        self.torch_norms = [
            m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)
        ]
        self._made = self._skip = (
            0  # sums of this part of the step; how many of them were made before memory ran out
        )
        self._counts = True

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Inside, the network measures over all processes; outside each by itself (checks, trials)."""
        for module in self.measuring:
            module.world_sum = self._sum  # type: ignore[assignment]
        for norm in self.torch_norms:
            norm.forward = functools.partial(normalise_over_all, norm, self._sum)  # type: ignore[method-assign]
        try:
            yield
        finally:
            for module in self.measuring:
                del module.world_sum
            for norm in self.torch_norms:
                del norm.forward

    def begin(self) -> None:
        """Another part of the step begins."""
        self._made = self._skip = 0

    def run_dummy(self, task: Steps, step: int) -> None:
        """Make the sums of this part (those that are still to be made) without counting in any."""
        if self.dummy_batch is None:
            raise RuntimeError(
                "expected an utterance that can be read on any process, to keep this one in step; there was none"
            )
        self._skip, self._counts = self._made, False
        try:
            loss = task.step(self.dummy_batch, step)
            if loss.sum.requires_grad:
                loss.sum.backward(torch.zeros_like(loss.sum))
        finally:
            self._counts = True

    def settle(self) -> None:
        """After an attempt that failed on one process: what was measured meanwhile is what rank 0 has measured."""
        for module in (*self.measuring, *self.torch_norms):
            for buffer in module.buffers():
                self.world.broadcast(buffer)

    def _sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, differentiable; all of them go backward through it too."""
        # Hidden, not multiplied by zero: what stands in may be anything, and autograd must still pass here.
        own = (
            tensor
            if self._counts
            else tensor.masked_fill(torch.ones_like(tensor, dtype=torch.bool), 0.0)
        )
        return _Sum.apply(own, self)

    def _add(self, tensor: Tensor) -> Tensor:
        if self._skip:
            self._skip -= 1
            return tensor
        self.world.all_reduce_tensor(tensor)
        self._made += 1
        return tensor


class _Sum(torch.autograd.Function):
    """y = the sum over processes of x; the gradient of x is the sum over processes of those of y."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, synced: SyncedStep) -> Tensor:
        ctx.synced = synced
        return synced._add(own.detach().clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.synced._add(grads[0].clone(memory_format=torch.contiguous_format)), None


def find_dummy_batch(
    world: World, tried: Sequence[Batch], more: Iterator[Batch | None]
) -> Batch | None:
    """The shortest utterance of what was `tried` on the first rank that has any; else the first that can be read at all."""

    def shortest(batch: Batch | None) -> Batch | None:
        return (
            None
            if batch is None
            else batch.rows([min(range(len(batch)), key=batch.audio.lengths.__getitem__)])
        )

    found = next(filter(None, world.gather(shortest(next(iter(tried), None)))), None)
    if found is None:
        found = next(filter(None, world.gather(shortest(next(filter(None, more), None)))), None)
    return found
