"""What doctoring costs: short trainings with and without it, taking turns.

python tools/bench_doctor.py $CTCASR_DATA/grid_s1/train.jsonl --pairs 7
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ctcasr.batch import Batch
from ctcasr.build import SpeechModel, build
from ctcasr.ctc import ctc_loss
from ctcasr.data import Corpus, Loader, read_manifest, split_dev
from ctcasr.front import SpecAugment
from ctcasr.seq import Seq
from ctcasr.spec import read_spec, spec_to
from ctcasr.tasks import Recognise
from ctcasr.text import Alphabet
from ctcasr.train import Plan, fit


class _Plain:
    """The CTC loss and nothing beside it: no report, no statistics of the lattice."""

    def __call__(self, model: SpeechModel, batch: Batch, augment: SpecAugment | None, blank: int) -> tuple[Seq, torch.Tensor, Any]:
        logits = model(batch.audio, augment, batch.seeds)
        rows = ctc_loss(logits.data, batch.targets, logits.lengths, batch.target_lengths, blank=blank, reduction="none", zero_infinity=True)
        return logits, rows, _Nothing()


class _Nothing:
    """What stands where a report, evidence or a judgement would be."""

    infeasible: tuple[int, ...] = ()

    def summary(self) -> dict[str, float]:
        return {}

    def train_batch(self, batch: Batch, lengths: tuple[int, ...]) -> None: ...

    def dev_batch(self, batch: Batch, logits: Seq, written: Sequence[str]) -> None: ...

    def figures(self) -> dict[str, Any]:
        return {}


class _Undoctored(Recognise):
    """The same training, told nothing about itself."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.objective, self.evidence = _Plain(), _Nothing()  # type: ignore[assignment]

    def judge(self, history: Sequence[Mapping[str, Any]]) -> None:
        return None


def main() -> None:
    """Print CPU seconds of every pair, the median of the cost and its interval."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest")
    parser.add_argument("--net", default="default")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=4, help="of each training; the deaf model is fitted once, in the first")
    args = parser.parse_args()
    spend(args.net, args.manifest, Recognise, 1, warm=True)
    costs = []
    for pair in range(args.pairs):
        order = (Recognise, _Undoctored) if pair % 2 else (_Undoctored, Recognise)
        spent = {kind: spend(args.net, args.manifest, kind, args.epochs) for kind in order}
        costs.append(100 * (spent[Recognise] / spent[_Undoctored] - 1))
        print(f"pair {pair + 1}: {spent[Recognise]:.2f} s with, {spent[_Undoctored]:.2f} s without: {costs[-1]:+.2f} %", flush=True)
    draws = np.median(np.random.default_rng(0).choice(costs, (10_000, len(costs))), axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    print(f"doctoring costs {np.median(costs):+.2f} % of training's CPU time: median of {len(costs)} pairs, "
          f"95 % interval {low:+.2f} to {high:+.2f}")


def spend(net: str, manifest: str, kind: type[Recognise], epochs: int, warm: bool = False) -> float:
    """CPU seconds of this process, all its threads together, for `epochs` epochs with their checks; without the trial step."""
    torch.manual_seed(0)
    spec, alphabet = read_spec(net), Alphabet.english38()
    train, dev = split_dev(read_manifest(manifest).utterances, 0.1, 0)
    train = train[:32] if warm else train
    rate = spec.front.rate_hz
    task = kind(build(spec, alphabet.size), alphabet, spec_to(spec))
    with tempfile.TemporaryDirectory() as out:
        begun = 0.0
        for record in fit(task, Loader(Corpus(train, alphabet, rate), batch_size=16),
                          Loader(Corpus(dev, alphabet, rate), batch_size=32, order="sorted"), out=Path(out), plan=Plan(epochs=epochs)):
            if record.kind == "start":
                begun = time.process_time()
            if record.kind == "event" and record.data["what"] == "finished":
                return time.process_time() - begun
    raise RuntimeError("expected the training to finish; it did not")


if __name__ == "__main__":
    main()
