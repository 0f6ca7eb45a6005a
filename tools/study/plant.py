"""Train the plantings of tools/study/plantings.py, and judge what they recorded.

python tools/study/plant.py train --out runs/plantings [--first 0 --last 40]
python tools/study/plant.py judge --out runs/plantings --half tuning
    judges stored records anew, check by check, in seconds
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
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))
from plantings import HALVES, Planting, plan, trial_of
from trial import train_trial

from ctcasr.diagnose import verdict
from ctcasr.diagnose.history import RunHistory
from ctcasr.records import Record, record_from
from ctcasr.train import option, parse, required

_THIRD = 1 / 3
DEAF = ("hum only", "noise only", "texts shuffled", "scores divided", "one text for all")
_PATIENCE_S = 330.0  # of one process; what is left is trained by the next


@dataclass(frozen=True)
class Settings:
    """Which plantings, and where their records lie."""

    out: str = required("folder of the records")
    first: int = option(0, "number of the first planting")
    last: int = option(10_000, "number behind the last planting")
    half: str = option("tuning", "tuning or held-out")
    patience: float = option(_PATIENCE_S, "seconds after which no further training begins")
    verbose: bool = option(False, "tell every check")


def main(argv: list[str]) -> None:
    """Train, or judge."""
    if argv[:1] == ["train"]:
        train(parse(Settings, argv[1:], prog="plant train"))
    elif argv[:1] == ["judge"]:
        judge(parse(Settings, argv[1:], prog="plant judge"))
    else:
        raise SystemExit(__doc__)


def train(settings: Settings) -> None:
    """Train what has no records yet, and store them."""
    began = time.monotonic()
    folder = Path(settings.out)
    folder.mkdir(parents=True, exist_ok=True)
    for planting in plan()[settings.first : settings.last]:
        path = records_path(folder, planting)
        claim = path.with_suffix(".claimed")
        if path.exists() or claim.exists():
            continue
        if time.monotonic() - began > settings.patience:
            return
        claim.touch()
        start = time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as run:
                records = train_trial(trial_of(planting), Path(run))
        except Exception:  # what is planted may break anything; the others are trained all the same
            print(f"{planting.name}: failed", flush=True)
            traceback.print_exc()
            continue
        store(path, records)
        claim.unlink()
        print(f"{planting.name}: {time.monotonic() - start:.1f} s", flush=True)


def records_path(folder: Path, planting: Planting) -> Path:
    """Where the records of a planting lie."""
    return folder / f"{planting.name}.jsonl.gz"


def store(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Records without their verdicts, one a line."""
    lines = []
    for record in records:
        kept = {name: value for name, value in record.items() if name != "verdict"}
        lines.append(json.dumps(kept))
    part = path.with_suffix(".part")
    part.write_bytes(gzip.compress("\n".join(lines).encode()))
    part.rename(path)


def load(path: Path) -> list[Record]:
    """The records of a planting."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
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
        done = []
        for end, record in enumerate(records, start=1):
            last = end == len(records)
            if record.kind != "check" and not (last and not words):
                continue
            verdict_now = verdict(records[:end])
            causes = verdict_now.causes
            words.append(causes[0].slug if causes else verdict_now.state)
            done.append(RunHistory.of(records[:end]).done)
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
        states = ("learning", "converged")
        causes = [w for w in course.words if w not in (*states, "plateau: wait")]
        learning = any(word in states for word in course.words)
        if not causes:
            return Judgement(False, False, False, 1.0, learning, course.words[-1])
        first = course.words.index(causes[0])
        right = causes[0] in slugs
        steady = right and all(word in slugs for word in course.words[first:])
        at = course.done[first]
        return Judgement(right, steady, right and at <= _THIRD, at, learning, causes[0])


def judge(settings: Settings) -> None:
    """Print the table of one half."""
    assert settings.half in HALVES, settings.half
    folder = Path(settings.out)
    rows: list[tuple[Planting, Judgement, Course]] = []
    missing = 0
    for planting in plan():
        path = records_path(folder, planting)
        if planting.half != settings.half:
            continue
        if not path.exists():
            missing += 1
            continue
        course = Course.of(load(path))
        rows.append((planting, Judgement.of(course, planting.slugs), course))
    by_kind: dict[str, list[tuple[Planting, Judgement, Course]]] = {}
    for row in rows:
        by_kind.setdefault(row[0].kind, []).append(row)
    print("| planted | named first | steady | by a third | instead |")
    print("| --- | --- | --- | --- | --- |")
    for kind, group in by_kind.items():
        if kind == "healthy":
            continue
        count = len(group)
        named = sum(judgement.named for _, judgement, _ in group)
        steady = sum(judgement.steady for _, judgement, _ in group)
        early = sum(judgement.early for _, judgement, _ in group)
        wrong = Counter(judgement.instead for _, judgement, _ in group if not judgement.named)
        listed = ", ".join(f"{word} {n}" for word, n in wrong.items())
        print(f"| {kind} | {named} of {count} | {steady} | {early} | {listed} |")
    _print_totals(rows, missing)
    if settings.verbose:
        for planting, _, course in rows:
            print(f"{planting.name:70} {' '.join(_short(course))}")


def _print_totals(rows: Sequence[tuple[Planting, Judgement, Course]], missing: int) -> None:
    """The sums below the table."""
    planted = [row for row in rows if row[0].slugs]
    healthy = [row for row in rows if not row[0].slugs]
    named = [row for row in planted if row[1].named]
    steady = sum(row[1].steady for row in named)
    early = sum(row[1].early for row in named)
    deaf = [row for row in planted if row[0].kind in DEAF]
    deaf_learning = sum(row[1].learning for row in deaf)
    alarms = 0
    for _, _, course in healthy:
        alarms += any(
            word not in ("learning", "converged", "plateau: wait") for word in course.words
        )
    print(
        f"| **all** | **{len(named)} of {len(planted)}** | {steady} | {early} | "
        f"healthy: {alarms} alarms in {len(healthy)} |"
    )
    print(f"{deaf_learning} of {len(deaf)} runs that can hear nothing were ever said to learn")
    if missing:
        print(f"{missing} are not trained yet")


def _short(course: Course) -> list[str]:
    """The course, equal words in a row told once."""
    words: list[str] = []
    count = 0
    for place, word in enumerate(course.words):
        count += 1
        if place + 1 == len(course.words) or course.words[place + 1] != word:
            words.append(f"{count}x{word}")
            count = 0
    return words


if __name__ == "__main__":
    main(sys.argv[1:])
