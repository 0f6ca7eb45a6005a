"""Train the plantings of tools/study/plantings.py, and judge what they recorded.

python tools/study/plant.py train --out runs/plantings [--first 0 --last 40]
python tools/study/plant.py judge --out runs/plantings --half tuning
    judges stored records anew, check by check, in seconds
python tools/study/plant.py train --out runs/unseen --seed 13
python tools/study/plant.py judge --out runs/unseen --seed 13 --half all
    the same of a seed that no rule has seen
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))
from plantings import HALVES, SEED, Planting, plan, trial_of
from trial import train_trial

from ctcasr.diagnose import verdict
from ctcasr.diagnose.history import RunHistory
from ctcasr.records import Record, record_from
from ctcasr.train import option, parse, required

_THIRD = 1 / 3
_LEARNING = ("learning", "converged")
_NO_CAUSE = (*_LEARNING, "plateau: wait")  # states of a run, and no cause of anything
DEAF = ("hum only", "noise only", "texts shuffled", "scores divided", "one text for all")
_PATIENCE_S = 330.0  # of one process; what is left is trained by the next


@dataclass(frozen=True)
class Settings:
    """Which plantings, and where their records lie."""

    out: str = required("folder of the records")
    first: int = option(0, "number of the first planting")
    last: int = option(10_000, "number behind the last planting")
    half: str = option("tuning", "tuning, held-out or all")
    kind: str = option("", "only plantings whose kind has this in its name")
    seed: int = option(SEED, "another draws other values, corpora and networks")
    patience: float = option(_PATIENCE_S, "seconds after which no further training begins")
    verbose: bool = option(False, "tell every check")


def main(argv: list[str]) -> None:
    """Train, or judge."""
    if argv[:1] == ["train"]:
        train(parse(Settings, argv[1:], prog="plant train"))
    elif argv[:1] == ["judge"]:
        judge(parse(Settings, argv[1:], prog="plant judge"))
    elif argv in (["-h"], ["--help"]):
        print(__doc__)
    else:
        raise SystemExit(__doc__)


def train(settings: Settings) -> None:
    """Train what has no records yet, and store them."""
    began = time.monotonic()
    folder = Path(settings.out)
    folder.mkdir(parents=True, exist_ok=True)
    for planting in plan(settings.seed)[settings.first : settings.last]:
        if settings.kind not in planting.kind:
            continue
        path = records_path(folder, planting)
        claim = path.with_suffix(".claimed")
        if path.exists() or claim.exists():
            continue
        if time.monotonic() - began > settings.patience:
            return
        claim.touch()
        training_began = time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as run:
                records = train_trial(trial_of(planting), Path(run))
        except Exception:  # what is planted may break anything; the others are trained all the same
            print(f"{planting.name}: failed", flush=True)
            traceback.print_exc()
            continue
        store(path, records)
        claim.unlink()
        seconds = time.monotonic() - training_began
        print(f"{planting.name}: {seconds:.1f} s", flush=True)


def records_path(folder: Path, planting: Planting) -> Path:
    """Where the records of a planting lie."""
    return folder / f"{planting.name}.jsonl.gz"


def store(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Records without their verdicts, one a line."""
    lines = []
    for record in records:
        without_verdict = dict(record)
        without_verdict.pop("verdict", None)
        lines.append(json.dumps(without_verdict))
    text = "\n".join(lines)
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(gzip.compress(text.encode()))
    unfinished.rename(path)


def load(path: Path) -> list[Record]:
    """The records of a planting."""
    text = gzip.decompress(path.read_bytes()).decode()
    lines = text.splitlines()
    return [record_from(json.loads(line)) for line in lines]


@dataclass(frozen=True)
class Course:
    """What the verdicts of a run said, check by check: the first cause, or the state."""

    words: tuple[str, ...]
    done: tuple[float, ...]  # share of the planned steps

    @staticmethod
    def of(records: Sequence[Record]) -> Course:
        """The course of a run by its records."""
        words: list[str] = []
        done: list[float] = []

        def look_at(so_far: Sequence[Record]) -> None:
            verdict_now = verdict(so_far)
            word = verdict_now.state
            if verdict_now.causes:
                word = verdict_now.causes[0].slug
            words.append(word)
            done.append(RunHistory.of(so_far).done)

        for end, record in enumerate(records, start=1):
            if record.kind == "check":
                look_at(records[:end])
        if records and not words:  # a run that broke before its first check
            look_at(records)
        return Course(tuple(words), tuple(done))


