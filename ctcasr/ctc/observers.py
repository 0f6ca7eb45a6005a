"""Who is told of each loss that is computed here: nobody, unless somebody watches a training."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from ctcasr.ctc.batch import Lengths


@dataclass(frozen=True)
class LossCall:
    """What a loss was computed from: scores [T, B, C] as they were given, and the targets."""

    log_probs: Tensor
    targets: Tensor
    input_lengths: Lengths
    target_lengths: Lengths
    blank: int = 0


Observer = Callable[[Tensor, LossCall], None]
"""Called with a loss and what it was computed from; it changes neither."""

observers: list[Observer] = []
_silence = threading.local()


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Within, `observer` is told of every loss that `ctc_loss` and `CTCLoss` compute.

    Not of those inside torch.compile or a transform of torch.func.

    Example:
        >>> import torch
        >>> from ctcasr.ctc import ctc_loss
        >>> rows = []
        >>> with observed(lambda loss, call: rows.append(call.log_probs.shape[1])):
        ...     loss = ctc_loss(torch.zeros(2, 3, 2), torch.tensor([[1], [1]]), [3, 3], [1, 1])
        >>> rows
        [2]
    """

    def observe(loss: Tensor, call: LossCall) -> None:
        if not getattr(_silence, "kept", False):
            observer(loss, call)

    observers.append(observe)
    try:
        yield
    finally:
        observers.remove(observe)


@contextmanager
def unobserved() -> Iterator[None]:
    """Within, nobody is told of this thread's losses: they measure, and are no part of a training.

    Example:
        >>> import torch
        >>> from ctcasr.ctc import ctc_loss
        >>> losses = []
        >>> with observed(lambda loss, call: losses.append(loss)), unobserved():
        ...     loss = ctc_loss(torch.zeros(2, 3, 2), torch.tensor([[1], [1]]), [3, 3], [1, 1])
        >>> losses
        []
    """
    before = getattr(_silence, "kept", False)
    _silence.kept = True
    try:
        yield
    finally:
        _silence.kept = before
