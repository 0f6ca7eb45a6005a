"""Backend "cuda": the loss and its gradient by the kernels in this folder, without a host sync."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor

from ctcasr.ctc import native
from ctcasr.ctc.cuda import nvrtc
from ctcasr.ctc.cuda.geometry import DTYPES, MOST_LABELS, KernelGeometry, run
from ctcasr.ctc.cuda.launch import driver, kernels
from ctcasr.ctc.problem import CtcBatch, CtcOutput, prepare

if (
    torch.cuda.is_available()
):  # what is missing shows at import: backend="auto" then falls back and says why
    driver()
    nvrtc.library()

_KEPT = 8
_recent: OrderedDict[tuple[torch.device, bytes], tuple[Tensor, int]] = (
    OrderedDict()
)  # and the stream of the copy
_captured: list[Tensor] = []  # read by the replays of CUDA graphs


def forward_backward(logits: Tensor, problem: CtcBatch, need_grad: bool) -> CtcOutput:
    """Loss, gradient and health of each row of CUDA logits [B, T, C]; float32 inside.

    Float64 logits and targets beyond 2047 labels go to the torch backend. A label out of range or equal to the
    blank (possible only in targets that came on the device) gives NaN loss and zero gradient in its row.
    """
    longest = max(problem.target_lengths, default=0)
    if logits.dtype not in DTYPES or longest > MOST_LABELS or logits.shape[0] == 0:
        if not problem.checked:  # torch reads wherever a label points
            problem = prepare(
                logits,
                problem.host_targets,
                problem.input_lengths,
                problem.target_lengths,
                problem.blank,
                problem.prior,
                normalize=problem.normalize,
            )
        return native.forward_backward(logits, problem, need_grad)
    if logits.stride(2) != 1:
        logits = logits.contiguous()
    with torch.cuda.device(logits.device):
        lengths, targets, prior, floor = _on_device(problem, logits.device)
        batch, frames, classes = logits.shape
        geometry = KernelGeometry(batch, frames, classes, longest, need_grad)
        return CtcOutput(
            *run(
                kernels(logits.device.index),
                logits,
                targets,
                lengths,
                geometry,
                problem.blank,
                prior,
                floor,
                problem.normalize,
            )
        )


def host_inputs(problem: CtcBatch) -> tuple[list[int], Tensor, float]:
    """Frames, labels and starts of the rows in one list; the prior less its smallest value, and that value."""
    # So no emission exceeds one, and exponents only fall.
    floor = 0.0 if problem.prior is None else float(problem.prior.min())
    prior = torch.zeros(0, dtype=torch.float64) if problem.prior is None else problem.prior - floor
    return [*problem.input_lengths, *problem.target_lengths, *problem.offsets[:-1]], prior, floor


def _on_device(
    problem: CtcBatch, device: torch.device
) -> tuple[Tensor, Tensor, Tensor | None, float]:
    lengths, prior, floor = host_inputs(problem)
    host = not problem.targets.is_cuda
    labels = problem.targets if host else torch.zeros(0, dtype=torch.int64)
    packed = torch.cat([torch.tensor(lengths, dtype=torch.int64), labels, prior.view(torch.int64)])
    there = _copy(packed, device)
    ends = (len(lengths), len(lengths) + labels.numel())
    targets = there[ends[0] : ends[1]] if host else problem.targets
    return (
        there[: ends[0]],
        targets,
        there[ends[1] :].view(torch.float64) if prior.numel() else None,
        floor,
    )


def _copy(packed: Tensor, device: torch.device) -> Tensor:
    """`packed` on the device. Recent ones are kept: a CUDA graph captures what its warm-up has copied."""
    key = (device, packed.numpy().tobytes())
    there, stream = _recent.get(key, (None, 0))
    if torch.cuda.is_current_stream_capturing():
        if there is None:
            raise RuntimeError(
                "CTC loss in a CUDA graph: run this batch (same lengths, and same targets if they lie "
                "on the host) once before the capture, as torch's warm-up does"
            )
        _captured.append(there)
        return there
    current = torch.cuda.current_stream(device).cuda_stream
    if there is None or stream != current:
        there = packed.pin_memory().to(device, non_blocking=True)
        _recent[key] = there, current
        if len(_recent) > _KEPT:
            _recent.popitem(last=False)
    _recent.move_to_end(key)
    return there
