"""The CTC loss on a device: whether it is right, and how long it takes beside others."""

from __future__ import annotations

import importlib
import itertools
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from _device import DEVICE, KERNELS_ARE_WRONG, ON_DEVICE, median_us, named, profiler, wait, work_us

from ctcasr.ctc import ctc_loss, native
from ctcasr.ctc.backends import ForwardBackward
from ctcasr.ctc.batch import CtcBatch, CtcOutput, prepare

SHAPES: tuple[tuple[int, ...], ...] = (  # rows, frames, classes and labels of a batch
    (32, 400, 38, 60),
    (64, 1000, 38, 200),
    (32, 1500, 500, 100),
    (16, 2000, 5000, 200),
    (128, 1600, 38, 250),
)
# Labels on both sides of every change of the kernels' geometry.
WIDTHS: tuple[int, ...] = (0, 12, 63, 64, 100, 127, 128, 256, 700, 1023, 1024, 2047)
if not ON_DEVICE:
    SHAPES = ((2, 40, 38, 6), (2, 60, 50, 10))
    WIDTHS = (0, 12, 127)
SMALL_WIDTHS = (5, 70, 150, 600)  # for a sanitizer
CLASSES = (40, 300)
SCALES = (1.0, 30.0)  # of logits: the larger makes rows that float32 holds with exponents only
CUDNN_LABELS = 256  # cuDNN takes shorter targets only
# Of the gradient, which is stored in the type of the logits.
LIMITS = {torch.float32: 2e-6, torch.float16: 6e-4, torch.bfloat16: 4e-3}
LOSS_LIMIT = 5e-7  # relative
HEALTH_LIMIT = 1e-4
SAME_BITS = 100  # repeats that must not differ
CHECKED_ROWS = 4  # whose gradient is compared with float64
COLUMNS = (
    "(B, T, C, S)",
    "kernels us",
    "call us",
    "its host us",
    "its device us",
    "torch call us",
    "torch device us",
    "x ours",
    "cuDNN call us",
    "cuDNN device us",
    "x ours",
    "gradient error",
)


class Trial(NamedTuple):
    """A batch and what it is called."""

    name: str
    logits: Tensor
    ctc_batch: CtcBatch


def kernel() -> ForwardBackward:
    """The backend under trial."""
    module = importlib.import_module(f"ctcasr.ctc.{DEVICE}")
    forward_backward: ForwardBackward = module.forward_backward
    return forward_backward


