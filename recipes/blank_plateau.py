"""The classic failure of CTC, all blanks for epochs, and what each cure does, by several seeds.

python recipes/blank_plateau.py --train TRAIN.jsonl --valid VALID.jsonl --out runs/plateau
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ctcasr.data import Corpus, Loader, read_manifest, split_dev
from ctcasr.data.plan import Order
from ctcasr.front import SpecAugment
from ctcasr.recognise import Objective, Recognise, evaluate
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.records import CheckRecord
from ctcasr.run_cli import run_cli
from ctcasr.scoring.errors import word_errors
from ctcasr.show import draw_arms, release_step, table_of_arms
from ctcasr.show.arms_table import ArmResult
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


class Result(ArmResult):
    """What a run leaves in result.json."""

    curve: list[tuple[int, float, float]]  # step, CER, WER of each check
    verdicts: list[str | None]  # of each check


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
    results: dict[str, list[Result]] = {}
    for name in chosen_arms(s.arms):
        results[name] = [run(s, name, seed) for seed in range(s.seeds)]
    Console().print(table_of_arms(results, "plain"))
    curves = {}
    for name, runs in results.items():
        curves[name] = [result["curve"] for result in runs]
    print("figure:", draw_arms(Path(s.out) / "plateau.png", curves))


def chosen_arms(names: str) -> list[str]:
    """The plain run and those that are asked for, in the order of the table; of nothing, all."""
    if not names:
        return list(ARMS)
    wanted = {"plain", *names.split(",")}
    return [name for name in ARMS if name in wanted]


def run(s: Settings, name: str, seed: int) -> Result:
    """One run of one arm, or what it gave before."""
    file_name = name.replace(" ", "_").replace("%", "percent")
    folder = Path(s.out) / f"{file_name}_{seed}"
    path = folder / "result.json"
    if path.exists():
        known: Result = json.loads(path.read_text(encoding="utf-8"))
        return known
    checks = train(s, ARMS[name], seed, folder)
    result = result_of(s, ARMS[name], folder, checks)
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
    lines = read_manifest(s.train).utterances
    train_lines, dev_lines = split_dev(lines, 0.1, seed)
    corpus = Corpus(train_lines, alphabet, rate_hz)
    train_loader = Loader(corpus, batch_size=s.batch_size, order=arm.order, seed=seed)
    dev_corpus = Corpus(dev_lines, alphabet, rate_hz)
    dev_loader = Loader(dev_corpus, batch_size=32, order="sorted")
    steps = s.epochs * s.steps_per_epoch(len(train_loader))
    task = Recognise(
        build(spec, alphabet.size),
        alphabet,
        spec_to(spec),
        SpecAugment() if arm.masks_from < 1 else None,
        round(arm.masks_from * steps),
        arm.objective,
        arm.blank_penalty,
    )
    # A folder without a result is that of a run that was broken off.
    config = replace(s, seed=seed, overwrite=True, **arm.config)
    records = fit(task, train_loader, dev_loader, out=folder, config=config)
    return [record for record in records if isinstance(record, CheckRecord)]


def result_of(s: Settings, arm: Arm, folder: Path, checks: list[CheckRecord]) -> Result:
    """How the run went, and its best checkpoint on the valid part."""
    best = Recogniser.load_checkpoint(folder / "best.pt", pick_device(s.device))
    best.blank_penalty = arm.blank_penalty
    evaluation = evaluate(best, read_manifest(s.valid).utterances)
    tallies = [word_errors(row.reference, row.hypothesis.text) for row in evaluation.rows]
    halves = [check.step for check in checks if check.metrics["wer"] <= 0.5]
    return {
        "release": release_step(checks),
        "half": halves[0] if halves else None,
        "curve": [(check.step, check.metrics["cer"], check.metrics["wer"]) for check in checks],
        "verdicts": [(check.verdict or {}).get("state") for check in checks],
        "wer": 100 * evaluation.tally.words.rate_or(math.nan),
        "errors": [tally.errors for tally in tallies],
        "words": [tally.total for tally in tallies],
    }


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
