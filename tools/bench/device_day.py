"""What the first minutes on a CUDA device shall tell, part by part.

    python tools/bench/device_day.py env            # versions, bandwidth, what is missing
    python tools/bench/device_day.py smoke          # correctness: every width and type
    python tools/bench/device_day.py small          # a few small batches, for the sanitizer
    python tools/bench/device_day.py one 64 1000 38 200     # one call, for a profiler
    python tools/bench/device_day.py ctc            # the loss against torch's and cuDNN's
    python tools/bench/device_day.py steps          # optimiser steps: time, memory, waits, kernels
    python tools/bench/device_day.py heads          # steps of enhancers and classifiers
    python tools/bench/device_day.py rnn            # two directions: in turn, side by side, packed
    python tools/bench/device_day.py grid 30s       # train on GRID for so long
    python tools/bench/device_day.py gridfull       # GRID to convergence: seeds, float32 and bf16

device_day.sh calls them in order of importance, each with a limit of its own. $DAY_DATA is the
folder of the corpora, $OUT where the records of runs are copied to. Without a device everything
runs small, on the CPU: that tries the script, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ctcasr.batch import Batch, Utterance
from ctcasr.classify import Classify
from ctcasr.classify.model import build_classifier, classifier_to, read_classifier
from ctcasr.ctc import ctc_loss, native
from ctcasr.ctc.backends import ForwardBackward
from ctcasr.ctc.batch import CtcBatch, prepare
from ctcasr.enhance import Enhance, Listener, read_enhancer
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import enhancer_to
from ctcasr.front import SpecAugment
from ctcasr.recognise import Recognise, Recogniser, build, read_spec
from ctcasr.recognise.spec import spec_to
from ctcasr.records import CheckRecord, StepRecord, read_records
from ctcasr.seq import Seq
from ctcasr.task import Task
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig
from ctcasr.train.bf16 import Bf16Steps
from ctcasr.train.schedule import make_optimiser
from ctcasr.train.stepper import Stepper, StepResult

ON_DEVICE = torch.cuda.is_available()
DEVICE = "cuda" if ON_DEVICE else "cpu"
DATA = Path(os.environ.get("DAY_DATA", "../shared/data"))
OUT = Path(os.environ.get("OUT", tempfile.gettempdir()))
RUNS = Path(tempfile.gettempdir()) / "device_day_runs"
RECIPE = Path(__file__).parents[2] / "recipes" / "recognise.py"
ALPHABET = Alphabet.english38()

SHAPES: tuple[tuple[int, ...], ...] = (  # rows, frames, classes and labels of a batch
    (32, 400, 38, 60),
    (64, 1000, 38, 200),
    (32, 1500, 500, 100),
    (16, 2000, 5000, 200),
    (128, 1600, 38, 250),
)
# Labels on both sides of every change of the kernels' geometry.
WIDTHS: tuple[int, ...] = (0, 12, 100, 127, 128, 700, 1023, 1024, 2047)
if not ON_DEVICE:
    SHAPES = ((2, 40, 38, 6), (2, 60, 50, 10))
    WIDTHS = (0, 12, 127)
CUDNN_LABELS = 256  # cuDNN takes shorter targets only
GRADIENT_LIMITS = {torch.float32: 2e-6, torch.bfloat16: 4e-3}
LOSS_LIMIT = 5e-7  # relative
HEALTH_LIMIT = 1e-4
SAME_BITS = 100  # repeats that must not differ
CHECKED_ROWS = 4  # whose gradient is compared with float64
LR = 1e-4
CLIP = 10.0
SENTENCE = "set white with p two soon"
LONG_SENTENCE = "the cat sat on the mat " * 8
LARGE = "default rnn=lstm layers=6 hidden=512"  # the network of the LibriSpeech recipe
TABLE_ROWS = 22  # kernels that a profile names


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=sorted(PARTS))
    parser.add_argument("words", nargs="*", help="what the part takes: a time, seeds")
    arguments = parser.parse_args()
    print(f"{arguments.part} on {DEVICE}", flush=True)
    signal.signal(signal.SIGTERM, stop)
    PARTS[arguments.part](*arguments.words)


def stop(*_: object) -> None:
    """End the part whose time is over in an orderly way."""
    raise SystemExit(f"stopped: signal {int(signal.SIGTERM)}")


def wait() -> None:
    """Until the device has done everything."""
    if ON_DEVICE:
        torch.cuda.synchronize()


def median_us(run: Callable[[], Any], repeats: int = 15) -> float:
    """Median microseconds of a call: from event to event, on a CPU by the clock."""
    times = []
    for _ in range(3):
        run()
    for _ in range(repeats):
        wait()
        if not ON_DEVICE:
            started = time.perf_counter()
            run()
            times.append(1e6 * (time.perf_counter() - started))
            continue
        start = torch.cuda.Event(enable_timing=True)
        end = torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        end.record()
        wait()
        times.append(1e3 * start.elapsed_time(end))
    return statistics.median(times)


# ---- env


def environment() -> None:
    """Versions, the speed of a copy, packages that are missing."""
    cudnn = torch.backends.cudnn.version()
    print(f"Python {sys.version.split()[0]}, torch {torch.__version__}, cuDNN {cudnn}", end=", ")
    print(f"{os.cpu_count()} CPUs")
    if ON_DEVICE:
        print(torch.cuda.get_device_properties(0))
        source = torch.empty(1 << 30, dtype=torch.uint8, device=DEVICE)
        target = torch.empty_like(source)
        copy_us = median_us(lambda: target.copy_(source))
        empty_us = median_us(lambda: target[:1].zero_())
        rate = 2 * source.numel() / copy_us / 1e6
        print(f"copy {rate:.2f} TB/s; an empty kernel {empty_us:.1f} us from event to event")
    names = ("soundfile", "jiwer", "rapidfuzz", "numba", "scipy", "rich", "sentencepiece")
    for name in (*names, "hypothesis", "xdist", "triton", "matplotlib", "cuda.pathfinder"):
        try:
            module = importlib.import_module(name)
            print(name, getattr(module, "__version__", "is there"), end="; ")
        except Exception as error:  # whatever is wrong with it is what this part tells
            print(f"{name} MISSING ({error})", end="; ")
    print()


# ---- smoke


def kernel() -> ForwardBackward:
    """The backend under trial."""
    module = importlib.import_module(f"ctcasr.ctc.{DEVICE}")
    forward_backward: ForwardBackward = module.forward_backward
    return forward_backward


class Trial(NamedTuple):
    """A batch and what it is called."""

    name: str
    logits: Tensor
    ctc_batch: CtcBatch


def trial(labels: int, classes: int, dtype: torch.dtype) -> Trial:
    """Three rows, of which the first has all of the labels."""
    random = torch.Generator().manual_seed(labels + classes)
    frames = labels + labels // 8 + 25
    logits = torch.randn(3, frames, classes, generator=random).to(dtype)
    targets = torch.randint(1, classes, (3, labels), generator=random)
    lengths = [labels, labels // 2, labels // 3]
    ctc_batch = prepare(logits, targets, [frames] * 3, lengths)
    return Trial(f"{labels} labels, {classes} classes, {dtype}", logits.to(DEVICE), ctc_batch)


def smoke() -> None:
    """Compile, load, launch; every width and type against float64; the same bits each time."""
    started = time.perf_counter()
    if ON_DEVICE:
        nvrtc = importlib.import_module("ctcasr.ctc.cuda.nvrtc")
        major, minor = torch.cuda.get_device_capability()
        code = nvrtc.binary(10 * major + minor)
        spent_s = time.perf_counter() - started
        print(f"NVRTC {nvrtc.version()}: {len(code)} bytes in {spent_s:.1f} s", flush=True)
    worst = dict.fromkeys(GRADIENT_LIMITS, 0.0)
    wrong = 0
    for labels, classes, dtype in itertools.product(WIDTHS, (40, 300), GRADIENT_LIMITS):
        error = gradient_error(trial(labels, classes, dtype))
        worst[dtype] = max(worst[dtype], error)
        wrong += not error <= GRADIENT_LIMITS[dtype]
    for dtype, error in worst.items():
        print(f"largest gradient error in {dtype}: {error:.1e}", flush=True)
    different = count_different(SHAPES[1])
    print(f"{different} of {SAME_BITS} repeats differ in a bit")
    report_public_loss()
    if wrong or different:
        raise SystemExit(f"WRONG: {wrong} batches")


def gradient_error(batch: Trial) -> float:
    """Largest absolute error against float64; infinite where loss or health are wrong."""
    ours = kernel()(batch.logits, batch.ctc_batch, True)
    truth = native.forward_backward(batch.logits.double(), batch.ctc_batch, True)
    assert ours.grad is not None and truth.grad is not None
    error = float((ours.grad.double() - truth.grad).abs().max())
    loss_error = float(((ours.nll - truth.nll) / truth.nll.clamp_min(1)).abs().max())
    health = float(ours.health.max())
    fine = loss_error <= LOSS_LIMIT and health < HEALTH_LIMIT
    if not (fine and error <= GRADIENT_LIMITS[batch.logits.dtype]):
        found = f"gradient {error:.1e}, loss {loss_error:.1e}, health {health:.1e}"
        print(f"WRONG: {batch.name}: {found}", flush=True)
    return error if fine else float("inf")


def count_different(shape: Sequence[int]) -> int:
    """Repeats of one batch whose loss or gradient is not bit for bit the first one's."""
    batch = noise(shape)
    first = kernel()(batch.logits, batch.ctc_batch, True)
    assert first.grad is not None
    different = 0
    for _ in range(SAME_BITS):
        again = kernel()(batch.logits, batch.ctc_batch, True)
        assert again.grad is not None
        same = torch.equal(first.nll, again.nll) and torch.equal(first.grad, again.grad)
        different += not same
    return different


