"""Answers to the questions of everyday CTC training, each measured: one thing changed at a time, the same short training.

python tools/practice.py --train TRAIN.jsonl --valid VALID.jsonl --out runs/practice [--questions front,size] [--seeds 1] [--epochs 12]
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[2] / "recipes")]
import recognise  # noqa: E402

from ctcasr.records import read_records
from ctcasr.show import release_step  # noqa: E402
from ctcasr.train import option, parse, required

# What each answer changes of the plain training: the preset's fields behind its name, or settings of recipes/recognise.py.
QUESTIONS: dict[str, dict[str, dict[str, str]]] = {
    "base": {"default": {}},
    "front": {
        "mel, no logarithm, power": {"net": "default front.log=false"},
        "mel, no logarithm, amplitude": {"net": "default front.log=false front.power=1"},
        "spectrogram, log": {"net": "default front.kind=spectrogram"},
    },
    "normalisation": {
        "none": {"net": "default front.norm=none"},
        "corpus": {"net": "default front.norm=corpus"},
        "PCA whitening": {"net": "default front.norm=pca"},
        "ZCA whitening": {"net": "default front.norm=zca"},
    },
    "conv": {
        "no conv": {"net": "default conv=[]"},
        "ReLU clipped at 20": {"net": "default clip=20"},
    },
    "size": {
        "hidden 64": {"net": "default hidden=64"},
        "hidden 256": {"net": "default hidden=256"},
        "one RNN layer instead of three": {"net": "default layers=1"},
        "FC 128, 128, 128": {"net": "default fc=[128,128,128]"},
        "GRU": {"net": "default rnn=gru"},
    },
    "optimiser": {
        "Adam": {"optimiser": "adam", "weight-decay": "0"},
        "AdamW, rate 5e-4": {"lr": "5e-4"},
        "AdamW, rate 8e-3": {"lr": "8e-3"},
        "SGD with momentum, rate 2e-3": {"optimiser": "sgd", "weight-decay": "0"},
    },
    "order": {
        "shuffled from the start (no SortaGrad)": {"order": "shuffle"},
        "no SpecAugment": {"no-augment": ""},
        "no speed perturbation": {"speeds": "1"},
    },
}


@dataclass(frozen=True)
class Settings:
    """Train the answers to some questions and compare them."""

    train: str = required("manifest to learn from")
    valid: str = required("manifest to score")
    out: str = option("runs/practice", "folder of the runs; what is finished there is not repeated")
    questions: str = option("", "only these, separated by commas; empty: all")
    seeds: int = option(1, "runs of each answer")
    epochs: int = option(8, "passes over the training data in each run")


def main(argv: list[str] | None = None) -> None:
    """Run what has not been run, print a table for each question."""
    s = parse(Settings, argv, prog="practice")
    for question, answers in QUESTIONS.items():
        if s.questions and question not in s.questions.split(","):
            continue
        print(
            f"\n| {question} | steps to release | valid WER % | valid CER % | minutes |\n| --- | --- | --- | --- | --- |",
            flush=True,
        )
        for answer, changes in answers.items():
            runs = [run(s, answer, changes, seed) for seed in range(s.seeds)]
            cells = [
                _cell([r[name] for r in runs]) for name in ("release", "wer", "cer", "minutes")
            ]
            print("| " + " | ".join([answer, *cells]) + " |", flush=True)


def run(s: Settings, answer: str, changes: dict[str, str], seed: int) -> dict[str, Any]:
    """One training, or what it gave before."""
    out = Path(s.out) / f"{''.join(c if c.isalnum() else '_' for c in answer)}_{seed}"
    if not (out / "result.json").exists():
        flags = [
            part
            for name, value in changes.items()
            for part in ([f"--{name}", value] if value else [f"--{name}"])
        ]
        recognise.main(
            [
                "--train",
                s.train,
                "--valid",
                s.valid,
                "--epochs",
                str(s.epochs),
                "--seed",
                str(seed),
                "--out",
                str(out),
                *flags,
            ]
        )
        scores = json.loads((out / "valid" / "scores.json").read_text(encoding="utf-8"))
        records = read_records(out)
        found = {
            "release": release_step([r for r in records if r.kind == "check"]),
            "wer": 100 * float(scores["wer"]),
            "cer": 100 * float(scores["cer"]),
            "minutes": records[-1].data["time_s"] / 60,
        }
        (out / "result.json").write_text(json.dumps(found), encoding="utf-8")
    result: dict[str, Any] = json.loads((out / "result.json").read_text(encoding="utf-8"))
    return result


def _cell(values: list[float | None]) -> str:
    """One value as it is, several as their median with all of them; what was not reached is no number."""
    shown = ["not reached" if value is None else f"{value:.4g}" for value in values]
    if len(values) == 1:
        return shown[0]
    middle = median(float("inf") if value is None else value for value in values)
    return f"{'not reached' if middle == float('inf') else f'{middle:.4g}'} ({', '.join(shown)})"


if __name__ == "__main__":
    main()