@dataclass(frozen=True)
class Judgement:
    """Whether a planted cause was named first, stays named, and how early."""

    named: bool  # the first cause that was named at all is right
    steady: bool  # from its first naming on it stays the first
    early: bool  # named by a third of the training
    at: float  # share of the training at which it was named
    learning: bool  # ever said to be learning or converged
    instead: str

    @staticmethod
    def of(course: Course, slugs: Sequence[str]) -> Judgement:
        """Judge a course by the causes that are right."""
        learning = any(word in _LEARNING for word in course.words)
        causes = [word for word in course.words if word not in _NO_CAUSE]
        if not causes:
            return Judgement(
                named=False,
                steady=False,
                early=False,
                at=1.0,
                learning=learning,
                instead=course.words[-1],
            )
        first_cause = causes[0]
        first_check = course.words.index(first_cause)
        from_then_on = course.words[first_check:]
        at = course.done[first_check]
        named = first_cause in slugs
        return Judgement(
            named=named,
            steady=named and all(word in slugs for word in from_then_on),
            early=named and at <= _THIRD,
            at=at,
            learning=learning,
            instead=first_cause,
        )


@dataclass(frozen=True)
class Row:
    """A planting that was trained, and what came of it."""

    planting: Planting
    judgement: Judgement
    course: Course


@dataclass(frozen=True)
class Counts:
    """How many of several plantings were named, stay named and are named early."""

    plantings: int
    named: int
    steady: int
    early: int

    @staticmethod
    def of(rows: Sequence[Row]) -> Counts:
        """Counts of rows."""
        judgements = [row.judgement for row in rows]
        return Counts(
            plantings=len(judgements),
            named=sum(judgement.named for judgement in judgements),
            steady=sum(judgement.steady for judgement in judgements),
            early=sum(judgement.early for judgement in judgements),
        )


def judge(settings: Settings) -> None:
    """Print the table of one half."""
    halves = HALVES if settings.half == "all" else (settings.half,)
    folder = Path(settings.out)
    plantings = []
    for planting in plan(settings.seed):
        if planting.half in halves and settings.kind in planting.kind:
            plantings.append(planting)
    rows: list[Row] = []
    for planting in plantings:
        path = records_path(folder, planting)
        if path.exists():
            course = Course.of(load(path))
            judgement = Judgement.of(course, planting.slugs)
            rows.append(Row(planting, judgement, course))
    _print_table(rows)
    _print_totals(rows, missing=len(plantings) - len(rows))
    if settings.verbose:
        for row in rows:
            words = " ".join(_short(row.course))
            print(f"{row.planting.name:70} {words}")


def _print_table(rows: Sequence[Row]) -> None:
    """A line for each kind of defect."""
    by_kind: dict[str, list[Row]] = {}
    for row in rows:
        by_kind.setdefault(row.planting.kind, []).append(row)
    print("| planted | named first | steady | by a third | instead |")
    print("| --- | --- | --- | --- | --- |")
    for kind, group in by_kind.items():
        if kind == "healthy":
            continue
        counts = Counts.of(group)
        instead = Counter(row.judgement.instead for row in group if not row.judgement.named)
        listed = ", ".join(f"{word} {count}" for word, count in instead.items())
        print(
            f"| {kind} | {counts.named} of {counts.plantings} | {counts.steady} | "
            f"{counts.early} | {listed} |"
        )


def _print_totals(rows: Sequence[Row], missing: int) -> None:
    """The sums below the table."""
    planted = [row for row in rows if row.planting.slugs]
    counts = Counts.of(planted)
    healthy = [row for row in rows if not row.planting.slugs]
    alarms = 0
    for row in healthy:
        alarms += any(word not in _NO_CAUSE for word in row.course.words)
    print(
        f"| **all** | **{counts.named} of {counts.plantings}** | {counts.steady} | "
        f"{counts.early} | healthy: {alarms} alarms in {len(healthy)} |"
    )
    deaf = [row for row in planted if row.planting.kind in DEAF]
    deaf_learning = sum(row.judgement.learning for row in deaf)
    print(f"{deaf_learning} of {len(deaf)} runs that can hear nothing were ever said to learn")
    if missing:
        print(f"{missing} are not trained yet")


def _short(course: Course) -> list[str]:
    """The course, equal words in a row told once."""
    shortened = []
    for word, equal_words in groupby(course.words):
        count = len(list(equal_words))
        shortened.append(f"{count}x{word}")
    return shortened


if __name__ == "__main__":
    main(sys.argv[1:])
