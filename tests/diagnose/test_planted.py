"""Every known cause, planted into a short run, is the first that the verdict names.

Healthy runs alarm nobody.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ctcasr.batch import Batch
from ctcasr.ctc import greedy
from ctcasr.front import SpecAugment
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import SpeechModel
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.task import Loss
from ctcasr.text import Alphabet

Items = list[tuple[str, Tensor]]
Note = Callable[[str, int, str], None]


class AllPadding(SpeechModel):
    def forward(
        self, samples: Seq, augment: SpecAugment | None = None, seeds: tuple[int, ...] = ()
    ) -> Seq:
        out = super().forward(samples, augment, seeds)
        return Seq(out.data, (out.data.shape[1],) * len(out), out.rate)


class Softmax(SpeechModel):
    def forward(
        self, samples: Seq, augment: SpecAugment | None = None, seeds: tuple[int, ...] = ()
    ) -> Seq:
        out = super().forward(samples, augment, seeds)
        return out.with_data(out.data.softmax(2))


class Hundredth(SpeechModel):
    def forward(
        self, samples: Seq, augment: SpecAugment | None = None, seeds: tuple[int, ...] = ()
    ) -> Seq:
        out = super().forward(samples, augment, seeds)
        return out.with_data(out.data / 100)


class BlankBonus(SpeechModel):
    def forward(
        self, samples: Seq, augment: SpecAugment | None = None, seeds: tuple[int, ...] = ()
    ) -> Seq:
        out = super().forward(samples, augment, seeds)
        bonus = torch.zeros(out.data.shape[2])
        bonus[0] = 0.0 if self.training else 6.0
        return out.with_data(out.data + bonus)


class Constant(nn.Module):
    def forward(self, features: Seq) -> Seq:
        return features.with_data(torch.full_like(features.data, 0.3)).zero_padding()


class NoFloor(nn.Module):
    def forward(self, features: Seq) -> Seq:
        return features.with_data(features.data.log()).zero_padding()


class OnlyInTraining(nn.Module):
    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, features: Seq) -> Seq:
        return self.norm(features) if self.training else features


class Shifted(Alphabet):
    def encode(self, text: str) -> list[int]:
        return [label + 1 for label in super().encode(text)]


class LessOne(Alphabet):
    def encode(self, text: str) -> list[int]:
        return [label - 1 for label in super().encode(text)]


class AsItStands(Alphabet):
    def normalise(self, text: str) -> str:
        return text


class ZeroInfinity(Recognise):
    def step(self, batch: Batch, step: int) -> Loss:
        loss = super().step(batch, step)
        return Loss(loss.sum, len(batch), loss.rows, (), loss.evidence)


class OtherBlank(Recognise):
    def write(self, logits: Seq) -> list[str]:
        last = logits.data.shape[2] - 1
        return [
            "".join(chr(97 + t % 26) for t in d.tokens)
            for d in greedy(logits.data, logits.lengths, last)
        ]


class HeadOnly(Recognise):
    def parameters(self) -> Any:
        return self.network.body.head.parameters()


def as_class(kind: type[SpeechModel]) -> Callable[[SpeechModel], SpeechModel]:
    def change(model: SpeechModel) -> SpeechModel:
        model.__class__ = kind
        return model

    return change


def spoilt(items: Items, every: int, value: float) -> Items:
    return [
        (text, torch.full_like(x, value) if i % every == 0 else x)
        for i, (text, x) in enumerate(items)
    ]


def noise(items: Items, seed: int) -> Items:
    draw = torch.Generator().manual_seed(seed)
    return [(text, 0.01 * torch.randn(len(x), generator=draw)) for text, x in items]


def padded_targets(batches: list[Batch], label: int = 1) -> list[Batch]:
    def pad(batch: Batch) -> Batch:
        width = max(batch.target_lengths) + 2
        rows = [
            torch.cat([row, row.new_full((width - len(row),), label)])
            for row in batch.targets.split(list(batch.target_lengths))
        ]
        return dataclasses.replace(
            batch, targets=torch.cat(rows), target_lengths=(width,) * len(batch)
        )

    return [pad(batch) for batch in batches]


def no_floor(model: SpeechModel) -> SpeechModel:
    model.front.norm = NoFloor()
    return model


def constant(model: SpeechModel) -> SpeechModel:
    model.front.norm = Constant()
    return model


def only_in_training(model: SpeechModel) -> SpeechModel:
    model.front.norm = OnlyInTraining(model.front.norm)
    return model


def no_running_statistics(model: SpeechModel) -> SpeechModel:
    for module in model.modules():
        if hasattr(module, "running_mean"):
            module.momentum = 0.0
            module.running_var.fill_(25.0)
            module.running_mean.fill_(2.0)
    return model


def pretend_fitted(model: SpeechModel) -> SpeechModel:
    model.front.norm.fitted.fill_(True)
    return model


def frozen(model: SpeechModel) -> SpeechModel:
    model.body.rnn.requires_grad_(False)
    return model


def dead(model: SpeechModel) -> SpeechModel:
    with torch.no_grad():
        model.body.head.layers[1].bias.fill_(-50.0)
    return model


def capitals(items: Items) -> Items:
    return [(text.title(), samples) for text, samples in items]


def shuffled(items: Items) -> Items:
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(0)).tolist()
    return [(items[a][0], items[b][1]) for a, b in zip(order, range(len(items)), strict=True)]


def stretched(items: Items, by: float) -> Items:
    return [
        (text, nn.functional.interpolate(x[None, None], scale_factor=by, mode="linear")[0, 0])
        for text, x in items
    ]


def spec_with(small: NetSpec, **changes: Any) -> NetSpec:
    return dataclasses.replace(small, **changes)


def strided(small: NetSpec, stride: int) -> NetSpec:
    return spec_with(small, conv=(ConvSpec(8, (3, 5), (stride, 3)),))


def corpus_norm(small: NetSpec) -> NetSpec:
    return spec_with(small, front=dataclasses.replace(small.front, norm="corpus"))


def deep(small: NetSpec) -> NetSpec:
    return spec_with(small, fc=(32, 32, 32), fc_norm=False)


# planted cause -> changes to a healthy case, made from its items and its spec
PLANTED: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "silent recordings": ("audio-silent", lambda c: {"train": [(t, x * 0) for t, x in c.train]}),
    "NaN in the features": ("features-not-finite", lambda c: {"network": no_floor}),
    "constant features": ("features-constant", lambda c: {"network": constant}),
    "empty transcripts": (
        "empty-transcripts",
        lambda c: {"train": [("" if i % 3 else t, x) for i, (t, x) in enumerate(c.train)]},
    ),
    "labels shifted by one": (
        "labels-shifted",
        lambda c: {"alphabet": Shifted(" abcdefghijklmnopqrstuvwxyz0123456789")},
    ),
    "labels less one": (
        "labels-shifted",
        lambda c: {"alphabet": LessOne(" abcdefghijklmnopqrstuvwxyz0123456789")},
    ),
    "padding by the blank": (
        "target-lengths-count-padding",
        lambda c: {"batches": lambda batches: padded_targets(batches, label=0)},
    ),
    "NaN in one recording of ten": (
        "features-not-finite",
        lambda c: {"train": spoilt(c.train, 10, float("nan"))},
    ),
    "a third of the recordings silent": (
        "audio-silent",
        lambda c: {"train": spoilt(c.train, 3, 0.0)},
    ),
    "a third of the recordings constant": (
        "audio-silent",
        lambda c: {"train": spoilt(c.train, 3, 0.3)},
    ),
    "target lengths that count padding": (
        "target-lengths-count-padding",
        lambda c: {"batches": padded_targets},
    ),
    "transcripts of another case": (
        "transcripts-outside-alphabet",
        lambda c: {
            "alphabet": AsItStands(" abcdefghijklmnopqrstuvwxyz"),
            "train": capitals(c.train),
            "dev": capitals(c.dev),
        },
    ),
    "input lengths before the conv": (
        "input-lengths-wrong",
        lambda c: {"network": as_class(AllPadding)},
    ),
    "stride too large for some": ("stride-too-large", lambda c: {"spec": strided(c.spec, 5)}),
    "stride too large for most": ("stride-too-large", lambda c: {"spec": strided(c.spec, 6)}),
    "zero_infinity hiding most rows": (
        "zero-infinity-hides-rows",
        lambda c: {"spec": strided(c.spec, 6), "task": ZeroInfinity},
    ),
    "another blank in the decoder": ("blank-mismatch", lambda c: {"task": OtherBlank}),
    "softmax handed in as logits": ("softmax-as-logits", lambda c: {"network": as_class(Softmax)}),
    "scores divided by a hundred": (
        "scores-too-small",
        lambda c: {"network": as_class(Hundredth), "epochs": 8},
    ),
    "noise in place of speech": (
        "audio-without-voice",
        lambda c: {"train": noise(c.train, 1), "dev": noise(c.dev, 2)},
    ),
    "frozen layers": ("frozen-parameters", lambda c: {"network": frozen}),
    "parameters missing from the optimiser": ("frozen-parameters", lambda c: {"task": HeadOnly}),
    "gradient clipped to nothing": ("gradient-clipped", lambda c: {"config": {"clip": 1e-9}}),
    "gradient clipped to nothing, SGD": (
        "gradient-clipped",
        lambda c: {"config": {"clip": 1e-6, "optimiser": "sgd"}, "lr": 1e-2},
    ),
    "schedule stuck at zero": ("learning-rate-zero", lambda c: {"lr": 0.0}),
    "learning rate too low": ("learning-rate-too-low", lambda c: {"lr": 1e-6}),
    "learning rate too high": ("learning-rate-too-high", lambda c: {"lr": 1.0}),
    "dead ReLU layer": ("dead-relu", lambda c: {"spec": deep(c.spec), "network": dead}),
    "batch of one with BatchNorm": (
        "batch-of-one",
        lambda c: {"batch_size": 1, "train": c.train[:24]},
    ),
    "normalisation statistics missing": (
        "normalisation-statistics",
        lambda c: {"spec": corpus_norm(c.spec), "network": pretend_fitted},
    ),
    "normalisation left out at inference": (
        "normalisation-differs",
        lambda c: {"network": only_in_training},
    ),
    "running statistics never updated": (
        "normalisation-differs",
        lambda c: {"network": no_running_statistics, "epochs": 6},
    ),
    "48 kHz read as 16 kHz": (
        "wrong-sample-rate",
        lambda c: {"train": stretched(c.train, 3), "dev": stretched(c.dev, 3)},
    ),
    "SpecAugment too strong": (
        "specaugment-too-strong",
        lambda c: {"options": {"augment": SpecAugment(8, 1.0, 8, 1.0)}},
    ),
    "dropout too strong": (
        "dropout-too-strong",
        lambda c: {"spec": spec_with(c.spec, dropout=0.95)},
    ),
    "transcripts shuffled": (
        "transcripts-shuffled",
        lambda c: {"train": shuffled(c.train), "epochs": 16},
    ),
    "model too large for the data": (
        "model-too-large",
        lambda c: {
            "train": c.train[:2],
            "epochs": 40,
            "config": {"check_every": 5},
            "spec": spec_with(c.spec, hidden=64),
        },
    ),
    "over-peaky": ("over-peaky", lambda c: {"network": as_class(BlankBonus), "epochs": 14}),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_cause_is_named_first(
    planted: str, healthy: Any, run: Any, tmp_path: Path, note: Note
) -> None:
    slug, change = PLANTED[planted]
    verdicts = run(dataclasses.replace(healthy, **change(healthy)), tmp_path)
    assert verdicts, "the run left no verdict"
    first = next((v for v in verdicts if v["causes"]), verdicts[-1])
    note(
        planted,
        first["step"],
        ", ".join(cause["slug"] for cause in first["causes"]) or first["state"],
    )
    assert first["causes"] and first["causes"][0]["slug"] == slug, verdicts


HEALTHY: dict[str, Callable[[Any], dict[str, Any]]] = {
    "plain": lambda c: {"epochs": 8},
    "one recording of constant DC": lambda c: {
        "epochs": 8,
        "train": [*c.train, ("go", torch.full((8000,), 0.3))],
    },
    "the blank penalised in decoding": lambda c: {"epochs": 8, "options": {"blank_penalty": 2.0}},
    "another seed, LSTM without conv": lambda c: {
        "seed": 5,
        "spec": spec_with(c.spec, rnn="lstm", conv=()),
        "epochs": 8,
    },
    "fully connected layers, warm-up, corpus statistics": lambda c: {
        "seed": 2,
        "spec": spec_with(corpus_norm(c.spec), fc=(32,), dropout=0.1),
        "epochs": 8,
        "config": {"schedule": "onecycle"},
        "options": {"augment": SpecAugment(), "augment_from": 20},
    },
}


@pytest.mark.parametrize("kind", HEALTHY)
def test_a_healthy_run_alarms_nobody(
    kind: str, healthy: Any, run: Any, tmp_path: Path, note: Note
) -> None:
    verdicts = run(dataclasses.replace(healthy, **HEALTHY[kind](healthy)), tmp_path)
    note(
        f"healthy: {kind}",
        verdicts[-1]["step"],
        " > ".join(dict.fromkeys(v["state"] for v in verdicts)),
    )
    assert all(not v["causes"] for v in verdicts), verdicts
    assert verdicts[-1]["state"] in ("learning", "converged")
