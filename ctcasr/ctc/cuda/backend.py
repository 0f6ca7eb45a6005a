"""Backend "cuda": the loss and its gradient by the kernels in this folder, without a host sync."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor

from ctcasr.ctc import native
from ctcasr.ctc.batch import CtcBatch, CtcOutput, checked, sent
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


class Inputs(NamedTuple):
    """What the kernels need of a batch besides logits."""

    lengths: Tensor  # int64 [3 B] frames, labels and starts of the rows
    targets: Tensor  # int64 [sum of the labels]
    prior: Tensor | None  # float64 [C + 1]: less its smallest value, and that value


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
            ctc_batch.normalize,
        )
    return CtcOutput(nll, grad, health)


def inputs_of(ctc_batch: CtcBatch) -> Inputs:
    """Lengths, labels and prior of a batch as the kernels take them, each where it is."""
    starts = ctc_batch.offsets[:-1]
    lengths = [*ctc_batch.input_lengths, *ctc_batch.target_lengths, *starts]
    prior = ctc_batch.prior
    if prior is not None:
        # Less the smallest value, so that no emission exceeds one and exponents only fall.
        floor = prior.min()
        prior = torch.cat([prior - floor, floor[None]])
    return Inputs(torch.tensor(lengths, dtype=torch.int64), ctc_batch.targets, prior)


def _on_device(ctc_batch: CtcBatch, device: torch.device) -> Inputs:
    """One copy takes what is not there yet to the device: lengths, labels and the prior's bits."""
    inputs = inputs_of(ctc_batch)
    lengths = inputs.lengths
    labels = inputs.targets
    prior = inputs.prior
    parts = [lengths]
    if not labels.is_cuda:
        parts.append(labels)
    if prior is not None and not prior.is_cuda:
        parts.append(prior.view(torch.int64))
    copies = list(_copy(torch.cat(parts), device).split([part.numel() for part in parts]))
    lengths = copies.pop(0)
    if not labels.is_cuda:
        labels = copies.pop(0)
    if prior is not None and not prior.is_cuda:
        prior = copies.pop(0).view(torch.float64)
    return Inputs(lengths, labels, prior)


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
    copy = sent(packed, device)
    _recent.append((packed, copy))
    return copy