def report_public_loss() -> None:
    """The front door with backend "auto": whether it warns that it takes torch's loss."""
    batch = noise(SHAPES[0])
    logits = batch.logits.requires_grad_()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        loss(batch, logits).backward()
    slope = logits.grad
    assert slope is not None
    print(f"ctc_loss: gradient of length {float(slope.norm()):.6g}", *[w.message for w in told])


def noise(shape: Sequence[int]) -> Trial:
    """Full rows of random logits."""
    rows, frames, classes, labels = shape
    random = torch.Generator(DEVICE).manual_seed(0)
    logits = torch.randn(rows, frames, classes, device=DEVICE, generator=random)
    targets = torch.randint(1, classes, (rows, labels), generator=torch.Generator().manual_seed(0))
    ctc_batch = prepare(logits, targets, [frames] * rows, [labels] * rows)
    return Trial(str(tuple(shape)), logits, ctc_batch)


def loss(batch: Trial, logits: Tensor) -> Tensor:
    """Of the whole batch, through the front door."""
    ctc_batch = batch.ctc_batch
    lengths = ctc_batch.input_lengths, ctc_batch.target_lengths
    return ctc_loss(logits, ctc_batch.targets, *lengths, reduction="sum")


def small() -> None:
    """A few small batches of each kernel, both roads, for the sanitizer."""
    for labels, scale in itertools.product((5, 70, 150, 600), (1.0, 30.0)):
        batch = trial(labels, 40, torch.float32)
        error = gradient_error(batch._replace(logits=scale * batch.logits))
        print(f"{batch.name}, scale {scale:g}: {error:.1e}", flush=True)


