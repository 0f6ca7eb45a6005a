"""Answers to the questions of everyday CTC training, each measured.

One thing is changed at a time, in the same short training. What selects is the dev part held out of
train; the valid part is scored once. A run that was broken off goes on where it stood.

python tools/study/practice.py --train TRAIN.jsonl --valid VALID.jsonl --out runs/practice \\
    [--questions front,size] [--seeds 1] [--epochs 8]
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
sys.path.insert(0, str(Path(__file__).parents[2]))
import recognise

from ctcasr.records import CheckRecord, read_records
from ctcasr.scoring import against
from ctcasr.scoring.bootstrap import Difference
from ctcasr.show import release_step
from ctcasr.train import option, parse, required

NO_LOG = "front.log=false front.floor_db=0"  # the default's relative floor is one of levels in dB
STRIDE_TWO = (
    "conv=[{channels=32,kernel=[5,5],stride=[2,2]},{channels=32,kernel=[5,5],stride=[1,2]},"
    "{channels=32,kernel=[5,5],stride=[1,2]}]"
)
STRONG_MASKS = "4,0.06,2,0.2"


@dataclass(frozen=True)
class Answer:
    """What is changed of the plain training, by settings of recipes/recognise.py.

    `cost` is how many times a pass over the data computes what the plain one does: the answer gets
    so many times fewer of them.
    """

    changes: Mapping[str, str] = field(default_factory=dict)
    cost: float = 1.0


def net(changes: str) -> Answer:
    """The recipe's preset with other fields."""
    return Answer({"net": f"lifted {changes}"})


PLAIN = "as it is"
BASE = Answer()
CR_CTC = {"consistency": "0.2", "consistency-ramp": "3", "batch-size": "8"}

QUESTIONS: dict[str, dict[str, Answer]] = {
    "front": {
        "mel, no logarithm, power": net(NO_LOG),
        "mel, no logarithm, amplitude": net(f"{NO_LOG} front.power=1"),
        "spectrogram, log": net("front.kind=spectrogram"),
    },
    "normalisation": {
        "not normalised": net("front.norm=none"),
        "each band by the utterance": net("front.norm=utterance"),
        "all bands together by the utterance": net("front.norm=utterance-mean"),
        "corpus": net("front.norm=corpus"),
        "PCA whitening": net("front.norm=pca"),
        "ZCA whitening": net("front.norm=zca"),
        "ZCA whitening, less the mean of the utterance": net("front.norm=utterance-zca"),
    },
    "hiss": {
        "no hiss": Answer({"hiss": "none"}),
        "louder hiss": Answer({"hiss": "0,30"}),
        "no hiss, each band by the utterance": Answer({"hiss": "none", "net": "default"}),
    },
    "conv": {
        "no conv": net("conv=[]"),
        "ReLU clipped at 20": net("clip=20"),
        "stride of 2 instead of 4": net(STRIDE_TWO),
    },
    "size": {
        "hidden 64": net("hidden=64"),
        "hidden 256": net("hidden=256"),
        "one RNN layer instead of three": net("layers=1"),
        "four RNN layers": net("layers=4"),
        "FC 128, 128, 128": net("fc=[128,128,128]"),
        "GRU": net("rnn=gru"),
    },
    "regularisation": {
        "no dropout": net("dropout=0"),
        "dropout 0.1": net("dropout=0.1"),
        "dropout 0.35": net("dropout=0.35"),
        "weight decay 0.1": Answer({"weight-decay": "0.1"}),
        "average of the weights": Answer({"average": "0.99"}),
    },
    "optimiser": {
        "Adam": Answer({"optimiser": "adam", "weight-decay": "0"}),
        "AdamW, rate 5e-4": Answer({"lr": "5e-4"}),
        "AdamW, rate 4e-3": Answer({"lr": "4e-3"}),
        "AdamW, rate 8e-3": Answer({"lr": "8e-3"}),
        "SGD with momentum, rate 2e-3": Answer({"optimiser": "sgd", "weight-decay": "0"}),
        "batches of 8": Answer({"batch-size": "8"}),
    },
    "order": {
        "shuffled from the start (no SortaGrad)": Answer({"order": "shuffle"}),
        "no SpecAugment": Answer({"no-augment": ""}),
        "no speed perturbation": Answer({"speeds": "1"}),
    },
    "talkers": {
        "vocal tract +-12 %": Answer({"warp": "0.12"}),
        "seven speeds, 0.85 to 1.15": Answer({"speeds": "0.85,0.9,0.95,1,1.05,1.1,1.15"}),
        "more and wider masks": Answer({"masks": STRONG_MASKS}),
        "vocal tract and masks": Answer({"warp": "0.12", "masks": STRONG_MASKS}),
        "CR-CTC": Answer({"warp": "0.12", "masks": STRONG_MASKS, **CR_CTC}, cost=2.0),
    },
    "splicing": {
        "no splicing": Answer({"splice": "0"}),
        "a third of the utterances": Answer({"splice": "0.33"}),
        "all of them": Answer({"splice": "1"}),
    },
    "symbols": {
        "words said 20 times or more": Answer({"text": "words:20"}),
        "100 sentence pieces": Answer({"text": "pieces:100"}),
    },
}


