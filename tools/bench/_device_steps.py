"""Optimiser steps on a device: time, memory, waits of the host, launches, the dearest kernels."""

from __future__ import annotations

import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

sys.path.insert(0, str(Path(__file__).parent))
from _device import DEVICE, ON_DEVICE, median_us, named, profiler, wait, work_us

from ctcasr.batch import Batch, Utterance
from ctcasr.classify import Classify
from ctcasr.classify.model import build_classifier, classifier_to, read_classifier
from ctcasr.enhance import Enhance, Listener, read_enhancer
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import enhancer_to
from ctcasr.front import SpecAugment
from ctcasr.recognise import Recognise, Recogniser, build, read_spec
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from ctcasr.task import Task
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig
from ctcasr.train.bf16 import Bf16Steps
from ctcasr.train.schedule import make_optimiser
from ctcasr.train.stepper import Stepper, StepResult

ALPHABET = Alphabet.english38()
RATE_HZ = 16000
FRAME_RATE = 25  # of video
LARGE = "default rnn=lstm layers=6 hidden=512"  # the network of the LibriSpeech recipe
SENTENCE = "set white with p two soon"
LONG_SENTENCE = "the cat sat on the mat " * 8
CLASSES = 10
LR = 1e-4
CLIP = 10.0
TIMED = 5 if ON_DEVICE else 1  # steps
PROFILED = 2  # steps
TABLE_ROWS = 12  # kernels that a profile names


def steps() -> None:
    """Steps of two networks, in float32 and bfloat16, and the kernels they are made of."""
    if ON_DEVICE:
        batches = {
            "default": sounds(16, 3.0),
            LARGE: sounds(100, 16.0, LONG_SENTENCE),
        }
    else:
        batches = {"default": sounds(2, 3.0)}
    for net, batch in batches.items():
        for bf16 in (False, True):
            title = f"{net}, {len(batch)} rows, bf16 {bf16}"
            time_steps(title, recogniser(net), batch, bf16, profiled=True)


def heads() -> None:
    """Steps of enhancers, with a listener and with video, and of classifiers."""
    rows = 8 if ON_DEVICE else 2
    seconds = 3.0 if ON_DEVICE else 1.0
    for net, is_listening in (("mask", False), ("mask", True), ("avse_lstm8", False)):
        for bf16 in (False, True):
            spec = read_enhancer(net)
            batch = sounds(rows, seconds, clean=True, video=spec.sees)
            task = Enhance(
                build_enhancer(spec),
                enhancer_to(spec),
                listener(is_listening),
                1.0,
            )
            title = f"{net}, {rows} rows, listener {is_listening}, bf16 {bf16}"
            time_steps(title, task, batch, bf16)
    for net in ("kws_bcresnet", "googlenet_spec", "resnet_spec"):
        for bf16 in (False, True):
            task_of_net, batch = clips(net, 4 * rows)
            title = f"{net}, {len(batch)} clips, bf16 {bf16}"
            time_steps(title, task_of_net, batch, bf16)


# ---- tasks and batches


def recogniser(net: str) -> Recognise:
    """A fresh network and its task."""
    torch.manual_seed(0)
    spec = read_spec(net)
    network = build(spec, ALPHABET.size)
    return Recognise(network, ALPHABET, spec_to(spec), SpecAugment())


def listener(wanted: bool) -> Listener | None:
    """An untrained network that listens."""
    if not wanted:
        return None
    task = recogniser("default")
    network = task.network.to(DEVICE)
    return Listener(Recogniser(network, ALPHABET, task.spec, {}))


def sounds(
    rows: int, seconds: float, text: str = SENTENCE, clean: bool = False, video: bool = False
) -> Batch:
    """Noise, the last row about 0.7 as long as the first, with a text that all of them say."""
    tokens = ALPHABET.encode(text)
    longest = RATE_HZ * seconds
    lengths = []
    utterances = []
    for row in range(rows):
        shorter_by = 0.3 * row / rows
        lengths.append(round(longest * (1 - shorter_by)))
        utterances.append(Utterance(Path(f"{row}.wav"), seconds, text))
    batch = Batch(
        tuple(utterances),
        audio=hiss(lengths),
        targets=torch.tensor(tokens * rows),
        target_lengths=(len(tokens),) * rows,
        seeds=tuple(range(rows)),
    )
    if clean:
        batch = replace(batch, clean=hiss(lengths))
    if video:
        batch = replace(batch, video=mouths(lengths))
    return batch


def hiss(lengths: Sequence[int], rate_hz: int = RATE_HZ) -> Seq:
    """Samples of noise."""
    samples = [0.1 * torch.randn(length) for length in lengths]
    return Seq.stack(samples, Fraction(rate_hz))


def mouths(lengths: Sequence[int]) -> Seq:
    """Frames of noise beside so many samples."""
    frames = []
    for samples in lengths:
        seconds = samples / RATE_HZ
        shape = (round(FRAME_RATE * seconds), 128, 128)
        frames.append(torch.randint(0, 255, shape, dtype=torch.uint8))
    return Seq.stack(frames, FRAME_RATE)