def one(*numbers: str) -> None:
    """One call of a shape, for a profiler."""
    batch = noise([int(number) for number in numbers])
    kernel()(batch.logits, batch.ctc_batch, True)
    wait()


# ---- ctc


def ctc() -> None:
    """Forward and backward: kernels alone, whole call, its host share; torch native, cuDNN."""
    names = ["(B, T, C, S)", "kernels us", "call us", "its host us", "torch us", "x ours"]
    names += ["cuDNN us", "x ours", "gradient error"]
    print("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|", flush=True)
    for shape in SHAPES:
        print("| " + " | ".join(ctc_cells(noise(shape))) + " |", flush=True)
        if ON_DEVICE:
            torch.cuda.empty_cache()
    for shape in SHAPES:
        print(shape, ", ".join(kernel_times(noise(shape))), flush=True)


def ctc_cells(batch: Trial) -> list[str]:
    """A row of the table."""
    logits = batch.logits.requires_grad_()

    def ours() -> None:
        logits.grad = None
        loss(batch, logits).backward()

    call_us = median_us(ours)
    cells = [batch.name, graph_us(batch), f"{call_us:.0f}", f"{host_us(ours):.0f}"]
    for is_cudnn in (False, True):
        if is_cudnn and max(batch.ctc_batch.target_lengths) >= CUDNN_LABELS:
            cells += ["not eligible", ""]
            continue
        try:
            peer_us = median_us(peer(batch, logits, is_cudnn), 7)
            cells += [f"{peer_us:.0f}", f"{peer_us / call_us:.1f}"]
        except RuntimeError as error:
            cells += [str(error)[:40], ""]
    logits.grad = None
    cells.append(f"{error_of_rows(batch):.1e}")
    return cells


