"""What doctoring costs: a training with it and one without it.

They take turns every few steps, so that a noisy machine slows both.

python tools/bench/doctor.py $CTCASR_DATA/grid_s1/train.jsonl --epochs 9

Each epoch, with its check, is a pair; the deaf model, which is fitted once, is in the first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ctcasr.batch import Batch
from ctcasr.ctc import ctc_loss
from ctcasr.data import Corpus, Loader, read_manifest, split_dev
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import Augmentation, SpeechModel, build
from ctcasr.recognise.objective import Objected
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.records import Record
from ctcasr.seq import Seq
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig, fit
from ctcasr.train.initialise import measure_statistics

DRAWS = 10_000  # of the bootstrap
WARM_UP_UTTERANCES = 32  # of a training that only compiles


class _Plain:
    """The CTC loss and nothing beside it: no report, no statistics of the lattice."""

    def __init__(self) -> None:
        self.left = _Nothing()

    def __call__(
        self,
        model: SpeechModel,
        batch: Batch,
        augment: Augmentation | None,
        blank: int,
        *others: Any,
    ) -> Objected:
        logits = model(batch.audio, augment, batch.seeds)
        rows = ctc_loss(
            logits.data,
            batch.targets,
            logits.lengths,
            batch.target_lengths,
            blank=blank,
            reduction="none",
            zero_infinity=True,
        )
        return Objected(logits.lengths, rows, _Nothing)  # type: ignore[arg-type]


class _Nothing:
    """What stands where a report, evidence or a judgement would be."""

    infeasible: tuple[int, ...] = ()

    def summary(self) -> dict[str, float]:
        return {}

    def train_batch(self, batch: Batch, lengths: tuple[int, ...]) -> None: ...

    def dev_batch(self, batch: Batch, logits: Seq, written: Sequence[str]) -> None: ...

    def collect(self) -> dict[str, Any]:
        return {}

    def facts(self) -> dict[str, Any]:
        return {}

    def facts_of_refused(self, batch: Batch) -> dict[str, Any]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class _Undoctored(Recognise):
    """The same training, told nothing about itself."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.objective = _Plain()  # type: ignore[assignment]
        self.evidence = _Nothing()  # type: ignore[assignment]

    def judge(self, history: Sequence[Record]) -> None:
        return None


@dataclass
class Turns:
    """A training that is taken a record further at a time, and its CPU seconds by epoch."""

    records: Iterator[Record]
    epochs_s: list[float] = field(default_factory=lambda: [0.0])
    ended: bool = False

    @property
    def epochs(self) -> int:
        """How many are complete."""
        return len(self.epochs_s) - 1

    def next(self) -> None:
        """To the next record."""
        started = time.process_time()
        record = next(self.records, None)
        if record is None:
            self.ended = True
            return
        if record.kind != "start":  # before it comes a trial step
            self.epochs_s[-1] += time.process_time() - started
        if record.kind == "epoch":
            self.epochs_s.append(0.0)


def main() -> None:
    """Print CPU seconds of every pair, the median of the cost and its interval."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest")
    parser.add_argument("--net", default="default")
    parser.add_argument("--epochs", type=int, default=9)
    arguments = parser.parse_args()
    net = arguments.net
    manifest = arguments.manifest
    epochs = arguments.epochs
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        warm_up = training(net, manifest, Recognise, 1, out / "warm", WARM_UP_UTTERANCES)
        for _ in warm_up:
            pass
        doctored = Turns(training(net, manifest, Recognise, epochs, out / "with"))
        bare = Turns(training(net, manifest, _Undoctored, epochs, out / "without"))
        costs = take_turns(doctored, bare)
    drawn = np.random.default_rng(0).choice(costs, (DRAWS, len(costs)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    whole = per_cent_more(sum(doctored.epochs_s), sum(bare.epochs_s))
    print(
        f"doctoring costs {np.median(costs):+.2f} % of training's CPU time: "
        f"median of {len(costs)} pairs, 95 % interval {low:+.2f} to {high:+.2f}; "
        f"{whole:+.2f} % of all {len(costs)} epochs together"
    )


def take_turns(doctored: Turns, bare: Turns) -> list[float]:
    """Both to their ends, by turns; what doctoring costs in each epoch, per cent."""
    costs: list[float] = []
    pair = [doctored, bare]
    while not (doctored.ended and bare.ended):
        pair.reverse()
        for run in pair:
            if not run.ended:
                run.next()
        epoch = min(doctored.epochs, bare.epochs)
        if epoch > len(costs):
            with_s = doctored.epochs_s[epoch - 1]
            without_s = bare.epochs_s[epoch - 1]
            costs.append(per_cent_more(with_s, without_s))
            line = f"epoch {epoch}: {with_s:.2f} s with, {without_s:.2f} s without"
            print(f"{line}: {costs[-1]:+.2f} %", flush=True)
    return costs


def per_cent_more(value: float, than: float) -> float:
    """By how much a value is larger."""
    return 100 * (value / than - 1)


def training(
    net: str, manifest: str, kind: type[Recognise], epochs: int, out: Path, most: int | None = None
) -> Iterator[Record]:
    """The records of a training on the first `most` utterances."""
    torch.manual_seed(0)
    spec = read_spec(net)
    alphabet = Alphabet.english38()
    train, dev = split_dev(read_manifest(manifest).utterances, 0.1, 0)
    train_corpus = Corpus(train[:most], alphabet, spec.front.rate_hz)
    dev_corpus = Corpus(dev, alphabet, spec.front.rate_hz)
    train_loader = Loader(train_corpus, batch_size=16)
    network = build(spec, alphabet.size)
    measure_statistics(network, train_loader)
    return fit(
        kind(network, alphabet, spec_to(spec)),
        train_loader,
        Loader(dev_corpus, batch_size=32, order="sorted"),
        out=out,
        config=TrainConfig(epochs=epochs),
    )


if __name__ == "__main__":
    main()
