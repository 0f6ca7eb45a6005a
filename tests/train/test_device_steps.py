"""What a training step asks of a CUDA device, told by one that is only pretended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr.batch import Batch, Utterance
from ctcasr.classify import Classify
from ctcasr.classify.model import build_classifier, classifier_to, read_classifier
from ctcasr.enhance import Enhance, Listener
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import enhancer_to, read_enhancer
from ctcasr.front import Augment, SpecAugment
from ctcasr.recognise import Objective, Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.seq import Seq
from ctcasr.task import Task
from ctcasr.text import Alphabet
from ctcasr.train import Pace, TrainConfig, fit
from ctcasr.train.bf16 import Bf16Steps
from ctcasr.train.checkpointer import Checkpointer
from ctcasr.train.clock import CheckClock
from ctcasr.train.meter import StepMeter
from ctcasr.train.schedule import make_optimiser
from ctcasr.train.stepper import Decision, Stepper
from ctcasr.train.world import World
from tests.fixtures.pretended_cuda import Noted, pretended_cuda

ALPHABET = Alphabet.english38()
END = ("check", "epoch", "event")  # of a run
ROWS = 3


@dataclass(frozen=True)
class Case:
    """A task and a batch that it can learn from."""

    task: Task
    batch: Batch


def a_batch(rate_hz: int, samples: int, step: int = 800, **more: Any) -> Batch:
    """Rows that are each `step` samples shorter than the one before."""
    rows = [torch.randn(samples - step * row) for row in range(ROWS)]
    audio = Seq.stack(rows, rate_hz)
    text = "bin blue"
    tokens = list(ALPHABET.encode(text))
    utterances = tuple(Utterance(Path(f"u{row}.wav"), text=text) for row in range(ROWS))
    return Batch(
        utterances,
        audio,
        torch.tensor(tokens * ROWS),
        (len(tokens),) * ROWS,
        seeds=tuple(range(ROWS)),
        clean=audio.with_data(0.5 * audio.data),
        silent=(False,) * ROWS,
        **more,
    )


def recognise(
    words: str = "", augment: SpecAugment | None = None, objective: Objective | None = None
) -> Case:
    spec = read_spec(f"default hidden=16 layers=2 {words}".strip())
    model = build(spec, ALPHABET.size)
    augment = augment or SpecAugment()
    task = Recognise(model, ALPHABET, spec_to(spec), augment, objective=objective)
    return Case(task, a_batch(spec.front.rate_hz, 12000))


def recognise_in_rooms() -> Case:
    sounds = Augment(
        [torch.randn(900)], [torch.randn(50)], noise_share=1.0, rir_share=1.0, masks=SpecAugment()
    )
    return recognise(augment=sounds)


def enhance(net: str, listens: bool = False, sees: bool = False) -> Case:
    spec = read_enhancer(net)
    listener = None
    if listens:
        heard = read_spec("default hidden=16 layers=1")
        model = build(heard, ALPHABET.size)
        listener = Listener(Recogniser(model, ALPHABET, spec_to(heard), {}))
    task = Enhance(build_enhancer(spec), enhancer_to(spec), listener, 1.0)
    video = None
    if sees:
        pictures = torch.zeros((9, 32, 32), dtype=torch.uint8)
        video = Seq.stack([pictures[: 9 - row] for row in range(ROWS)], 25)
    return Case(task, a_batch(spec.rate_hz, 6000, video=video))


def classify(net: str) -> Case:
    spec = read_classifier(net)
    names = [str(row) for row in range(ROWS)]
    task = Classify(build_classifier(spec, ROWS), names, classifier_to(spec), SpecAugment())
    batch = a_batch(spec.front.rate_hz, spec.samples, step=0, labels=torch.arange(ROWS))
    return Case(task, batch)


CASES: dict[str, Callable[[], Case]] = {
    "recognise": recognise,
    "recognise, GRU": lambda: recognise("rnn=gru"),
    "recognise, tanh": lambda: recognise("rnn=rnn"),
    "recognise, in rooms": recognise_in_rooms,
    "recognise, priors": lambda: recognise("prior_weight=0.3"),
    "recognise, CR-CTC": lambda: recognise(objective=Objective(consistency=0.2)),
    "enhance": lambda: enhance("mask_tiny"),
    "enhance, listener": lambda: enhance("mask_tiny", listens=True),
    "enhance, video": lambda: enhance("avse_lstm8", sees=True),
    "enhance, listener and video": lambda: enhance("avse_lstm8", listens=True, sees=True),
    "classify": lambda: classify("kws_cnn"),
}


def second_step(case: Case, bf16: bool = False) -> Noted:
    """What the second step on a batch asks of the device; the first moves what stays there."""
    with pretended_cuda() as device:
        case.task.network.to("cuda")
        case.task.network.train()
        optimiser = make_optimiser(TrainConfig(), case.task.parameters())
        steps = Bf16Steps(case.task) if bf16 else case.task
        stepper = Stepper(steps, optimiser, clip=10.0)
        for _ in range(2):
            noted = device.fresh()
            result = stepper.take([case.batch.to("cuda")], step=1, lr=1e-3)
    assert result is not None and noted.launches
    return noted


@pytest.mark.parametrize(
    "name", ["recognise", "recognise, GRU", "enhance, listener and video", "classify"]
)
def test_nothing_of_a_bfloat16_step_is_float16(name: str) -> None:
    noted = second_step(CASES[name](), bf16=True)
    assert torch.float16 not in noted.types
    assert torch.bfloat16 in noted.types
    assert noted.rnn_types <= {torch.float32, torch.bfloat16}


# Kernels that a step launches, a quarter more than were counted (torch's versions differ). Torch's
# loops over parameters are counted one by one, which a real device gets in one.
MOST_LAUNCHES = {
    "recognise": 370,
    "recognise, GRU": 370,
    "recognise, tanh": 370,
    "recognise, in rooms": 430,
    "recognise, priors": 390,
    "recognise, CR-CTC": 740,
    "enhance": 300,
    "enhance, listener": 580,
    "enhance, video": 780,
    "enhance, listener and video": 1050,
    "classify": 140,
}


@pytest.mark.parametrize("name", CASES)
def test_a_step_waits_for_nothing_and_launches_no_more_than_it_did(name: str) -> None:
    noted = second_step(CASES[name]())
    assert not noted.waits, noted.waits
    assert sum(noted.launches.values()) <= MOST_LAUNCHES[name], noted.launches


def test_a_record_waits_a_few_times_for_many_steps() -> None:
    case = recognise()
    meter = StepMeter()
    with pretended_cuda() as device:
        case.task.network.to("cuda")
        case.task.network.train()
        optimiser = make_optimiser(TrainConfig(), case.task.parameters())
        stepper = Stepper(case.task, optimiser, clip=10.0)
        batch = case.batch.to("cuda")
        for step in range(3):
            result = stepper.take([batch], step=step, lr=1e-3, measure=True)
            assert result is not None
            meter.add(result, 1e-3, step_s=0.0, wait_s=0.0)
        noted = device.fresh()
        assert meter.settle(World()) == [Decision()] * 3 and len(noted.waits) == 1
        record = meter.record(step=3, time_s=0.0, epoch=0)
    assert record.steps == 3 and "blank_mass" in record.details
    assert len(noted.waits) <= 6


def test_sound_is_copied_while_the_host_goes_on() -> None:
    case = classify("kws_cnn")
    with pretended_cuda() as device:
        case.batch.to("cuda")
    assert len(device.noted.copies) == 3 and not device.noted.waits


def test_a_whole_run_goes_through_and_its_checks_leave_time_to_train(
    recogniser_parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What has no values cannot be written down.
    monkeypatch.setattr(Checkpointer, "save_last", lambda *_, **__: None)
    monkeypatch.setattr(CheckClock, "allows", lambda *_: False)
    task, train, dev = recogniser_parts()
    config = TrainConfig(epochs=3, device="cuda", log_every=3)
    waits = []
    records = []
    with pretended_cuda() as device:
        for record in fit(task, train, dev, out=tmp_path, config=config, pace=Pace()):
            records.append(record)
            if record.kind == "step":
                waits.append(len(device.noted.waits))
            device.fresh()
    kinds = [record.kind for record in records]
    steps_per_epoch = ["step", "step"]  # of three batches and of one
    assert kinds == ["start", *2 * [*steps_per_epoch, "epoch"], *steps_per_epoch, *END]
    # The first batch is looked at once. All others wait for records alone, whatever the steps.
    assert max(waits[1:]) <= 6
    assert (tmp_path / "best.pt").is_file()
