"""Where every PyTorch loop passes: one place for CTC losses, for clipping, for scaled steps.

`torch.nn.CTCLoss`, `torch.nn.functional.ctc_loss` and the frameworks above them look
`torch.ctc_loss` up when they call it, so that replacing this one attribute sees all of them, in
every thread, and costs nothing elsewhere. (A `TorchFunctionMode` sees them too, but makes each
torch call of a step slower by some microseconds, and is blind in other threads.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.nn.utils import clip_grad

from ctcasr.ctc.observers import LossCall

LossObserver = Callable[[Tensor, "LossArguments"], Tensor]
"""Called with a loss and what it was computed from; returns the loss to hand on."""

ClippingObserver = Callable[[list[Tensor], Tensor, float], None]
"""Called with parameters whose gradients were clipped, their norm before, and the largest one."""


@dataclass(frozen=True)
class LossArguments(LossCall):
    """The arguments of a `torch.ctc_loss` call, as it takes them: log_probs [T, B, C] or [T, C]."""

    reduction: int = 1  # torch's number: 0 none, 1 mean, 2 sum
    zero_infinity: bool = False


Wrap = Callable[[Any, list[Any]], Any]
"""From a function of torch and the observers of its calls to what takes its place."""


class Seam:
    """A function of torch that is replaced as long as anybody looks, once for all who do.

    Whoever began first may end first: the function comes back with the last one.
    """

    def __init__(self, owner: Any, name: str, wrap: Wrap) -> None:
        self._owner = owner
        self._name = name
        self._wrap = wrap
        self._original: Any = None
        self._replacement: Any = None
        self._observers: list[Any] = []

    @contextmanager
    def seen_by(self, observe: Any) -> Iterator[None]:
        """Within, `observe` is told of all calls."""
        if not self._observers:
            self._put_in_place()
        observers = self._observers
        observers.append(observe)
        try:
            yield
        finally:
            observers.remove(observe)
            if not observers and getattr(self._owner, self._name) is self._replacement:
                setattr(self._owner, self._name, self._original)

    def _put_in_place(self) -> None:
        """Replace the function; a replacement of before, which somebody may keep, tells nobody."""
        self._observers = []
        self._original = getattr(self._owner, self._name)
        self._replacement = self._wrap(self._original, self._observers)
        setattr(self._owner, self._name, self._replacement)


def _loss_wrapped(original: Any, observers: list[LossObserver]) -> Any:
    def ctc_loss(*args: Any, **kwargs: Any) -> Tensor:
        loss: Tensor = original(*args, **kwargs)
        # What is compiled would have the watch compiled into it, and be slower by far.
        if torch.compiler.is_compiling():
            return loss
        for observe in tuple(observers):
            loss = observe(loss, LossArguments(*args, **kwargs))
        return loss

    return ctc_loss


def _clipping_wrapped(original: Any, observers: list[ClippingObserver]) -> Any:
    def clip_grads_with_norm_(
        parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None
    ) -> None:
        clipped = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        original(clipped, max_norm, total_norm, foreach)
        for observe in tuple(observers):
            observe(clipped, total_norm, float(max_norm))

    return clip_grads_with_norm_


def _scaled_step_wrapped(original: Any, observers: list[Callable[[], None]]) -> Any:
    def maybe_opt_step(
        self: GradScaler,
        optimizer: torch.optim.Optimizer,
        optimizer_state: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> float | None:
        found_inf = optimizer_state["found_inf_per_device"].values()
        if sum(float(value) for value in found_inf):
            for observe in tuple(observers):
                observe()
        step: float | None = original(self, optimizer, optimizer_state, *args, **kwargs)
        return step

    return maybe_opt_step


_LOSSES = Seam(torch, "ctc_loss", _loss_wrapped)
_CLIPPING = Seam(clip_grad, "_clip_grads_with_norm_", _clipping_wrapped)
_SCALED_STEPS = Seam(GradScaler, "_maybe_opt_step", _scaled_step_wrapped)


def ctc_losses_seen(observe: LossObserver) -> AbstractContextManager[None]:
    """Within, `observe` sees every CTC loss that Python code asks torch for, if not compiled."""
    return _LOSSES.seen_by(observe)


@contextmanager
def clipping_seen(observe: ClippingObserver) -> Iterator[None]:
    """Within, `observe(parameters, total_norm, max_norm)` is called where gradients are clipped."""
    if not hasattr(clip_grad, "_clip_grads_with_norm_"):  # a torch that clips in another way
        yield
        return
    with _CLIPPING.seen_by(observe):
        yield


def scaled_steps_seen(observe: Callable[[], None]) -> AbstractContextManager[None]:
    """Within, `observe()` is called whenever a GradScaler leaves out a step that is not finite."""
    return _SCALED_STEPS.seen_by(observe)
