"""Trainings on a device by the recipe, in processes of their own, and what their records say."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from _device import DATA, DEVICE, KERNELS_ARE_WRONG, OUT, named

from ctcasr.records import CheckRecord, Record, StepRecord, read_records

RUNS = Path(tempfile.gettempdir()) / "device_day_runs"
RECIPE = Path(__file__).parents[2] / "recipes" / "recognise.py"
KEPT = (".jsonl", ".json", ".toml", ".log")  # files of a run that are worth their bytes
SEEDS = ("0", "1", "2")
CHECKS = 10  # of a run that are printed
LOG_LINES = 12  # of a run that failed


def grid(budget: str = "25s") -> None:
    """Train the default recogniser on GRID for so long, and score it."""
    Run("grid", "grid_s1", "--budget", budget, "--check-every", "4").finish()


def gridfull(epochs: str = "60", *seeds: str) -> None:
    """GRID to convergence: by default three seeds in float32, and one in bfloat16."""
    train_fully("grid_s1", epochs, seeds)


def an4(epochs: str = "60", *seeds: str) -> None:
    """The same with AN4: 74 speakers who spell."""
    train_fully("an4", epochs, seeds)


def train_fully(corpus: str, epochs: str, seeds: Sequence[str]) -> None:
    """The first seed alone, in both types, which tells the time; then all others at once."""
    first, *others = seeds or SEEDS
    flags = ("--epochs", epochs, "--seed")
    Run(f"{corpus}-fp32-{first}", corpus, *flags, first).finish()
    Run(f"{corpus}-bf16-{first}", corpus, *flags, first, "--bf16").finish()
    runs = []
    for seed in others:
        run = Run(f"{corpus}-fp32-{seed}", corpus, *flags, seed)
        runs.append(run)
    for run in runs:
        run.finish()


class Run:
    """One training, which begins at once."""

    def __init__(self, name: str, corpus: str, *flags: str) -> None:
        self.name = name
        self.out = RUNS / name
        self.log = RUNS / f"{name}.log"
        shutil.rmtree(self.out, ignore_errors=True)
        RUNS.mkdir(parents=True, exist_ok=True)
        settings = {
            "--train": DATA / corpus / "train.jsonl",
            "--valid": DATA / corpus / "valid.jsonl",
            "--out": self.out,
            "--device": DEVICE,
        }
        if KERNELS_ARE_WRONG.exists():
            settings["--ctc-backend"] = "torch"
        command = [sys.executable, str(RECIPE)]
        for flag, value in settings.items():
            command += [flag, str(value)]
        command += flags
        self.started = time.perf_counter()
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def finish(self) -> None:
        """Wait for its end and print what came of it; where time is over, as much as there is."""
        try:
            self.process.wait()
        finally:
            self.report()
            keep_runs()

    def report(self) -> None:
        """Print what there is of it."""
        spent_s = time.perf_counter() - self.started
        status = self.process.poll()
        print(f"{self.name}: status {status}, {spent_s:.1f} s in all")
        self.print_log()
        if (self.out / "records.jsonl").is_file():
            records = read_records(self.out)
            print_records(records)
        sys.stdout.flush()

    def print_log(self) -> None:
        """The score; the end of the log where the run failed."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        lines = text.splitlines()
        scores = [line for line in lines if line.startswith("valid:")]
        for line in scores or lines[-LOG_LINES:]:
            print(f"  {line[:200]}")


def print_records(records: Sequence[Record]) -> None:
    """Pace, waiting for data, and checks of a run."""
    steps = [record for record in records if isinstance(record, StepRecord)]
    checks = [record for record in records if isinstance(record, CheckRecord)]
    if not steps:
        print("  no step was recorded")
        return
    count = sum_of(steps, "steps")
    audio_s = sum_of(steps, "audio_s")
    step_s = sum_of(steps, "step_s")
    wait_s = sum_of(steps, "wait_s")
    busy_s = step_s + wait_s
    total_s = records[-1].time_s
    figures = {
        "steps": count,
        "ms a step": 1e3 * step_s / count,
        "audio-s/s in steps": audio_s / busy_s,
        "over all": audio_s / total_s,
        "waiting for data %": 100 * wait_s / busy_s,
        "seconds in all": total_s,
        "of them checks, files and the rest": total_s - busy_s,
    }
    print("  " + named(figures))
    print("  dev WER % at: " + named(rates_of(checks)))


def rates_of(checks: Sequence[CheckRecord]) -> dict[str, float]:
    """Word error rates in % of a few checks, the last one among them, by their time."""
    stride = max(1, math.ceil(len(checks) / CHECKS))
    last_first = checks[::-stride]
    rates = {}
    for check in reversed(last_first):
        moment = f"{check.time_s:.0f} s"
        rates[moment] = 100 * check.number("wer")
    return rates


def sum_of(records: Sequence[StepRecord], name: str) -> float:
    """Of a field; what a record does not tell counts as nothing."""
    return sum(getattr(record, name) or 0.0 for record in records)


def keep_runs() -> None:
    """The records, logs and scores of all runs in one file under $OUT."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tarfile.open(OUT / "runs.tar.gz", "w:gz") as archive:
        for path in sorted(RUNS.rglob("*")):
            if path.suffix in KEPT:
                name = path.relative_to(RUNS)
                archive.add(path, name)