def graph_us(batch: Trial) -> str:
    """Microseconds of the kernels in a CUDA graph: nothing of the host is in them."""
    logits = batch.logits.detach()
    run = kernel()
    if not ON_DEVICE:
        return f"{median_us(lambda: run(logits, batch.ctc_batch, True)):.1f}"
    try:
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            run(logits, batch.ctc_batch, True)
        wait()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            rows = run(logits, batch.ctc_batch, True)
        replay_us = median_us(graph.replay)
        del rows, graph
        return f"{replay_us:.1f}"
    except RuntimeError as error:
        return f"no graph: {str(error)[:60]}"


def host_us(run: Callable[[], Any], calls: int = 10) -> float:
    """Microseconds until the host is free again."""
    wait()
    started = time.perf_counter()
    for _ in range(calls):
        run()
    spent = (time.perf_counter() - started) / calls
    wait()
    return 1e6 * spent


def peer(batch: Trial, logits: Tensor, is_cudnn: bool) -> Callable[[], None]:
    """torch's own loss; cuDNN takes concatenated int32 targets and lengths on the host."""
    ctc_batch = batch.ctc_batch
    rows = len(ctc_batch.target_lengths)
    targets = ctc_batch.targets.int()
    kind = torch.int32
    if not is_cudnn:
        targets = ctc_batch.targets.reshape(rows, -1).to(DEVICE)
        kind = torch.int64
    frames = torch.tensor(ctc_batch.input_lengths, dtype=kind)
    labels = torch.tensor(ctc_batch.target_lengths, dtype=kind)

    def run() -> None:
        logits.grad = None
        with torch.backends.cudnn.flags(enabled=is_cudnn):
            log_probs = logits.log_softmax(-1).transpose(0, 1)
            F.ctc_loss(log_probs, targets, frames, labels, reduction="sum").backward()

    return run


def error_of_rows(batch: Trial) -> float:
    """Largest absolute error of the gradient of the first rows."""
    rows = slice(0, min(CHECKED_ROWS, len(batch.ctc_batch.target_lengths)))
    few = batch.logits.detach()[rows]
    lengths = batch.ctc_batch.input_lengths[rows], batch.ctc_batch.target_lengths[rows]
    ctc_batch = prepare(few, batch.ctc_batch.padded()[rows], *lengths)
    ours = kernel()(few, ctc_batch, True)
    truth = native.forward_backward(few.double(), ctc_batch, True)
    assert ours.grad is not None and truth.grad is not None
    return float((ours.grad.double() - truth.grad).abs().max())


def kernel_times(batch: Trial, calls: int = 5) -> list[str]:
    """Microseconds of each kernel, as a profiler sees them."""
    run = kernel()
    for _ in range(2):
        run(batch.logits, batch.ctc_batch, True)
    with profiler() as found:
        for _ in range(calls):
            run(batch.logits, batch.ctc_batch, True)
        wait()
    times = []
    for event in found.key_averages():
        if event.self_device_time_total:
            times.append(f"{event.key[:40]} {event.self_device_time_total / calls:.1f}")
    return times


def profiler() -> torch.profiler.profile:
    """Of the device's work, and of the CPU's where there is none."""
    activity = torch.profiler.ProfilerActivity
    return torch.profiler.profile(activities=[activity.CUDA if ON_DEVICE else activity.CPU])


# ---- steps


def recogniser(net: str) -> Recognise:
    """A fresh network and its task."""
    torch.manual_seed(0)
    spec = read_spec(net)
    network = build(spec, ALPHABET.size)
    return Recognise(network, ALPHABET, spec_to(spec), SpecAugment())


def sounds(
    rows: int, seconds: float, text: str = SENTENCE, clean: bool = False, video: bool = False
) -> Batch:
    """Noise at 16 kHz, the last row 0.7 as long as the first, with a text that all of them say."""
    tokens = ALPHABET.encode(text)
    lengths = [round(16000 * seconds * (1 - 0.3 * row / rows)) for row in range(rows)]
    audio = Seq.stack([0.1 * torch.randn(samples) for samples in lengths], 16000)
    speech = Seq.stack([0.1 * torch.randn(samples) for samples in lengths], 16000)
    utterances = tuple(Utterance(Path(f"{row}.wav"), seconds, text) for row in range(rows))
    return Batch(
        utterances,
        audio,
        torch.tensor(tokens * rows),
        (len(tokens),) * rows,
        seeds=tuple(range(rows)),
        clean=speech if clean else None,
        video=mouths(lengths) if video else None,
    )


