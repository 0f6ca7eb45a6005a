"""Which code runs the lattice: a kernel for the device of the logits, or torch where there is none."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from ctcasr.ctc import native, reference
from ctcasr.ctc.problem import CtcBatch, CtcOutput

ForwardBackward = Callable[[Tensor, CtcBatch, bool], CtcOutput]

BACKENDS = ("auto", "torch", "reference", "cpu", "cuda")

_missing: set[str] = set()


def select(name: str, device: torch.device) -> ForwardBackward:
    """The `forward_backward` of a backend; "auto" takes the kernel of the device, else torch, and says so once."""
    if name == "torch":
        return native.forward_backward
    if name == "reference":
        return reference.forward_backward
    if name in ("cpu", "cuda"):
        if device.type != name:
            raise ValueError(
                f"backend={name!r} needs logits on {name}, these are on {device}; use backend='auto'"
            )
        return _kernel(name)
    if name != "auto":
        raise ValueError(f"backend must be one of {BACKENDS}, got {name!r}")
    return _kernel_or_torch


def _kernel_or_torch(logits: Tensor, problem: CtcBatch, need_grad: bool) -> CtcOutput:
    kind = logits.device.type
    if kind not in ("cpu", "cuda"):
        _say(
            f"no CTC kernel for device type {kind!r}: the torch backend computes the loss on the host"
        )
    elif kind not in _missing:
        try:
            return _kernel(kind)(logits, problem, need_grad)
        except (
            ImportError
        ) as error:  # no numba, no NVRTC; the modules of this package are always there
            if (error.name or "").startswith("ctcasr"):
                raise
            _missing.add(kind)
            _say(f"no CTC kernel for {kind}: the slower torch backend is used ({error})")
    return native.forward_backward(logits, problem, need_grad)


@cache
def _kernel(name: str) -> ForwardBackward:
    return importlib.import_module(f"ctcasr.ctc.{name}").forward_backward


@cache
def _say(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=4)
