"""Answers to the questions of everyday CTC training, each measured.

One thing is changed at a time, in the same short training.

python tools/study/practice.py --train TRAIN.jsonl --valid VALID.jsonl --out runs/practice \\
    [--questions front,size] [--seeds 1] [--epochs 8]
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
sys.path.insert(0, str(Path(__file__).parents[2]))
import recognise

from ctcasr.records import read_records
from ctcasr.show import release_step
from ctcasr.train import option, parse, required

NO_LOG = "front.log=false front.floor_db=0"  # the default's relative floor is one of levels in dB

# What each answer changes of the plain training: the preset's fields behind its name, or settings
# of recipes/recognise.py.
QUESTIONS: dict[str, dict[str, dict[str, str]]] = {
    "base": {"default": {}},
    "front": {
        "mel, no logarithm, power": {"net": f"default {NO_LOG}"},
        "mel, no logarithm, amplitude": {"net": f"default {NO_LOG} front.power=1"},
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


@dataclass(frozen=True)
class Result:
    """What one training came to; `release` is None where the blank plateau was not left."""

    release: float | None  # steps
    wer: float  # per cent
    cer: float
    minutes: float


def main(argv: list[str] | None = None) -> None:
    """Run what has not been run, print a table for each question."""
    settings = parse(Settings, argv, prog="practice")
    only = settings.questions.split(",") if settings.questions else list(QUESTIONS)
    for question in only:
        print(f"\n| {question} | steps to release | valid WER % | valid CER % | minutes |")
        print("| --- | --- | --- | --- | --- |", flush=True)
        for answer, changes in QUESTIONS[question].items():
            results = []
            for seed in range(settings.seeds):
                results.append(train(settings, answer, changes, seed))
            print("| " + " | ".join([answer, *cells(results)]) + " |", flush=True)


def cells(results: Sequence[Result]) -> list[str]:
    """One answer's row."""
    return [
        summary([result.release for result in results]),
        summary([result.wer for result in results]),
        summary([result.cer for result in results]),
        summary([result.minutes for result in results]),
    ]


def train(settings: Settings, answer: str, changes: Mapping[str, str], seed: int) -> Result:
    """One training, or what it gave before."""
    name = "".join(char if char.isalnum() else "_" for char in answer)
    folder = Path(settings.out) / f"{name}_{seed}"
    notes = folder / "result.json"
    if not notes.exists():
        flags = ["--train", settings.train, "--valid", settings.valid]
        flags += ["--epochs", str(settings.epochs), "--seed", str(seed), "--out", str(folder)]
        flags.append("--overwrite")  # what was broken off is begun anew
        for flag, value in changes.items():
            flags += [f"--{flag}", value] if value else [f"--{flag}"]
        recognise.main(flags)
        notes.write_text(json.dumps(asdict(read_result(folder))), encoding="utf-8")
    return Result(**json.loads(notes.read_text(encoding="utf-8")))


def read_result(folder: Path) -> Result:
    """From the records and the scores of a run."""
    scores = json.loads((folder / "valid" / "scores.json").read_text(encoding="utf-8"))
    records = read_records(folder)
    checks = [record for record in records if record.kind == "check"]
    return Result(
        release=release_step(checks),
        wer=100 * float(scores["wer"]),
        cer=100 * float(scores["cer"]),
        minutes=records[-1].time_s / 60,
    )


def summary(values: Sequence[float | None]) -> str:
    """One value as it is, several as their median with all of them."""
    shown = [number(math.inf if value is None else value) for value in values]
    if len(values) == 1:
        return shown[0]
    middle = median(math.inf if value is None else value for value in values)
    return f"{number(middle)} ({', '.join(shown)})"


def number(value: float) -> str:
    """What was not reached is no number."""
    return f"{value:.4g}" if math.isfinite(value) else "not reached"


if __name__ == "__main__":
    main()
