"""The classic failure of CTC, all blanks for epochs, and what each cure does to it, over several seeds.

python recipes/blank_plateau.py --train TRAIN.jsonl --valid VALID.jsonl --out runs/plateau
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from ctcasr.data import Corpus, Loader, read_manifest, split_dev
from ctcasr.front import SpecAugment
from ctcasr.recognise import Objective, Recognise, evaluate
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.run_cli import run_cli
from ctcasr.scoring import against
from ctcasr.scoring.errors import word_errors
from ctcasr.show import draw_arms, release_step
from ctcasr.specs import ConvSpec
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig, fit, option, parse, required

CONV = (ConvSpec(16, (5, 5), (2, 2)), ConvSpec(16, (5, 5), (2, 2)))
# Each arm changes one thing of the plain run: fields of the network's spec ("net"), of the plan, or of the task; the last, the network.
ARMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "blank starts at 1 %": {"net": {"blank_start": 0.01}},
    "blank starts at its share": {"net": {"blank_start": 0.47}},
    "label priors": {"net": {"prior_weight": 0.3}},
    "warm-up": {"plan": {"schedule": "cosine", "warmup": 0.2}},
    "SortaGrad": {"order": "sortagrad"},
    "BatchNorm everywhere": {"net": {"rnn_norm": "every", "fc_norm": True}},
    "conv": {"net": {"conv": CONV}},
    "BatchNorm and conv": {"net": {"rnn_norm": "every", "fc_norm": True, "conv": CONV}},
    "SpecAugment": {"masks": 0.0},
    "late SpecAugment": {"masks": 0.3},
    "CR-CTC": {"masks": 0.0, "objective": Objective(consistency=0.2)},
    "EnCTC": {"objective": Objective(entropy=0.1)},
    "blank penalty in decoding": {"blank_penalty": 2.0},
    "default preset": {"preset": "default"},
}


@dataclass(frozen=True)
class Settings(TrainConfig):
    """Measure the blank plateau and its cures."""

    train: str = required("manifest to learn from")
    valid: str = option("", "manifest to score once, at the end of each run")
    out: str = option("runs/plateau", "folder of the runs")
    net: str = option(
        "report_v_bigru",
        "the network that fails: one BatchNorm, three fully connected layers, no conv",
    )
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
    arms = [name for name in ARMS if not s.arms or name in ["plain", *s.arms.split(",")]]
    results: dict[str, list[dict[str, Any]]] = {
        name: [run(s, name, seed) for seed in range(s.seeds)] for name in arms
    }
    gains = against(
        "plain",
        {name: [r["errors"] for r in runs] for name, runs in results.items()},
        results["plain"][0]["words"],
    )
    table = Table(
        "arm",
        "steps to release",
        "to 50 % WER",
        "WER % (valid)",
        "less plain's [95 %]",
        title="medians (all seeds)",
    )
    for name, runs in results.items():
        gain = (
            "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * x for x in gains[name].bounds))
            if name in gains
            else ""
        )
        table.add_row(
            name, *(_cell([r[key] for r in runs]) for key in ("release", "half", "wer")), gain
        )
    Console().print(table)
    print(
        "figure:",
        draw_arms(
            Path(s.out) / "plateau.png",
            {name: [r["curve"] for r in runs] for name, runs in results.items()},
        ),
    )


def run(s: Settings, name: str, seed: int) -> dict[str, Any]:
    """One run of one arm, or what it gave before."""
    out = Path(s.out) / f"{name.replace(' ', '_').replace('%', 'percent')}_{seed}"
    if (out / "result.json").exists():
        return dict(json.loads((out / "result.json").read_text(encoding="utf-8")))
    arm = ARMS[name]
    torch.manual_seed(seed)
    spec = replace(read_spec(arm.get("preset", s.net)), **arm.get("net", {}))
    plan = replace(s, seed=seed, **arm.get("plan", {}))
    alphabet, rate = Alphabet.english38(), spec.front.rate_hz
    train, dev = split_dev(read_manifest(s.train).utterances, 0.1, seed)
    loader = Loader(
        Corpus(train, alphabet, rate),
        batch_size=s.batch_size,
        order=arm.get("order", "shuffle"),
        seed=seed,
    )
    task = Recognise(
        build(spec, alphabet.size),
        alphabet,
        spec_to(spec),
        SpecAugment() if "masks" in arm else None,
        round(arm.get("masks", 0.0) * s.epochs * len(loader)),
        arm.get("objective"),
        arm.get("blank_penalty", 0.0),
    )
    checks = [
        r
        for r in fit(
            task,
            loader,
            Loader(Corpus(dev, alphabet, rate), batch_size=32, order="sorted"),
            out=out,
            config=plan,
        )
        if r.kind == "check"
    ]
    curve = [(r.step, r.data["cer"], r.data["wer"]) for r in checks]
    best = Recogniser.load_checkpoint(out / "best.pt")
    best.blank_penalty = task.blank_penalty
    scored = evaluate(best, read_manifest(s.valid).utterances)
    words = [word_errors(said, heard.text) for _, said, heard in scored.rows]
    found = {
        "release": release_step(checks),
        "half": next((step for step, _, wer in curve if wer <= 0.5), None),
        "wer": 100 * scored.tally.words.rate,
        "errors": [w.errors for w in words],
        "words": [w.total for w in words],
        "curve": curve,
        "verdicts": [(r.data.get("verdict") or {}).get("state") for r in checks],
    }
    (out / "result.json").write_text(json.dumps(found), encoding="utf-8")
    print(
        f"{name}, seed {seed}: released at step {found['release']}, 50 % WER at {found['half']}, WER {found['wer']:.1f} %",
        flush=True,
    )
    return found


def _cell(values: list[float | None]) -> str:
    """The median with all values; what was not reached is censored, not a number."""
    shown = ["not reached" if v is None else f"{v:.4g}" for v in values]
    middle = median(float("inf") if v is None else v for v in values)
    return f"{'not reached' if middle == float('inf') else f'{middle:.4g}'} ({', '.join(shown)})"


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
