"""Where every PyTorch loop passes: one place for CTC losses, for clipping, for scaled steps.

`torch.nn.CTCLoss`, `torch.nn.functional.ctc_loss` and the frameworks above them look
`torch.ctc_loss` up when they call it, so that replacing this one attribute sees all of them, in
every thread, and costs nothing elsewhere. (A `TorchFunctionMode` sees them too, but makes each
torch call of a step slower by some microseconds, and is blind in other threads.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.nn.utils import clip_grad

from ctcasr.ctc.observers import LossCall

LossObserver = Callable[[Tensor, "LossArguments"], Tensor]
"""Called with a loss and what it was computed from; returns the loss to hand on."""


@dataclass(frozen=True)
class LossArguments(LossCall):
    """The arguments of a `torch.ctc_loss` call, as it takes them: log_probs [T, B, C] or [T, C]."""

    reduction: int = 1  # torch's number: 0 none, 1 mean, 2 sum
    zero_infinity: bool = False


@contextmanager
def replaced(owner: Any, name: str, replacement: Any) -> Iterator[None]:
    """Within, `owner.name` is `replacement`; afterwards what it was, unless replaced meanwhile."""
    original = getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        if getattr(owner, name) is replacement:
            setattr(owner, name, original)


@contextmanager
def ctc_losses_seen(observe: LossObserver) -> Iterator[None]:
    """Within, `observe` sees every CTC loss that Python code asks torch for."""
    original = torch.ctc_loss

    def ctc_loss(*args: Any, **kwargs: Any) -> Tensor:
        loss = original(*args, **kwargs)
        return observe(loss, LossArguments(*args, **kwargs))

    with replaced(torch, "ctc_loss", ctc_loss):
        yield


@contextmanager
def clipping_seen(observe: Callable[[Tensor, float], None]) -> Iterator[None]:
    """Within, `observe(total_norm, max_norm)` is called whenever gradients are clipped by norm."""
    original = getattr(clip_grad, "_clip_grads_with_norm_", None)
    if original is None:  # a torch that clips in another way: clipping is not seen
        yield
        return

    def clip_grads_with_norm_(
        parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None
    ) -> None:
        original(parameters, max_norm, total_norm, foreach)
        observe(total_norm, float(max_norm))

    with replaced(clip_grad, "_clip_grads_with_norm_", clip_grads_with_norm_):
        yield


@contextmanager
def scaled_steps_seen(observe: Callable[[], None]) -> Iterator[None]:
    """Within, `observe()` is called whenever a GradScaler leaves out a step that is not finite."""
    original = GradScaler._maybe_opt_step

    def maybe_opt_step(
        self: GradScaler,
        optimizer: torch.optim.Optimizer,
        optimizer_state: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> float | None:
        found_inf = optimizer_state["found_inf_per_device"].values()
        if sum(float(value) for value in found_inf):
            observe()
        return original(self, optimizer, optimizer_state, *args, **kwargs)

    with replaced(GradScaler, "_maybe_opt_step", maybe_opt_step):
        yield