@dataclass(frozen=True)
class Settings:
    """Train the answers to some questions and compare them."""

    train: str = required("manifest to learn from")
    valid: str = required("manifest to score")
    out: str = option("runs/practice", "folder of the runs; what is finished there is not repeated")
    questions: str = option("", "only these, separated by commas; empty: all")
    answers: str = option("", "only these of them, separated by semicolons; empty: all")
    seeds: int = option(1, "runs of each answer")
    epochs: int = option(8, "passes over the training data in each run")


@dataclass(frozen=True)
class Result:
    """What one training came to; `release` is None where the blank plateau was not left."""

    release: float | None  # steps
    dev: float  # per cent of the words, at the check that was the best
    wer: float  # per cent, on the valid part
    cer: float
    minutes: float
    errors: tuple[float, ...]  # of each utterance of the valid part
    words: tuple[float, ...]


def main(argv: list[str] | None = None) -> None:
    """Run what has not been run, print a table for each question."""
    settings = parse(Settings, argv, prog="practice")
    questions = settings.questions.split(",") if settings.questions else list(QUESTIONS)
    base = results_of(settings, PLAIN, BASE)
    for question in questions:
        print(
            f"\n| {question} | steps to release | dev WER % | valid WER % | valid CER % |", end=""
        )
        print(" minutes | less the default's, paired [95 %] |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        print(row(PLAIN, base, None), flush=True)
        for name, answer in wanted(settings, question).items():
            results = results_of(settings, name, answer)
            print(row(name, results, difference(base, results)), flush=True)


def wanted(settings: Settings, question: str) -> dict[str, Answer]:
    """The answers to a question that are asked for; ValueError where there is no such question."""
    if question not in QUESTIONS:
        raise ValueError(f"--questions: expected some of {', '.join(QUESTIONS)}; got {question!r}")
    answers = QUESTIONS[question]
    if not settings.answers:
        return answers
    only = settings.answers.split(";")
    return {name: answer for name, answer in answers.items() if name in only}


def results_of(settings: Settings, name: str, answer: Answer) -> list[Result]:
    """One answer with every seed."""
    return [train(settings, name, answer, seed) for seed in range(settings.seeds)]


def train(settings: Settings, name: str, answer: Answer, seed: int) -> Result:
    """One training, or what it gave before; `name` is that of its folder."""
    file_name = "".join(char if char.isalnum() else "_" for char in name)
    folder = Path(settings.out) / f"{file_name}_{seed}"
    if not (folder / "valid" / "scores.json").exists():
        epochs = max(1, round(settings.epochs / answer.cost))
        flags = ["--train", settings.train, "--valid", settings.valid]
        flags += ["--epochs", str(epochs), "--seed", str(seed), "--out", str(folder)]
        flags.append("--auto-resume")
        for flag, value in answer.changes.items():
            flags += [f"--{flag}", value] if value else [f"--{flag}"]
        recognise.main(flags)
    return read_result(folder)


def read_result(folder: Path) -> Result:
    """From the records and the scores of a run."""
    scores = json.loads((folder / "valid" / "scores.json").read_text(encoding="utf-8"))
    lines = (folder / "valid" / "hypotheses.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    records = read_records(folder)
    checks = [record for record in records if isinstance(record, CheckRecord)]
    best = [check.metrics["wer"] for check in checks if check.best]
    return Result(
        release=release_step(checks),
        dev=100 * best[-1] if best else math.inf,
        wer=100 * float(scores["wer"]),
        cer=100 * float(scores["cer"]),
        minutes=records[-1].time_s / 60,
        errors=tuple(row["substitutions"] + row["deletions"] + row["insertions"] for row in rows),
        words=tuple(row["total"] for row in rows),
    )


def difference(base: Sequence[Result], results: Sequence[Result]) -> Difference:
    """Word error rate of an answer less that of the default, over the same sentences."""
    errors = {
        PLAIN: [result.errors for result in base],
        "answer": [result.errors for result in results],
    }
    return against(PLAIN, errors, base[0].words)["answer"]


def row(name: str, results: Sequence[Result], less: Difference | None) -> str:
    """One answer's row."""
    cells = [
        name,
        summary([result.release for result in results]),
        summary([result.dev for result in results]),
        summary([result.wer for result in results]),
        summary([result.cer for result in results]),
        summary([result.minutes for result in results]),
    ]
    if less is None:
        cells.append("")
    else:
        middle, low, high = (100 * bound for bound in less.bounds)
        cells.append(f"{middle:+.1f} [{low:+.1f}, {high:+.1f}]")
    return "| " + " | ".join(cells) + " |"


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
