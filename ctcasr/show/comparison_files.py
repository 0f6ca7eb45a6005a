"""A comparison of systems as files: scores.json, utterances.csv, pairs.csv and table.tex."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

from ctcasr.compare.comparison import Comparison, ComparisonSetting
from ctcasr.compare.pairs import NIST_TESTS, PairResult
from ctcasr.compare.scores import Scores
from ctcasr.compare.system_rows import Group, SystemRow
from ctcasr.scoring.figures import points
from ctcasr.show.comparison_cells import counts_text, interval_text, rate_text, statement

FILES = ("scores.json", "utterances.csv", "pairs.csv", "table.tex")
PAGE = "page.html"
_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_PAIR_COLUMNS = (
    "stratum",
    "group",
    "first",
    "second",
    "utterances",
    "difference",
    "low_95",
    "high_95",
    "word",
    "bootstrap_p",
    "sign_flip_p",
    *NIST_TESTS,
    "first_wins",
    "ties",
    "second_wins",
    "resolvable",
)


def comparison_as_json(comparison: Comparison, setting: ComparisonSetting) -> dict[str, Any]:
    """Everything as plain data; rates are shares of 1.

    Keys: statement, normaliser, unit, units, draws, seed, systems, pairs, strata (field -> value
    -> systems and pairs), sensitivity, remarks.
    """
    strata: dict[str, dict[str, Any]] = {}
    for name, groups in comparison.strata.items():
        strata[name] = {value: _group(group) for value, group in groups.items()}
    sensitivity = []
    for ranking in comparison.sensitivity:
        sensitivity.append(
            {
                "normaliser": ranking.normaliser,
                "averaging": ranking.averaging,
                "wer": dict(ranking.wer),
                "order": ranking.order,
            }
        )
    return {
        "statement": statement(comparison, setting),
        "normaliser": setting.normaliser,
        "unit": comparison.unit,
        "units": comparison.units,
        "draws": setting.draws,
        "seed": setting.seed,
        **_group(comparison.whole),
        "strata": strata,
        "sensitivity": sensitivity,
        "remarks": comparison.remarks,
    }


def write_comparison(out: Path, comparison: Comparison, setting: ComparisonSetting) -> list[Path]:
    """scores.json, utterances.csv, pairs.csv and table.tex in `out`; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    plain = comparison_as_json(comparison, setting)
    text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
    paths = [out / name for name in FILES]
    paths[0].write_text(text + "\n", encoding="utf-8")
    _write_utterances(paths[1], comparison.scores)
    _write_pairs(paths[2], comparison)
    paths[3].write_text(latex_table(comparison, setting), encoding="utf-8")
    return paths


def latex_table(comparison: Comparison, setting: ComparisonSetting) -> str:
    """A table for a paper (package booktabs): rates, intervals, differences to the best system."""
    rows = sorted(comparison.whole.rows, key=lambda row: row.errors.words.rate_or(math.inf))
    best = rows[0].system
    lines = [
        r"\begin{table}",
        rf"\caption{{{_tex(statement(comparison, setting))}}}",
        r"\begin{tabular}{lrrrrrl}",
        r"\toprule",
        r"system & WER \% & 95\,\% & S / D / I & CER \% & to the best & \\",
        r"\midrule",
    ]
    for row in rows:
        difference, verdict = _to_best(comparison, row.system, best)
        cells = [
            _tex(row.system),
            rate_text(row.errors.words.rate).removesuffix(" %"),
            interval_text(row).replace(" - ", "--"),
            counts_text(row),
            rate_text(row.errors.chars.rate).removesuffix(" %"),
            difference,
            verdict,
        ]
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def _to_best(comparison: Comparison, system: str, best: str) -> tuple[str, str]:
    """The difference of a system to the best one, and whether it is real."""
    for result in comparison.whole.pairs:
        pair = result.pair
        if {pair.first, pair.second} != {system, best}:
            continue
        difference = result.tested.difference
        more = difference.difference if pair.second == system else -difference.difference
        # The best by its rate may have heard the easy part alone, and lose on what both have.
        verdicts = {best: "worse", system: "better", "": "undecided"}
        return points(more), verdicts[result.better]
    return "", ""


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in text)


def _group(group: Group) -> dict[str, Any]:
    return {
        "systems": [_row(row) for row in group.rows],
        "pairs": [_pair(result) for result in group.pairs],
    }


def _row(row: SystemRow) -> dict[str, Any]:
    low, high = row.interval
    kaldi = None
    if row.kaldi is not None:
        kaldi = {"mean": row.kaldi.mean, "half_width": row.kaldi.half_width}
    return {
        "system": row.system,
        **row.errors.metrics(),
        "wer_interval_95": [low, high] if math.isfinite(low) else None,
        "wer_bootci": kaldi,
        "wer_mean_of_utterances": row.mean_wer,
        "loops": row.loops,
        "missing": row.missing,
        "wer_missing_as_deletions": row.wer_missing_as_deletions,
    }


def _pair(result: PairResult) -> dict[str, Any]:
    tests = {}
    for test in NIST_TESTS:
        tests[test] = {"p": getattr(result, test).p, "p_holm": result.corrected[test]}
    z = result.mapsswe.z
    tests["mapsswe"] |= {
        "segments": result.mapsswe.segments,
        "mean": result.mapsswe.mean,
        "deviation": result.mapsswe.deviation,
        "z": z if math.isfinite(z) else None,
    }
    return {
        "first": result.pair.first,
        "second": result.pair.second,
        "utterances": result.utterances,
        **result.tested.difference.as_json(),
        "better": result.better,
        "sign_flip_p": result.tested.sign_flip_p,
        "probability_of_improvement": result.improvement,
        "wins": [result.wins.first, result.wins.ties, result.wins.second],
        "ranked": result.rank_unit,
        **tests,
    }


def _write_utterances(path: Path, scores: Scores) -> None:
    """A line for each system and utterance, normalised as it was scored."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        counts = ("words", "substitutions", "deletions", "insertions")
        writer.writerow(["system", "id", "reference", "hypothesis", *counts])
        for system, of_system in scores.items():
            for utterance, scored in of_system.items():
                words = scored.errors.words
                numbers = (words.total, words.substitutions, words.deletions, words.insertions)
                texts = (scored.reference, scored.hypothesis)
                writer.writerow([system, utterance, *texts, *numbers])


def _write_pairs(path: Path, comparison: Comparison) -> None:
    """A line for each pair, over all utterances and in each group."""
    groups: list[tuple[str, str, Group]] = [("", "all", comparison.whole)]
    for name, values in comparison.strata.items():
        groups += [(name, value, group) for value, group in values.items()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_PAIR_COLUMNS)
        for stratum, value, group in groups:
            for result in group.pairs:
                writer.writerow([stratum, value, *_pair_cells(result)])


def _pair_cells(result: PairResult) -> list[object]:
    difference = result.tested.difference
    low, high = difference.interval
    return [
        result.pair.first,
        result.pair.second,
        result.utterances,
        difference.difference,
        low,
        high,
        difference.word,
        difference.p,
        result.tested.sign_flip_p,
        *(getattr(result, test).p for test in NIST_TESTS),
        result.wins.first,
        result.wins.ties,
        result.wins.second,
        difference.resolvable,
    ]
