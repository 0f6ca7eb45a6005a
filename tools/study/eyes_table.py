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
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from ctcasr.scoring.bootstrap import Paired, draw, interval, unit_sums

SNR_EDGES = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0)
LOUD_DB = -5.0
LEVEL = 0.05
REMIXED = " + "  # in the names of files with noise put back, which are not looked at here
METRICS = ("wer", "si_sdr_db", "estoi")
ERRORS = ("substitutions", "deletions", "insertions")
Row = Mapping[str, str]


def table(rows: Sequence[Row], base: str) -> Iterator[str]:
    """Lines of a Markdown table: every condition against `base`, by interferer and SNR."""
    yield f"| stratum | scenes | against {base} | R | WER | SI-SDR, dB | ESTOI |"
    yield "| --- | ---: | --- | --- | --- | --- | --- |"
    conditions = sorted({condition_of(row) for row in rows} - {base, "clean"})
    conditions = [condition for condition in conditions if REMIXED not in condition]
    judges = sorted({row["recogniser"] for row in rows})
    for stratum, members in strata(rows).items():
        for condition in conditions:
            for judge in judges:
                heard = [row for row in members if row["recogniser"] == judge]
                yield line_of(heard, stratum, judge, condition, base)


def line_of(rows: Sequence[Row], stratum: str, judge: str, condition: str, base: str) -> str:
    """A line of the table: one condition against `base`, as one recogniser heard them."""
    scenes = {row["scene"] for row in rows}
    cells = [stratum, str(len(scenes)), condition, judge]
    for metric in METRICS:
        cells.append(compared(rows, condition, base, metric))
    return f"| {' | '.join(cells)} |"


def strata(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """All rows, those of each interferer, where it is loud, and within spans of SNR."""
    by_interferer: dict[str, list[Row]] = {}
    loud: dict[str, list[Row]] = {}
    by_snr: dict[str, list[Row]] = {}
    for row in rows:
        interferer = row["interferer"]
        by_interferer.setdefault(interferer, []).append(row)
        snr_db = float(row["snr_db"])
        if snr_db <= LOUD_DB:
            loud.setdefault(f"{interferer}, {LOUD_DB:g} dB and below", []).append(row)
        span = snr_span(snr_db)
        if span is not None:
            by_snr.setdefault(f"{interferer}, {span}", []).append(row)
    return {"all": list(rows), **by_interferer, **loud, **by_snr}


def snr_span(snr_db: float) -> str | None:
    """The span of the table that an SNR lies in; None outside of all.

    Example:
        >>> snr_span(-7.5)
        '-10 to -5 dB'
    """
    for low_db, high_db in pairwise(SNR_EDGES):
        if low_db <= snr_db < high_db:
            return f"{low_db:g} to {high_db:g} dB"
    return None


def condition_of(row: Row) -> str:
    """The condition without its seed."""
    name, _, seed = row["condition"].rpartition(".")
    return name if seed.isdigit() else row["condition"]


class Measured(NamedTuple):
    """A row's errors and words, or the value of another metric and 1."""

    value: float
    weight: float


def compared(rows: Sequence[Row], condition: str, base: str, metric: str) -> str:
    """The mean difference of a metric with its 95 % interval, over sources and seeds."""
    pair = paired(rows, condition, base, metric)
    if pair is None:
        return "-"
    low, high = interval(draw(pair), len(pair.words), LEVEL)
    scale = 100.0 if metric == "wer" else 1.0
    ends = f"{scale * low:+.2f} .. {scale * high:+.2f}"
    return f"{scale * pair.difference:+.2f} ({ends})"


def paired(rows: Sequence[Row], condition: str, base: str, metric: str) -> Paired | None:
    """Both conditions, summed over each source's scenes; None where no scene has both."""
    by_scene: dict[tuple[str, str], list[Measured]] = {}
    source_of = {}
    for row in rows:
        measured = measured_in(row, metric)
        if measured is not None:
            scene = row["scene"]
            source_of[scene] = row["source"]
            by_scene.setdefault((scene, condition_of(row)), []).append(measured)
    sources = []
    base_values = []
    other_values = []
    weights = []
    for scene, source in source_of.items():
        of_base = by_scene.get((scene, base))
        of_other = by_scene.get((scene, condition))
        if of_base and of_other:
            sources.append(source)
            base_values.append(mean_over_seeds(of_base))
            other_values.append(mean_over_seeds(of_other))
            weights.append(of_base[0].weight)
    if not sources:
        return None
    base_sums, other_sums, words = unit_sums(sources, base_values, other_values, weights)
    return Paired(base=base_sums, other=other_sums, words=words)


def mean_over_seeds(seeds: Sequence[Measured]) -> float:
    """The mean value of one scene in one condition."""
    return sum(seed.value for seed in seeds) / len(seeds)


def measured_in(row: Row, metric: str) -> Measured | None:
    """What a row says of a metric; None where it says nothing."""
    if metric != "wer":
        value = row.get(metric)
        return Measured(float(value), 1.0) if value else None
    words = row["words"]
    if not words:
        return None
    errors = 0
    for kind in ERRORS:
        errors += int(row[kind])
    return Measured(float(errors), float(words))


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