def mouths(lengths: Sequence[int]) -> Seq:
    """Frames of noise beside so many samples."""
    frames = []
    for samples in lengths:
        shape = (round(25 * samples / 16000), 128, 128)
        frames.append(torch.randint(0, 255, shape, dtype=torch.uint8))
    return Seq.stack(frames, 25)


def large_batch() -> tuple[str, Batch]:
    """A network's words and a batch: 100 x 16 s of sound for the LibriSpeech recipe's network."""
    if ON_DEVICE:
        return LARGE, sounds(100, 16.0, LONG_SENTENCE)
    return "default", sounds(2, 2.0, "a")


def steps() -> None:
    """Time, memory and waits of steps of two networks, in float32 and bfloat16; their kernels."""
    rows = 16 if ON_DEVICE else 2
    net, batch = large_batch()
    for name, words, sound in (("default", "default", sounds(rows, 3.0)), (net, net, batch)):
        for bf16 in (False, True):
            title = f"{name}, {len(sound)} rows, {'bf16' if bf16 else 'fp32'}"
            time_steps(title, recogniser(words), sound, bf16, profiled=not bf16)


def heads() -> None:
    """Steps of enhancers, with a listener and with video, and of classifiers."""
    rows = 8 if ON_DEVICE else 2
    for net, is_listening in (("mask", False), ("mask", True), ("avse_lstm8", False)):
        for bf16 in (False, True):
            spec = read_enhancer(net)
            batch = sounds(rows, 3.0 if ON_DEVICE else 1.0, clean=True, video=spec.sees)
            task = Enhance(build_enhancer(spec), enhancer_to(spec), listener(is_listening), 1.0)
            title = f"{net}, {rows} rows, listener {is_listening}, bf16 {bf16}"
            time_steps(title, task, batch, bf16)
    for net in ("kws_bcresnet", "googlenet_spec", "resnet_spec"):
        for bf16 in (False, True):
            time_steps(f"{net}, {4 * rows} clips, bf16 {bf16}", *clips(net, 4 * rows), bf16)


def listener(wanted: bool) -> Listener | None:
    """An untrained network that listens."""
    if not wanted:
        return None
    heard = recogniser("default")
    return Listener(Recogniser(heard.network.to(DEVICE), ALPHABET, heard.spec, {}))


def clips(net: str, rows: int) -> tuple[Classify, Batch]:
    """A classifier of ten classes, and as many clips of the length it takes."""
    spec = read_classifier(net)
    model = build_classifier(spec, 10)
    lengths = [spec.samples] * rows
    audio = Seq.stack([0.1 * torch.randn(n) for n in lengths], Fraction(spec.front.rate_hz))
    if model.front.needs_statistics:
        model.front.fit(iter([audio]))
    batch = replace(sounds(rows, 1.0), audio=audio, labels=torch.arange(rows) % 10)
    return Classify(model, [str(name) for name in range(10)], classifier_to(spec)), batch


class Steps:
    """Steps of one task on one batch, from the samples on the host on."""

    def __init__(self, task: Task, batch: Batch, bf16: bool) -> None:
        task.network.to(DEVICE).train()
        optimiser = make_optimiser(TrainConfig(), task.parameters())
        self.stepper = Stepper(Bf16Steps(task) if bf16 else task, optimiser, CLIP)
        self.batch = batch.pin() if ON_DEVICE else batch
        self.taken = 0

    def take(self) -> StepResult:
        """One step."""
        self.taken += 1
        result = self.stepper.take([self.batch.to(DEVICE)], step=self.taken, lr=LR)
        assert result is not None
        return result

    def timed_ms(self) -> float:
        """Milliseconds of a step, the device waited for at both ends."""
        wait()
        started = time.perf_counter()
        self.take()
        wait()
        return 1e3 * (time.perf_counter() - started)

    def median_ms(self, count: int) -> float:
        """Of so many steps."""
        return statistics.median(self.timed_ms() for _ in range(count))

    def waits(self) -> list[str]:
        """Files and lines of a step at which the host waits for the device."""
        if not ON_DEVICE:
            return []
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                self.take()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        waits = [warning for warning in told if "synchron" in str(warning.message)]
        return [f"{Path(warning.filename).name}:{warning.lineno}" for warning in waits]


