"""The classification task: its loss, its checks, pruning and learning through `fit`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from ctcasr.batch import Batch, Skip, Utterance
from ctcasr.classify import Classify
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.model import ClassifierSpec, build_classifier, classifier_to, read_classifier
from ctcasr.front import FrontSpec, SpecAugment
from ctcasr.net import Pruner, Schedule
from ctcasr.net.prune import sparsity
from ctcasr.records import CheckRecord, EpochRecord
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec
from ctcasr.train import TrainConfig, fit

SPEC = ClassifierSpec(
    FrontSpec(8000, bands=20, n_fft=256, window_s=0.032, hop_s=0.016, norm="corpus"),
    0.3,
    "conv",
    tuple(ConvSpec(8, (3, 5), stride) for stride in ((2, 2), (1, 2), (1, 2))),
)
HERTZ = (400, 900, 1900)


def tones(count: int, seed: int, rate_hz: int = 8000, samples: int = 2400) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=draw)
    time = torch.arange(samples) / rate_hz
    rows = [
        torch.sin(2 * math.pi * HERTZ[int(k)] * time) * 0.1
        + 0.05 * torch.randn(samples, generator=draw)
        for k in labels
    ]
    return Batch(
        tuple(Utterance(Path(f"t{seed}_{n}.wav")) for n in range(count)),
        Seq.stack(rows, Fraction(rate_hz)),
        torch.zeros(0, dtype=torch.int64),
        (0,) * count,
        seeds=tuple(range(count)),
        labels=labels,
    )


class Fixed:
    """Batches that never change."""

    skipped: tuple[Skip, ...] = ()

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def seconds(self) -> float:
        return sum(batch.audio.seconds for batch in self.batches)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch]:
        return iter(self.batches[start_batch:])


def make(pruner: bool = False) -> Classify:
    torch.manual_seed(0)
    model = build_classifier(SPEC, 3)
    model.front.fit([tones(8, 9).audio])
    return Classify(
        model,
        ("low", "mid", "high"),
        classifier_to(SPEC),
        SpecAugment(),
        Pruner(model.body, Schedule(final=0.5, every=3)) if pruner else None,
        notes={"n": 1},
    )


PLAN = TrainConfig(
    epochs=6, lr=2e-2, schedule="linear", warmup=0.0, log_every=5, device="cpu", save_every_s=1e9
)


@pytest.mark.parametrize("pruner", [False, True])
def test_it_learns_through_fit_and_its_checkpoint_classifies(pruner: bool, tmp_path: Path) -> None:
    task, dev = make(pruner), tones(30, 100)
    records = list(
        fit(task, Fixed([tones(16, n) for n in range(6)]), Fixed([dev]), out=tmp_path, config=PLAN)
    )
    checks = [record for record in records if isinstance(record, CheckRecord)]
    last = checks[-1]
    assert last.metrics["accuracy"] > 0.9 and last.verdict is None
    assert last.loss is not None and last.loss < 0.5
    assert sum(map(sum, last.evidence["confusion"])) == 30
    best = Classifier.load(tmp_path / "best.pt")
    found = best.logits(dev.audio.data).argmax(1)
    assert dev.labels is not None and float((found == dev.labels).float().mean()) > 0.9
    if pruner:
        assert sparsity(best.model.body) == pytest.approx(
            0.5, abs=0.02
        )  # an early network, not yet pruned, is not the best
        assert [check.best for check in checks[:2]] != [False, False] and sparsity(
            task.network.body
        ) == pytest.approx(0.5, abs=0.02)


def test_resuming_gives_the_same_network_to_the_bit(tmp_path: Path) -> None:
    batches = Fixed([tones(8, n) for n in range(3)])

    def run(out: Path, epochs: int, resume: bool = False) -> Classify:
        task = make(pruner=True)
        plan = TrainConfig(**{**vars(PLAN), "epochs": 4, "schedule": "constant"})
        stream = fit(task, batches, None, out=out, config=plan, resume=resume)
        for record in stream:
            if isinstance(record, EpochRecord) and record.epoch == epochs:
                stream.close()  # type: ignore[attr-defined]
                break
        return task

    whole = run(tmp_path / "whole", 99).network.state_dict()
    run(tmp_path / "part", 2)
    again = run(tmp_path / "part", 99, resume=True).network.state_dict()
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_the_loss_is_cross_entropy_and_masks_change_it() -> None:
    task, batch = make(), tones(5, 3)
    task.augment = None
    task.network.eval()
    loss = task.step(batch, 0)
    logits = task.network(batch.audio)[0]
    assert batch.labels is not None
    assert loss.sum.item() == pytest.approx(
        functional.cross_entropy(logits, batch.labels, reduction="sum").item(), rel=1e-5
    )
    assert (
        loss.weight == 5
        and loss.rows is not None
        and loss.rows.shape == (5,)
        and set(loss.evidence()) == {"accuracy", "main_loss"}
    )
    task.augment = SpecAugment(4, 0.5, 4, 0.5)
    assert task.step(batch, 0).sum.item() != pytest.approx(loss.sum.item())


def test_a_batch_without_labels_is_an_error_that_says_what_to_do() -> None:
    batch = tones(2, 0)
    with pytest.raises(ValueError, match="give the Corpus its labels"):
        make().step(
            Batch(
                batch.utterances,
                batch.audio,
                batch.targets,
                batch.target_lengths,
                seeds=batch.seeds,
            ),
            0,
        )


def test_a_check_leaves_the_network_as_it_was_and_survives_nothing() -> None:
    task = make()
    task.network.train()
    score = task.check([])
    assert (
        task.network.training
        and score.key == (math.inf, math.inf)
        and score.metrics["utterances"] == 0
    )


@pytest.mark.parametrize(
    "name",
    ["googlenet_spec", "googlenet_spec_as_published", "resnet_spec", "resnet_spec_as_published"],
)
def test_the_big_presets_take_a_step(name: str) -> None:
    spec = read_classifier(name)
    model = build_classifier(spec, 3)
    batch = tones(2, 0, spec.front.rate_hz, spec.samples)
    model.front.fit([batch.audio])
    task = Classify(model, ("a", "b", "c"), classifier_to(spec))
    before = [p.detach().clone() for p in (model.body.output.weight,)]
    loss = task.step(batch, 0)
    if "googlenet" in name:
        assert loss.evidence()["main_loss"] * 2 < loss.sum.item()  # the auxiliary heads are in it
    loss.sum.backward()
    torch.optim.Adam(task.parameters(), lr=1e-3).step()
    assert bool(torch.isfinite(loss.sum)) and all(p.grad is not None for p in task.parameters())
    assert not torch.equal(before[0], model.body.output.weight) and task.title
