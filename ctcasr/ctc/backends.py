"""Which code runs the lattice: a kernel for the device of the logits, or torch without one."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from ctcasr.ctc import native, reference
from ctcasr.ctc.batch import CtcBatch, CtcOutput
from ctcasr.ctc.errors import InputError, KernelError

ForwardBackward = Callable[[Tensor, CtcBatch, bool], CtcOutput]

BACKENDS = ("auto", "torch", "reference", "cpu", "cuda")
_DEVICES = ("cpu", "cuda")  # that have a kernel, in a module of this name

BackendChoice = Literal["auto", "cuda", "cpu", "torch"]  # of a training

_missing: set[str] = set()
_stands_for_auto: BackendChoice = "auto"


@contextmanager
def prefer(backend: BackendChoice) -> Iterator[None]:
    """Within, "auto" means this backend, in all threads.

    A kernel that is asked for by name is not replaced by torch's loss: its error is raised. On
    other devices "auto" stays what it is.

    Example:
        >>> with prefer("torch"):
        ...     select("auto", torch.device("cpu")) is native.forward_backward
        True
    """
    global _stands_for_auto
    before = _stands_for_auto
    _stands_for_auto = backend
    try:
        yield
    finally:
        _stands_for_auto = before


def select(name: str, device: torch.device) -> ForwardBackward:
    """The `forward_backward` of a backend.

    "auto" takes the kernel of the device, else torch, and warns once that it does: where the kernel
    is missing, or does not compile, load or launch. `prefer` gives it another meaning.

    Raises:
        InputError: unknown backend, or one for another device.
        ImportError: backend "cpu" or "cuda" where numba or NVRTC is missing.
    """
    if name == "auto" and _stands_for_auto in ("torch", device.type):
        name = _stands_for_auto
    if name == "auto":
        return _kernel_or_torch
    if name == "torch":
        return native.forward_backward
    if name == "reference":
        return reference.forward_backward
    if name not in _DEVICES:
        raise InputError(f"backend must be one of {BACKENDS}, got {name!r}")
    if device.type != name:
        raise InputError(
            f"backend={name!r} needs logits on {name}, these are on {device}; use backend='auto'"
        )
    return _kernel(name)


def _kernel_or_torch(logits: Tensor, ctc_batch: CtcBatch, need_grad: bool) -> CtcOutput:
    kind = logits.device.type
    if kind not in _DEVICES:
        _warn_once(
            f"no CTC kernel for device type {kind!r}: the torch backend computes the loss on "
            f"the host"
        )
    elif kind not in _missing:
        try:
            return _kernel(kind)(logits, ctc_batch, need_grad)
        except (ImportError, KernelError) as error:
            # No numba, no NVRTC. The modules of this package are always there.
            if isinstance(error, ImportError) and (error.name or "").startswith("ctcasr"):
                raise
            _missing.add(kind)
            _warn_once(f"no CTC kernel for {kind}: the slower torch backend is used ({error})")
    return native.forward_backward(logits, ctc_batch, need_grad)


@cache
def _kernel(name: str) -> ForwardBackward:
    module = importlib.import_module(f"ctcasr.ctc.{name}")
    forward_backward: ForwardBackward = module.forward_backward
    return forward_backward


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=4)
