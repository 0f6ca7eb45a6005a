"""Backend "cuda": the loss and its gradient by the kernels in this folder, without a host sync."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor

from ctcasr.ctc import native
from ctcasr.ctc.batch import CtcBatch, CtcOutput, checked
from ctcasr.ctc.cuda import nvrtc
from ctcasr.ctc.cuda.geometry import DTYPES, MOST_LABELS, KernelGeometry, run
from ctcasr.ctc.cuda.launch import driver, kernels

# What is missing shows at import: backend="auto" then falls back and says why.
if torch.cuda.is_available():
    driver()
    nvrtc.library()

_MOST_RECENT = 8  # copies that are kept
_recent: deque[tuple[Tensor, Tensor]] = deque(maxlen=_MOST_RECENT)  # on the host and there
_captured: list[Tensor] = []  # read by the replays of CUDA graphs


class HostInputs(NamedTuple):
    """What the kernels need of a batch besides logits and targets."""

    lengths: list[int]  # [3 B] frames, labels and starts of the rows
    prior: Tensor  # float64 [C] less its smallest value, or [0] without one
    prior_floor: float  # that smallest value


class DeviceInputs(NamedTuple):
    """The same on the device, with the targets."""

    lengths: Tensor
    targets: Tensor
    prior: Tensor | None
    prior_floor: float


def forward_backward(logits: Tensor, ctc_batch: CtcBatch, need_grad: bool) -> CtcOutput:
    """Loss, gradient and health of each row of CUDA logits [B, T, C]; float32 inside.

    Float64 logits and targets beyond 2047 labels go to the torch backend. A label out of range or
    equal to the blank (possible only in targets that came on the device) gives NaN loss and zero
    gradient in its row.

    Raises:
        ValueError: a wrong label in targets that the torch backend reads.
    """
    rows, frames, classes = logits.shape
    longest = max(ctc_batch.target_lengths, default=0)
    if logits.dtype not in DTYPES or longest > MOST_LABELS or rows == 0:
        # Torch reads wherever a label points.
        return native.forward_backward(logits, checked(ctc_batch, classes), need_grad)
    if logits.stride(2) != 1:
        logits = logits.contiguous()
    with torch.cuda.device(logits.device):
        inputs = _on_device(ctc_batch, logits.device)
        nll, grad, health = run(
            kernels(logits.device.index).on_current_stream(),
            logits,
            inputs.targets,
            inputs.lengths,
            KernelGeometry(rows, frames, classes, longest, need_grad),
            ctc_batch.blank,
            inputs.prior,
            inputs.prior_floor,
            ctc_batch.normalize,
        )
    return CtcOutput(nll, grad, health)


def host_inputs(ctc_batch: CtcBatch) -> HostInputs:
    """Lengths and prior of a batch as the kernels take them."""
    starts = ctc_batch.offsets[:-1]
    lengths = [*ctc_batch.input_lengths, *ctc_batch.target_lengths, *starts]
    if ctc_batch.prior is None:
        return HostInputs(lengths, torch.zeros(0, dtype=torch.float64), 0.0)
    # Less the smallest value, so that no emission exceeds one and exponents only fall.
    floor = float(ctc_batch.prior.min())
    return HostInputs(lengths, ctc_batch.prior - floor, floor)


def _on_device(ctc_batch: CtcBatch, device: torch.device) -> DeviceInputs:
    """One copy takes lengths, labels (unless they are there) and the prior's bits to the device."""
    inputs = host_inputs(ctc_batch)
    labels = ctc_batch.targets
    if ctc_batch.targets.is_cuda:
        labels = torch.zeros(0, dtype=torch.int64)
    lengths = torch.tensor(inputs.lengths, dtype=torch.int64)
    packed = torch.cat([lengths, labels, inputs.prior.view(torch.int64)])
    sizes = [lengths.numel(), labels.numel(), inputs.prior.numel()]
    lengths, labels, prior = _copy(packed, device).split(sizes)
    return DeviceInputs(
        lengths,
        ctc_batch.targets if ctc_batch.targets.is_cuda else labels,
        prior.view(torch.float64) if prior.numel() else None,
        inputs.prior_floor,
    )


def _copy(packed: Tensor, device: torch.device) -> Tensor:
    """`packed` on the device. Recent copies stay: a graph captures what its warm-up has copied."""
    if torch.cuda.is_current_stream_capturing():
        for host, copy in _recent:
            if copy.device == device and torch.equal(host, packed):
                _captured.append(copy)
                return copy
        raise RuntimeError(
            "CTC loss in a CUDA graph: run this batch (same lengths, and same targets if they "
            "lie on the host) once before the capture, as torch's warm-up does"
        )
    copy = packed.pin_memory().to(device, non_blocking=True)
    _recent.append((packed, copy))
    return copy
