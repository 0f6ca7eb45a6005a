"""The classic failure of CTC, all blanks for epochs, and what each cure does, by several seeds.

python recipes/blank_plateau.py --train TRAIN.jsonl --valid VALID.jsonl --out runs/plateau
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from ctcasr.data import Corpus, Loader, read_manifest, split_dev
from ctcasr.data.plan import Order
from ctcasr.front import SpecAugment
from ctcasr.recognise import Objective, Recognise, evaluate
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.records import CheckRecord
from ctcasr.run_cli import run_cli
from ctcasr.scoring import against
from ctcasr.scoring.errors import word_errors
from ctcasr.show import draw_arms, release_step
from ctcasr.specs import ConvSpec
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig, fit, option, parse, pick_device, required

CONV = (ConvSpec(16, (5, 5), (2, 2)), ConvSpec(16, (5, 5), (2, 2)))


@dataclass(frozen=True)
class Arm:
    """What one arm changes of the plain run."""

    net: Mapping[str, Any] = field(default_factory=dict)  # fields of the network's spec
    config: Mapping[str, Any] = field(default_factory=dict)  # fields of the settings
    preset: str = ""  # another network
    order: Order = "shuffle"
    masks_from: float = 1.0  # share of training before SpecAugment begins; 1: never
    objective: Objective | None = None
    blank_penalty: float = 0.0  # nats, in decoding


ARMS = {
    "plain": Arm(),
    "blank starts at 1 %": Arm(net={"blank_start": 0.01}),
    "blank starts at its share": Arm(net={"blank_start": 0.47}),
    "label priors": Arm(net={"prior_weight": 0.3}),
    "warm-up": Arm(config={"schedule": "cosine", "warmup": 0.2}),
    "SortaGrad": Arm(order="sortagrad"),
    "BatchNorm everywhere": Arm(net={"rnn_norm": "every", "fc_norm": True}),
    "conv": Arm(net={"conv": CONV}),
    "BatchNorm and conv": Arm(net={"rnn_norm": "every", "fc_norm": True, "conv": CONV}),
    "SpecAugment": Arm(masks_from=0.0),
    "late SpecAugment": Arm(masks_from=0.3),
    "CR-CTC": Arm(masks_from=0.0, objective=Objective(consistency=0.2)),
    "EnCTC": Arm(objective=Objective(entropy=0.1)),
    "blank penalty in decoding": Arm(blank_penalty=2.0),
    "default preset": Arm(preset="default"),
}


@dataclass(frozen=True)
class Settings(TrainConfig):
    """Measure the blank plateau and its cures."""

    train: str = required("manifest to learn from")
    valid: str = required("manifest to score once, at the end of each run")
    out: str = option("runs/plateau", "folder of the runs")
    net: str = option("report_v_bigru", "the network that fails: one BatchNorm, 3 FC, no conv")
    arms: str = option("", "only these arms, separated by commas; empty: all")
    seeds: int = option(3, "runs of each arm")
    epochs: int = option(15, "passes over the training data in each run")
    lr: float = option(1e-3, "learning rate")
    weight_decay: float = option(0.0, "none: plain Adam")
    schedule: str = option("constant", "of the plain run")
    batch_size: int = option(16, "utterances in a batch")


def main(argv: list[str] | None = None) -> None:
    """Run every arm with every seed, print the table, draw the figure."""
    s = parse(Settings, argv, prog="blank_plateau")
    wanted = ["plain", *s.arms.split(",")] if s.arms else list(ARMS)
    results = {name: [run(s, name, k) for k in range(s.seeds)] for name in ARMS if name in wanted}
    Console().print(table_of(results))
    curves = {name: [result["curve"] for result in runs] for name, runs in results.items()}
    print("figure:", draw_arms(Path(s.out) / "plateau.png", curves))


def run(s: Settings, name: str, seed: int) -> dict[str, Any]:
    """One run of one arm, or what it gave before; keys as in `results_of`."""
    path = Path(s.out) / f"{name.replace(' ', '_').replace('%', 'percent')}_{seed}" / "result.json"
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    checks = train(s, ARMS[name], seed, path.parent)
    result = results_of(s, ARMS[name], path.parent, checks)
    path.write_text(json.dumps(result), encoding="utf-8")
    reached = f"released at step {result['release']}, 50 % WER at {result['half']}"
    print(f"{name}, seed {seed}: {reached}, WER {result['wer']:.1f} %", flush=True)
    return result


def train(s: Settings, arm: Arm, seed: int, folder: Path) -> list[CheckRecord]:
    """Train one arm; the checks on the way."""
    torch.manual_seed(seed)
    spec = replace(read_spec(arm.preset or s.net), **arm.net)
    alphabet = Alphabet.english38()
    rate_hz = spec.front.rate_hz
    train_lines, dev_lines = split_dev(read_manifest(s.train).utterances, 0.1, seed)
    corpus = Corpus(train_lines, alphabet, rate_hz)
    train_loader = Loader(corpus, batch_size=s.batch_size, order=arm.order, seed=seed)
    dev_loader = Loader(Corpus(dev_lines, alphabet, rate_hz), batch_size=32, order="sorted")
    task = Recognise(
        build(spec, alphabet.size),
        alphabet,
        spec_to(spec),
        SpecAugment() if arm.masks_from < 1 else None,
        round(arm.masks_from * s.epochs * len(train_loader)),
        arm.objective,
        arm.blank_penalty,
    )
    config = replace(s, seed=seed, overwrite=True, **arm.config)  # what has no result broke off
    records = fit(task, train_loader, dev_loader, out=folder, config=config)
    return [record for record in records if isinstance(record, CheckRecord)]


def results_of(s: Settings, arm: Arm, folder: Path, checks: list[CheckRecord]) -> dict[str, Any]:
    """How the run went, and its best checkpoint on the valid part.

    Keys: release and half (steps, None where not reached), wer (% on the valid part), errors and
    words (by utterance), curve (step, CER, WER at each check), verdicts.
    """
    curve = [(check.step, check.metrics["cer"], check.metrics["wer"]) for check in checks]
    best = Recogniser.load_checkpoint(folder / "best.pt", pick_device(s.device))
    best.blank_penalty = arm.blank_penalty
    scored = evaluate(best, read_manifest(s.valid).utterances)
    tallies = [word_errors(row.reference, row.hypothesis.text) for row in scored.rows]
    return {
        "release": release_step(checks),
        "half": next((step for step, _, wer in curve if wer <= 0.5), None),
        "curve": curve,
        "verdicts": [(check.verdict or {}).get("state") for check in checks],
        "wer": 100 * scored.tally.words.rate_or(math.nan),
        "errors": [tally.errors for tally in tallies],
        "words": [tally.total for tally in tallies],
    }


def table_of(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """Medians of every arm, and what it gains over the plain run."""
    errors = {name: [result["errors"] for result in runs] for name, runs in results.items()}
    gains = against("plain", errors, results["plain"][0]["words"])
    headings = ("arm", "steps to release", "to 50 % WER", "WER % (valid)", "less plain's [95 %]")
    table = Table(*headings, title="medians (all seeds)")
    for name, runs in results.items():
        cells = [cell([result[key] for result in runs]) for key in ("release", "half", "wer")]
        if name in gains:
            percent = [100 * bound for bound in gains[name].bounds]
            cells.append("{:+.1f} [{:+.1f}, {:+.1f}]".format(*percent))
        table.add_row(name, *cells)
    return table


def cell(values: Sequence[float | None]) -> str:
    """The median with all values; what was not reached is censored, not a number."""
    steps = [math.inf if value is None else value for value in values]
    shown = ["not reached" if x == math.inf else f"{x:.4g}" for x in (median(steps), *steps)]
    return f"{shown[0]} ({', '.join(shown[1:])})"


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
