"""What doctoring costs: a training with it and one without it, taking turns every few steps, so that a noisy machine slows both.

python tools/bench/doctor.py $CTCASR_DATA/grid_s1/train.jsonl --epochs 9

Each epoch, with its check, is a pair; the deaf model, which is fitted once, is in the first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ctcasr.batch import Batch
from ctcasr.ctc import ctc_loss
from ctcasr.data import Corpus, Loader, read_manifest, split_dev
from ctcasr.front import SpecAugment
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.records import Record
from ctcasr.seq import Seq
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig, fit


class _Plain:
    """The CTC loss and nothing beside it: no report, no statistics of the lattice."""

    def __call__(
        self, model: SpeechModel, batch: Batch, augment: SpecAugment | None, blank: int
    ) -> tuple[Seq, torch.Tensor, Any]:
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
        return logits, rows, _Nothing()


class _Nothing:
    """What stands where a report, evidence or a judgement would be."""

    infeasible: tuple[int, ...] = ()

    def summary(self) -> dict[str, float]:
        return {}

    def train_batch(self, batch: Batch, lengths: tuple[int, ...]) -> None: ...

    def dev_batch(self, batch: Batch, logits: Seq, written: Sequence[str]) -> None: ...

    def collect(self) -> dict[str, Any]:
        return {}


class _Undoctored(Recognise):
    """The same training, told nothing about itself."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.objective, self.evidence = _Plain(), _Nothing()  # type: ignore[assignment]

    def judge(self, history: Sequence[Record]) -> None:
        return None


def main() -> None:
    """Print CPU seconds of every pair, the median of the cost and its interval, and that of the whole training."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest")
    parser.add_argument("--net", default="default")
    parser.add_argument("--epochs", type=int, default=9)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        for _ in training(args.net, args.manifest, Recognise, 1, Path(out) / "warm", 32):
            pass
        kinds: tuple[type[Recognise], ...] = (Recognise, _Undoctored)
        runs = {
            kind: training(args.net, args.manifest, kind, args.epochs, Path(out) / kind.__name__)
            for kind in kinds
        }
        spent = {kind: [0.0] for kind in kinds}
        costs: list[float] = []
        turn = 0
        while runs:
            turn += 1
            for kind in kinds if turn % 2 else kinds[::-1]:
                begun = time.process_time()
                record = next(runs[kind], None) if kind in runs else None
                if record is None:
                    runs.pop(kind, None)
                    continue
                if record.kind != "start":  # before it comes a trial step
                    spent[kind][-1] += time.process_time() - begun
                if record.kind == "epoch":
                    spent[kind].append(0.0)
            done = min(map(len, spent.values())) - 1
            if done > len(costs):
                ours, bare = (spent[kind][done - 1] for kind in kinds)
                costs.append(100 * (ours / bare - 1))
                print(
                    f"epoch {done}: {ours:.2f} s with, {bare:.2f} s without: {costs[-1]:+.2f} %",
                    flush=True,
                )
    draws = np.median(np.random.default_rng(0).choice(costs, (10_000, len(costs))), axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    whole = 100 * (sum(spent[Recognise]) / sum(spent[_Undoctored]) - 1)
    print(
        f"doctoring costs {np.median(costs):+.2f} % of training's CPU time: median of {len(costs)} pairs, "
        f"95 % interval {low:+.2f} to {high:+.2f}; {whole:+.2f} % of all {len(costs)} epochs together"
    )


def training(
    net: str, manifest: str, kind: type[Recognise], epochs: int, out: Path, most: int | None = None
) -> Iterator[Record]:
    """The records of a training."""
    torch.manual_seed(0)
    spec, alphabet = read_spec(net), Alphabet.english38()
    train, dev = split_dev(read_manifest(manifest).utterances, 0.1, 0)
    rate = spec.front.rate_hz
    task = kind(build(spec, alphabet.size), alphabet, spec_to(spec))
    return fit(
        task,
        Loader(Corpus(train[:most], alphabet, rate), batch_size=16),
        Loader(Corpus(dev, alphabet, rate), batch_size=32, order="sorted"),
        out=out,
        config=TrainConfig(epochs=epochs),
    )


if __name__ == "__main__":
    main()