def time_steps(
    title: str, task: Task, batch: Batch, bf16: bool = False, profiled: bool = False
) -> None:
    """Print how long steps take and what memory they need; a failure is printed too."""
    if ON_DEVICE:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        run = Steps(task, batch, bf16)
        first_ms = run.timed_ms()
        run.median_ms(2)  # warm
        step_ms = run.median_ms(5 if ON_DEVICE else 1)
        result = run.take()
        peak_gib = torch.cuda.max_memory_allocated() / 2**30 if ON_DEVICE else 0.0
        pace = batch.audio.seconds / step_ms * 1e3
        print(f"{title}: first {first_ms:.0f} ms, then {step_ms:.2f} ms a step,", end=" ")
        print(f"{pace:.0f} audio-s/s, {peak_gib:.2f} GiB; loss {result.loss:.4g},", end=" ")
        print(f"norm {result.grad_norm:.3g}, {result.problem or 'fine'}", end="")
        print(f", halved {result.halved} times" if result.halved else "", flush=True)
        if profiled:
            print(f"waits of a step: {run.waits()}")
            print_profile(run, step_ms)
    except Exception as error:  # the next network may do better
        print(f"{title}: FAILED {type(error).__name__}: {str(error)[:300]}", flush=True)
        traceback.print_exc(limit=-3, file=sys.stdout)


def print_profile(run: Steps, step_ms: float) -> None:
    """Launches of a step, how busy they keep the device, and the dearest kernels."""
    count = 2
    with profiler() as found:
        for _ in range(count):
            run.take()
        wait()
    column = "self_device_time_total" if ON_DEVICE else "self_cpu_time_total"
    events = [event for event in found.key_averages() if getattr(event, column) > 0]
    events.sort(key=lambda event: -getattr(event, column))
    busy_ms = sum(getattr(event, column) for event in events) / count / 1e3
    launches = sum(event.count for event in events) / count
    print(f"{launches:.0f} launches and copies a step, {busy_ms:.2f} ms of work,", end=" ")
    print(f"busy {100 * busy_ms / step_ms:.0f} %")
    for event in events[:TABLE_ROWS]:
        spent_ms = getattr(event, column) / count / 1e3
        print(f"  {spent_ms:8.3f} ms {event.count / count:6.0f} x {event.key[:100]}")
    sys.stdout.flush()


# ---- rnn


def rnn() -> None:
    """Two directions of a layer: in turn (as now), on two streams, packed; in three types."""
    if not ON_DEVICE:
        print("needs a device")
        return
    for shape in ((16, 75, 320, 128), (96, 400, 1024, 512)):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            try:
                print(shape, dtype, ", ".join(direction_times(shape, dtype)), flush=True)
            except RuntimeError as error:
                print(shape, dtype, "FAILED", str(error)[:200], flush=True)
    layer = torch.nn.LSTM(64, 64).to(DEVICE)
    with torch.autocast(DEVICE, torch.bfloat16):
        output, _ = layer(torch.randn(5, 8, 64, device=DEVICE))
    print(f"a cuDNN LSTM under autocast to bfloat16 gives {output.dtype}")