def trial(labels: int, classes: int, dtype: torch.dtype, scale: float = 1.0) -> Trial:
    """Three rows, of which the first has all of the labels."""
    generator = torch.Generator().manual_seed(labels + classes)
    frames = labels + labels // 8 + 25
    logits = scale * torch.randn(3, frames, classes, generator=generator)
    targets = torch.randint(1, classes, (3, labels), generator=generator)
    ctc_batch = prepare(
        logits,
        targets,
        input_lengths=[frames] * 3,
        target_lengths=[labels, labels // 2, labels // 3],
    )
    name = f"{labels} labels, {classes} classes, {dtype}, scale {scale:g}"
    return Trial(name, logits.to(DEVICE, dtype), ctc_batch)


def noise(shape: Sequence[int]) -> Trial:
    """Full rows of random logits."""
    rows, frames, classes, labels = shape
    generator = torch.Generator(DEVICE).manual_seed(0)
    logits = torch.randn(rows, frames, classes, device=DEVICE, generator=generator)
    host_generator = torch.Generator().manual_seed(0)
    targets = torch.randint(1, classes, (rows, labels), generator=host_generator)
    ctc_batch = prepare(
        logits,
        targets,
        input_lengths=[frames] * rows,
        target_lengths=[labels] * rows,
    )
    return Trial(str(tuple(shape)), logits, ctc_batch)


def loss(batch: Trial, logits: Tensor) -> Tensor:
    """Of the whole batch, through the front door."""
    ctc_batch = batch.ctc_batch
    return ctc_loss(
        logits,
        ctc_batch.targets,
        ctc_batch.input_lengths,
        ctc_batch.target_lengths,
        reduction="sum",
    )


# ---- right or wrong


def smoke() -> None:
    """Compile, load, launch; every width and type against float64; the same bits each time."""
    KERNELS_ARE_WRONG.write_text("not yet known to be right")
    report_compilation()
    wrong = 0
    for dtype, limit in LIMITS.items():
        worst = 0.0
        for labels, classes, scale in itertools.product(WIDTHS, CLASSES, SCALES):
            batch = trial(labels, classes, dtype, scale)
            error = gradient_error(batch)
            worst = max(worst, error)
            wrong += not error <= limit  # so that NaN is wrong
        print(f"largest gradient error in {dtype}: {worst:.1e}", flush=True)
    different = count_different(noise(SHAPES[1]))
    print(f"{different} of {SAME_BITS} repeats differ in a bit")
    report_front_door()
    if wrong or different:
        raise SystemExit(f"WRONG: {wrong} batches")
    KERNELS_ARE_WRONG.unlink()


def report_compilation() -> None:
    """How long NVRTC takes."""
    if not ON_DEVICE:
        return
    nvrtc = importlib.import_module("ctcasr.ctc.cuda.nvrtc")
    major, minor = torch.cuda.get_device_capability()
    started = time.perf_counter()
    code = nvrtc.binary(10 * major + minor)
    spent_s = time.perf_counter() - started
    figures = {
        "seconds": spent_s,
        "bytes": len(code),
    }
    print("NVRTC", nvrtc.version(), named(figures), flush=True)


def small() -> None:
    """A few small batches, for a sanitizer: nothing but these kernels runs on the device."""
    wrong = 0
    for labels, scale in itertools.product(SMALL_WIDTHS, SCALES):
        batch = trial(labels, CLASSES[0], torch.float32, scale)
        error = gradient_error(batch, truth_on="cpu")
        wrong += not error <= LIMITS[torch.float32]
        print(f"{batch.name}: {error:.1e}", flush=True)
    if wrong:
        raise SystemExit(f"WRONG: {wrong} batches")


def one(*numbers: str) -> None:
    """One call of a shape, for a profiler."""
    shape = [int(number) for number in numbers]
    batch = noise(shape or SHAPES[1])
    kernel()(batch.logits, batch.ctc_batch, True)
    wait()


def gradient_error(batch: Trial, truth_on: str = DEVICE) -> float:
    """Largest absolute error against float64; infinite where loss or health are wrong."""
    ours = kernel()(batch.logits, batch.ctc_batch, True)
    precise = batch.logits.to(truth_on, torch.float64)
    truth = native.forward_backward(precise, batch.ctc_batch, True)
    assert ours.grad is not None and truth.grad is not None
    error = difference(ours.grad.to(truth_on), truth.grad)
    sizes = truth.nll.clamp_min(1)
    our_nll = ours.nll.to(truth_on)
    loss_error = difference(our_nll / sizes, truth.nll / sizes)
    health = float(ours.health.max())
    is_fine = loss_error <= LOSS_LIMIT and health < HEALTH_LIMIT
    if not (is_fine and error <= LIMITS[batch.logits.dtype]):
        errors = {
            "gradient": error,
            "loss": loss_error,
            "health": health,
        }
        print(f"WRONG: {batch.name}: off by", named(errors), flush=True)
    if not is_fine:
        return float("inf")
    return error


def difference(ours: Tensor, truth: Tensor) -> float:
    """Largest absolute difference."""
    differences = ours.double() - truth
    return float(differences.abs().max())


def count_different(batch: Trial) -> int:
    """Repeats of one batch whose loss or gradient is not bit for bit the first one's."""
    run = kernel()
    first = run(batch.logits, batch.ctc_batch, True)
    assert first.grad is not None
    different = 0
    for _ in range(SAME_BITS):
        again = run(batch.logits, batch.ctc_batch, True)
        assert again.grad is not None
        same_loss = torch.equal(first.nll, again.nll)
        same_gradient = torch.equal(first.grad, again.grad)
        different += not (same_loss and same_gradient)
    return different


def report_front_door() -> None:
    """`ctc_loss` with backend "auto": whether it warns that it takes torch's loss."""
    batch = noise(SHAPES[0])
    logits = batch.logits.requires_grad_()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        loss(batch, logits).backward()
    slope = logits.grad
    assert slope is not None
    messages = [str(warning.message) for warning in told]
    print(f"ctc_loss: gradient of length {float(slope.norm()):.6g}", *messages)


# ---- how long


def ctc() -> None:
    """Forward and backward: kernels alone, whole call, its host share; torch native, cuDNN."""
    print_row(COLUMNS)
    print_row(["---"] * len(COLUMNS))
    for shape in SHAPES:
        print_row(ctc_cells(noise(shape)))
        if ON_DEVICE:
            torch.cuda.empty_cache()
    for shape in SHAPES:
        print(shape, ", ".join(kernel_times(noise(shape))), flush=True)


def print_row(cells: Sequence[str]) -> None:
    """Of a Markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def ctc_cells(batch: Trial) -> list[str]:
    """A row of the table."""
    logits = batch.logits.requires_grad_()

    def ours() -> None:
        logits.grad = None
        loss(batch, logits).backward()

    cells = [
        batch.name,
        graph_us(batch),
        f"{median_us(ours):.0f}",
        f"{host_us(ours):.0f}",
    ]
    own_us = device_us(ours)
    cells.append(f"{own_us:.0f}")
    for is_cudnn in (False, True):
        cells += peer_cells(batch, logits, is_cudnn, own_us)
    logits.grad = None
    cells.append(f"{error_of_rows(batch):.1e}")
    return cells


def graph_us(batch: Trial) -> str:
    """Microseconds of the kernels in a CUDA graph: nothing of the host is in them."""
    logits = batch.logits.detach()
    run = kernel()

    def ours() -> CtcOutput:
        return run(logits, batch.ctc_batch, True)

    if not ON_DEVICE:
        return f"{median_us(ours):.1f}"
    try:
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            ours()  # compiled and loaded outside of the graph
        wait()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            output = ours()
        replay_us = median_us(graph.replay)
        del output, graph
        return f"{replay_us:.1f}"
    except RuntimeError as error:
        reason = str(error)[:60]
        return f"no graph: {reason}"


def host_us(run: Callable[[], Any], calls: int = 10) -> float:
    """Microseconds until the host is free again."""
    wait()
    started = time.perf_counter()
    for _ in range(calls):
        run()
    spent_s = time.perf_counter() - started
    wait()
    return 1e6 * spent_s / calls


def device_us(run: Callable[[], Any], calls: int = 3) -> float:
    """Microseconds that the device works for one call, copies too, whatever the host needs."""
    run()
    with profiler() as profile:
        for _ in range(calls):
            run()
        wait()
    total_us = sum(work_us(event) for event in profile.key_averages())
    return total_us / calls


def peer_cells(batch: Trial, logits: Tensor, is_cudnn: bool, own_us: float) -> list[str]:
    """Of torch's or cuDNN's loss: a call, its work on the device, and how many times ours."""
    if is_cudnn and max(batch.ctc_batch.target_lengths) >= CUDNN_LABELS:
        return ["not eligible", "", ""]
    try:
        run = peer(batch, logits, is_cudnn)
        call_us = median_us(run, 7)
        peer_us = device_us(run)
    except RuntimeError as error:
        return [str(error)[:40], "", ""]
    return [
        f"{call_us:.0f}",
        f"{peer_us:.0f}",
        f"{peer_us / own_us:.1f}",
    ]


def peer(batch: Trial, logits: Tensor, is_cudnn: bool) -> Callable[[], None]:
    """torch's own loss; cuDNN takes concatenated int32 targets and lengths on the host."""
    ctc_batch = batch.ctc_batch
    rows = len(ctc_batch.target_lengths)
    if is_cudnn:
        integer = torch.int32
        targets = ctc_batch.targets.int()
    else:
        integer = torch.int64
        targets = ctc_batch.targets.reshape(rows, -1).to(DEVICE)
    frames = torch.tensor(ctc_batch.input_lengths, dtype=integer)
    labels = torch.tensor(ctc_batch.target_lengths, dtype=integer)

    def run() -> None:
        logits.grad = None
        with torch.backends.cudnn.flags(enabled=is_cudnn):
            log_probs = logits.log_softmax(-1).transpose(0, 1)
            total = F.ctc_loss(log_probs, targets, frames, labels, reduction="sum")
            total.backward()

    return run


def error_of_rows(batch: Trial) -> float:
    """Largest absolute error of the gradient of the first rows."""
    rows = slice(0, CHECKED_ROWS)
    whole = batch.ctc_batch
    logits = batch.logits.detach()[rows]
    ctc_batch = prepare(
        logits,
        whole.padded()[rows],
        whole.input_lengths[rows],
        whole.target_lengths[rows],
    )
    ours = kernel()(logits, ctc_batch, True)
    truth = native.forward_backward(logits.double(), ctc_batch, True)
    assert ours.grad is not None and truth.grad is not None
    return difference(ours.grad, truth.grad)


def kernel_times(batch: Trial, calls: int = 5) -> list[str]:
    """Microseconds of each kernel, as a profiler sees them."""
    run = kernel()
    for _ in range(2):
        run(batch.logits, batch.ctc_batch, True)
    with profiler() as profile:
        for _ in range(calls):
            run(batch.logits, batch.ctc_batch, True)
        wait()
    times = []
    for event in profile.key_averages():
        spent_us = work_us(event) / calls
        if spent_us:
            times.append(f"{event.key[:40]} {spent_us:.1f}")
    return times