def clips(net: str, rows: int) -> tuple[Classify, Batch]:
    """A classifier of ten classes, and as many clips of the length it takes."""
    spec = read_classifier(net)
    model = build_classifier(spec, CLASSES)
    audio = hiss([spec.samples] * rows, spec.front.rate_hz)
    if model.front.needs_statistics:
        model.front.fit(iter([audio]))
    names = [str(name) for name in range(CLASSES)]
    labels = torch.arange(rows) % CLASSES
    batch = replace(sounds(rows, 1.0), audio=audio, labels=labels)
    return Classify(model, names, classifier_to(spec)), batch


# ---- steps


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
        batches = [self.batch.to(DEVICE)]
        result = self.stepper.take(batches, step=self.taken, lr=LR)
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
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self.take()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        places = []
        for warning in caught:
            if "synchron" in str(warning.message):
                name = Path(warning.filename).name
                places.append(f"{name}:{warning.lineno}")
        return places


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
        step_ms = run.median_ms(TIMED)
        figures = {
            "first ms": first_ms,
            "ms a step": step_ms,
            "audio-s/s": 1e3 * batch.audio.seconds / step_ms,
            "GiB": peak_gib(),
        }
        print(f"{title}: {named(figures)}")
        print("  " + outcome(run.take()), flush=True)
        if profiled:
            print(f"  waits of a step: {run.waits()}")
            print_profile(run, step_ms, 4 if bf16 else TABLE_ROWS)
    except Exception as error:  # the next network may do better
        reason = str(error)[:300]
        print(f"{title}: FAILED {type(error).__name__}: {reason}", flush=True)
        traceback.print_exc(limit=-3, file=sys.stdout)


def peak_gib() -> float:
    """The most memory that the device has given."""
    if not ON_DEVICE:
        return 0.0
    return torch.cuda.max_memory_allocated() / 2**30


def outcome(result: StepResult) -> str:
    """Whether a step went well, in words."""
    figures = {
        "loss": result.loss,
        "length of the gradient": result.grad_norm,
        "halved for want of memory": result.halved,
    }
    problem = result.problem or "no problem"
    return f"{named(figures)}; {problem}"


def print_profile(run: Steps, step_ms: float, most: int) -> None:
    """Launches of a step, how busy they keep the device, and the dearest kernels."""
    with profiler() as profile:
        for _ in range(PROFILED):
            run.take()
        wait()
    events = [event for event in profile.key_averages() if work_us(event) > 0]
    events.sort(key=work_us, reverse=True)
    total_us = sum(work_us(event) for event in events)
    busy_ms = total_us / PROFILED / 1e3
    launches = sum(event.count for event in events) / PROFILED
    figures = {
        "launches and copies a step": launches,
        "ms of work": busy_ms,
        "busy %": 100 * busy_ms / step_ms,
    }
    print("  " + named(figures))
    for event in events[:most]:
        spent_ms = work_us(event) / PROFILED / 1e3
        count = event.count / PROFILED
        print(f"  {spent_ms:8.3f} ms {count:6.0f} x {event.key[:90]}")
    sys.stdout.flush()


# ---- recurrent layers


def rnn() -> None:
    """Two directions of a layer: in turn, on two streams, packed; in three types."""
    if not ON_DEVICE:
        print("needs a device")
        return
    for shape in ((16, 75, 320, 128), (96, 400, 1024, 512)):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            try:
                print(shape, dtype, direction_times(shape, dtype), flush=True)
            except RuntimeError as error:
                print(shape, dtype, "FAILED", str(error)[:200], flush=True)
    layer = torch.nn.LSTM(64, 64).to(DEVICE)
    with torch.autocast(DEVICE, torch.bfloat16):
        output, _ = layer(torch.randn(5, 8, 64, device=DEVICE))
    print(f"a cuDNN LSTM under autocast to bfloat16 gives {output.dtype}")


def direction_times(shape: Sequence[int], dtype: torch.dtype) -> str:
    """Milliseconds, forward and backward, of each way to run both directions."""
    rows, frames, features, hidden = shape
    lengths = torch.linspace(frames, 0.75 * frames, rows).long()
    size = (rows, frames, features)
    inputs = torch.randn(size, device=DEVICE, dtype=dtype, requires_grad=True)
    forward = torch.nn.LSTM(features, hidden, batch_first=True)
    forward.to(DEVICE, dtype)
    backward = torch.nn.LSTM(features, hidden, batch_first=True)
    backward.to(DEVICE, dtype)
    bidirectional = torch.nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
    bidirectional.to(DEVICE, dtype)
    side_stream = torch.cuda.Stream()

    def learn(outputs: Tensor) -> None:
        loss = outputs.float().square().mean()
        loss.backward()

    def in_turn() -> None:
        forwards, _ = forward(inputs)
        backwards, _ = backward(inputs)
        learn(torch.cat((forwards, backwards), 2))

    def side_by_side() -> None:
        own_stream = torch.cuda.current_stream()
        side_stream.wait_stream(own_stream)
        with torch.cuda.stream(side_stream):
            backwards, _ = backward(inputs)
        forwards, _ = forward(inputs)
        own_stream.wait_stream(side_stream)
        learn(torch.cat((forwards, backwards), 2))

    def packed() -> None:
        packed_inputs = pack_padded_sequence(inputs, lengths, batch_first=True)
        outputs, _ = bidirectional(packed_inputs)
        learn(outputs.data)

    times = {
        "in turn ms": median_us(in_turn, 7) / 1e3,
        "side by side ms": median_us(side_by_side, 7) / 1e3,
        "packed ms": median_us(packed, 7) / 1e3,
    }
    return named(times)