def direction_times(shape: Sequence[int], dtype: torch.dtype) -> list[str]:
    """Milliseconds, forward and backward, of each way to run both directions."""
    rows, frames, features, hidden = shape
    lengths = torch.tensor([frames - (row * frames // 4) // rows for row in range(rows)])
    inputs = torch.randn(rows, frames, features, device=DEVICE, dtype=dtype, requires_grad=True)
    forward = torch.nn.LSTM(features, hidden, batch_first=True).to(DEVICE, dtype)
    backward = torch.nn.LSTM(features, hidden, batch_first=True).to(DEVICE, dtype)
    both = torch.nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
    both.to(DEVICE, dtype)
    side = torch.cuda.Stream()

    def in_turn() -> None:
        outputs = torch.cat([forward(inputs)[0], backward(inputs)[0]], 2)
        outputs.float().square().mean().backward()

    def side_by_side() -> None:
        here = torch.cuda.current_stream()
        side.wait_stream(here)
        with torch.cuda.stream(side):
            other = backward(inputs)[0]
        mine = forward(inputs)[0]
        here.wait_stream(side)
        torch.cat((mine, other), 2).float().square().mean().backward()

    def packed() -> None:
        rows_packed = torch.nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True)
        both(rows_packed)[0].data.float().square().mean().backward()

    ways: tuple[Callable[[], None], ...] = (in_turn, side_by_side, packed)
    return [f"{way.__name__} {median_us(way, 7) / 1e3:.2f} ms" for way in ways]


# ---- grid


class Run:
    """One training by the recipe, in a process of its own."""

    def __init__(self, name: str, *flags: str) -> None:
        self.name = name
        self.out = RUNS / name
        shutil.rmtree(self.out, ignore_errors=True)
        RUNS.mkdir(parents=True, exist_ok=True)
        corpus = DATA / "grid_s1"
        files = ["--train", str(corpus / "train.jsonl"), "--valid", str(corpus / "valid.jsonl")]
        place = ["--out", str(self.out), "--overwrite", "--device", DEVICE]
        self.log = RUNS / f"{name}.log"
        self.started = time.perf_counter()
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(RECIPE), *files, *place, *flags],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def finish(self) -> None:
        """Wait for its end and print what came of it."""
        try:
            status = self.process.wait()
        except SystemExit:  # of `stop`: what the run has written by now is told
            status = self.process.returncode
        spent_s = time.perf_counter() - self.started
        print(f"{self.name}: status {status}, {spent_s:.1f} s in all")
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines[-12:] if status else [line for line in lines if "valid:" in line]:
            print(f"  {line[:200]}")
        if (self.out / "records.jsonl").is_file():
            self.print_records()
        keep_runs()
        sys.stdout.flush()

    def print_records(self) -> None:
        """Pace, waiting for data, and the checks."""
        records = read_records(self.out)
        taken = [record for record in records if isinstance(record, StepRecord)]
        count = sum(record.steps or 0 for record in taken)
        audio_s = sum(record.audio_s or 0.0 for record in taken)
        step_s = sum(record.step_s or 0.0 for record in taken)
        wait_s = sum(record.wait_s or 0.0 for record in taken)
        busy_s = max(step_s + wait_s, 1e-9)
        total_s = records[-1].time_s
        print(f"  {count} steps of {1e3 * step_s / max(count, 1):.2f} ms,", end=" ")
        print(f"{audio_s:.0f} s of sound; {audio_s / busy_s:.0f} audio-s/s in steps,", end=" ")
        print(f"waiting for data {100 * wait_s / busy_s:.1f} %,", end=" ")
        print(f"checks, files and the rest {total_s - busy_s:.1f} s of {total_s:.1f} s")
        checks = [record for record in records if isinstance(record, CheckRecord)]
        shown = [f"{c.time_s:.0f} s {100 * c.number('wer'):.1f} %" for c in few(checks)]
        print("  dev WER: " + ", ".join(shown))


def few(checks: Sequence[CheckRecord], most: int = 10) -> Sequence[CheckRecord]:
    """At most so many of them, evenly, with the last."""
    stride = -(-len(checks) // most) or 1
    return checks[::-1][::stride][::-1]


def keep_runs() -> None:
    """The records, logs and scores of all runs in one file under $OUT."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tarfile.open(OUT / "runs.tar.gz", "w:gz") as archive:
        for path in sorted(RUNS.rglob("*")):
            if path.suffix in (".jsonl", ".json", ".toml", ".log"):
                archive.add(path, path.relative_to(RUNS))


def grid(budget: str = "25s") -> None:
    """Train the default recogniser on GRID for so long, and score it."""
    Run("grid", "--budget", budget, "--check-every", "4").finish()


def gridfull(epochs: str = "60", *seeds: str) -> None:
    """GRID to convergence: the first seed alone, which tells the time; then all others at once."""
    flags = ("--epochs", epochs)
    first, *others = seeds or ("0", "1", "2")
    Run(f"fp32-{first}", *flags, "--seed", first).finish()
    Run(f"bf16-{first}", *flags, "--seed", first, "--bf16").finish()
    for run in [Run(f"fp32-{seed}", *flags, "--seed", seed) for seed in others]:
        run.finish()
    print(json.dumps({"epochs": epochs, "seeds": [first, *others]}))


PARTS: dict[str, Callable[..., None]] = {
    "env": environment,
    "smoke": smoke,
    "small": small,
    "one": one,
    "ctc": ctc,
    "steps": steps,
    "heads": heads,
    "rnn": rnn,
    "grid": grid,
    "gridfull": gridfull,
}


if __name__ == "__main__":
    main()
