"""What lips are worth, as a table: every condition of a trial against one, summed over seeds.

python tools/study/eyes_table.py OUT/score/rows.csv [--base zeroed]

Rows as `ctcasr score-enhanced` writes them; conditions are called NAME.SEED. Intervals are of 95 %,
by bootstrap over the sentences that were mixed.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ctcasr.scoring.bootstrap import Paired, draw, interval, unit_sums

SNR_EDGES = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0)
LEVEL = 0.05
METRICS = ("wer", "si_sdr", "estoi")
Row = Mapping[str, str]


def table(rows: Sequence[Row], base: str) -> Iterator[str]:
    """Lines of a Markdown table: every condition against `base`, by interferer and SNR."""
    yield f"| stratum | scenes | against {base} | R | WER | SI-SDR, dB | ESTOI |"
    yield "| --- | ---: | --- | --- | --- | --- | --- |"
    conditions = sorted({condition_of(row) for row in rows} - {base, "clean"})
    judges = sorted({row["recogniser"] for row in rows})
    for stratum, members in strata(rows).items():
        for condition in conditions:
            for judge in judges:
                here = [row for row in members if row["recogniser"] == judge]
                cells = [compared(here, condition, base, metric) for metric in METRICS]
                scenes = len({row["scene"] for row in here})
                yield f"| {stratum} | {scenes} | {condition} | {judge} | {' | '.join(cells)} |"


def strata(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """All rows, those of each interferer, and of each of them within spans of SNR."""
    groups: dict[str, list[Row]] = {"all": list(rows)}
    for row in rows:
        groups.setdefault(row["interferer"], []).append(row)
    for row in rows:
        snr_db = float(row["snr_db"])
        for low_db, high_db in pairwise(SNR_EDGES):
            if low_db <= snr_db < high_db:
                name = f"{row['interferer']}, {low_db:g} to {high_db:g} dB"
                groups.setdefault(name, []).append(row)
    return groups


def condition_of(row: Row) -> str:
    """The condition without its seed."""
    name, _, seed = row["condition"].rpartition(".")
    return name if seed.isdigit() else row["condition"]


def compared(rows: Sequence[Row], condition: str, base: str, metric: str) -> str:
    """The mean difference of a metric with its 95 % interval, over sources and seeds."""
    values: dict[tuple[str, str], list[tuple[float, float]]] = {}
    source_of = {}
    for row in rows:
        counted = counts(row, metric)
        if counted is not None:
            values.setdefault((row["scene"], condition_of(row)), []).append(counted)
            source_of[row["scene"]] = row["source"]
    units = []
    columns: list[list[float]] = [[], [], []]
    for scene, source in source_of.items():
        firsts = values.get((scene, base), [])
        seconds = values.get((scene, condition), [])
        if not firsts or not seconds:
            continue
        units.append(source)
        weight = firsts[0][1]
        columns[0].append(sum(value for value, _ in firsts) / len(firsts))
        columns[1].append(sum(value for value, _ in seconds) / len(seconds))
        columns[2].append(weight)
    if not units:
        return "-"
    first, second, weights = unit_sums(units, *columns)
    pair = Paired(base=first, other=second, words=weights)
    low, high = interval(draw(pair), len(weights), LEVEL)
    scale = 100.0 if metric == "wer" else 1.0
    ends = f"{scale * low:+.2f} .. {scale * high:+.2f}"
    return f"{scale * pair.difference:+.2f} ({ends})"


def counts(row: Row, metric: str) -> tuple[float, float] | None:
    """A row's errors and words, or its value and 1; None where there is none."""
    if metric == "wer":
        if not row["words"]:
            return None
        errors = sum(int(row[name]) for name in ("substitutions", "deletions", "insertions"))
        return float(errors), float(row["words"])
    if not row.get(metric):
        return None
    return float(row[metric]), 1.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--base", default="zeroed")
    arguments = parser.parse_args()
    with arguments.rows.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for line in table(rows, arguments.base):
        print(line)


if __name__ == "__main__":
    main()
